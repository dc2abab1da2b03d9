//! What the rest of the system may ask of the outside world, and nothing more.
//!
//! Each port is a small trait with two implementations: the AWS adapter in `shared/engine/aws` and the in-memory twin in
//! [`memory`]. Both must pass the same suite, [`suite`]. Code that reaches time, randomness, tables or the log by any other
//! way cannot be simulated, so nothing does.
//!
//! | port | AWS | twin |
//! | --- | --- | --- |
//! | [`Tables`] | DynamoDB | [`memory::MemoryTables`] |
//! | [`Log`], [`LogReader`] | Kinesis | [`memory::MemoryLog`] |
//! | [`Objects`] | S3 | [`memory::MemoryObjects`] |
//! | [`Functions`] | Lambda | [`memory::MemoryFunctions`] |
//! | [`Executions`] | Step Functions | `states_language::MemoryExecutions`, in `shared/aws-rules/states-language` |
//! | [`Topic`] | SNS | [`memory::MemoryTopic`] |
//! | [`Clock`], [`Ids`], [`Randomness`], [`Tasks`] | the operating system, tokio | [`memory::world`] |

#![deny(missing_docs)]

pub mod due;
mod executions;
mod functions;
mod log;
mod objects;
mod tables;
mod topic;
mod world;

pub use executions::{Ending, ExecutionError, Executions, Happened, HistoryEvent, Progress};
pub use functions::{CallError, FunctionName, Functions};
pub use log::{Log, LogBatch, LogError, LogReader, LogRecord, Position, SequenceNumber};
pub use objects::{ObjectError, Objects};
pub use tables::{
    Condition, Consistency, Direction, Index, IndexPage, IndexQuery, Item, Key, Path, ScanPage,
    TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};
pub use topic::{Notice, Topic, TopicError};
pub use world::{Clock, Ids, Randomness, Tasks, World, jittered};
