//! Each whole view is the fold of all events, however the log was delivered, and however often the view was rebuilt.
//!
//! This is a program of its own, because reports count all reservations, and no other test may make a reservation
//! meanwhile. For the same reason the tests of this program do not run in parallel.
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

/// The running test holds this lock, so no other test of this program runs.
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
