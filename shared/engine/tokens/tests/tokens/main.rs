//! Tests of the checker and of the kept keys, with keys that each run makes. Nothing here uses a network.

#![cfg(test)]

mod checker;
mod published;
mod support;
