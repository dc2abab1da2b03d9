//! Mistakes planted in the tables that the shop uses. The kit or the seeds must find each mistake.

use std::sync::Arc;

use alpes_ports::{Condition, Path, Tables, TransactError, Update, Write, WriteError};
use alpes_projections::TABLE as VIEWS;
use async_trait::async_trait;
use pedidos::stock::SHELVES;
use twins::{Over, TablesOver};

use crate::provider::CHARGES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Units of stock are taken before or after the commit, not in its transaction.
    StockBeside,
    /// Units of stock are taken without checking how many units are left.
    StockUnseen,
    /// The provider forgets that a charge is voided.
    RefundsNothing,
    /// The provider charges on every call.
    ChargesAgain,
    /// The second write of each row of the view is lost.
    ViewLosesWrites,
    /// No schedule runs, so waiting sagas never advance.
    NobodyWakes,
}

impl Planted {
    pub const ALL: [Self; 6] = [
        Self::StockBeside,
        Self::StockUnseen,
        Self::RefundsNothing,
        Self::ChargesAgain,
        Self::ViewLosesWrites,
        Self::NobodyWakes,
    ];
    /// The mistakes that a single saga can reveal.
    pub const OF_THE_SAGA: [Self; 4] = [
        Self::StockBeside,
        Self::StockUnseen,
        Self::RefundsNothing,
        Self::ChargesAgain,
    ];

    /// A part of the text that reports the promise broken by the mistake.
    pub fn breaks(self) -> &'static str {
        match self {
            Self::StockBeside | Self::StockUnseen => "are left, not",
            Self::RefundsNothing | Self::ChargesAgain => "is paid",
            Self::ViewLosesWrites => "the view has",
            Self::NobodyWakes => "it does not settle",
        }
    }

    pub fn plant(planted: Option<Self>, tables: Arc<dyn Tables>) -> Arc<dyn Tables> {
        match planted {
            None => tables,
            Some(planted) => Arc::new(Over(Mistaken { planted, tables })),
        }
    }
}

struct Mistaken {
    planted: Planted,
    tables: Arc<dyn Tables>,
}

impl Mistaken {
    /// The write that replaces `write`; `None` if the write is lost.
    fn instead(&self, write: &Write) -> Option<Write> {
        let (table, Write::Update(update)) = (write.key().table, write) else {
            return Some(write.clone());
        };
        let sets = |name: &str, value: serde_json::Value| {
            let found = update.set.iter().find(|(path, _)| *path == Path::of(name));
            found.is_some_and(|(_, found)| *found == value)
        };
        let unconditional = || {
            let condition = Condition::Always;
            Some(Write::Update(Update {
                condition,
                ..update.clone()
            }))
        };
        match self.planted {
            Planted::StockUnseen if table == SHELVES => unconditional(),
            Planted::ChargesAgain if table == CHARGES => unconditional(),
            Planted::RefundsNothing if table == CHARGES && sets("void", true.into()) => None,
            Planted::ViewLosesWrites if table == VIEWS && sets("rev", 2.into()) => None,
            _ => Some(write.clone()),
        }
    }
}

#[async_trait]
impl TablesOver for Mistaken {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        match self.instead(write) {
            Some(write) => self.tables.write(&write).await,
            None => Ok(()),
        }
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        if self.planted == Planted::StockBeside && writes.len() > 1 {
            // The commit is the first write, in the event store's order.
            let (commit, stock) = writes.split_at(1);
            self.tables.transact(stock).await.map_err(one_further)?;
            return self.tables.transact(commit).await;
        }
        let writes: Vec<_> = writes.iter().filter_map(|it| self.instead(it)).collect();
        self.tables.transact(&writes).await
    }
}

fn one_further(error: TransactError) -> TransactError {
    match error {
        TransactError::ConditionsFailed(places) => {
            TransactError::ConditionsFailed(places.into_iter().map(|place| place + 1).collect())
        }
        other @ TransactError::Table(_) => other,
    }
}
