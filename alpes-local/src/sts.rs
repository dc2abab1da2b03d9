//! STS: who a caller is, and sessions of roles.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::{
    digest::sha256,
    error::AwsError,
    http::{Form, query_answer, xml_element},
    iam,
    names::{ACCOUNT, last_part, now_millis},
    store::Store,
    time::iso_seconds,
};

/// The namespace of STS's answers, also for [`crate::http::query_error`].
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sts_sessions (
  access_key TEXT PRIMARY KEY,
  secret TEXT NOT NULL,
  token TEXT NOT NULL,
  role TEXT NOT NULL,
  name TEXT NOT NULL,
  expires INTEGER NOT NULL
) WITHOUT ROWID;
";

/// How long a session lasts in seconds if its maker does not say, and the limits.
const DURATION: u64 = 3_600;
const SHORTEST: u64 = 900;
const LONGEST: u64 = 43_200;

/// The sessions of roles. Any role of the account can be assumed.
pub struct Sts {
    store: Arc<Store>,
}

/// A session of a role: temporary credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The access key, which begins with `ASIA`. The keys of sessions are all different.
    pub access_key: String,
    /// The secret key.
    pub secret: String,
    /// The session token.
    pub token: String,
    /// The role's ARN.
    pub role: String,
    /// The name of the session.
    pub name: String,
    /// When the session ends, in milliseconds since 1970.
    pub expires: u64,
}

impl Session {
    /// The ARN of the session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        let role = last_part(&self.role);
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{}", self.name)
    }

    /// The id of the session: the role's id, which begins with `AROA`, and the name.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", role_id(&self.role), self.name)
    }
}

impl Sts {
    /// The sessions in this store.
    ///
    /// # Errors
    ///
    /// If the table cannot be made.
    pub fn new(store: Arc<Store>) -> Result<Self, AwsError> {
        store.schema(SCHEMA)?;
        Ok(Self { store })
    }

    /// Answers an action of the query protocol with the whole XML document. `access_key` is that of the caller, from
    /// the request's signature.
    ///
    /// # Errors
    ///
    /// As the action; for [`crate::http::query_error`] with [`NAMESPACE`].
    pub fn call(
        &self,
        action: &str,
        form: &Form,
        access_key: Option<&str>,
    ) -> Result<String, AwsError> {
        let result = match action {
            "GetCallerIdentity" => self.caller_identity(access_key)?,
            "AssumeRole" => self.assume_role(form)?,
            _ => {
                return Err(AwsError::client(
                    "InvalidAction",
                    format!("The local runtime has no STS action {action}."),
                ));
            }
        };
        Ok(query_answer(NAMESPACE, action, Some(&result)))
    }

    /// Makes a session of a role, and forgets those that have ended.
    ///
    /// # Errors
    ///
    /// `ValidationError` if the role is not an ARN of a role in this account, or the name or the duration in seconds
    /// breaks STS's rules.
    pub fn assume(&self, role: &str, name: &str, seconds: u64) -> Result<Session, AwsError> {
        check_role(role)?;
        check_name(name)?;
        check_duration(seconds)?;
        let now = now_millis();
        let session = Session {
            access_key: format!("ASIA{}", identifier(&Uuid::new_v4().to_string())),
            secret: secret(40),
            token: secret(100),
            role: role.to_owned(),
            name: name.to_owned(),
            expires: now + seconds * 1_000,
        };
        self.store.write(|transaction| {
            transaction.execute("DELETE FROM sts_sessions WHERE expires < ?", [now])?;
            transaction.execute(
                "INSERT INTO sts_sessions (access_key, secret, token, role, name, expires) VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    session.access_key,
                    session.secret,
                    session.token,
                    session.role,
                    session.name,
                    session.expires,
                ],
            )?;
            Ok::<_, AwsError>(())
        })?;
        Ok(session)
    }

    /// The session with this access key; `None` for other keys, and for sessions that have ended.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn session(&self, access_key: &str) -> Result<Option<Session>, AwsError> {
        self.store.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT access_key, secret, token, role, name, expires FROM sts_sessions
                 WHERE access_key = ? AND expires >= ?",
            )?;
            let found = statement.query_row(params![access_key, now_millis()], |row| {
                Ok(Session {
                    access_key: row.get(0)?,
                    secret: row.get(1)?,
                    token: row.get(2)?,
                    role: row.get(3)?,
                    name: row.get(4)?,
                    expires: row.get(5)?,
                })
            });
            Ok(found.optional()?)
        })
    }

    /// A caller with the key of a session is this session, and every other one is the account.
    fn caller_identity(&self, access_key: Option<&str>) -> Result<String, AwsError> {
        if let Some(function) = access_key.and_then(iam::Session::of) {
            let id = format!("{}:{}", role_id(function.role), function.function);
            return Ok(identity(&function.arn(), &id));
        }
        let session = match access_key {
            Some(key) => self.session(key)?,
            None => None,
        };
        if session.is_none() && access_key.is_some_and(|key| key.starts_with("ASIA")) {
            return Err(AwsError::of(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            ));
        }
        let (arn, id) = session.map_or_else(
            || (format!("arn:aws:iam::{ACCOUNT}:root"), ACCOUNT.to_owned()),
            |session| (session.arn(), session.id()),
        );
        Ok(identity(&arn, &id))
    }

    fn assume_role(&self, form: &Form) -> Result<String, AwsError> {
        check_fields(form)?;
        let seconds = form
            .get("DurationSeconds")
            .map_or(Ok(DURATION), |seconds| {
                let number = seconds.parse();
                number.map_err(|_| invalid("durationSeconds", seconds, "Member must be an integer"))
            })?;
        let role = form.get("RoleArn").unwrap_or_default();
        let name = form.get("RoleSessionName").unwrap_or_default();
        let session = self.assume(role, name, seconds)?;
        let credentials = [
            xml_element("AccessKeyId", &session.access_key),
            xml_element("SecretAccessKey", &session.secret),
            xml_element("SessionToken", &session.token),
            xml_element("Expiration", &iso_seconds(session.expires)),
        ]
        .concat();
        let user = [
            xml_element("AssumedRoleId", &session.id()),
            xml_element("Arn", &session.arn()),
        ]
        .concat();
        Ok(format!(
            "<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        ))
    }
}

fn identity(arn: &str, id: &str) -> String {
    [
        xml_element("Arn", arn),
        xml_element("UserId", id),
        xml_element("Account", ACCOUNT),
    ]
    .concat()
}

/// Refuses what would narrow or mark a session, since the runtime would not do so.
fn check_fields(form: &Form) -> Result<(), AwsError> {
    let known = [
        "Action",
        "Version",
        "RoleArn",
        "RoleSessionName",
        "DurationSeconds",
        "ExternalId",
    ];
    let unknown = form.iter().find(|(name, _)| !known.contains(name));
    unknown.map_or(Ok(()), |(name, value)| {
        Err(invalid(
            name,
            value,
            "Member is not supported by the local runtime",
        ))
    })
}

fn check_role(role: &str) -> Result<(), AwsError> {
    let prefix = format!("arn:aws:iam::{ACCOUNT}:role/");
    let path = role.strip_prefix(&prefix);
    if path.is_some_and(|path| !last_part(path).is_empty()) {
        return Ok(());
    }
    let constraint = format!("Member must be the ARN of a role in this account: {prefix}NAME");
    Err(invalid("roleArn", role, &constraint))
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    if (2..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let constraint = "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}";
    Err(invalid("roleSessionName", name, constraint))
}

fn check_duration(seconds: u64) -> Result<(), AwsError> {
    if (SHORTEST..=LONGEST).contains(&seconds) {
        return Ok(());
    }
    let constraint = format!("Member must have value between {SHORTEST} and {LONGEST}");
    Err(invalid(
        "durationSeconds",
        &seconds.to_string(),
        &constraint,
    ))
}

fn invalid(name: &str, value: &str, rule: &str) -> AwsError {
    AwsError::client(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"
        ),
    )
}

/// The id of a role, the same each time.
fn role_id(role: &str) -> String {
    format!("AROA{}", identifier(role))
}

/// 16 capital letters and digits, which depend on a text.
fn identifier(text: &str) -> String {
    let hash = sha256(text);
    let encoded = BASE64_STANDARD.encode(hash).to_uppercase();
    let letters = encoded.chars().filter(char::is_ascii_alphanumeric);
    letters.take(16).collect()
}

/// A random text of this length, which nobody can guess.
fn secret(length: usize) -> String {
    let mut secret = String::new();
    while secret.len() < length {
        let random = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
        secret.push_str(&BASE64_STANDARD.encode(random));
    }
    secret.truncate(length);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_roles_are_told_apart_and_survive() {
        let folder = std::env::temp_dir().join(format!("alpes-sts-{}", Uuid::new_v4()));
        let open = || Sts::new(Arc::new(Store::open(&folder).unwrap())).unwrap();
        let sts = open();
        let role = "arn:aws:iam::000000000000:role/path/clerk";
        let form = Form::parse(&format!(
            "Action=AssumeRole&RoleArn={role}&RoleSessionName=morning&DurationSeconds=900"
        ));
        let answer = sts.call("AssumeRole", &form, None).unwrap();
        let (_, rest) = answer.split_once("<AccessKeyId>").unwrap();
        let (key, _) = rest.split_once('<').unwrap();
        assert!(key.starts_with("ASIA") && key.len() == 20, "{key}");
        let other = sts.assume(role, "evening", 900).unwrap();
        assert_ne!(other.access_key, key);

        drop(sts);
        let sts = open();
        let me = sts
            .call("GetCallerIdentity", &Form::default(), Some(key))
            .unwrap();
        let arn = "<Arn>arn:aws:sts::000000000000:assumed-role/clerk/morning</Arn>";
        assert!(me.contains(arn), "{me}");
        let root = sts
            .call("GetCallerIdentity", &Form::default(), Some("AKIDTEST"))
            .unwrap();
        assert!(root.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"));
        let expired = sts.call("GetCallerIdentity", &Form::default(), Some("ASIAUNKNOWN"));
        assert_eq!(expired.unwrap_err().code, "ExpiredToken");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn refuses_what_it_would_ignore() {
        let folder = std::env::temp_dir().join(format!("alpes-sts-{}", Uuid::new_v4()));
        let sts = Sts::new(Arc::new(Store::in_memory(&folder).unwrap())).unwrap();
        let refused = |fields: &str| {
            let role = "RoleArn=arn:aws:iam::000000000000:role/clerk";
            let form = Form::parse(&format!("{role}&RoleSessionName=morning&{fields}"));
            sts.call("AssumeRole", &form, None).unwrap_err().message
        };
        assert!(refused("Policy={}").contains("'Policy'"));
        assert!(refused("DurationSeconds=10").contains("between 900 and 43200"));
        let role = sts.assume("clerk", "morning", 900).unwrap_err();
        assert!(role.message.contains("'roleArn'"));
        let form = Form::default();
        let token = sts.call("GetSessionToken", &form, None).unwrap_err();
        assert_eq!(token.code, "InvalidAction");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
