//! Telling whoever wants to hear of it. On AWS, an SNS topic.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thiserror::Error;

/// A message to those who listen to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its identity: two messages of one id say the same, and who hears both may pass by the second.
    pub id: String,
    /// What it belongs to. A topic that has an order keeps it within a group.
    pub group: String,
    /// Names and values beside the body, by which a listener may choose what it hears. At most 10, and none is empty. Each character of a
    /// value is one that a topic [carries](Self::carries).
    pub attributes: BTreeMap<String, String>,
    /// The message, all of characters that a topic [carries](Self::carries).
    pub body: String,
}

impl Notice {
    /// The most bytes that a message may have with its attributes, and that a topic takes at once: SNS's limit.
    pub const LIMIT: usize = 256 * 1024;

    /// True if a topic carries this character. SNS passes messages on to SQS, which refuses all others.
    #[must_use]
    pub fn carries(letter: char) -> bool {
        matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    /// The bytes that count against [`Self::LIMIT`].
    #[must_use]
    pub fn size(&self) -> usize {
        // SNS counts the name of an attribute's type too; ours are all text.
        const KIND: usize = "String".len();
        let attributes = self.attributes.iter();
        let attributes: usize = attributes
            .map(|(name, value)| name.len() + KIND + value.len())
            .sum();
        self.body.len() + attributes
    }
}

/// What can go wrong with a message.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TopicError {
    /// No answer, or asked to slow down. The message **may have been published**; repeating it may publish it twice.
    #[error("the topic did not answer: {0}")]
    Unavailable(String),
    /// Refused, and will be every time (too large, malformed, no such topic, not allowed).
    #[error("the topic refused the message: {0}")]
    Refused(String),
}

/// Publishing to a topic.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Publishes messages, any number of them; what came of each, in their order. One that fails keeps no other from being
    /// published.
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>>;
}
