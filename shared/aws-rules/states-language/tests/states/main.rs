//! Executions, tested from outside.
#![cfg(test)]

mod data;
mod errors;
mod limits;
mod property;
mod support;
