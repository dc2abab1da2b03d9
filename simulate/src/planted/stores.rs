//! Planted mistakes around the log, the archive and the topic.

use std::sync::Arc;

use alpes_ports::{
    KeyRange, Log, LogError, NewRecord, Notice, ObjectError, Objects, SequenceNumber, Topic,
    TopicError,
};
use async_trait::async_trait;
use serde_json::Value;
use twins::Ports;

use super::{Planted, Seed};

pub(super) fn around(ports: Ports, seed: &Seed) -> Ports {
    let seed = seed.clone();
    match seed.what {
        Planted::LeakyLog | Planted::RewrittenEvents => Ports {
            log: Arc::new(BadLog(ports.log.clone(), seed)),
            ..ports
        },
        Planted::LeakyArchive | Planted::CrampedArchive => Ports {
            archive: Arc::new(BadArchive(ports.archive.clone(), seed)),
            ..ports
        },
        Planted::LeakyTopic
        | Planted::RewrittenNotices
        | Planted::MislabelledNotices
        | Planted::InventedNotices
        | Planted::RepeatedNotices => Ports {
            topic: Arc::new(BadTopic(ports.topic.clone(), seed)),
            ..ports
        },
        _ => ports,
    }
}

struct BadLog(Arc<dyn Log>, Seed);

#[async_trait]
impl Log for BadLog {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let Self(inner, seed) = self;
        if seed.what == Planted::LeakyLog && seed.now_and_then() {
            return Ok(SequenceNumber("49".into()));
        }
        let read = serde_json::from_slice::<Value>(record.data);
        match read {
            Ok(event) if seed.what == Planted::RewrittenEvents => {
                let written = format!("{event:#}");
                let data = written.as_bytes();
                inner.append(NewRecord { data, ..record }).await
            }
            _ => inner.append(record).await,
        }
    }
}

struct BadArchive(Arc<dyn Objects>, Seed);

#[async_trait]
impl Objects for BadArchive {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        let Self(inner, seed) = self;
        match key.rsplit_once('/') {
            Some((folder, _)) if seed.what == Planted::CrampedArchive => {
                let ends = [0; 2].map(|end| format!("{end:0>56}"));
                let key = format!("{folder}/{}.ndjson.gz", ends.join("-"));
                inner.put(&key, data).await
            }
            _ if seed.what == Planted::LeakyArchive && seed.now_and_then() => Ok(()),
            _ => inner.put(key, data).await,
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        self.0.get(key).await
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        self.0.list(range).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.0.delete(key).await
    }
}

struct BadTopic(Arc<dyn Topic>, Seed);

#[async_trait]
impl Topic for BadTopic {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        let Self(inner, seed) = self;
        let mut notices = notices.to_vec();
        match seed.what {
            Planted::LeakyTopic if seed.now_and_then() => {
                return notices.iter().map(|_| Ok(())).collect();
            }
            Planted::RewrittenNotices => {
                for notice in &mut notices {
                    let event = serde_json::from_str::<Value>(&notice.body);
                    notice.body = format!("{:#}", event.unwrap_or_default());
                }
            }
            Planted::MislabelledNotices => {
                for notice in &mut notices {
                    let estado = "Aprobada".to_owned();
                    notice.attributes.insert("estado".to_owned(), estado);
                }
            }
            Planted::InventedNotices if seed.now_and_then() => {
                let mut invented = notices.clone();
                for notice in &mut invented {
                    notice.id.clone_from(&notice.group);
                }
                let _ = inner.publish(&invented).await;
            }
            Planted::RepeatedNotices => {
                let _ = inner.publish(&notices).await;
            }
            _ => {}
        }
        inner.publish(&notices).await
    }
}
