//! A local runtime for AWS Lambda: runs the functions, streams, tables and state machines of CloudFormation templates
//! in one process, by AWS's own delivery rules.

#![deny(missing_docs)]

pub mod admin;
pub mod chaos;
pub mod clock;
pub mod deploy;
pub mod destinations;
pub(crate) mod digest;
pub mod dynamodb;
pub mod error;
pub mod gateway;
pub mod http;
pub mod iam;
pub(crate) mod input;
pub mod invoke;
pub mod kinesis;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod mappings;
pub mod mount;
pub mod names;
pub mod options;
pub mod page;
pub(crate) mod remains;
pub mod router;
pub mod runtime;
pub mod s3;
pub mod schedules;
pub mod services;
pub mod sns;
pub mod sqs;
pub mod ssm;
pub mod states;
pub mod store;
pub mod sts;
pub mod throttling;
pub(crate) mod time;
pub(crate) mod waiting;
