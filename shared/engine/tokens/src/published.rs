//! The keys that an issuer publishes, kept in the process.

use std::sync::Arc;

use alpes_ports::Clock;
use async_trait::async_trait;
use futures::lock::Mutex;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use tracing::{info, warn};

use crate::{
    issuer::Issuer,
    keys::{KeySet, Keys, KeysError, Wanted},
};

/// Keys are read again when they are this old, so a key that the issuer has taken back is used no longer than this.
pub const REFRESH: SignedDuration = SignedDuration::from_mins(5);
/// A key that is not known is looked up at once, since the issuer may have changed keys, and then not for this long:
/// tokens with invented keys must not become requests to the issuer.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// If the issuer did not answer, it is asked again after this time.
pub const RETRY: SignedDuration = SignedDuration::from_secs(10);
/// While the issuer does not answer, the last keys are used for this long.
pub const LONGEST_OUTAGE: SignedDuration = SignedDuration::from_hours(24);

/// The keys that an issuer publishes. One request at a time asks the issuer; the others wait, and use its answer.
pub struct PublishedKeys {
    issuer: Issuer,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The last keys, and when the issuer gave them.
    keys: Option<(KeySet, Timestamp)>,
    /// When the issuer last did not answer, if it has not answered since.
    failed: Option<Timestamp>,
    /// When an unknown key was last looked up.
    looked_up: Option<Timestamp>,
}

impl PublishedKeys {
    /// The keys of this issuer. Nothing is read yet.
    #[must_use]
    pub fn new(issuer: Issuer, clock: Arc<dyn Clock>) -> Self {
        Self {
            issuer,
            clock,
            kept: Mutex::default(),
        }
    }
}

#[async_trait]
impl Keys for PublishedKeys {
    async fn find(&self, wanted: &Wanted) -> Result<Option<DecodingKey>, KeysError> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if kept.is_due(wanted, now) {
            kept.take(self.issuer.keys().await, now);
        }
        let keys = kept.usable(now)?;
        Ok(keys.find(wanted).cloned())
    }
}

impl Kept {
    /// True if the issuer must be asked now. Notes that an unknown key is looked up.
    fn is_due(&mut self, wanted: &Wanted, now: Timestamp) -> bool {
        let within = |time: Option<Timestamp>, duration: SignedDuration| {
            time.is_some_and(|time| now.duration_since(time) < duration)
        };
        if within(self.failed, RETRY) {
            return false;
        }
        let Some((keys, read)) = &self.keys else {
            return true;
        };
        if !within(Some(*read), REFRESH) {
            return true;
        }
        if keys.find(wanted).is_some() || within(self.looked_up, PAUSE) {
            return false;
        }
        self.looked_up = Some(now);
        true
    }

    fn take(&mut self, answer: Result<KeySet, KeysError>, now: Timestamp) {
        match answer {
            Ok(keys) => {
                info!("the issuer's keys were read");
                self.keys = Some((keys, now));
                self.failed = None;
            }
            Err(error) => {
                warn!(%error, "the issuer's keys were not read");
                self.failed = Some(now);
            }
        }
    }

    fn usable(&self, now: Timestamp) -> Result<&KeySet, KeysError> {
        match &self.keys {
            Some((keys, read)) if now.duration_since(*read) <= LONGEST_OUTAGE => Ok(keys),
            Some(_) => Err(KeysError("the issuer has not answered for 24 hours".into())),
            None => Err(KeysError("the issuer does not answer".into())),
        }
    }
}
