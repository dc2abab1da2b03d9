//! An `OpenID` Connect issuer: how its keys are found (`OpenID` Connect Discovery 1.0).

use std::sync::Arc;

use alpes_ports::Documents;
use serde::Deserialize;

use crate::keys::{KeySet, KeysError};

/// An issuer, by the URL in its tokens (`iss`).
pub struct Issuer {
    url: String,
    documents: Arc<dyn Documents>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// The issuer with this URL.
    ///
    /// # Errors
    ///
    /// The URL is not one of HTTPS. For tests, an issuer on this machine may do without TLS.
    pub fn new(url: &str, documents: Arc<dyn Documents>) -> Result<Self, KeysError> {
        if !is_private(url) {
            return Err(KeysError("the issuer is not an https:// URL".into()));
        }
        Ok(Self {
            url: url.to_owned(),
            documents,
        })
    }

    /// Reads the keys that the issuer publishes now.
    pub(crate) async fn keys(&self) -> Result<KeySet, KeysError> {
        let base = self.url.trim_end_matches('/');
        let about = self
            .read(&format!("{base}/.well-known/openid-configuration"))
            .await?;
        let about: Discovery = serde_json::from_slice(&about)
            .map_err(|error| KeysError(format!("the issuer's configuration: {error}")))?;
        // Discovery 1.0, 4.3: otherwise one issuer could pass for another.
        if about.issuer != self.url {
            return Err(KeysError(
                "the issuer's configuration names another issuer".into(),
            ));
        }
        if !is_private(&about.jwks_uri) {
            return Err(KeysError("the issuer's jwks_uri is not https://".into()));
        }
        KeySet::parse(&self.read(&about.jwks_uri).await?)
    }

    async fn read(&self, url: &str) -> Result<Vec<u8>, KeysError> {
        let read = self.documents.read(url).await;
        read.map_err(|error| KeysError(format!("{url}: {error}")))
    }
}

/// True if nobody between here and the server of this URL can change what it answers.
fn is_private(url: &str) -> bool {
    let Some(local) = url.strip_prefix("http://127.0.0.1:") else {
        return url.starts_with("https://");
    };
    // Nothing but the port may follow: in `http://127.0.0.1:1@id.example` the host is another one.
    let port = local.split('/').next().unwrap_or_default();
    port.parse::<u16>().is_ok()
}
