//! The AWS adapters pass the suites of the ports.

use alpes_aws::SnsTopic;
use alpes_lambda::Environment;
use alpes_ports::Platform;
use e2e::{Stack, nobody, unique};
use reserva_saga::PARTICIPANT_VUELOS;
use serde_json::json;

use crate::listener::{Listener, OwnTopic};

#[test]
fn tables_are_as_the_port_says() {
    let stack = Stack::from_env();
    let unique = unique("suite");
    let suite = twins::suite::tables(&*stack.tables, alpes_projections::TABLE, &unique);
    stack.wait(suite);
}

#[test]
fn objects_are_as_the_port_says() {
    let stack = Stack::from_env();
    let unique = unique("suite");
    let suite = twins::suite::objects(&*stack.undelivered, &unique);
    stack.wait(suite);
}

#[test]
fn functions_are_as_the_port_says() {
    let stack = Stack::from_env();
    // The command is refused each time, so it leaves nothing behind.
    let command = stack.command("AprobarReserva", nobody(), json!({}));
    let command = serde_json::to_vec(&command).unwrap();
    stack.wait(twins::suite::functions(
        &*stack.functions,
        PARTICIPANT_VUELOS,
        &command,
        (b"{}", "InvalidCommand"),
    ));
}

#[test]
fn executions_are_as_the_port_says() {
    let stack = Stack::from_env();
    let environment = stack.wait(Environment::load());
    let executions = environment.executions().expect("--step-functions true");
    // The state machine's one command is refused, because a motivo must be a text. So the execution leaves nothing
    // behind.
    let id = || nobody().to_string();
    let input = json!({
        "definition": "reserva",
        "version": 1,
        "undo": true,
        "saga": {"id": id(), "subject": id(), "cause": id(), "trace": null, "reason": 7},
        "commands": {"AprobarReserva": {"undo": id()}},
    });
    stack.wait(twins::suite::executions(
        &*executions,
        &*stack.world.tasks,
        &input,
        &unique("suite"),
    ));
}

#[test]
fn topics_with_an_order_and_without_are_as_the_port_says() {
    let stack = Stack::from_env();
    for ordered in [false, true] {
        let own = OwnTopic::new(&stack, ordered);
        let listener = Listener::to(&stack, &own.arn, None);
        let topic = SnsTopic::new(&stack.wait(alpes_aws::config()), own.arn.clone());
        let mut published = stack.wait(twins::suite::topic(&topic, &unique("suite")));
        if !ordered {
            for notice in &mut published {
                (notice.id, notice.group) = (String::new(), String::new());
            }
        }
        let mut heard = listener.hear(published.len());
        heard.extend(listener.rest());
        let [heard, published] = [heard, published].map(|notices| listener.counted(notices));
        assert_eq!(heard, published, "ordered: {ordered}");
    }
}
