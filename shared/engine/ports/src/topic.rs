//! A topic, which publishes notices to its subscribers. On AWS, this is an SNS topic.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thiserror::Error;

/// A message to the subscribers of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of the notice. Subscribers deduplicate on this id: two messages with one id have the same content.
    pub id: String,
    /// The group of the notice. An ordered topic (FIFO) keeps the order of the notices of each group.
    pub group: String,
    /// Names and values beside the body. A subscriber can filter notices by these attributes. A notice has at most 10
    /// attributes, and no attribute is empty. Each character of a value is one that a topic [carries](Self::carries).
    pub attributes: BTreeMap<String, String>,
    /// The text of the message. Every character of the text is one that a topic [carries](Self::carries).
    pub body: String,
}

impl Notice {
    /// SNS's limit in bytes. The limit holds for a message with its attributes, and for all messages of one request
    /// together.
    pub const LIMIT: usize = 256 * 1024;

    /// True if a topic carries this character. SNS can deliver messages to SQS, which refuses all other characters.
    #[must_use]
    pub fn carries(letter: char) -> bool {
        matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    /// The size in bytes that counts against [`Self::LIMIT`].
    #[must_use]
    pub fn size(&self) -> usize {
        // SNS also counts the name of each attribute's type; here every attribute is text.
        const KIND: usize = "String".len();
        let attributes = self.attributes.iter();
        let attributes: usize = attributes
            .map(|(name, value)| name.len() + KIND + value.len())
            .sum();
        self.body.len() + attributes
    }
}

/// Errors of a publication.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TopicError {
    /// The topic did not answer, or throttled the request. The message **may have been published**; a repeated call may
    /// publish the message twice.
    #[error("the topic did not answer: {0}")]
    Unavailable(String),
    /// The topic refuses the message, and refuses it again at every repetition (too large, malformed, no such topic,
    /// not allowed).
    #[error("the topic refused the message: {0}")]
    Refused(String),
}

/// Publishes messages to a topic.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Publishes any number of messages, and returns the results in the order of the messages. If one message fails,
    /// the others are still published.
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>>;
}
