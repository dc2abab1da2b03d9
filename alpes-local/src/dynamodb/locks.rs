//! The items that requests in flight write.
//!
//! DynamoDB refuses a request that meets a transaction on one of its items. Here each request executes alone, so two
//! requests never meet while they execute. They meet while they wait for their turn: a request is in flight from its
//! arrival until it has executed, and holds its items for this time. It takes them at once or not at all.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// An item: its table and the values of its key attributes, normalised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ItemId {
    pub table: String,
    pub key: Vec<String>,
}

/// The kind of request that holds an item.
enum Hold {
    /// This many writes outside of transactions: they do not conflict with each other.
    Writes(usize),
    /// One transaction that writes or checks the item.
    Transaction,
}

/// The items in flight.
#[derive(Default)]
pub(super) struct Locks(Mutex<HashMap<ItemId, Hold>>);

impl Locks {
    /// An empty hand, which can take items.
    pub fn held(&self) -> Held<'_> {
        Held {
            locks: self,
            items: vec![],
        }
    }

    /// Whether a write or a transaction on this item is in flight.
    pub fn is_held(&self, item: &ItemId) -> bool {
        self.items().contains_key(item)
    }

    fn items(&self) -> MutexGuard<'_, HashMap<ItemId, Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items of one request. When this is dropped, they are free.
pub(super) struct Held<'a> {
    locks: &'a Locks,
    items: Vec<ItemId>,
}

impl Held<'_> {
    /// Takes an item for a write outside of a transaction. Returns false if a transaction has it.
    #[must_use]
    pub fn write(&mut self, item: ItemId) -> bool {
        match self.locks.items().entry(item.clone()) {
            Entry::Occupied(mut held) => match held.get_mut() {
                Hold::Writes(count) => *count += 1,
                Hold::Transaction => return false,
            },
            Entry::Vacant(free) => drop(free.insert(Hold::Writes(1))),
        }
        self.items.push(item);
        true
    }

    /// Takes the items of a transaction: all, or none if others hold some of them. `None` stands for an item which
    /// cannot be named, because the request will fail.
    ///
    /// # Errors
    ///
    /// For each item whether it conflicts.
    pub fn transact(&mut self, items: Vec<Option<ItemId>>) -> Result<(), Vec<bool>> {
        let mut held = self.locks.items();
        let conflicts: Vec<bool> = items
            .iter()
            .map(|item| item.as_ref().is_some_and(|item| held.contains_key(item)))
            .collect();
        if conflicts.contains(&true) {
            return Err(conflicts);
        }
        for item in items.into_iter().flatten() {
            if held.insert(item.clone(), Hold::Transaction).is_none() {
                self.items.push(item);
            }
        }
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.locks.items();
        for item in self.items.drain(..) {
            if let Some(Hold::Writes(count @ 2..)) = held.get_mut(&item) {
                *count -= 1;
            } else {
                held.remove(&item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str) -> ItemId {
        ItemId {
            table: "t".to_owned(),
            key: vec![key.to_owned()],
        }
    }

    #[test]
    fn writes_share_an_item_and_a_transaction_does_not() {
        let locks = Locks::default();
        let (mut one, mut two) = (locks.held(), locks.held());
        assert!(one.write(item("a")) && two.write(item("a")));
        let mut transaction = locks.held();
        let both = || vec![Some(item("a")), None, Some(item("b"))];
        assert_eq!(transaction.transact(both()), Err(vec![true, false, false]));
        assert!(
            !locks.is_held(&item("b")),
            "a refused transaction holds nothing"
        );
        drop(one);
        assert_eq!(transaction.transact(both()), Err(vec![true, false, false]));
        drop(two);
        assert_eq!(transaction.transact(both()), Ok(()));
        let mut late = locks.held();
        assert!(!late.write(item("a")) && late.write(item("c")));
        assert_eq!(late.transact(vec![Some(item("b"))]), Err(vec![true]));
        drop(transaction);
        assert!(late.write(item("a")));
        drop(late);
        assert!(locks.items().is_empty());
    }

    #[test]
    fn an_item_named_twice_by_a_transaction_is_no_conflict() {
        let locks = Locks::default();
        let mut held = locks.held();
        assert_eq!(
            held.transact(vec![Some(item("a")), Some(item("a"))]),
            Ok(())
        );
        drop(held);
        assert!(locks.items().is_empty());
    }
}
