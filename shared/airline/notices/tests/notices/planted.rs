//! Planted mistakes, in the announcer's calls of its tables and its topic.

use std::sync::Arc;

use alpes_ports::{Condition, Item, Key, Notice, Tables, Topic, TopicError, Write, WriteError};
use async_trait::async_trait;
use notices::TABLE;
use twins::{Over, TablesOver};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    NotedBeforePublished,
    NeverNoted,
    FailureTakenForSuccess,
}

impl Bug {
    pub const ALL: [Self; 3] = [
        Self::NotedBeforePublished,
        Self::NeverNoted,
        Self::FailureTakenForSuccess,
    ];
}

/// The tables and the topic of an announcer that has the bug.
pub fn plant(
    bug: Option<Bug>,
    tables: Arc<dyn Tables>,
    topic: Arc<dyn Topic>,
) -> (Arc<dyn Tables>, Arc<dyn Topic>) {
    let Some(bug) = bug else {
        return (tables, topic);
    };
    let topic = Arc::new(PlantedTopic {
        bug,
        tables: tables.clone(),
        topic,
    });
    (Arc::new(Over(PlantedTables { bug, tables })), topic)
}

struct PlantedTopic {
    bug: Bug,
    tables: Arc<dyn Tables>,
    topic: Arc<dyn Topic>,
}

#[async_trait]
impl Topic for PlantedTopic {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        if self.bug == Bug::NotedBeforePublished {
            for notice in notices {
                let note = Write::Put {
                    key: Key::new(TABLE, notice.group.clone(), notice.id.clone()),
                    item: Item::new(),
                    condition: Condition::Always,
                };
                let _ = self.tables.write(&note).await;
            }
        }
        let results = self.topic.publish(notices).await;
        if self.bug == Bug::FailureTakenForSuccess {
            return results.iter().map(|_| Ok(())).collect();
        }
        results
    }
}

struct PlantedTables {
    bug: Bug,
    tables: Arc<dyn Tables>,
}

#[async_trait]
impl TablesOver for PlantedTables {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        if self.bug == Bug::NeverNoted && write.key().table == TABLE {
            return Ok(());
        }
        self.tables.write(write).await
    }
}
