//! The rules by which AWS delivers a Kinesis stream to a Lambda function, as a state machine without clock, I/O or
//! randomness.
//!
//! **When to use it**: to test a handler against everything that an event source mapping may do. An event source
//! mapping may retry batches, split batches, repeat batches that succeeded, deliver several batches of a shard at once,
//! and discard, filter or lose records. Meanwhile shards may split and merge. Emulators deliver batches, but after a
//! failure they rarely behave as AWS does. Do not use this crate to measure speed.
//!
//! `rules.yaml`, beside this crate's sources, lists every rule with its page in the AWS documentation. Where AWS is
//! silent, the rule says so and assumes the behaviour that is harder on a function. Where AWS leaves a choice open, as
//! with the pause before a retry, a [`Chooser`] decides. With a seeded chooser, each seed is a different run that can
//! be repeated.
//!
//! [`Mapping::step`] takes an [`Input`] and returns the mapping's actions with the rules behind them. Any number of
//! invocations may be in flight. The caller reports the end of each invocation, in any order and with any [`Outcome`].
//! So a scheduler can run real handlers, several at once, and kill them anywhere. [`Mapping::wakes_at`] is the time to
//! which the scheduler can advance its clock. If a Kinesis stream has several event source mappings, report the
//! stream's changes to each of them.
//!
//! # Example
//!
//! The handler of this example fails at one record. The batch is split until that record is alone in its batch. The
//! record is then delivered once more, and discarded:
//!
//! ```
//! use source_mapping::{
//!     Destination, Input, Mapping, Millis, Outcome, Output, Prompt, Record, Settings,
//!     ShardId, StartingPosition,
//! };
//!
//! fn handler(records: &[std::sync::Arc<Record>]) -> Outcome {
//!     if records.iter().any(|record| *record.data == *b"poison") {
//!         return Outcome::FunctionError;
//!     }
//!     Outcome::done()
//! }
//!
//! let mut settings = Settings::new(StartingPosition::TrimHorizon);
//! settings.bisect_batch_on_function_error = true;
//! settings.maximum_retry_attempts = Some(1);
//! settings.on_failure = Some(Destination::Sqs);
//!
//! let record = |number: u64, data: &[u8]| Record {
//!     sequence: number.into(),
//!     partition_key: "key".into(),
//!     data: data.into(),
//!     arrived: Millis(0),
//! };
//! let shard = ShardId::from("shardId-000000000000");
//! let records = vec![record(1, b"a"), record(2, b"b"), record(3, b"poison"), record(4, b"c")];
//! let mut inputs = std::collections::VecDeque::from([
//!     Input::Opened(shard.clone()),
//!     Input::Appended { shard, records },
//!     Input::ChangeTakesEffect,
//! ]);
//!
//! let mut mapping = Mapping::new(settings, Millis(0))?;
//! let (mut done, mut discarded) = (vec![], vec![]);
//! while let Some(input) = inputs.pop_front() {
//!     for output in mapping.step(input, &mut Prompt)?.outputs {
//!         match output {
//!             Output::Invoke(invocation) => {
//!                 let outcome = handler(&invocation.records);
//!                 if outcome == Outcome::done() {
//!                     done.extend(invocation.records);
//!                 }
//!                 let invocation = invocation.id;
//!                 inputs.push_back(Input::Finished { invocation, outcome });
//!             }
//!             Output::Sent(record) => discarded.push(record),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! let done: Vec<_> = done.iter().map(|record| record.sequence.as_str()).collect();
//! assert_eq!(done, ["1", "2", "4"]);
//! assert_eq!(discarded[0].start_sequence_number, 3.into());
//! assert_eq!(discarded[0].batch_size, 1);
//! assert!(mapping.is_settled());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]

mod batch;
mod chooser;
mod delivering;
mod destination;
mod event;
mod filter;
mod json;
mod lane;
mod mapping;
mod messages;
mod reading;
mod reads;
mod record;
mod response;
mod rule;
mod settings;
mod shard;
mod time;

pub use chooser::{Choice, Chooser, Prompt};
pub use destination::{Condition, DestinationRecord};
pub use event::PAYLOAD_LIMIT;
pub use filter::{Filter, InvalidFilter};
pub use mapping::Mapping;
pub use messages::{Change, Input, Invocation, InvocationId, Misuse, Outcome, Output, State, Step};
pub use record::{Record, SequenceNumber, ShardId};
pub use response::{Verdict, judge};
pub use rule::Rule;
pub use settings::{Destination, InvalidSettings, Names, Reads, Settings, StartingPosition};
pub use time::Millis;
