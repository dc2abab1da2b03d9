//! What a test wants a participant to do instead of its work, and how often.

use std::sync::Arc;

use alpes_messages::{Context, SubjectId};
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, Update, Write,
    WriteError,
};

/// The table of faults: partition key the context, sort key the type of the command, followed by `#` and the subject where
/// it is of one alone.
pub const TABLE: TableName = TableName("faults");

/// A way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultMode {
    /// Nothing is done, and there is no answer for [`SILENCE`](crate::SILENCE).
    Silence,
    /// The command fails, as its business knows failures.
    Failure,
    /// Nothing is done, and the answer is an error at once.
    Error,
}

impl FaultMode {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Silence, Self::Failure, Self::Error];

    /// Its name, as it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    /// The way of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// The faults that are set.
#[derive(Clone)]
pub struct Faults {
    tables: Arc<dyn Tables>,
}

impl Faults {
    /// Those in these tables.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>) -> Self {
        Self { tables }
    }

    /// The next `times` commands of this type misbehave, those for the subject `only` if one is given; with 0, none does. What
    /// was set before for the same is replaced.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn set(
        &self,
        context: Context,
        command: &str,
        only: Option<SubjectId>,
        mode: FaultMode,
        times: u32,
    ) -> Result<(), TableError> {
        let (key, condition) = (key(context, command, only), Condition::Always);
        let write = if times == 0 {
            Write::Delete { key, condition }
        } else {
            Write::Put {
                key,
                item: Item::from_iter([
                    ("mode".into(), mode.name().into()),
                    ("times".into(), times.into()),
                ]),
                condition,
            }
        };
        match self.tables.write(&write).await {
            // A write without a condition has none that could fail.
            Ok(()) | Err(WriteError::ConditionFailed) => Ok(()),
            Err(WriteError::Table(error)) => Err(error),
        }
    }

    /// Takes one of the faults that are set for commands of this type, if there is one: of many that take at once, each gets
    /// another. Those for this subject alone come first.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; a fault may then be gone without having been taken.
    pub async fn take(
        &self,
        context: Context,
        command: &str,
        subject: SubjectId,
    ) -> Result<Option<FaultMode>, TableError> {
        let own = self.take_at(&key(context, command, Some(subject))).await?;
        match own {
            Some(mode) => Ok(Some(mode)),
            None => self.take_at(&key(context, command, None)).await,
        }
    }

    async fn take_at(&self, key: &Key) -> Result<Option<FaultMode>, TableError> {
        loop {
            let item = self.tables.get_one(key, Consistency::Strong).await?;
            let Some(mode) = item.as_ref().and_then(left) else {
                return Ok(None);
            };
            let take = Update::of(key.clone())
                .when(Condition::All(vec![
                    Condition::Equals(Path::of("mode"), mode.name().into()),
                    Condition::AtLeast(Path::of("times"), 1),
                ]))
                .add(Path::of("times"), -1);
            match self.tables.write(&take.into()).await {
                Ok(()) => return Ok(Some(mode)),
                // Others took the last one, or something else was set meanwhile.
                Err(WriteError::ConditionFailed) => {}
                Err(WriteError::Table(error)) => return Err(error),
            }
        }
    }
}

fn key(context: Context, command: &str, only: Option<SubjectId>) -> Key {
    let sort = match only {
        Some(subject) => format!("{command}#{subject}"),
        None => command.to_owned(),
    };
    Key::new(TABLE, context.name, sort)
}

/// The way to misbehave, if there is one left.
fn left(item: &Item) -> Option<FaultMode> {
    item.get("times")?.as_u64().filter(|times| *times > 0)?;
    FaultMode::named(item.get("mode")?.as_str()?)
}
