//! What a test wants a participant to do instead of its work, and how often.

use std::sync::Arc;

use alpes_messages::{Context, SubjectId};
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, Update, Write,
    WriteError,
};
use serde::{Deserialize, Serialize};

/// The table of faults: partition key the context, sort key the type of the command, followed by `#` and the reservation where
/// it is of one alone.
pub const TABLE: TableName = TableName("faults");

/// A way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modo {
    /// Nothing is done, and there is no answer for [`SILENCE`](crate::SILENCE).
    Silencio,
    /// The command fails, as its business knows failures.
    Falla,
    /// Nothing is done, and the answer is an error at once.
    Error,
}

impl Modo {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Silencio, Self::Falla, Self::Error];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Silencio => "silencio",
            Self::Falla => "falla",
            Self::Error => "error",
        }
    }

    /// The way of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|modo| modo.name() == name)
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

    /// The next `veces` commands of this type misbehave, those for the reservation `only` if one is given; with 0, none does. What
    /// was set before for the same is replaced.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn set(
        &self,
        context: Context,
        comando: &str,
        only: Option<SubjectId>,
        modo: Modo,
        veces: u32,
    ) -> Result<(), TableError> {
        let (key, condition) = (key(context, comando, only), Condition::Always);
        let write = if veces == 0 {
            Write::Delete { key, condition }
        } else {
            Write::Put {
                key,
                item: Item::from_iter([
                    ("modo".into(), modo.name().into()),
                    ("veces".into(), veces.into()),
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
    /// another. Those for this reservation alone come first.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; a fault may then be gone without having been taken.
    pub async fn take(
        &self,
        context: Context,
        comando: &str,
        reserva: SubjectId,
    ) -> Result<Option<Modo>, TableError> {
        let own = self.take_at(&key(context, comando, Some(reserva))).await?;
        match own {
            Some(modo) => Ok(Some(modo)),
            None => self.take_at(&key(context, comando, None)).await,
        }
    }

    async fn take_at(&self, key: &Key) -> Result<Option<Modo>, TableError> {
        loop {
            let item = self.tables.get_one(key, Consistency::Strong).await?;
            let Some(modo) = item.as_ref().and_then(left) else {
                return Ok(None);
            };
            let take = Update::of(key.clone())
                .when(Condition::All(vec![
                    Condition::Equals(Path::of("modo"), modo.name().into()),
                    Condition::AtLeast(Path::of("veces"), 1),
                ]))
                .add(Path::of("veces"), -1);
            match self.tables.write(&take.into()).await {
                Ok(()) => return Ok(Some(modo)),
                // Others took the last one, or something else was set meanwhile.
                Err(WriteError::ConditionFailed) => {}
                Err(WriteError::Table(error)) => return Err(error),
            }
        }
    }
}

fn key(context: Context, comando: &str, only: Option<SubjectId>) -> Key {
    let sort = match only {
        Some(reserva) => format!("{comando}#{reserva}"),
        None => comando.to_owned(),
    };
    Key::new(TABLE, context.name, sort)
}

/// The way to misbehave, if there is one left.
fn left(item: &Item) -> Option<Modo> {
    item.get("veces")?.as_u64().filter(|veces| *veces > 0)?;
    Modo::named(item.get("modo")?.as_str()?)
}
