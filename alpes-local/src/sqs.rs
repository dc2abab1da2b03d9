//! SQS: queues, in the store.
