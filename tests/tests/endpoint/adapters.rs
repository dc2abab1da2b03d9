//! The AWS adapters keep what the ports promise.

use e2e::{Stack, unique};

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
