//! Planted mistakes, which the tests must find.

use std::sync::Arc;

use alpes_ports::{Condition, Tables, Write, WriteError};
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
    /// The ledger is written without a condition, so a write can overwrite a concurrent change.
    LedgerWithoutCondition,
    /// A void without a charge is not recorded, so a later charge succeeds.
    VoidOfNothingForgotten,
    /// A void without an answer counts as a void that found no charge.
    VoidNotWaitedFor,
}

impl Bug {
    pub const ALL: [Self; 3] = [
        Self::LedgerWithoutCondition,
        Self::VoidOfNothingForgotten,
        Self::VoidNotWaitedFor,
    ];
}

/// The provider's tables, with the bug if the bug is in the provider.
pub fn plant(bug: Option<Bug>, tables: Arc<dyn Tables>) -> Arc<dyn Tables> {
    match bug {
        Some(bug) => Arc::new(Over(PlantedTables { bug, tables })),
        None => tables,
    }
}

/// The gateway that the context's rules call, with the bug if the bug is in the rules.
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
