//! Writes within the quotas of their partitions.

use dynoxide::{DynoxideError, Item, storage::Storage};

use super::{Load, Quota, Refusal, Table};
use crate::dynamodb::{
    Answer,
    items::{Named, OfAnItem},
    transactions::cancelled_for,
};

/// An item that a request writes: its table, and attributes that include its key.
pub(in crate::dynamodb) struct OwnedItem {
    table: String,
    attributes: Item,
}

impl OwnedItem {
    /// The item of a request or of a part of one; `None` if it has none, so that it will fail.
    pub fn of(request: &impl OfAnItem) -> Option<Self> {
        let Named { table, attributes } = request.item()?;
        Some(Self {
            table: table.to_owned(),
            attributes: attributes.clone(),
        })
    }

    fn stored(&self, storage: &Storage) -> dynoxide::Result<Option<Item>> {
        match Table::of(storage, &self.table)? {
            Some(table) => table.stored(storage, &self.attributes),
            None => Ok(None),
        }
    }
}

impl Quota {
    /// Executes a write of one item, and refuses it if a partition is starved. Then the caller must roll it back.
    pub fn write<T>(
        &self,
        storage: &Storage,
        item: Option<OwnedItem>,
        act: impl FnOnce() -> dynoxide::Result<T>,
    ) -> Result<T, Answer> {
        let (done, loads) = weighed(storage, &[item], act)?;
        loads.iter().try_for_each(|load| self.spend(load))?;
        Ok(done?)
    }

    /// As [`Self::write`], for a transaction, which costs twice as much.
    pub fn transact_write<T>(
        &self,
        storage: &Storage,
        items: &[Option<OwnedItem>],
        act: impl FnOnce() -> dynoxide::Result<T>,
    ) -> Result<T, Answer> {
        let (done, loads) = weighed(storage, items, act)?;
        let loads: Vec<_> = loads.into_iter().map(Load::in_transaction).collect();
        self.spend_all(&loads).map_err(|refusals| {
            let reasons = refusals.iter().map(|refusal| refusal.as_ref());
            cancelled_for(reasons.map(|refusal| refusal.map(Refusal::cancellation)))
        })?;
        Ok(done?)
    }
}

/// What was done, if its condition held, and what that costs.
type Weighed<T> = (dynoxide::Result<T>, Vec<Load>);

/// Executes an act, and weighs what it did to its items. An act whose condition fails costs as much as if it had left
/// the items as they are. An act with a mistake costs nothing.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
fn weighed<T>(
    storage: &Storage,
    items: &[Option<OwnedItem>],
    act: impl FnOnce() -> dynoxide::Result<T>,
) -> dynoxide::Result<Weighed<T>> {
    let stored = || {
        let stored = items.iter().map(|item| match item {
            Some(item) => item.stored(storage),
            None => Ok(None),
        });
        stored.collect::<dynoxide::Result<Vec<_>>>()
    };
    let before = stored()?;
    let done = match act() {
        Err(error) if !is_of_a_condition(&error) => return Err(error),
        done => done,
    };
    let after = stored()?;
    let images = before.iter().zip(&after);
    let loads = items.iter().zip(images).map(|(item, (before, after))| {
        let Some(item) = item else {
            return Ok(Load::default());
        };
        let table = Table::of(storage, &item.table)?;
        let load =
            table.map(|table| table.write(&item.attributes, before.as_ref(), after.as_ref()));
        Ok(load.unwrap_or_default())
    });
    let loads = loads.collect::<dynoxide::Result<_>>()?;
    Ok((done, loads))
}

fn is_of_a_condition(error: &DynoxideError) -> bool {
    matches!(
        error,
        DynoxideError::ConditionalCheckFailedException(..)
            | DynoxideError::TransactionCanceledException(..)
    )
}
