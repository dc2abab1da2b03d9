//! Documents on the web, as a port.

use async_trait::async_trait;

/// Reads documents on the web.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The document at this URL, from an answer 200 without redirection. An implementation bounds the size and the time.
    ///
    /// # Errors
    ///
    /// A sentence about what failed.
    async fn read(&self, url: &str) -> Result<Vec<u8>, String>;
}
