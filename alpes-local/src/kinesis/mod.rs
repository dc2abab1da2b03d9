//! Kinesis data streams, in the store.
