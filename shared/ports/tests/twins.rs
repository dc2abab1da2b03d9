//! The in-memory twins pass the suite that the AWS adapters must pass.

use futures::executor::block_on;
use ports::{TableName, memory, suite};

#[test]
fn tables_in_memory() {
    block_on(suite::tables(
        &memory::MemoryTables::new(),
        TableName("views"),
        "run",
    ));
}

#[test]
fn objects_in_memory() {
    block_on(suite::objects(&memory::MemoryObjects::new(), "run"));
}

#[test]
fn log_in_memory() {
    let (world, _) = memory::world(1);
    let log = memory::MemoryLog::new(3, world.clock);
    block_on(suite::log(&log, &log, "run"));
}
