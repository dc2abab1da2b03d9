//! A small domain for the engine's tests: a library that lends books against a deposit.
//!
//! Its parts are those of every domain on the engine:
//!
//! 1. [`LOANS`] and [`DEPOSITS`] are its contexts. The modules [`loans`] and [`deposits`] have the events and rules of
//!    these contexts.
//! 2. [`Fact`] and [`catalogue`] are its events. [`loans::LoanOpened`] has an older version, which an upcaster turns
//!    into the newest version when it is read.
//! 3. [`kinds`] are the problems that its refusals name, and [`refusal`] gives the texts of the event store's refusals.
//! 4. [`views`] are the folds of its log.
//!
//! ```text
//! OpenLoan ─► LoanOpened        PayDeposit ─► DepositPaid ─► (policy) HandOver ─► BookHandedOver
//!                                         └─► DepositRefused ─► (policy) CancelLoan ─► LoanCancelled
//!                                                                                 └─► (policy) ReturnDeposit ─► DepositReturned
//! ```
//!
//! The contexts do not know one another. In a choreography each context consumes the other's events and follows its own
//! policies.

#![deny(missing_docs)]

pub mod deposits;
pub mod kinds;
pub mod loans;
pub mod views;

use alpes_event_store::StoreRefusal;
use alpes_messages::{
    Command, CommandId, Context, CorrelationId, Event, EventId, NewEvent, Origin, Problem,
    StreamId, SubjectId, Version, Violation,
};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// The id of a loan, the subject of every message of the library.
pub use alpes_messages::SubjectId as LoanId;

/// The context of the desk, where books are lent.
pub const LOANS: Context = Context {
    name: "loans",
    category: "loan",
    participant: "participant-loans",
    source: "/library/loans",
    schemas: "urn:library:schema:loans",
}
.checked();

/// The context of the till, where deposits are paid.
pub const DEPOSITS: Context = Context {
    name: "deposits",
    category: "deposit",
    participant: "participant-deposits",
    source: "/library/deposits",
    schemas: "urn:library:schema:deposits",
}
.checked();

alpes_messages::catalogue! {
    /// The events of the library, each in its newest version.
    pub enum Fact;
    LOANS: loans {
        LoanOpened [loans::three_weeks],
        ReminderSent [],
        BookHandedOver [],
        LoanCancelled [],
    }
    DEPOSITS: deposits {
        DepositPaid [],
        DepositRefused [],
        DepositReturned [],
    }
}

/// The detail of a refusal that a test induced.
pub const INDUCED: &str = "a test asked for it";

/// The text of a refusal by the event store.
#[must_use]
pub fn refusal(refusal: StoreRefusal) -> Problem {
    match refusal {
        StoreRefusal::KeyReused => Problem::of(kinds::KEY_REUSED),
        StoreRefusal::StreamFull { bytes } => {
            let rule = format!("the events of a loan take {bytes} bytes at most");
            Problem::of(kinds::STATE).at(vec![Violation::new("data", "size", rule)])
        }
        StoreRefusal::Induced => Problem::of(kinds::STATE).because(INDUCED),
    }
}

/// The refusal of a command that the context does not know.
#[must_use]
pub fn unknown_command(known: &[&str]) -> Problem {
    let rule = format!("one of {}", known.join(", "));
    Problem::of(kinds::INVALID).at(vec![Violation::new("type", "unknown-command", rule)])
}

/// The id of the loan with this number.
#[must_use]
pub fn loan(number: u128) -> LoanId {
    SubjectId(Uuid::from_u128(number))
}

/// A command about a loan, with the number `id`.
#[must_use]
pub fn command(id: u128, kind: &str, loan: LoanId, data: Value) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(id)),
        correlationid: CorrelationId(loan.0),
        ..Command::opening(kind, loan, data)
    }
}

/// An event of a loan as the log has it, at this version of its stream.
///
/// ```
/// use toy::{Fact, loan, loans::BookHandedOver};
///
/// let given = BookHandedOver { loan: loan(7) };
/// let text = toy::event(given.clone(), 3).encode()?;
/// let (event, fact) = alpes_messages::Event::decode(text.as_bytes(), &toy::catalogue())?;
/// assert_eq!((event.streamversion, fact), (3, Fact::BookHandedOver(given)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn event(new: impl Into<NewEvent>, version: Version) -> Event {
    let new = new.into();
    let field = new.data.get("loan").and_then(Value::as_str);
    let loan = field.and_then(|loan| loan.parse().ok()).unwrap_or(loan(0));
    let command = command(1, "Happen", loan, Value::Null);
    let origin = Origin {
        command: &command,
        stream: StreamId::new(new.context, loan),
        version,
        id: EventId(Uuid::from_u128(
            loan.0.as_u128() * 1_000 + u128::from(version),
        )),
        time: Timestamp::UNIX_EPOCH.into(),
    };
    Event::placed(new, origin)
}
