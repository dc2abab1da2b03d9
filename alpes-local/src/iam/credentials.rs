//! The credentials of functions: an access key whose id names the function and its role.
//!
//! AWS gives a function temporary credentials of its role. Here the id of such a key is `ASIA.ROLE.FUNCTION`, so that a
//! request tells its caller without a table of keys. The secret follows from the id and from a secret of the data
//! folder, so a signature can be checked, and nobody can make one up.

use aws_lc_rs::hmac;
use rusqlite::params;

use crate::{
    digest::hexadecimal,
    error::AwsError,
    names::{ACCOUNT, last_part},
    store::Store,
};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS iam_secret (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  secret BLOB NOT NULL
) WITHOUT ROWID;
";

/// How the id of a function's key begins. The keys of AWS's temporary credentials begin with `ASIA` too.
const PREFIX: &str = "ASIA.";

/// The maker of functions' credentials.
pub struct Credentials {
    secret: hmac::Key,
}

/// Credentials, as a function's process gets them in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The access key.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The session token.
    pub token: String,
}

/// A function that calls with its role's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// The name of the role.
    pub role: &'a str,
    /// The name of the function, which is the name of the role's session.
    pub function: &'a str,
}

impl Credentials {
    /// The maker for this store, which keeps the secret.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn of(store: &Store) -> Result<Self, AwsError> {
        store.schema(SCHEMA)?;
        let mut new = [0; 32];
        aws_lc_rs::rand::fill(&mut new).map_err(AwsError::internal)?;
        let secret: Vec<u8> = store.write(|transaction| {
            transaction.execute(
                "INSERT INTO iam_secret (id, secret) VALUES (0, ?) ON CONFLICT DO NOTHING",
                params![new],
            )?;
            let found = "SELECT secret FROM iam_secret";
            transaction.query_row(found, [], |row| row.get(0))
        })?;
        Ok(Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        })
    }

    /// The keys of a function with this role, by its name or its ARN.
    #[must_use]
    pub fn of_function(&self, role: &str, function: &str) -> Keys {
        // A role's name may have a comma, which would end the id in a signature. Names of functions have no dot.
        let role = last_part(role).replace(',', "%2C");
        let id = format!("{PREFIX}{role}.{function}");
        Keys {
            secret: self.derived("secret", &id),
            token: self.derived("token", &id),
            id,
        }
    }

    /// The secret key that belongs to the id of a function's key.
    #[must_use]
    pub fn secret_of(&self, id: &str) -> String {
        self.derived("secret", id)
    }

    fn derived(&self, what: &str, id: &str) -> String {
        let tag = hmac::sign(&self.secret, format!("{what} {id}").as_bytes());
        hexadecimal(tag.as_ref())
    }
}

impl<'a> Session<'a> {
    /// The function whose key has this id; `None` for all other keys.
    #[must_use]
    pub fn of(key: &'a str) -> Option<Self> {
        let (role, function) = key.strip_prefix(PREFIX)?.rsplit_once('.')?;
        (!role.is_empty() && !function.is_empty()).then_some(Self { role, function })
    }

    /// The ARN of the session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/FUNCTION`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Self { role, function } = self;
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{function}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_function_and_role_and_its_secret_survives() {
        let folder = std::env::temp_dir().join(format!("alpes-iam-{}", uuid::Uuid::new_v4()));
        let open = || Credentials::of(&Store::open(&folder).unwrap()).unwrap();
        let keys = open().of_function("arn:aws:iam::000000000000:role/a/shop.clerk", "sell");
        let session = Session::of(&keys.id).unwrap();
        assert_eq!((session.role, session.function), ("shop.clerk", "sell"));
        let arn = "arn:aws:sts::000000000000:assumed-role/shop.clerk/sell";
        assert_eq!(session.arn(), arn);
        assert_eq!(open().secret_of(&keys.id), keys.secret);
        assert_ne!(open().of_function("shop.clerk", "buy").secret, keys.secret);
        assert_ne!(keys.secret, keys.token);
        let other = folder.join("other");
        let elsewhere = Credentials::of(&Store::open(&other).unwrap()).unwrap();
        assert_ne!(elsewhere.secret_of(&keys.id), keys.secret);
        for key in ["test", "ASIAQWERTYUIOPASDFGH", "ASIA..sell", "ASIA.clerk"] {
            assert_eq!(Session::of(key), None, "{key}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
