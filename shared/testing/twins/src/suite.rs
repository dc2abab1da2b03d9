//! The suite that every implementation of the ports passes. The suite runs against the twins and against the AWS
//! adapters.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this module is a test suite"
)]

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use alpes_ports::{
    CallError, Condition, Consistency, Direction, Ending, Executions, FunctionName, Functions,
    Happened, HistoryEvent, Index, IndexQuery, Item, Key, KeyRange, Log, LogReader, NewRecord,
    Notice, Objects, Path, Position, Progress, TableName, Tables, Tasks, Topic, TopicError,
    TransactError, Update, Write, WriteError,
};

fn object(value: Value) -> Item {
    let Value::Object(item) = value else {
        unreachable!("an object literal")
    };
    item
}

async fn read(tables: &dyn Tables, key: &Key) -> Option<Item> {
    let mut item = tables.get_one(key, Consistency::Strong).await.unwrap()?;
    item.remove("pk");
    item.remove("sk");
    Some(item)
}

/// The suite of [`Tables`]. `table` has both indexes; `unique` keeps this run's items apart from those of other runs.
pub async fn tables(tables: &dyn Tables, table: TableName, unique: &str) {
    updates(tables, table, unique).await;
    conditions(tables, table, unique).await;
    transactions(tables, table, unique).await;
    indexes(tables, table, unique).await;
    listing(tables, table, unique).await;
}

async fn updates(tables: &dyn Tables, table: TableName, unique: &str) {
    let key = Key::new(table, format!("{unique}-updates"), "a");
    assert_eq!(read(tables, &key).await, None);
    let first = Update::of(key.clone())
        .set(Path::of("version"), 1)
        .set(
            Path::of("receipts"),
            json!({"one": {"hash": "h", "from": 1}}),
        )
        .set(Path::of("text"), "á ñ \u{1f6eb} \"quoted\"")
        .set(Path::of("nothing"), Value::Null)
        .set(Path::of("yes"), true)
        .append(Path::of("events"), vec![json!("first")])
        .add(Path::of("count"), 2);
    tables.write(&first.into()).await.unwrap();
    let second = Update::of(key.clone())
        .set(Path::entry("receipts", "two"), json!({"hash": "i"}))
        .append(Path::of("events"), vec![json!("second"), json!("third")])
        .add(Path::of("count"), -5)
        .remove(Path::of("nothing"));
    tables.write(&second.into()).await.unwrap();
    assert_eq!(
        read(tables, &key).await.map(Value::Object),
        Some(json!({
            "version": 1, "text": "á ñ \u{1f6eb} \"quoted\"", "yes": true, "count": -3,
            "receipts": {"one": {"hash": "h", "from": 1}, "two": {"hash": "i"}},
            "events": ["first", "second", "third"],
        }))
    );
    let into_nowhere = Update::of(Key::new(table, format!("{unique}-updates"), "b"))
        .set(Path::entry("receipts", "two"), 1);
    assert!(matches!(
        tables.write(&into_nowhere.into()).await,
        Err(WriteError::Table(_))
    ));
    let put = Write::Put {
        key: key.clone(),
        item: object(json!({"only": 1})),
        condition: Condition::Exists,
    };
    tables.write(&put).await.unwrap();
    assert_eq!(read(tables, &key).await, Some(object(json!({"only": 1}))));
    let delete = Write::Delete {
        key: key.clone(),
        condition: Condition::Always,
    };
    tables.write(&delete).await.unwrap();
    tables.write(&delete).await.unwrap();
    assert_eq!(read(tables, &key).await, None);
}

async fn conditions(tables: &dyn Tables, table: TableName, unique: &str) {
    let key = Key::new(table, format!("{unique}-conditions"), "a");
    let attempt = async |condition: Condition| match tables
        .write(
            &Update::of(key.clone())
                .when(condition)
                .add(Path::of("writes"), 1)
                .into(),
        )
        .await
    {
        Ok(()) => true,
        Err(WriteError::ConditionFailed) => false,
        Err(error) => unreachable!("{error}"),
    };
    let version = || Path::of("version");
    assert!(!attempt(Condition::Exists).await);
    assert!(
        !attempt(Condition::Less(version(), 5)).await,
        "a missing attribute is not less than a value"
    );
    assert!(!attempt(Condition::Equals(version(), json!(0))).await);
    assert!(attempt(Condition::Absent).await);
    assert!(!attempt(Condition::Absent).await);
    assert!(attempt(Condition::Exists).await);
    let set = Update::of(key.clone())
        .set(version(), 3)
        .set(Path::of("seats"), json!({"left": 2}));
    tables.write(&set.into()).await.unwrap();
    for (condition, expected) in [
        (Condition::Equals(version(), json!(3)), true),
        (Condition::Equals(version(), json!(4)), false),
        (Condition::Equals(version(), json!("3")), false),
        (Condition::Less(version(), 3), false),
        (Condition::Less(version(), 4), true),
        (Condition::AtLeast(version(), 4), false),
        (Condition::AtLeast(version(), 3), true),
        (Condition::AtLeast(Path::entry("seats", "left"), 2), true),
        (Condition::AtLeast(Path::entry("seats", "left"), 3), false),
        (
            Condition::All(vec![Condition::Exists, Condition::Less(version(), 4)]),
            true,
        ),
        (
            Condition::All(vec![Condition::Exists, Condition::Less(version(), 3)]),
            false,
        ),
        (
            Condition::Any(vec![Condition::Absent, Condition::Less(version(), 4)]),
            true,
        ),
        (
            Condition::Any(vec![Condition::Absent, Condition::Less(version(), 3)]),
            false,
        ),
    ] {
        assert_eq!(attempt(condition.clone()).await, expected, "{condition:?}");
    }
    let gone = Write::Delete {
        key: key.clone(),
        condition: Condition::Equals(version(), json!(9)),
    };
    assert_eq!(tables.write(&gone).await, Err(WriteError::ConditionFailed));
    assert_eq!(read(tables, &key).await.unwrap()["writes"], json!(8));
}

async fn transactions(tables: &dyn Tables, table: TableName, unique: &str) {
    let key = |name: &str| Key::new(table, format!("{unique}-transactions"), name);
    let open = |name: &str| {
        Write::from(
            Update::of(key(name))
                .when(Condition::Absent)
                .set(Path::of("v"), 1),
        )
    };
    tables.transact(&[open("a"), open("b")]).await.unwrap();
    assert_eq!(
        tables.transact(&[open("c"), open("b"), open("a")]).await,
        Err(TransactError::ConditionsFailed(vec![1, 2])),
        "each failed condition is reported by its index"
    );
    assert_eq!(
        read(tables, &key("c")).await,
        None,
        "a failed transaction writes nothing"
    );
    let delete = Write::Delete {
        key: key("a"),
        condition: Condition::Exists,
    };
    let put = Write::Put {
        key: key("d"),
        item: object(json!({"v": 4})),
        condition: Condition::Always,
    };
    tables
        .transact(&[
            delete,
            put,
            Update::of(key("b")).add(Path::of("v"), 1).into(),
        ])
        .await
        .unwrap();
    assert_eq!(read(tables, &key("a")).await, None);
    assert_eq!(read(tables, &key("b")).await, Some(object(json!({"v": 2}))));
    assert_eq!(read(tables, &key("d")).await, Some(object(json!({"v": 4}))));
}

async fn indexes(tables: &dyn Tables, table: TableName, unique: &str) {
    let partition = format!("{unique}-even");
    for number in 0..25 {
        let key = Key::new(table, format!("{unique}-index-{number}"), "a");
        let mut update = Update::of(key).set(Path::of("number"), number);
        if number % 2 == 0 {
            update = update
                .set(Path::of("gsi1pk"), partition.clone())
                .set(Path::of("gsi1sk"), format!("{number:03}"));
        }
        tables.write(&update.into()).await.unwrap();
    }
    let numbers = async |from: Option<&str>, below: Option<&str>, direction, limit| {
        let query = IndexQuery {
            table,
            index: Index::Gsi1,
            partition: partition.clone(),
            from: from.map(str::to_owned),
            below: below.map(str::to_owned),
            direction,
            limit,
        };
        let page = tables.query(&query).await.unwrap();
        let found: Vec<i64> = page
            .items
            .iter()
            .map(|item| item["number"].as_i64().unwrap())
            .collect();
        (found, page.more)
    };
    assert_eq!(
        numbers(None, None, Direction::Descending, 3).await,
        (vec![24, 22, 20], true)
    );
    assert_eq!(
        numbers(None, Some("004"), Direction::Descending, 3).await.0,
        vec![2, 0]
    );
    assert_eq!(
        numbers(Some("020"), None, Direction::Ascending, 100).await,
        (vec![20, 22, 24], false)
    );
    assert_eq!(
        numbers(Some("004"), Some("008"), Direction::Ascending, 100).await,
        (vec![4, 6], false)
    );
    let key = Key::new(table, format!("{unique}-index-24"), "a");
    tables
        .write(
            &Update::of(key)
                .remove(Path::of("gsi1pk"))
                .remove(Path::of("gsi1sk"))
                .into(),
        )
        .await
        .unwrap();
    assert_eq!(
        numbers(None, None, Direction::Descending, 1).await.0,
        vec![22],
        "an index is sparse"
    );
}

async fn listing(tables: &dyn Tables, table: TableName, unique: &str) {
    let pk = format!("{unique}-list");
    for number in 0..7 {
        let update =
            Update::of(Key::new(table, pk.clone(), format!("{number}"))).set(Path::of("n"), number);
        tables.write(&update.into()).await.unwrap();
    }
    let own = async |from: Option<&str>, below: Option<&str>, limit| {
        let query = IndexQuery {
            table,
            index: Index::Primary,
            partition: pk.clone(),
            from: from.map(str::to_owned),
            below: below.map(str::to_owned),
            direction: Direction::Ascending,
            limit,
        };
        let page = tables.query(&query).await.unwrap();
        let found: Vec<i64> = page
            .items
            .iter()
            .map(|item| item["n"].as_i64().unwrap())
            .collect();
        (found, page.more)
    };
    assert_eq!(own(None, None, 3).await, (vec![0, 1, 2], true));
    assert_eq!(own(Some("3"), None, 100).await, (vec![3, 4, 5, 6], false));
    assert_eq!(own(Some("3"), Some("5"), 100).await.0, vec![3, 4]);
    let (mut seen, mut after) = (0, None);
    loop {
        let page = tables.scan(table, after.as_ref()).await.unwrap();
        seen += page
            .items
            .iter()
            .filter(|item| item["pk"] == json!(pk))
            .count();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, 7);
    let keys: Vec<Key> = (0..230)
        .map(|number| Key::new(table, pk.clone(), format!("{}", number % 115)))
        .collect();
    let many = tables.get(&keys, Consistency::Strong).await.unwrap();
    let places: Vec<usize> = (0..)
        .zip(&many)
        .filter(|(_, item)| item.is_some())
        .map(|(place, _)| place)
        .collect();
    assert_eq!(
        places,
        (0..7).chain(115..122).collect::<Vec<_>>(),
        "each item is at the index of its key"
    );
}

/// The suite of [`Log`] and [`LogReader`]. `unique` keeps this run's records apart from those of other runs.
pub async fn log(log: &dyn Log, reader: &dyn LogReader, unique: &str) {
    let key = format!("{unique}-key");
    let mut last = None;
    for number in 0..5 {
        let data = format!("{unique}-{number} ñ");
        let record = NewRecord {
            after: last.as_ref(),
            ..NewRecord::new(&key, data.as_bytes())
        };
        let sequence = log.append(record).await.unwrap();
        assert_ne!(last.as_ref(), Some(&sequence));
        last = Some(sequence);
    }
    log.append(NewRecord::new(&format!("{unique}-other"), &[0, 255, 254]))
        .await
        .unwrap();
    assert!(log.append(NewRecord::new("", b"no key")).await.is_err());

    let mut found = vec![];
    for shard in reader.shards().await.unwrap() {
        let mut next = Some(Position::Oldest);
        while let Some(from) = next {
            let batch = reader.read(&shard, &from).await.unwrap();
            found.extend(batch.records);
            next = if batch.at_tip { None } else { batch.next };
        }
    }
    found.retain(|record| record.partition_key.starts_with(unique));
    let (one, other): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|record| record.partition_key == format!("{unique}-key"));
    let texts: Vec<_> = one
        .iter()
        .map(|record| String::from_utf8(record.data.clone()).unwrap())
        .collect();
    assert_eq!(
        texts,
        (0..5)
            .map(|number| format!("{unique}-{number} ñ"))
            .collect::<Vec<_>>()
    );
    assert_eq!(one.last().map(|record| &record.sequence), last.as_ref());
    let after = Position::After(one[3].sequence.clone());
    let rest = reader.read(&one[3].shard, &after).await.unwrap();
    assert_eq!(rest.records.first(), one.get(4));
    assert!(
        one.iter().all(|record| record.shard == one[0].shard),
        "one key, one shard"
    );
    assert_eq!(
        other
            .iter()
            .map(|record| record.data.as_slice())
            .collect::<Vec<_>>(),
        [[0, 255, 254]]
    );
}

/// The suite of [`Objects`]. `unique` keeps this run's objects apart from those of other runs.
pub async fn objects(objects: &dyn Objects, unique: &str) {
    let key = |number: usize| format!("{unique}/part {number:02}+ñ");
    assert_eq!(objects.get(&key(0)).await.unwrap(), None);
    for number in 0..5 {
        objects
            .put(&key(number), &[u8::try_from(number).unwrap(), 255, 0])
            .await
            .unwrap();
    }
    objects.put(&key(1), b"once more").await.unwrap();
    assert_eq!(objects.get(&key(0)).await.unwrap(), Some(vec![0, 255, 0]));
    assert_eq!(
        objects.get(&key(1)).await.unwrap(),
        Some(b"once more".to_vec())
    );
    let prefix = format!("{unique}/");
    let all = KeyRange::new(&prefix, 100);
    let listed = objects.list(KeyRange::new(&prefix, 3)).await.unwrap();
    assert_eq!(listed, [key(0), key(1), key(2)]);
    let listed = objects
        .list(KeyRange {
            after: Some(&key(2)),
            ..all
        })
        .await
        .unwrap();
    assert_eq!(listed, [key(3), key(4)]);
    for number in 0..5 {
        objects.delete(&key(number)).await.unwrap();
    }
    objects.delete(&key(0)).await.unwrap();
    assert!(objects.list(all).await.unwrap().is_empty());
}

/// The suite of [`Functions`]. `function` answers `good` with JSON, and fails with `error_type` on `bad`.
pub async fn functions(
    functions: &dyn Functions,
    function: FunctionName,
    good: &[u8],
    (bad, error_type): (&[u8], &str),
) {
    let answer = functions.call(function, good).await.unwrap();
    assert!(serde_json::from_slice::<Value>(&answer).is_ok());
    match functions.call(function, bad).await {
        Err(CallError::Failed {
            error_type: told,
            message,
        }) => {
            assert_eq!(told, error_type);
            assert_ne!(message, "");
        }
        other => unreachable!("{other:?}"),
    }
    functions.start(function, good).await.unwrap();
    assert_eq!(
        functions.start(function, bad).await,
        Ok(()),
        "an asynchronous caller gets no errors of the function"
    );
    let nobody = FunctionName("nobody");
    assert!(matches!(
        functions.call(nobody, good).await,
        Err(CallError::Refused(_))
    ));
    assert!(matches!(
        functions.start(nobody, good).await,
        Err(CallError::Refused(_))
    ));
}

/// The suite of [`Topic`]. `unique` keeps this run's messages apart from those of other runs. Returns the published
/// messages, each once; the caller must check that every subscriber received them.
pub async fn topic(topic: &dyn Topic, unique: &str) -> Vec<Notice> {
    let notice = |number: usize, size: usize| Notice {
        id: format!("{unique}-{number}"),
        group: format!("{unique}-{}", number % 3),
        attributes: BTreeMap::from([("numero".to_owned(), number.to_string())]),
        body: format!("{{\"á\": \"{}\"}}", "ñ".repeat(size)),
    };
    assert_eq!(topic.publish(&[]).await, []);
    // These notices are more than SNS takes in one call, by number and by size.
    let mut notices: Vec<_> = (0..12).map(|number| notice(number, 1)).collect();
    notices.extend((12..18).map(|number| notice(number, 30_000)));
    let too_large = notice(18, Notice::LIMIT / 2);
    notices.insert(5, too_large.clone());
    let results = topic.publish(&notices).await;
    assert_eq!(results.len(), notices.len());
    for (notice, result) in notices.iter().zip(&results) {
        if *notice == too_large {
            assert!(matches!(result, Err(TopicError::Refused(_))), "{result:?}");
        } else {
            assert_eq!(result, &Ok(()), "{}", notice.id);
        }
    }
    notices.retain(|notice| *notice != too_large);
    notices
}

/// The suite of [`Executions`]. Given `input_that_ends`, the machine calls a function that answers, and ends before
/// `tasks` has slept for a minute. `unique` keeps this run's executions apart from those of other runs: at most 40
/// letters, digits, `-` and `_`.
pub async fn executions(
    executions: &dyn Executions,
    tasks: &dyn Tasks,
    input_that_ends: &Value,
    unique: &str,
) {
    let nobody = format!("{unique}-nobody");
    assert_eq!(executions.progress(&nobody).await, Ok(Progress::Unknown));
    assert_eq!(executions.history(&nobody).await, Ok(None));

    let name = format!("{unique}-one");
    executions.start(&name, input_that_ends).await.unwrap();
    assert_eq!(
        executions.start(&name, input_that_ends).await,
        Ok(()),
        "while it runs"
    );
    let ending = ending(executions, tasks, &name).await;
    let history = executions.history(&name).await.unwrap().unwrap();
    is_a_history(&history, &ending);

    let other_input = json!({"nobody": "reads this"});
    for input in [input_that_ends, &other_input] {
        assert_eq!(
            executions.start(&name, input).await,
            Ok(()),
            "a name cannot be used again, even after the end"
        );
    }
    tasks.sleep(Duration::from_secs(1)).await;
    assert_eq!(
        executions.progress(&name).await,
        Ok(Progress::Ended(ending))
    );
    assert_eq!(executions.history(&name).await, Ok(Some(history)));
    assert_eq!(executions.progress(&nobody).await, Ok(Progress::Unknown));
}

async fn ending(executions: &dyn Executions, tasks: &dyn Tasks, name: &str) -> Ending {
    for _ in 0..120 {
        match executions.progress(name).await.unwrap() {
            Progress::Ended(ending) => return ending,
            // An execution that was just started may not be visible everywhere yet.
            Progress::Running | Progress::Unknown => {
                tasks.sleep(Duration::from_millis(500)).await;
            }
        }
    }
    unreachable!("{name} has not ended")
}

/// Asserts that a history is well formed: the execution enters and leaves states in turn, answers come in between, and
/// the end comes last.
fn is_a_history(history: &[HistoryEvent], ending: &Ending) {
    assert!(history.is_sorted_by_key(|event| event.when), "{history:#?}");
    let (mut inside, mut answers) = (None, 0);
    for (place, event) in (1..).zip(history) {
        match &event.what {
            Happened::Entered(name) => {
                assert_eq!(inside, None, "{history:#?}");
                inside = Some(name);
            }
            Happened::Left(name) => {
                assert_eq!(inside, Some(name), "{history:#?}");
                inside = None;
            }
            Happened::Answered(payload) => {
                assert!(inside.is_some() && !payload.is_null(), "{history:#?}");
                answers += 1;
            }
            Happened::CallFailed { error, .. } => {
                assert!(inside.is_some() && !error.is_empty(), "{history:#?}");
            }
            Happened::Ended(told) => {
                assert_eq!((told, place), (ending, history.len()), "{history:#?}");
                // A failed execution does not leave the state in which it failed.
                let well = matches!(told, Ending::Succeeded { .. });
                assert!(!well || inside.is_none(), "{history:#?}");
            }
        }
    }
    let last = history.last().map(|event| &event.what);
    assert_eq!(last, Some(&Happened::Ended(ending.clone())));
    assert!(answers > 0, "{history:#?}");
}
