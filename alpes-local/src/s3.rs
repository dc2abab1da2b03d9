//! S3: buckets and objects, in the store.
