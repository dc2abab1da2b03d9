//! The till: deposits are paid, and returned.

use std::sync::Arc;

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable, latest};
use alpes_messages::{Command, Event, NewEvent, Problem, StreamId, mapping::Mapping};
use alpes_participant::{Failure, Policy, Rules};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DEPOSITS, Fact, INDUCED, LoanId, refusal, unknown_command};

/// The deposit of a loan was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepositPaid {
    /// Of which loan.
    pub loan: LoanId,
    /// How much.
    pub cents: u64,
}

/// The deposit of a loan was not paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepositRefused {
    /// Of which loan.
    pub loan: LoanId,
    /// Why.
    pub reason: String,
}

/// Nobody owes the reader a deposit any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepositReturned {
    /// Of which loan.
    pub loan: LoanId,
    /// How much was returned; 0 if nothing had been paid.
    pub cents: u64,
}

/// More than this no reader has with them.
pub const MOST: u64 = 5_000;

/// The rules of the till.
///
/// `PayDeposit` takes what a reader has, [`MOST`] at most. `ReturnDeposit` undoes it, before or after; a deposit that was returned
/// cannot be paid any more.
pub struct Till;

#[async_trait]
impl Decider<Fact> for Till {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(DEPOSITS, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        command.kind == "PayDeposit"
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == "ReturnDeposit"
    }

    fn refuse(&self, because: StoreRefusal) -> Problem {
        refusal(because)
    }

    async fn decide(
        &self,
        history: &[(Event, Fact)],
        command: &Command,
        _circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let loan = command.subject;
        let last = history.last().map(|(event, _)| event.clone());
        let returned = latest(history, |fact| matches!(fact, Fact::DepositReturned(_)));
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

/// Returns the deposit of a loan that is cancelled.
#[must_use]
pub fn policies() -> Vec<Policy> {
    vec![Policy::undoes(
        "LoanCancelled",
        "ReturnDeposit",
        Mapping::empty(),
    )]
}

/// How the till fails when a test wants it to.
pub const FAILURE: Failure<Fact> = Failure {
    command: "PayDeposit",
    event: |history, command, _| {
        let fails = history.is_empty();
        fails.then(|| refused(command.subject, INDUCED))
    },
};

/// The context.
#[must_use]
pub fn rules() -> Rules<Fact> {
    Rules {
        context: DEPOSITS,
        decider: Arc::new(Till),
        failure: FAILURE,
        policies: policies(),
    }
}
