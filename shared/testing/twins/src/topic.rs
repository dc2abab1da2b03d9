//! A topic in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use alpes_ports::{Notice, Topic, TopicError};

/// The twin of an SNS topic, which keeps the published notices.
#[derive(Default)]
pub struct MemoryTopic(Mutex<Vec<Notice>>);

impl MemoryTopic {
    /// A topic without notices.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The published notices, in order.
    #[must_use]
    pub fn published(&self) -> Vec<Notice> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Notice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Topic for MemoryTopic {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        let mut published = self.lock();
        let mut publish = |notice: &Notice| {
            if notice.size() > Notice::LIMIT {
                return Err(TopicError::Refused("Message too long".into()));
            }
            let texts = notice.attributes.values().chain([&notice.body]);
            if !texts.flat_map(|text| text.chars()).all(Notice::carries) {
                return Err(TopicError::Refused("Invalid characters found".into()));
            }
            published.push(notice.clone());
            Ok(())
        };
        notices.iter().map(&mut publish).collect()
    }
}
