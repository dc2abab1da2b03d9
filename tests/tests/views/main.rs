//! The views as a whole: whatever happened to the log on its way, and however often they were built anew, they are the fold of all
//! events.
//!
//! A program of its own, since reports count everybody's reservations: while its tests look, nobody else may book. So they do not run
//! side by side either.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

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

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes reservations, several at a time.
fn book(stack: &Stack, orders: &[Order]) -> Vec<Booked> {
    side_by_side(SENDERS, orders, |order| stack.api.insist(order).0)
}

/// Puts items of the stack into tables in memory.
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
