//! SNS: topics and subscriptions, in the store.
