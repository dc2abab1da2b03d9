//! The function at its boundary: tasks in, results out, with tables, a log and functions in memory.

#![cfg(test)]

mod parked;
mod reactions;
mod rebuilds;
mod support;
mod sweep;
mod wake;
