//! Opaque tokens: shard iterators and the tokens of following pages.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::error::AwsError;

/// The time for which tokens are good.
pub(super) const LIFE_MILLIS: u64 = 300_000;

const CHECKSUM_BYTES: usize = 4;

/// Makes a token, which a checksum guards against changes.
pub(super) fn seal(contents: &impl Serialize) -> Result<String, AwsError> {
    let contents = serde_json::to_vec(contents).map_err(AwsError::internal)?;
    let mut token = crc32fast::hash(&contents).to_be_bytes().to_vec();
    token.extend(contents);
    Ok(STANDARD.encode(token))
}

/// Opens a token; `None` if [`seal`] did not make it of this type.
pub(super) fn open<T: DeserializeOwned>(token: &str) -> Option<T> {
    let token = STANDARD.decode(token).ok()?;
    let (checksum, contents) = token.split_at_checked(CHECKSUM_BYTES)?;
    let good = crc32fast::hash(contents).to_be_bytes() == checksum;
    serde_json::from_slice(contents).ok().filter(|_| good)
}

/// The stream that a token is about: a shard iterator, or the token of a page of shards.
pub(crate) fn stream_of_token(token: &str) -> Option<String> {
    let contents: Value = open(token)?;
    let stream = contents.get("stream").or(contents.get("listed_stream"))?;
    stream.as_str().map(str::to_owned)
}

/// AWS's error of a page's token that is too old.
pub(super) fn check_age(issued: u64, now: u64) -> Result<(), AwsError> {
    if now.saturating_sub(issued) > LIFE_MILLIS {
        return Err(AwsError::client(
            "ExpiredNextTokenException",
            "The specified pagination token has expired. Tokens expire after 300 seconds.",
        ));
    }
    Ok(())
}
