//! The desk, where loans are opened, books handed over and loans cancelled.

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{
    Command, DecodeError, Moment, NewEvent, Problem, StreamId, mapping::Mapping, undecodable,
};
use alpes_participant::{Failure, Policy, Rules};
use alpes_ports::{Condition, Key, Path, TableName, Update};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fact, INDUCED, LOANS, LoanId, kinds, refusal, unknown_command};

/// A reader asked for a book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoanOpened {
    /// The loan.
    pub loan: LoanId,
    /// The reader's name.
    pub reader: String,
    /// The time of opening.
    pub opened: Moment,
    /// The length of the loan in days. Version 1 has no such field.
    pub days: u32,
}

/// The library reminded the reader. A reminder changes no state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReminderSent {
    /// The loan.
    pub loan: LoanId,
    /// The text of the letter.
    pub text: String,
}

/// The reader received a copy of the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BookHandedOver {
    /// The loan.
    pub loan: LoanId,
}

/// The loan was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoanCancelled {
    /// The loan.
    pub loan: LoanId,
    /// The reason.
    pub reason: String,
}

/// Upcasts [`LoanOpened`] from version 1 to 2: every loan of version 1 was for 21 days.
pub(crate) fn three_weeks(old: &Value) -> Result<Value, DecodeError> {
    let Value::Object(mut loan) = old.clone() else {
        return Err(undecodable("data is not an object"));
    };
    loan.insert("days".into(), 21.into());
    Ok(loan.into())
}

/// The table of copies. Its item [`SHELF`] has the number of free copies in `copies`.
pub const COPIES: TableName = TableName("copies");
/// The key of the item that counts the free copies.
pub const SHELF: &str = "shelf";

/// The write that sets the number of free copies.
#[must_use]
pub fn stock(copies: u32) -> Update {
    Update::of(shelf()).set(Path::of("copies"), copies)
}

fn shelf() -> Key {
    Key::new(COPIES, SHELF, SHELF)
}

/// The decider of the desk.
///
/// `OpenLoan` opens a loan, and `Remind` adds as many reminders as the command asks for. `HandOver` takes a copy off
/// the shelf in the transaction that commits its event, or cancels the loan if there is no copy. `CancelLoan` cancels
/// the loan, also after the hand-over, and returns the earlier event if the loan is cancelled already. `Renew` asks
/// another branch, which never answers.
pub struct Desk;

#[async_trait]
impl Decider<Fact> for Desk {
    fn route(&self, command: &Command) -> Route {
        Route {
            stream: StreamId::new(LOANS, command.subject),
            opens: command.kind == "OpenLoan",
            undoes: command.kind == "CancelLoan",
        }
    }

    fn refuse(&self, because: StoreRefusal) -> Problem {
        refusal(because)
    }

    async fn decide(&self, case: &Case<'_, Fact>) -> Result<Decision, Unavailable> {
        let (command, history) = (case.command, case.history);
        let loan = command.subject;
        let text = |field: &str| command.data.get(field).and_then(Value::as_str);
        let number = |field: &str| command.data.get(field).and_then(Value::as_u64);
        let ended = case.latest(is_end);
        let cancel = |reason: &str| {
            let reason = reason.to_owned();
            Decision::commit(vec![LoanCancelled { loan, reason }.into()])
        };
        Ok(match (command.kind.as_str(), ended) {
            ("OpenLoan", None) if history.is_empty() => Decision::commit(vec![
                LoanOpened {
                    loan,
                    reader: text("reader").unwrap_or("somebody").to_owned(),
                    opened: case.now,
                    days: number("days")
                        .and_then(|days| days.try_into().ok())
                        .unwrap_or(21),
                }
                .into(),
            ]),
            ("Remind", _) if !history.is_empty() => {
                let text = text("text").unwrap_or("please bring it back").to_owned();
                let reminders = (0..number("count").unwrap_or(1)).map(|_| {
                    ReminderSent {
                        loan,
                        text: text.clone(),
                    }
                    .into()
                });
                Decision::commit(reminders.collect())
            }
            ("HandOver", None) if case.refused.is_empty() => Decision::Commit {
                events: vec![BookHandedOver { loan }.into()],
                with: vec![
                    Update::of(shelf())
                        .when(Condition::AtLeast(Path::of("copies"), 1))
                        .add(Path::of("copies"), -1)
                        .into(),
                ],
            },
            ("HandOver", None) => cancel("no copy is left"),
            ("CancelLoan", end) if end.is_none_or(|event| event.kind != "LoanCancelled") => {
                cancel(text("reason").unwrap_or("not wanted any more"))
            }
            ("HandOver" | "CancelLoan", Some(event)) => Decision::Already(vec![event.clone()]),
            ("Renew", _) => return Err(Unavailable("the other branch does not answer".into())),
            ("OpenLoan" | "Remind", _) => Decision::Reject(Problem::of(kinds::STATE)),
            _ => Decision::Reject(unknown_command(&[
                "OpenLoan",
                "Remind",
                "HandOver",
                "CancelLoan",
                "Renew",
            ])),
        })
    }
}

/// True if the event is a decision of the desk about the loan. A loan may still be cancelled after its book was handed
/// over.
fn is_end(fact: &Fact) -> bool {
    matches!(fact, Fact::BookHandedOver(_) | Fact::LoanCancelled(_))
}

/// The desk's policies: hand the book over when the deposit is paid, and cancel the loan when the deposit is refused.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let reason = Mapping::empty().field("reason", "DepositRefused.reason");
    vec![
        Policy::does("DepositPaid", "HandOver", Mapping::empty()),
        Policy::undoes("DepositRefused", "CancelLoan", reason),
    ]
}

/// The desk's rules.
#[must_use]
pub fn rules() -> Rules<Fact> {
    Rules {
        context: LOANS,
        decider: Arc::new(Desk),
        failure: Failure {
            command: "HandOver",
            event: |case| {
                let (loan, reason) = (case.command.subject, INDUCED.to_owned());
                let fails = case.latest(is_end).is_none();
                fails.then(|| NewEvent::from(LoanCancelled { loan, reason }))
            },
        },
        policies: policies(),
    }
}
