//! The desk: loans are opened, books handed over, loans cancelled.

use std::sync::Arc;

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable, latest};
use alpes_messages::{
    Command, DecodeError, Event, Moment, NewEvent, Problem, StreamId, mapping::Mapping, undecodable,
};
use alpes_participant::{Failure, Policy, Rules};
use alpes_ports::{Condition, Key, Path, TableName, Update};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fact, INDUCED, LOANS, LoanId, kinds, refusal, unknown_command};

/// A reader asks for a book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoanOpened {
    /// Which loan.
    pub loan: LoanId,
    /// Whose.
    pub reader: String,
    /// When it was opened.
    pub opened: Moment,
    /// For how many days. Version 1 did not tell.
    pub days: u32,
}

/// The reader was written to. It changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReminderSent {
    /// Of which loan.
    pub loan: LoanId,
    /// The letter.
    pub text: String,
}

/// The reader has a copy of the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BookHandedOver {
    /// Of which loan.
    pub loan: LoanId,
}

/// The loan comes to nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoanCancelled {
    /// Which loan.
    pub loan: LoanId,
    /// Why.
    pub reason: String,
}

/// [`LoanOpened`] from version 1 to 2: every book was lent for three weeks.
pub(crate) fn three_weeks(old: &Value) -> Result<Value, DecodeError> {
    let Value::Object(mut loan) = old.clone() else {
        return Err(undecodable("data is not an object"));
    };
    loan.insert("days".into(), 21.into());
    Ok(loan.into())
}

/// The table of copies: key [`SHELF`], its number `copies` that of those which nobody has.
pub const COPIES: TableName = TableName("copies");
/// Where the copies stand.
pub const SHELF: &str = "shelf";

/// Sets how many copies stand on the shelf.
#[must_use]
pub fn stock(copies: u32) -> Update {
    Update::of(shelf()).set(Path::of("copies"), copies)
}

fn shelf() -> Key {
    Key::new(COPIES, SHELF, SHELF)
}

/// The rules of the desk.
///
/// `OpenLoan` opens, `Remind` adds as many reminders as it says. `HandOver` takes a copy off the shelf with its event, or cancels
/// where there is none. `CancelLoan` undoes; undoing what is undone gives what was. `Renew` asks another branch, which never answers.
pub struct Desk;

#[async_trait]
impl Decider<Fact> for Desk {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(LOANS, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        command.kind == "OpenLoan"
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == "CancelLoan"
    }

    fn refuse(&self, because: StoreRefusal) -> Problem {
        refusal(because)
    }

    async fn decide(
        &self,
        history: &[(Event, Fact)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let loan = command.subject;
        let text = |field: &str| command.data.get(field).and_then(Value::as_str);
        let number = |field: &str| command.data.get(field).and_then(Value::as_u64);
        let ended = latest(history, is_end);
        let cancel = |reason: &str| {
            let reason = reason.to_owned();
            Decision::commit(vec![LoanCancelled { loan, reason }.into()])
        };
        Ok(match (command.kind.as_str(), ended) {
            ("OpenLoan", None) if history.is_empty() => Decision::commit(vec![
                LoanOpened {
                    loan,
                    reader: text("reader").unwrap_or("somebody").to_owned(),
                    opened: circumstances.now,
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
            ("HandOver", None) if circumstances.refused.is_empty() => Decision::Commit {
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

/// True if the desk has decided about the loan. It may still be cancelled after the book was handed over.
fn is_end(fact: &Fact) -> bool {
    matches!(fact, Fact::BookHandedOver(_) | Fact::LoanCancelled(_))
}

/// Hands a book over when its deposit is paid, and cancels the loan when it is not.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let reason = Mapping::empty().field("reason", "DepositRefused.reason");
    vec![
        Policy::does("DepositPaid", "HandOver", Mapping::empty()),
        Policy::undoes("DepositRefused", "CancelLoan", reason),
    ]
}

/// The context.
#[must_use]
pub fn rules() -> Rules<Fact> {
    Rules {
        context: LOANS,
        decider: Arc::new(Desk),
        failure: Failure {
            command: "HandOver",
            event: |history, command, _| {
                let (loan, reason) = (command.subject, INDUCED.to_owned());
                let fails = latest(history, is_end).is_none();
                fails.then(|| NewEvent::from(LoanCancelled { loan, reason }))
            },
        },
        policies: policies(),
    }
}
