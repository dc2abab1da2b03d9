//! CloudWatch Logs: a file for each log group.
