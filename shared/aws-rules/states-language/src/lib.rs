//! Runs state machines written in Amazon States Language (`JSONPath`, Standard), as far as this system's go: Task, Choice, Pass,
//! Wait, Succeed, Fail.
//!
//! [`Machine::parse`] reads a definition, and refuses what it does not know, so that nothing it runs would run otherwise on AWS.
//! [`Run`] is one execution, without I/O: it says what to do next, and its caller reports the outcome.
//!
//! The rules are those of <https://states-language.net/spec.html> and of AWS's developer guide; where they differ, what executions
//! on AWS have been seen to do:
//!
//! - What cannot be found by a path, a choice without a match, and an intrinsic function that fails are all `States.Runtime`, which
//!   nothing retries and nothing catches.
//! - `States.ALL` and `States.TaskFailed` do not catch `States.DataLimitExceeded`, as the guide says; its own name does.
//! - Data between states has 256 KiB at most. What AWS itself adds to the answer of a function, its HTTP headers, is not counted
//!   here and is not there for a path to find.

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
