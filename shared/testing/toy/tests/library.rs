//! The rules of the library: given these events, when a command comes, then these events follow.

#![cfg(test)]

use alpes_event_store::{Decider, Handled};
use alpes_ports::Tables;
use domain_kit::{StoreBench, event_of};
use futures::executor::block_on;
use serde_json::{Value, json};
use simulation::Faults;
use toy::{
    Fact, LoanId,
    deposits::{MOST, Till},
    loan,
    loans::{Desk, stock},
};

/// Sends a command to the context that handles it.
fn send(bench: &StoreBench<Fact>, id: u128, kind: &str, loan: LoanId, data: Value) -> Handled {
    let rules: &dyn Decider<Fact> = if kind.ends_with("Deposit") {
        &Till
    } else {
        &Desk
    };
    let command = toy::command(id, kind, loan, data);
    bench
        .send(&Faults::none(), rules, &command)
        .unwrap()
        .unwrap()
}

#[test]
fn the_last_copy_is_handed_over_once() {
    let bench = StoreBench::new(toy::catalogue());
    block_on(bench.tables.write(&stock(1).into())).unwrap();
    let kind_of =
        |id, kind, number| event_of(&send(&bench, id, kind, loan(number), json!({}))).kind;
    assert_eq!(kind_of(1, "OpenLoan", 7), "LoanOpened");
    assert_eq!(kind_of(2, "OpenLoan", 8), "LoanOpened");
    assert_eq!(kind_of(3, "HandOver", 7), "BookHandedOver");
    // Another command with the same effect: the copy is already handed over.
    assert_eq!(kind_of(4, "HandOver", 7), "BookHandedOver");
    assert_eq!(kind_of(5, "HandOver", 8), "LoanCancelled");
    assert_eq!(kind_of(6, "CancelLoan", 7), "LoanCancelled");
    assert_eq!(kind_of(7, "HandOver", 7), "LoanCancelled");
    bench.settle().unwrap();
    let events: usize = bench
        .histories()
        .iter()
        .map(|(_, history)| history.len())
        .sum();
    assert_eq!(events, 5);
}

#[test]
fn a_deposit_is_returned_as_it_was_paid() {
    let bench = StoreBench::new(toy::catalogue());
    let data_of =
        |id, kind, number, data| event_of(&send(&bench, id, kind, loan(number), data)).data;
    assert_eq!(
        data_of(1, "PayDeposit", 7, json!({ "cents": 500 }))["cents"],
        500
    );
    assert_eq!(data_of(2, "ReturnDeposit", 7, json!({}))["cents"], 500);
    let refused = data_of(3, "PayDeposit", 8, json!({ "cents": MOST + 1 }));
    assert_eq!(refused["reason"], "not enough money");
    assert_eq!(data_of(4, "ReturnDeposit", 8, json!({}))["cents"], 0);
    // The deposit is returned before it is paid, so it cannot be paid any more.
    assert_eq!(data_of(5, "ReturnDeposit", 9, json!({}))["cents"], 0);
    assert_eq!(
        data_of(6, "PayDeposit", 9, json!({ "cents": 500 }))["cents"],
        0
    );
}

#[test]
fn what_the_rules_do_not_allow_is_refused() {
    let bench = StoreBench::new(toy::catalogue());
    for (id, kind, status) in [(1, "Remind", 409), (2, "PayDeposit", 0), (3, "Burn", 400)] {
        match send(&bench, id, kind, loan(7), json!({})) {
            Handled::Rejected(problem) => assert_eq!(problem.status, status),
            Handled::Committed { .. } => assert_eq!(status, 0, "{kind}"),
        }
    }
}
