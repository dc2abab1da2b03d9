//! Faults that a test sets: the next commands of a participant fail in a chosen way.

use std::sync::Arc;

use alpes_messages::{CommandId, Context, SubjectId};
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, Update, Write,
    WriteError,
};
use serde_json::Value;

/// The table of faults. The partition key is the context. The sort key is the type of the command, followed by `#` and
/// the subject if the fault is for one subject only.
pub const TABLE: TableName = TableName("faults");

/// The commands that have taken a failure, in the item of the fault.
const TAKEN_BY: &str = "taken_by";

/// A way in which a command fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultMode {
    /// The command has no effect, and the answer is an error after [`SILENCE`](crate::SILENCE).
    Silence,
    /// The command fails with the failure event of its context.
    Failure,
    /// The command has no effect, and the answer is an error at once.
    Error,
}

impl FaultMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Silence, Self::Failure, Self::Error];

    /// The name of the mode, as the table stores it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// The faults that tests have set.
#[derive(Clone)]
pub struct Faults {
    tables: Arc<dyn Tables>,
}

impl Faults {
    /// The faults in these tables.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>) -> Self {
        Self { tables }
    }

    /// Makes the next `times` commands of this type fail; 0 clears the fault. If `only` is given, the fault is for that
    /// subject alone. The fault replaces an earlier one with the same key.
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
                    (TAKEN_BY.into(), Value::Object(Item::default())),
                ]),
                condition,
            }
        };
        match self.tables.write(&write).await {
            // A write without a condition never returns `ConditionFailed`.
            Ok(()) | Err(WriteError::ConditionFailed) => Ok(()),
            Err(WriteError::Table(error)) => Err(error),
        }
    }

    /// Takes one fault that is set for commands of this type, if there is one. Concurrent callers take different
    /// faults. Faults for this subject alone are taken first.
    ///
    /// With `by`, a failure belongs to the command with this id: until the fault is replaced, the command takes the same
    /// failure again. So a process that ends between the fault and the failure's event does not use up the fault.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; a fault without `by` may then be used up without having been returned.
    pub async fn take(
        &self,
        context: Context,
        command: &str,
        subject: SubjectId,
        by: Option<CommandId>,
    ) -> Result<Option<FaultMode>, TableError> {
        let own = key(context, command, Some(subject));
        match self.take_at(&own, by).await? {
            Some(mode) => Ok(Some(mode)),
            None => self.take_at(&key(context, command, None), by).await,
        }
    }

    async fn take_at(
        &self,
        key: &Key,
        by: Option<CommandId>,
    ) -> Result<Option<FaultMode>, TableError> {
        loop {
            let Some(item) = self.tables.get_one(key, Consistency::Strong).await? else {
                return Ok(None);
            };
            if by.is_some_and(|command| has_taken(&item, command)) {
                return Ok(Some(FaultMode::Failure));
            }
            let Some(mode) = left(&item) else {
                return Ok(None);
            };
            let mut take = Update::of(key.clone())
                .when(Condition::All(vec![
                    Condition::Equals(Path::of("mode"), mode.name().into()),
                    Condition::AtLeast(Path::of("times"), 1),
                ]))
                .add(Path::of("times"), -1);
            if let (FaultMode::Failure, Some(command)) = (mode, by) {
                take = take.set(Path::entry(TAKEN_BY, command.to_string()), true);
            }
            match self.tables.write(&take.into()).await {
                Ok(()) => return Ok(Some(mode)),
                // Another caller took the last fault, or the fault was replaced meanwhile.
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

/// True if this command has taken the failure.
fn has_taken(fault: &Item, command: CommandId) -> bool {
    let taken = fault.get(TAKEN_BY);
    taken.is_some_and(|taken| taken.get(command.to_string()).is_some())
}

/// The mode of the fault, if further commands are to fail.
fn left(item: &Item) -> Option<FaultMode> {
    item.get("times")?.as_u64().filter(|times| *times > 0)?;
    FaultMode::named(item.get("mode")?.as_str()?)
}
