//! The secret of an installation, from which ids and signatures follow that nobody else can compute.
//!
//! The secret is an item of a table, so it is backed up and restored with the data. It is made once and never changes: a
//! new secret would give new ids to the idempotency keys in use.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use alpes_ports::{
    Condition, Consistency, Item, Key, TableError, TableName, Tables, World, Write, WriteError,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac, digest::Key as MacKey};
use sha2::Sha256;

/// The table of the secret.
pub const SECRETS: TableName = TableName("secrets");

/// The attribute of the item: the secret in base64.
const VALUE: &str = "value";
/// The number of bytes of a secret.
const SIZE: usize = 32;

/// The secret of an installation. The first use reads or makes it, and later uses take it from memory.
pub struct Secret {
    tables: Arc<dyn Tables>,
    world: World,
    known: OnceLock<Signer>,
}

impl Secret {
    /// The secret in these tables.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, world: World) -> Self {
        let known = OnceLock::new();
        Self {
            tables,
            world,
            known,
        }
    }

    /// The key of the secret for one purpose. Keys of different purposes tell nothing about one another.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn signer(&self, purpose: &[&str]) -> Result<Signer, TableError> {
        let root = if let Some(root) = self.known.get() {
            root
        } else {
            let root = Signer(self.load().await?);
            self.known.get_or_init(|| root)
        };
        Ok(Signer(root.sign(purpose)))
    }

    /// Reads the secret, and makes it if there is none. If several processes make it at once, one secret is stored and
    /// all use that one.
    async fn load(&self) -> Result<[u8; SIZE], TableError> {
        let key = Key::new(SECRETS, "secret", "ids");
        if let Some(item) = self.tables.get_one(&key, Consistency::Strong).await? {
            return read(&item);
        }
        let made = self.world.ids.secret();
        let write = Write::Put {
            key: key.clone(),
            item: Item::from_iter([(VALUE.into(), BASE64_STANDARD.encode(made).into())]),
            condition: Condition::Absent,
        };
        match self.tables.write(&write).await {
            Ok(()) => Ok(made),
            Err(WriteError::ConditionFailed) => {
                let item = self.tables.get_one(&key, Consistency::Strong).await?;
                read(&item.unwrap_or_default())
            }
            Err(WriteError::Table(error)) => Err(error),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// A key that signs texts, by HMAC with SHA-256 (RFC 2104).
#[derive(Clone)]
pub struct Signer([u8; SIZE]);

impl Signer {
    /// The signature of these texts, in this order.
    #[must_use]
    pub fn sign(&self, texts: &[&str]) -> [u8; SIZE] {
        self.mac(texts).finalize().into_bytes().into()
    }

    /// True if this is the signature of these texts. The comparison takes the same time for every signature.
    #[must_use]
    pub fn verifies(&self, texts: &[&str], signature: &[u8]) -> bool {
        self.mac(texts).verify_slice(signature).is_ok()
    }

    fn mac(&self, texts: &[&str]) -> Hmac<Sha256> {
        // HMAC fills short keys up with zeros.
        let mut block = MacKey::<Hmac<Sha256>>::default();
        block
            .iter_mut()
            .zip(self.0)
            .for_each(|(byte, own)| *byte = own);
        let mut mac = Hmac::<Sha256>::new(&block);
        for text in texts {
            // With the length in front, ("ab", "c") and ("a", "bc") differ.
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signer(..)")
    }
}

fn read(item: &Item) -> Result<[u8; SIZE], TableError> {
    let text = item.get(VALUE).and_then(|value| value.as_str());
    let bytes = text.and_then(|text| BASE64_STANDARD.decode(text).ok());
    let secret = bytes.and_then(|bytes| bytes.try_into().ok());
    secret.ok_or_else(|| TableError::Refused("the item of the secret is malformed".into()))
}
