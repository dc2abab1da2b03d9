//! Planted mistakes. Each mistake rewrites the transactions of a sound process, as a process with that mistake would
//! write them.

use std::sync::Arc;

use alpes_ports::{Condition, Tables, TransactError, Update, Write, WriteError};
use async_trait::async_trait;
use twins::{Over, TablesOver};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Seats are taken without checking that they are free.
    TakenWithoutCondition,
    /// One seat too many can be taken.
    OneSeatTooMany,
    /// Seats are taken or given back before the commit, not in its transaction.
    MovedBeforeTheCommit,
    /// Seats are taken or given back after the commit, not in its transaction.
    MovedAfterTheCommit,
    /// A confirmation takes one seat of each flight, even if several legs are on the flight.
    OneSeatAFlight,
    /// A reversal gives back one seat of each flight, even if the reservation has several passengers.
    OneSeatBack,
}

impl Bug {
    pub const ALL: [Self; 6] = [
        Self::TakenWithoutCondition,
        Self::OneSeatTooMany,
        Self::MovedBeforeTheCommit,
        Self::MovedAfterTheCommit,
        Self::OneSeatAFlight,
        Self::OneSeatBack,
    ];
}

/// The tables of a process that has this bug.
pub fn plant(bug: Option<Bug>, tables: Arc<dyn Tables>) -> Arc<dyn Tables> {
    match bug {
        Some(bug) => Arc::new(Over(Planted { bug, tables })),
        None => tables,
    }
}

struct Planted {
    bug: Bug,
    tables: Arc<dyn Tables>,
}

impl Planted {
    /// Writes `writes` one after the other, each outside of a transaction. The first write has the place `first`.
    async fn apart(&self, first: usize, writes: &[Write]) -> Result<(), TransactError> {
        for (place, write) in (first..).zip(writes) {
            match self.tables.write(write).await {
                Ok(()) => {}
                Err(WriteError::ConditionFailed) => {
                    return Err(TransactError::ConditionsFailed(vec![place]));
                }
                Err(WriteError::Table(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn one_more(condition: &mut Condition) {
    match condition {
        Condition::Less(_, bound) => *bound += 1,
        Condition::Any(parts) => parts.iter_mut().for_each(one_more),
        _ => {}
    }
}

fn rewrite(bug: Bug, update: &mut Update) {
    let takes = update.add.iter().any(|(_, seats)| *seats > 0);
    match bug {
        Bug::TakenWithoutCondition => update.condition = Condition::Always,
        Bug::OneSeatTooMany if takes => one_more(&mut update.condition),
        Bug::OneSeatAFlight => {
            for (_, seats) in &mut update.add {
                *seats = seats.signum();
            }
        }
        Bug::OneSeatBack => {
            for (_, seats) in &mut update.add {
                *seats = (*seats).max(-1);
            }
        }
        _ => {}
    }
}

#[async_trait]
impl TablesOver for Planted {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let (commit, seats) = writes.split_first().unwrap();
        let mut seats = seats.to_vec();
        for write in &mut seats {
            if let Write::Update(update) = write {
                rewrite(self.bug, update);
            }
        }
        match self.bug {
            Bug::MovedBeforeTheCommit => {
                self.apart(1, &seats).await?;
                self.apart(0, std::slice::from_ref(commit)).await
            }
            Bug::MovedAfterTheCommit => {
                self.apart(0, std::slice::from_ref(commit)).await?;
                self.apart(1, &seats).await
            }
            _ => {
                let writes: Vec<_> = std::iter::once(commit.clone()).chain(seats).collect();
                self.tables.transact(&writes).await
            }
        }
    }
}
