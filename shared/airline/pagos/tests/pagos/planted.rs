//! Mistakes made on purpose, which the tests must find.

use std::sync::Arc;

use alpes_ports::{
    Condition, Consistency, IndexPage, IndexQuery, Item, Key, ScanPage, TableError, TableName,
    Tables, TransactError, Write, WriteError,
};
use async_trait::async_trait;
use events::vuelos::Pago;
use pagos::{
    Gateway,
    gateway::{Anulacion, Cobro, NoAnswer},
    simulador::Simulador,
};
use twins::{Over, TablesOver};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The ledger is written whatever others have written meanwhile.
    LedgerWithoutCondition,
    /// The void of what was not charged is not noted, so that it can be charged later.
    VoidOfNothingForgotten,
    /// A void that hears no answer is taken for done.
    VoidNotWaitedFor,
}

impl Bug {
    pub const ALL: [Self; 3] = [
        Self::LedgerWithoutCondition,
        Self::VoidOfNothingForgotten,
        Self::VoidNotWaitedFor,
    ];
}

/// The ledger as a provider with the bug writes it.
pub fn plant(bug: Option<Bug>, tables: Arc<dyn Tables>) -> Arc<dyn Tables> {
    match bug {
        Some(bug) => Arc::new(Over(PlantedTables { bug, tables })),
        None => tables,
    }
}

/// The provider as rules with the bug ask it.
pub fn gateway(bug: Option<Bug>, provider: Simulador) -> Arc<dyn Gateway> {
    match bug {
        Some(Bug::VoidNotWaitedFor) => Arc::new(NotWaiting(provider)),
        _ => Arc::new(provider),
    }
}

struct NotWaiting(Simulador);

#[async_trait]
impl Gateway for NotWaiting {
    async fn cobrar(&self, key: &str, pago: &Pago) -> Result<Cobro, NoAnswer> {
        self.0.cobrar(key, pago).await
    }

    async fn anular(&self, key: &str) -> Result<Anulacion, NoAnswer> {
        Ok(self.0.anular(key).await.unwrap_or(Anulacion::SinCargo))
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
        let mut write = write.clone();
        if let Write::Put {
            item, condition, ..
        } = &mut write
        {
            let nothing = item["movimientos"].as_array().is_some_and(Vec::is_empty);
            match self.bug {
                Bug::LedgerWithoutCondition => *condition = Condition::Always,
                Bug::VoidOfNothingForgotten if nothing && item["anulada"] == true => {
                    return Ok(());
                }
                _ => {}
            }
        }
        self.tables.write(&write).await
    }
}
