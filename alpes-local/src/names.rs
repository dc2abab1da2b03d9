//! The names of things: the one account, the one region, and ARNs.

/// The account of everything here.
pub const ACCOUNT: &str = "000000000000";
/// The region of everything here.
pub const REGION: &str = "us-east-1";

/// An ARN in this account and region: `arn:aws:SERVICE:us-east-1:000000000000:RESOURCE`.
#[must_use]
pub fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The last part of an ARN, after the last `:` or `/`; a text without either is returned whole. So a name stays a name.
#[must_use]
pub fn last_part(arn_or_name: &str) -> &str {
    arn_or_name.rsplit([':', '/']).next().unwrap_or(arn_or_name)
}

/// The current time in milliseconds since 1970.
#[must_use]
pub fn now_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
