//! Destinations: buckets, queues, topics and functions that take documents.
