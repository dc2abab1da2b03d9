//! Tests of the task `sweep`, which publishes committed events that are not in the log.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use alpes_ports::{
    Consistency, Found, IndexPage, IndexQuery, Key, ScanPage, TableError, TableName, Tables,
    TransactError, Write, WriteError,
};
use async_trait::async_trait;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use timers::{Done, Task};

use crate::support::Fixture;

pub(crate) const TASK: &str = include_str!("../../events/sweep.json");

fn done(found: usize, published: usize, failed: usize, since: Option<&str>) -> Done {
    Done::Sweep {
        found,
        published,
        failed,
        oldest: since.map(str::to_owned),
    }
}

#[test]
fn what_was_committed_and_not_published_is_published() {
    let fixture = Fixture::new();
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));
    let first = fixture.pending();
    fixture.clock.advance(Duration::from_millis(250));
    let second = fixture.pending();
    assert!(fixture.logged().is_empty());

    // The process that committed the event is most likely publishing it now.
    fixture.clock.advance(Duration::from_secs(9));
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));

    fixture.clock.advance(Duration::from_millis(1_001));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(2, 2, 0, since));
    assert_eq!(fixture.logged(), BTreeSet::from([first, second]));
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));
    assert_eq!(fixture.log.log.records().len(), 2);
}

#[test]
fn the_age_can_be_said() {
    let fixture = Fixture::new();
    fixture.pending();
    fixture.clock.advance(Duration::from_secs(20));
    let swept = |seconds: u64| {
        let task = json!({"task": "sweep", "age_seconds": seconds});
        let done = fixture.handle(&task.to_string()).unwrap();
        let Done::Sweep { published, .. } = done else {
            panic!("{done:?}")
        };
        published
    };
    assert_eq!(swept(21), 0);
    assert_eq!(swept(19), 1);
}

#[test]
fn one_that_cannot_be_published_is_counted_and_holds_up_no_other() {
    let fixture = Fixture::new();
    let ids = [(); 5].map(|()| fixture.pending());
    fixture.refuse(&ids[2], true);
    fixture.clock.advance(Duration::from_secs(11));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(5, 4, 1, since));
    let told = fixture.told(["SweeperWaiting", "SweeperFailed", "SweeperAge"]);
    assert_eq!(told, [json!(5), json!(1), json!(11)]);
    assert_eq!(fixture.logged().len(), 4);
    // The event stream that failed is due again only after a pause.
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));
    fixture.clock.advance(Duration::from_mins(1));
    assert_eq!(fixture.handle(TASK).unwrap(), done(1, 0, 1, since));
    fixture.refuse(&ids[2], false);
    fixture.clock.advance(Duration::from_mins(1));
    assert_eq!(fixture.handle(TASK).unwrap(), done(1, 1, 0, since));
    assert_eq!(fixture.logged(), BTreeSet::from(ids));
}

#[test]
fn more_than_one_page_is_swept_in_one_run() {
    let fixture = Fixture::new();
    // Each of the sixteen partitions of the index has more events than a page, all committed at one moment.
    let count = 16 * 100 + 160;
    for _ in 0..count {
        fixture.pending();
    }
    fixture.clock.advance(Duration::from_secs(11));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(count, count, 0, since));
    assert_eq!(fixture.logged().len(), count);
}

#[test]
fn more_than_a_page_of_one_moment_that_fails_hides_nothing_behind_it() {
    let fixture = Fixture::new().with_limits(|limits| limits.streams = 2);
    let ids: Vec<_> = (0..16 * 6).map(|_| fixture.pending()).collect();
    for id in &ids {
        fixture.refuse(id, true);
    }
    fixture.clock.advance(Duration::from_secs(11));
    let since = Some("2026-01-31T10:00:00.000Z");
    let all = ids.len();
    assert_eq!(fixture.handle(TASK).unwrap(), done(all, 0, all, since));
}

#[test]
fn a_sweep_stops_between_two_streams_and_the_next_ones_go_on() {
    let fixture = Fixture::new();
    let count = 300;
    for _ in 0..count {
        fixture.pending();
    }
    fixture.clock.advance(Duration::from_secs(11));
    // Each append takes one second.
    *fixture.log.slow.lock().unwrap() = Some(fixture.clock.clone());
    let mut published = 0;
    while published < count {
        let deadline = fixture.deadline();
        let done = fixture.handle(TASK).unwrap();
        assert!(fixture.world.clock.now() < deadline);
        let Done::Sweep {
            published: now,
            failed,
            ..
        } = done
        else {
            panic!("{done:?}")
        };
        assert!(now > 0, "{now} are published");
        assert_eq!(failed, 0, "what was not begun has not failed");
        published += now;
    }
    assert_eq!(fixture.logged().len(), count);
    assert_eq!(fixture.log.log.records().len(), count, "each once");
}

/// Tables that do not answer.
struct Down;

#[async_trait]
impl Tables for Down {
    async fn get(&self, _: &[Key], _: Consistency) -> Result<Found, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn write(&self, _: &Write) -> Result<(), WriteError> {
        Err(TableError::Unavailable("down".into()).into())
    }

    async fn transact(&self, _: &[Write]) -> Result<(), TransactError> {
        Err(TableError::Unavailable("down".into()).into())
    }

    async fn query(&self, _: &IndexQuery) -> Result<IndexPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn scan(&self, _: TableName, _: Option<&Key>) -> Result<ScanPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }
}

#[test]
fn an_index_that_cannot_be_read_fails_the_run() {
    let error = Fixture::over(Arc::new(Down)).handle(TASK).unwrap_err();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "TaskFailed");
    assert!(diagnostic.error_message.contains("down"));
}

#[test]
fn what_is_no_task_is_not_taken_for_one() {
    for text in [
        "{}",
        r#"{"task": "otra"}"#,
        r#"{"task": "sweep", "age": 1}"#,
        r#"{"task": "sweep", "age_seconds": -1}"#,
        r#"{"Records": []}"#,
    ] {
        assert!(serde_json::from_str::<Task>(text).is_err(), "{text}");
    }
    let told = serde_json::to_value(done(0, 0, 0, None)).unwrap();
    let expected: Value = json!({
        "task": "sweep", "found": 0, "published": 0, "failed": 0, "oldest": null,
    });
    assert_eq!(told, expected);
}
