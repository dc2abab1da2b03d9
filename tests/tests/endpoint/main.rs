//! The end-to-end tests, against the stack that the environment names: the local runtime, LocalStack or AWS.
//!
//! The tests are one program, which links once and runs its tests in parallel.
#![cfg(test)]

mod adapters;
mod archive;
mod bad_input;
mod book;
mod cancellation;
mod choreography;
mod crash;
mod crowds;
mod deadline;
mod engines;
mod functions;
mod health_and_docs;
mod idempotency;
mod intervention;
mod last_seat;
mod listener;
mod methods;
mod notices;
mod poison;
mod sagas;
mod volume;
