//! Due items are read to the end, each once, and an item that is put off keeps the time since which it has waited.

#![cfg(test)]

use std::{sync::Arc, time::Duration};

use alpes_ports::{
    Item, Key, Path, TableName, Tables, Update,
    due::{Due, DueIndex, leave, look, place, place_of, put_off, since},
};
use futures::executor::block_on;
use jiff::Timestamp;
use serde_json::{Value, json};
use twins::MemoryTables;

const TABLE: TableName = TableName("things");

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_769_853_600 + second).unwrap()
}

fn key(number: usize) -> Key {
    Key::new(TABLE, format!("thing-{number:03}"), "x")
}

fn index() -> DueIndex {
    DueIndex::new(TABLE, "due", 3)
}

fn put(tables: &MemoryTables, number: usize, place: &str) {
    let put = Update::of(key(number)).set(Path::of("n"), number);
    let put = index().enter(put, place.to_owned());
    block_on(tables.write(&put.into())).unwrap();
}

fn read(tables: &Arc<MemoryTables>, now: i64, page: usize) -> Vec<Vec<String>> {
    let mut due = Due::of(tables.clone(), [index()], at(now), page);
    let mut pages = vec![];
    loop {
        let found = block_on(due.next()).unwrap();
        if found.is_empty() {
            return pages;
        }
        assert!(found.is_sorted());
        pages.push(found.into_iter().map(|item| item.pk).collect());
    }
}

#[test]
fn all_that_is_due_is_read_once_whatever_the_page() {
    let tables = Arc::new(MemoryTables::new());
    for number in 0..60 {
        // The items have six times: 30 items share the first time, and 6 items each of the others.
        let second = i64::try_from(number / 6).unwrap().saturating_sub(4).max(0);
        put(&tables, number, &place(at(second)));
    }
    put(&tables, 60, &place(at(6)));
    for page in [1, 2, 3, 7, 100] {
        let read = read(&tables, 5, page);
        assert!(read[0].len() <= 3 * page);
        let mut all: Vec<_> = read.into_iter().flatten().collect();
        all.sort_unstable();
        let expected: Vec<_> = (0..60).map(|number| key(number).pk).collect();
        assert_eq!(all, expected, "pages of {page}");
    }
}

#[test]
fn what_is_put_off_comes_later_and_nothing_else_of_it_changes() {
    let tables = Arc::new(MemoryTables::new());
    let minute = Duration::from_mins(1);
    let off = |number, now| block_on(put_off(&*tables, &key(number), at(now), minute)).unwrap();
    put(&tables, 0, &place(at(0)));
    let before = tables.item(&key(0)).unwrap();
    assert!(!off(1, 10), "it is not there");
    assert!(!off(0, -1), "it is not due");
    assert!(off(0, 10));
    assert!(!off(0, 10), "it is not due any more");
    assert!(off(0, 70));
    let mut after = tables.item(&key(0)).unwrap();
    let moved = after["gsi1sk"].as_str().unwrap().to_owned();
    assert_eq!((look(&moved), since(&moved)), (Some(at(130)), Some(at(0))));
    assert!(read(&tables, 129, 1).is_empty());
    assert_eq!(read(&tables, 130, 1), [[key(0).pk]]);
    after.insert("gsi1sk".into(), before["gsi1sk"].clone());
    assert_eq!(after, before);
}

/// A writer that read the item before it was put off, and whose write expects the old `rev`, fails.
#[test]
fn an_item_that_counts_its_writes_has_this_one_counted() {
    let tables = MemoryTables::new();
    put(&tables, 0, &place(at(0)));
    let count = Update::of(key(0)).set(Path::of("rev"), 7);
    block_on(tables.write(&count.into())).unwrap();
    assert!(block_on(put_off(&tables, &key(0), at(1), Duration::from_mins(1))).unwrap());
    let item: Item = tables.item(&key(0)).unwrap();
    assert_eq!(item["rev"], json!(8));
    assert_eq!(item["n"], Value::from(0));
}

#[test]
fn an_item_that_leaves_the_index_is_not_due_any_more() {
    let tables = Arc::new(MemoryTables::new());
    for number in 0..3 {
        put(&tables, number, &place(at(0)));
    }
    let done = leave(Update::of(key(1)));
    block_on(tables.write(&done.into())).unwrap();
    assert_eq!(read(&tables, 0, 10), [["thing-000", "thing-002"]]);
    let item = tables.item(&key(1)).unwrap();
    assert_eq!(place_of(&item), None);
}

#[test]
fn a_bucket_follows_from_the_last_digit_of_the_key() {
    let partition = |pk: &str, buckets| {
        let update = Update::of(Key::new(TABLE, pk, "x"));
        let update = DueIndex::new(TABLE, "due", buckets).enter(update, place(at(0)));
        let mut set = update.set.into_iter();
        set.find(|(path, _)| *path == Path::of("gsi1pk")).unwrap().1
    };
    for (pk, buckets, expected) in [
        ("order-00", 16, "due-00"),
        ("order-0f", 16, "due-15"),
        ("order-0F", 8, "due-07"),
        ("order-x", 8, "due-00"),
        ("", 8, "due-00"),
        ("order-0f", 0, "due-00"),
        ("order-0f", 200, "due-15"),
    ] {
        assert_eq!(partition(pk, buckets), expected, "{pk} {buckets}");
    }
}
