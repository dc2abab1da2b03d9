//! The saga engine alone: transitions under any inputs in any order, and the stored form.

#![cfg(test)]

mod common;
mod executed;
mod machine;
mod missed;
mod store;
mod transitions;
