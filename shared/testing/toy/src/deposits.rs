//! The till, where deposits are paid and returned.

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, NewEvent, Problem, StreamId, mapping::Mapping};
use alpes_participant::{Failure, Policy, Rules};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DEPOSITS, Fact, INDUCED, LoanId, refusal, unknown_command};

/// The deposit of a loan was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepositPaid {
    /// The loan.
    pub loan: LoanId,
    /// The amount in cents.
    pub cents: u64,
}

/// A reader did not pay the deposit of a loan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepositRefused {
    /// The loan.
    pub loan: LoanId,
    /// The reason.
    pub reason: String,
}

/// The deposit of a loan was returned, or never has to be paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepositReturned {
    /// The loan.
    pub loan: LoanId,
    /// The amount returned in cents; 0 if nothing had been paid.
    pub cents: u64,
}

/// The most that any reader can pay, in cents.
pub const MOST: u64 = 5_000;

/// The decider of the till.
///
/// `PayDeposit` takes the deposit, at most [`MOST`] cents. `ReturnDeposit` undoes the payment, and may also arrive
/// before the payment: a returned deposit cannot be paid any more.
pub struct Till;

#[async_trait]
impl Decider<Fact> for Till {
    fn route(&self, command: &Command) -> Route {
        Route {
            stream: StreamId::new(DEPOSITS, command.subject),
            opens: command.kind == "PayDeposit",
            undoes: command.kind == "ReturnDeposit",
        }
    }

    fn refuse(&self, because: StoreRefusal) -> Problem {
        refusal(because)
    }

    async fn decide(&self, case: &Case<'_, Fact>) -> Result<Decision, Unavailable> {
        let (command, history) = (case.command, case.history);
        let loan = command.subject;
        let last = history.last().map(|(event, _)| event.clone());
        let returned = case.latest(|fact| matches!(fact, Fact::DepositReturned(_)));
        Ok(match (command.kind.as_str(), last) {
            ("PayDeposit", Some(event)) => Decision::Already(vec![event]),
            ("PayDeposit", None) => {
                let cents = command.data.get("cents").and_then(Value::as_u64);
                let cents = cents.unwrap_or(1_000);
                Decision::commit(vec![if cents > MOST {
                    refused(loan, "not enough money")
                } else {
                    DepositPaid { loan, cents }.into()
                }])
            }
            ("ReturnDeposit", Some(event)) if returned.is_some() => Decision::Already(vec![event]),
            ("ReturnDeposit", _) => {
                let paid = history.iter().find_map(|(_, fact)| match fact {
                    Fact::DepositPaid(paid) => Some(paid.cents),
                    _ => None,
                });
                let cents = paid.unwrap_or(0);
                Decision::commit(vec![DepositReturned { loan, cents }.into()])
            }
            ("AskForCredit", _) => return Err(Unavailable("the bank does not answer".into())),
            _ => Decision::Reject(unknown_command(&[
                "PayDeposit",
                "ReturnDeposit",
                "AskForCredit",
            ])),
        })
    }
}

fn refused(loan: LoanId, reason: &str) -> NewEvent {
    let reason = reason.to_owned();
    DepositRefused { loan, reason }.into()
}

/// The till's policies: a cancelled loan gets its deposit back.
#[must_use]
pub fn policies() -> Vec<Policy> {
    vec![Policy::undoes(
        "LoanCancelled",
        "ReturnDeposit",
        Mapping::empty(),
    )]
}

/// The failure of `PayDeposit` that a test can induce.
pub const FAILURE: Failure<Fact> = Failure {
    command: "PayDeposit",
    event: |case| {
        let fails = case.history.is_empty();
        fails.then(|| refused(case.command.subject, INDUCED))
    },
};

/// The till's rules.
#[must_use]
pub fn rules() -> Rules<Fact> {
    Rules {
        context: DEPOSITS,
        decider: Arc::new(Till),
        failure: FAILURE,
        policies: policies(),
    }
}
