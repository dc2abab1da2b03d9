//! Runs state machines written in Amazon States Language (`JSONPath`, Standard workflows), with the states Task,
//! Choice, Pass, Wait, Succeed and Fail.
//!
//! [`Machine::parse`] reads a definition, and refuses every field that it does not know, so that a machine runs here as
//! it would on AWS. [`Run`] is one execution, without I/O: it returns the next step, and its caller reports the
//! outcome.
//!
//! The rules are those of <https://states-language.net/spec.html> and of AWS's developer guide. Where the two differ,
//! this crate follows what executions on AWS were seen to do:
//!
//! - A path without a value, a choice without a match, and a failing intrinsic function all cause `States.Runtime`,
//!   which no retrier and no catcher handles.
//! - `States.ALL` and `States.TaskFailed` do not catch `States.DataLimitExceeded`, as the guide says. A catcher must
//!   name `States.DataLimitExceeded` itself.
//! - Data between states has at most 256 KiB. AWS adds HTTP headers to a function's answer. This crate does not count
//!   these headers, and paths cannot find them.

#![deny(missing_docs)]

mod choice;
mod failure;
mod fields;
mod history;
mod intrinsic;
mod machine;
mod path;
mod retry;
mod run;
mod template;

pub use failure::{DATA_LIMIT, Failure};
pub use fields::DefinitionError;
pub use history::{Ending, Happened, HistoryEvent};
pub use machine::Machine;
pub use run::{Call, Run, Start, Step};
