//! Mappings over a stream, a queue, functions and destinations in memory.

mod api;
mod queues;
mod restart;
mod streams;
mod support;
