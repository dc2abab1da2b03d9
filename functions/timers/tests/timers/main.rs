//! Tests of the whole function: it gets tasks, and returns their results, with tables, a log and functions in memory.

#![cfg(test)]

mod parked;
mod reactions;
mod rebuilds;
mod support;
mod sweep;
mod wake;
