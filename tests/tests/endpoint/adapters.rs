//! The AWS adapters keep what the ports promise.

use e2e::{Stack, nobody, unique};
use reserva_saga::PARTICIPANT_VUELOS;
use serde_json::json;

#[test]
fn tables_are_as_the_port_says() {
    let stack = Stack::from_env();
    let unique = unique("suite");
    let suite = ports::suite::tables(&*stack.tables, projections::TABLE, &unique);
    stack.wait(suite);
}

#[test]
fn the_log_is_as_the_port_says() {
    let stack = Stack::from_env();
    stack.wait(ports::suite::log(
        &*stack.log,
        &*stack.reader,
        &unique("suite"),
    ));
}

#[test]
fn objects_are_as_the_port_says() {
    let stack = Stack::from_env();
    let unique = unique("suite");
    let suite = ports::suite::objects(&*stack.undelivered, &unique);
    stack.wait(suite);
}

#[test]
fn functions_are_as_the_port_says() {
    let stack = Stack::from_env();
    // Refused each time, so that it leaves nothing behind.
    let command = stack.command("AprobarReserva", nobody(), json!({}));
    let command = serde_json::to_vec(&command).unwrap();
    stack.wait(ports::suite::functions(
        &*stack.functions,
        PARTICIPANT_VUELOS,
        &command,
        (b"{}", "ComandoInvalido"),
    ));
}
