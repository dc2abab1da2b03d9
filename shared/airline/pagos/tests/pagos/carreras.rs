//! Tests of concurrent commands: in every order of their calls of tables, and in an order that a seed decides, with
//! faults at any effect.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
};

use alpes_event_store::{HandleError, Handled};
use alpes_messages::Command;
use domain_kit::Processes;
use events::Payload;
use futures::future::BoxFuture;
use pagos::simulador::balance;
use rust_decimal::Decimal;
use simulation::{Dice, Faults, Scheduler, Step, every_order};

use crate::{
    bench::Bench,
    escenario::{RESERVA, pagar, revertir},
};

/// The seed of a run, and the rates of its faults.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub seed: u64,
    /// On average one effect in this many fails; 0 means that no effect fails.
    pub fault_one_in: u64,
    /// On average one step in this many kills its process; 0 means that no step does.
    pub kill_one_in: u64,
}

/// Number of times that a client sends a command before it abandons the command.
const PATIENCE: usize = 8;

/// The answers that the clients got, and the commands without an answer.
#[derive(Default)]
pub struct Heard {
    pub answers: Vec<(Command, Handled)>,
    pub unanswered: Vec<Command>,
}

/// The answer to a command; `None` for a task that only executed a late effect.
type Answer = Option<Result<Handled, HandleError>>;

/// A client: the commands that it has not finished, and the number of times that it has sent the first of them.
struct Client {
    commands: VecDeque<Command>,
    sent: usize,
}

impl Client {
    /// The command that the client sends next. A command that was sent [`PATIENCE`] times is abandoned.
    fn next(&mut self, heard: &mut Heard) -> Option<Command> {
        if self.sent == PATIENCE {
            heard.unanswered.extend(self.commands.pop_front());
            self.sent = 0;
        }
        self.sent += 1;
        self.commands.front().cloned()
    }
}

/// Runs clients concurrently. Each client sends its commands in order, and repeats a command until the command is
/// answered or abandoned.
pub fn run(bench: &Bench, trouble: Trouble, clients: Vec<Vec<Command>>) -> Heard {
    let dice = Dice::new(trouble.seed);
    let faults = Faults::by_chance(dice.clone(), trouble.fault_one_in);
    let process = |command: &Command| -> BoxFuture<'static, Answer> {
        let work = bench.process(&faults, command);
        Box::pin(async move { Some(work.await) })
    };
    let mut heard = Heard::default();
    let mut scheduler = Scheduler::default();
    let mut working = BTreeMap::new();
    let mut clients: Vec<_> = clients
        .into_iter()
        .map(|commands| Client {
            commands: commands.into(),
            sent: 0,
        })
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        if let Some(command) = client.next(&mut heard) {
            working.insert(scheduler.spawn(process(&command)), number);
        }
    }
    loop {
        scheduler.spawn_late(&faults, || None);
        let (ended, answer) = match scheduler.step(&dice, trouble.kill_one_in) {
            Step::Progress => continue,
            Step::Idle => return heard,
            Step::Done(process, answer) => (process, answer),
            Step::Killed(process) => (process, None),
        };
        let Some(number) = working.remove(&ended) else {
            continue;
        };
        let client = &mut clients[number];
        if let Some(Ok(handled)) = answer {
            let command = client.commands.pop_front().unwrap();
            heard.answers.push((command, handled));
            client.sent = 0;
        }
        if let Some(command) = client.next(&mut heard) {
            working.insert(scheduler.spawn(process(&command)), number);
        }
    }
}

/// Runs two commands in every order of their calls of tables, after the commands `before`. Then both are repeated until
/// they are answered, and the ledger and the stream must agree. `check` makes further checks for each order. Returns
/// the number of orders.
fn in_every_order(
    before: &[Command],
    commands: [&Command; 2],
    mut check: impl FnMut(&Bench, &[usize]),
) -> usize {
    let bench = RefCell::new(Bench::new());
    every_order(
        || {
            let fresh = Bench::new();
            for command in before {
                fresh.event(command);
            }
            let processes = commands.map(|command| fresh.in_steps(command));
            bench.replace(fresh);
            processes
        },
        |answers, order| {
            let bench = bench.borrow();
            for (command, answer) in commands.iter().zip(answers) {
                let again = bench.insist(&Faults::none(), command);
                // The answer to a committed command never changes. Only a command without a committed outcome may get
                // another answer later.
                if let Ok(Handled::Committed { events, .. }) = answer {
                    let Handled::Committed { events: same, .. } = again else {
                        panic!("{order:?}: taken back")
                    };
                    assert_eq!(events, same, "{order:?}");
                }
            }
            assert_eq!(bench.agrees(RESERVA), Ok(()), "{order:?}");
            check(&bench, order);
        },
    )
}

fn net(bench: &Bench) -> Decimal {
    balance(&bench.ledger(RESERVA))
}

#[test]
fn a_payment_and_its_reversal_in_every_order_leave_nothing_charged() {
    for medio in ["tok_visa", "tok_timeout", "tok_intermitente"] {
        let mut outcomes = BTreeMap::new();
        let orders = in_every_order(&[], [&pagar(1, medio), &revertir(2)], |bench, order| {
            assert_eq!(net(bench), Decimal::ZERO, "{medio} {order:?}");
            let history = bench.history(RESERVA);
            let Some(Payload::PagoRevertido(_)) = history.last() else {
                panic!("{medio} {order:?}: {history:?}")
            };
            *outcomes
                .entry((history.len(), bench.ledger(RESERVA).len()))
                .or_insert(0) += 1;
        });
        println!("{medio}: {orders} orders, events and movements: {outcomes:?}");
        assert!(orders > 50, "{medio}: {orders}");
        if medio == "tok_visa" {
            // In some orders the reversal came before the charge, in others between charge and commit, and in others
            // after the payment.
            assert!(outcomes.contains_key(&(1, 0)) && outcomes.contains_key(&(1, 2)));
            assert!(outcomes.contains_key(&(2, 2)));
        }
    }
}

#[test]
fn two_payments_in_every_order_charge_once_and_tell_which() {
    let (first, mut second) = (pagar(1, "tok_visa"), pagar(2, "tok_visa"));
    second.data["monto"] = "70.00".into();
    let mut won = BTreeMap::new();
    in_every_order(&[], [&first, &second], |bench, order| {
        assert_eq!(bench.ledger(RESERVA).len(), 1, "{order:?}");
        assert_eq!(bench.history(RESERVA).len(), 1, "{order:?}");
        *won.entry(net(bench).to_string()).or_insert(0) += 1;
    });
    assert_eq!(won.keys().collect::<Vec<_>>(), ["119.00", "89.00"]);
}

#[test]
fn two_reversals_in_every_order_give_back_once() {
    for before in [vec![], vec![pagar(1, "tok_visa")]] {
        let moved = 2 * before.len();
        in_every_order(&before, [&revertir(2), &revertir(3)], |bench, order| {
            assert_eq!(bench.ledger(RESERVA).len(), moved, "{order:?}");
            assert_eq!(bench.history(RESERVA).len(), 1 + before.len(), "{order:?}");
        });
    }
}
