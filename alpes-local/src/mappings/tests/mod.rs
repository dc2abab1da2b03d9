//! Mappings over a stream, a queue, functions and destinations in memory.

mod api;
mod fakes;
mod queues;
mod quotas;
mod restart;
mod streams;
mod support;
