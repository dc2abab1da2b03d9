//! The views as a whole are the fold of all events, however the log was delivered, and however often they were rebuilt.
//!
//! This is a program of its own, because reports count all reservations: no other test may make one meanwhile. Its own
//! tests do not run in parallel either.
#![cfg(test)]

mod archive;
mod calls;
mod delivery;
mod fold;
#[path = "../../../shared/airline/views/tests/plain/mod.rs"]
mod plain;
mod rebuild;
mod twice;

use std::sync::{Mutex, MutexGuard, PoisonError};

use alpes_ports::{Condition, Item, Key, Tables, Write};
use e2e::{Booked, Order, Stack, side_by_side};
use twins::MemoryTables;
use views::{analitica, reservas};

/// Every view.
const VIEWS: [&str; 2] = [reservas::NAME, analitica::NAME];
const SENDERS: usize = 8;

/// The lock that the running test holds.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes reservations, several at a time.
fn book(stack: &Stack, orders: &[Order]) -> Vec<Booked> {
    side_by_side(SENDERS, orders, |order| stack.api.insist(order).0)
}

/// Copies items of the stack into tables in memory.
fn copy(stack: &Stack, tables: &MemoryTables, items: impl IntoIterator<Item = (Key, Item)>) {
    for (key, item) in items {
        let put = Write::Put {
            key,
            item,
            condition: Condition::Always,
        };
        stack.wait(tables.write(&put)).unwrap();
    }
}
