//! The ports: everything that the code may ask of the outside world.
//!
//! Each port is a small trait with two implementations: the AWS adapter in `alpes-aws`, and the in-memory twin that
//! tests use, in the crate `twins`. Both implementations pass the same test suite, `twins::suite`. All code reaches
//! time, randomness, tables and the log through these traits, so a simulation can run all of this code.
//!
//! | port | AWS | twin |
//! | --- | --- | --- |
//! | [`Tables`] | DynamoDB | `twins::MemoryTables` |
//! | [`Log`], [`LogReader`] | Kinesis | `twins::MemoryLog` |
//! | [`Objects`] | S3 | `twins::MemoryObjects` |
//! | [`Functions`] | Lambda | `twins::MemoryFunctions` |
//! | [`Executions`] | Step Functions | `twins::MemoryExecutions` |
//! | [`Topic`] | SNS | `twins::MemoryTopic` |
//! | [`Documents`] | HTTPS | in the tests of `alpes-tokens` |
//! | [`Clock`], [`Ids`], [`Randomness`], [`Tasks`] | the operating system, tokio | `twins::world` |

#![deny(missing_docs)]

mod documents;
pub mod due;
mod executions;
mod functions;
mod log;
mod objects;
mod platform;
mod tables;
mod topic;
mod world;

pub use documents::Documents;
pub use executions::{Ending, ExecutionError, Executions, Happened, HistoryEvent, Progress};
pub use functions::{CallError, FunctionName, Functions};
pub use log::{Log, LogBatch, LogError, LogReader, LogRecord, NewRecord, Position, SequenceNumber};
pub use objects::{KeyRange, ObjectError, Objects};
pub use platform::{Lines, Platform};
pub use tables::{
    Condition, Consistency, Direction, Found, Index, IndexPage, IndexQuery, Item, Key, Path,
    ScanPage, TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};
pub use topic::{Notice, Topic, TopicError};
pub use world::{Clock, Ids, Randomness, Tasks, World, jittered};
