mod quotas;

use serde_json::{Value, json};

use super::*;

/// A data folder, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("alpes-dynamodb-{}", uuid::Uuid::new_v4())))
    }

    fn open(&self) -> Arc<DynamoDb> {
        DynamoDb::new(Arc::new(Store::open(&self.0).unwrap())).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn in_memory() -> Arc<DynamoDb> {
    let folder = std::env::temp_dir();
    DynamoDb::new(Arc::new(Store::in_memory(&folder).unwrap())).unwrap()
}

fn ask(
    db: &DynamoDb,
    operation: &str,
    request: impl std::borrow::Borrow<Value>,
) -> Result<Value, Value> {
    let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let reply = db.call(operation, request.borrow().to_string().as_bytes());
    reply.map(parse).map_err(|refusal| parse(refusal.body))
}

fn table(name: &str) -> Value {
    json!({
        "TableName": name,
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

fn with_table(db: &DynamoDb) {
    ask(db, "CreateTable", table("things")).unwrap();
}

fn key(sort: &str) -> Value {
    json!({"pk": {"S": "a"}, "sk": {"N": sort}})
}

fn item(sort: &str, text: &str) -> Value {
    json!({"pk": {"S": "a"}, "sk": {"N": sort}, "text": {"S": text}})
}

fn put(db: &DynamoDb, item: impl serde::Serialize) {
    ask(db, "PutItem", json!({"TableName": "things", "Item": item})).unwrap();
}

fn get(db: &DynamoDb, sort: &str) -> Value {
    let reply = ask(
        db,
        "GetItem",
        json!({"TableName": "things", "Key": key(sort)}),
    )
    .unwrap();
    reply["Item"].clone()
}

fn transaction(token: &str, items: &[Value]) -> Value {
    let put = |item: &Value| {
        json!({"Put": {
            "TableName": "things", "Item": item, "ConditionExpression": "attribute_not_exists(pk)",
        }})
    };
    let items: Vec<Value> = items.iter().map(put).collect();
    json!({"TransactItems": items, "ClientRequestToken": token})
}

fn code(error: &Value) -> &str {
    error["__type"]
        .as_str()
        .unwrap()
        .rsplit('#')
        .next()
        .unwrap()
}

/// Takes an item, as a request in flight does.
fn take<'a>(db: &'a DynamoDb, sort: &str, transaction: bool) -> locks::Held<'a> {
    let attributes: dynoxide::Item = serde_json::from_value(key(sort)).unwrap();
    let named = items::Named {
        table: "things",
        attributes: &attributes,
    };
    let mut held = db.locks.held();
    let id = db.id(named);
    assert!(id.is_some());
    if transaction {
        held.transact(vec![id]).unwrap();
    } else {
        assert!(held.write(id.unwrap()));
    }
    held
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = Folder::new();
    {
        let db = folder.open();
        with_table(&db);
        put(&db, item("1", "x"));
        ask(
            &db,
            "TransactWriteItems",
            transaction("t", &[item("2", "y")]),
        )
        .unwrap();
    }
    let db = folder.open();
    assert_eq!(get(&db, "1"), item("1", "x"));
    let again = ask(
        &db,
        "TransactWriteItems",
        transaction("t", &[item("2", "y")]),
    );
    assert_eq!(again, Ok(json!({})), "the token outlives the process");
    let other = ask(
        &db,
        "TransactWriteItems",
        transaction("t", &[item("2", "z")]),
    );
    assert_eq!(
        code(&other.unwrap_err()),
        "IdempotentParameterMismatchException"
    );
    let new = ask(
        &db,
        "TransactWriteItems",
        transaction("u", &[item("2", "y")]),
    );
    assert_eq!(code(&new.unwrap_err()), "TransactionCanceledException");
}

#[test]
fn a_transaction_and_its_token_are_in_one_commit() {
    let db = in_memory();
    with_table(&db);
    let execute = |statement: &str| db.storage().conn().execute_batch(statement).unwrap();
    execute(
        "CREATE TEMP TRIGGER broken BEFORE INSERT ON dynamodb_tokens
         BEGIN SELECT RAISE(FAIL, 'the disk is full'); END",
    );
    let first = transaction("t", &[item("1", "x")]);
    let failed = ask(&db, "TransactWriteItems", &first).unwrap_err();
    assert_eq!(code(&failed), "InternalServerError");
    assert_eq!(get(&db, "1"), Value::Null, "no token, no transaction");
    execute("DROP TRIGGER broken");
    for _ in 0..2 {
        assert_eq!(ask(&db, "TransactWriteItems", &first), Ok(json!({})));
    }
    let cancelled = transaction("u", &[item("2", "x"), item("1", "y")]);
    let cancelled = ask(&db, "TransactWriteItems", cancelled).unwrap_err();
    assert_eq!(code(&cancelled), "TransactionCanceledException");
    assert_eq!(get(&db, "2"), Value::Null);
    put(&db, item("2", "transactions end as before"));
    assert!(db.storage().conn().is_autocommit());
}

#[test]
fn a_panic_within_a_transaction_leaves_none_open() {
    let db = in_memory();
    with_table(&db);
    let broken = std::panic::AssertUnwindSafe(|| {
        db.writing(|storage| {
            commits::in_one_commit::<(), DynoxideError>(storage, || {
                let put = json!({"TableName": "things", "Item": item("1", "half done")});
                let put = serde_json::from_value(put).unwrap();
                run(dynoxide::actions::put_item::execute(storage, put)).unwrap();
                panic!("a fault of dynoxide")
            })
        })
    });
    assert!(std::panic::catch_unwind(broken).is_err());
    assert_eq!(get(&db, "1"), Value::Null);
    put(&db, item("1", "whole"));
    assert_eq!(get(&db, "1"), item("1", "whole"));
}

#[test]
fn the_journal_is_the_stores() {
    let folder = Folder::new();
    let db = folder.open();
    with_table(&db);
    let pragma = |name: &str| -> String {
        let storage = db.storage();
        let value = storage
            .conn()
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        format!("{:?}", value.unwrap())
    };
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("synchronous"), "Integer(1)");
    db.store
        .write(|transaction| transaction.execute_batch("CREATE TABLE kinesis_x (a)"))
        .unwrap();
    let tables: i64 = db
        .store
        .read(|connection| {
            connection.query_row("SELECT COUNT(*) FROM _tables", [], |row| row.get(0))
        })
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn names_that_the_file_uses_are_refused() {
    let folder = Folder::new();
    let db = folder.open();
    with_table(&db);
    for name in ["Things", "dynamodb_tokens", "_config", "sqlite_x"] {
        let error = ask(&db, "CreateTable", table(name)).unwrap_err();
        assert_eq!(code(&error), "ValidationException", "{name}");
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
    }
    let again = ask(&db, "CreateTable", table("things")).unwrap_err();
    assert_eq!(code(&again), "ResourceInUseException");
}

#[test]
fn bodies_that_cannot_be_read_get_dynamodbs_errors() {
    let db = in_memory();
    let body = |operation: &str, body: &str| {
        let refusal = db.call(operation, body.as_bytes()).unwrap_err();
        assert_eq!(refusal.status, 400);
        let error: Value = serde_json::from_str(&refusal.body).unwrap();
        let message = error.get("message").or(error.get("Message"));
        let message = message.and_then(Value::as_str).unwrap_or("-").to_owned();
        (refusal.code(), message)
    };
    for unreadable in ["", "[]", "{", "{\"TableName\": }"] {
        let expected = ("SerializationException".to_owned(), "-".to_owned());
        assert_eq!(body("GetItem", unreadable), expected, "{unreadable}");
    }
    let wanted = [
        (
            "GetItem",
            r#"{"TableName": 5}"#,
            "SerializationException",
            "NUMBER_VALUE cannot be converted to String",
        ),
        (
            "TransactWriteItems",
            "{}",
            "ValidationException",
            "1 validation error detected: Value null at 'transactItems' failed to satisfy constraint: Member must not be \
             null",
        ),
        (
            "PutItem",
            r#"{"TableName": "tab", "Item": {"pk": {"NULL": false}}}"#,
            "ValidationException",
            "1 validation error detected: One or more parameter values were invalid: Null attribute value types must \
             have the value of true",
        ),
        (
            "UpdateTable",
            r#"{"TableName": "tab", "ReplicaUpdates": []}"#,
            "ValidationException",
            "this runtime does not support ReplicaUpdates of UpdateTable",
        ),
        (
            "CreateTable",
            r#"{"TableName": "tab", "KeySchema": {}}"#,
            "SerializationException",
            "Start of structure or map found where not expected",
        ),
        (
            "DescribeBackup",
            "{}",
            "UnknownOperationException",
            "this runtime does not have DynamoDB's operation \"DescribeBackup\"",
        ),
    ];
    for (operation, text, code, message) in wanted {
        assert_eq!(body(operation, text), (code.to_owned(), message.to_owned()));
    }
    let deep = format!(
        r#"{{"TableName": "tab", "Item": {}{{}}{}}}"#,
        r#"{"M":"#.repeat(200),
        "}".repeat(200)
    );
    let (_, message) = body("PutItem", &deep);
    assert!(
        message.starts_with("Nesting Levels have exceeded"),
        "{message}"
    );
}

#[test]
fn a_transaction_in_flight_refuses_writes_and_transactions_on_its_items() {
    let db = in_memory();
    with_table(&db);
    put(&db, item("1", "before"));
    let held = take(&db, "1", true);
    let refused = ask(
        &db,
        "PutItem",
        json!({"TableName": "things", "Item": item("1.0", "x")}),
    );
    assert_eq!(code(&refused.unwrap_err()), "TransactionConflictException");
    let delete = json!({"TableName": "things", "Key": key("1")});
    let refused = ask(&db, "DeleteItem", delete);
    assert_eq!(code(&refused.unwrap_err()), "TransactionConflictException");
    let refused = ask(
        &db,
        "TransactWriteItems",
        transaction("t", &[item("2", "x"), item("1", "x")]),
    );
    let refused = refused.unwrap_err();
    assert_eq!(
        refused["Message"],
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, TransactionConflict]"
    );
    assert_eq!(
        refused["CancellationReasons"],
        json!([
            {"Code": "None"},
            {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
        ])
    );
    let gets = json!({"TransactItems": [{"Get": {"TableName": "things", "Key": key("1")}}]});
    let refused = ask(&db, "TransactGetItems", gets.clone()).unwrap_err();
    assert_eq!(
        refused["CancellationReasons"][0]["Code"],
        "TransactionConflict"
    );
    assert_eq!(
        get(&db, "1"),
        item("1", "before"),
        "plain reads do not conflict"
    );
    put(&db, item("2", "another item"));
    drop(held);
    assert!(ask(&db, "TransactGetItems", gets).is_ok());
    put(&db, item("1", "after"));
}

#[test]
fn a_write_in_flight_refuses_transactions_and_no_writes() {
    let db = in_memory();
    with_table(&db);
    let _held = take(&db, "1", false);
    let refused = ask(
        &db,
        "TransactWriteItems",
        transaction("t", &[item("1", "x")]),
    );
    let refused = refused.unwrap_err();
    assert_eq!(
        refused["CancellationReasons"][0]["Code"],
        "TransactionConflict"
    );
    put(&db, item("1", "another write"));
}

#[test]
fn a_batch_leaves_items_of_a_transaction_unprocessed() {
    let db = in_memory();
    with_table(&db);
    let _held = take(&db, "1", true);
    let write = |sort: &str| json!({"PutRequest": {"Item": item(sort, "x")}});
    let batch = |writes: Value| json!({"RequestItems": {"things": writes}});
    let reply = ask(
        &db,
        "BatchWriteItem",
        batch(json!([write("1"), write("2")])),
    )
    .unwrap();
    assert_eq!(reply["UnprocessedItems"], json!({"things": [write("1")]}));
    assert_eq!(
        (get(&db, "1"), get(&db, "2")),
        (Value::Null, item("2", "x"))
    );
    let delete = json!({"DeleteRequest": {"Key": key("1")}});
    let reply = ask(&db, "BatchWriteItem", batch(json!([delete.clone()]))).unwrap();
    assert_eq!(reply, json!({"UnprocessedItems": {"things": [delete]}}));
}

#[test]
fn concurrent_transactions_write_once_and_lose_nothing() {
    let db = in_memory();
    with_table(&db);
    put(
        &db,
        json!({"pk": {"S": "a"}, "sk": {"N": "1"}, "count": {"N": "0"}}),
    );
    let add = json!({"TransactItems": [{"Update": {
        "TableName": "things", "Key": key("1"), "UpdateExpression": "ADD #count :one",
        "ExpressionAttributeNames": {"#count": "count"},
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }}]});
    let add_often = || {
        let results = (0..50).map(|_| ask(&db, "TransactWriteItems", add.clone()));
        results.flatten().count()
    };
    let done: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(add_often)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert!(done > 0);
    assert_eq!(get(&db, "1")["count"]["N"], done.to_string());
}

#[test]
fn a_repeated_transaction_costs_reads() {
    let db = in_memory();
    with_table(&db);
    let mut request = transaction("t", &[item("1", "x")]);
    request["ReturnConsumedCapacity"] = "TOTAL".into();
    let units = |reply: Value| reply["ConsumedCapacity"][0].clone();
    let first = units(ask(&db, "TransactWriteItems", request.clone()).unwrap());
    assert_eq!(first["WriteCapacityUnits"], 2.0);
    let second = units(ask(&db, "TransactWriteItems", request).unwrap());
    assert_eq!(
        (&second["ReadCapacityUnits"], &second["WriteCapacityUnits"]),
        (&json!(2.0), &Value::Null)
    );
}

fn stream_records(db: &DynamoDb) -> Vec<Value> {
    let streams = ask(db, "ListStreams", json!({"TableName": "things"})).unwrap();
    let arn = streams["Streams"][0]["StreamArn"].clone();
    let stream = ask(db, "DescribeStream", json!({"StreamArn": arn})).unwrap();
    let shard = stream["StreamDescription"]["Shards"][0]["ShardId"].clone();
    let iterator = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = ask(db, "GetShardIterator", iterator).unwrap()["ShardIterator"].clone();
    let records = ask(db, "GetRecords", json!({"ShardIterator": iterator})).unwrap();
    records["Records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn expired_items_and_old_records_go() {
    let folder = Folder::new();
    let db = folder.open();
    let mut request = table("things");
    request["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"});
    db.ensure_table(&request, Some("ends")).unwrap();
    let at = |sort: usize, ends: u64| {
        put(
            &db,
            json!({"pk": {"S": "a"}, "sk": {"N": sort.to_string()}, "ends": {"N": ends.to_string()}}),
        );
    };
    let now = crate::names::now_millis() / 1000;
    let expired = 250;
    (0..expired).for_each(|sort| at(sort, now - 60));
    at(1000, now + 3600);
    at(1001, 1);
    assert_eq!(db.sweep().await.unwrap(), expired);
    let left = ask(&db, "Scan", json!({"TableName": "things"})).unwrap();
    assert_eq!(
        left["Count"], 2,
        "one is not over, one is too old to be meant"
    );
    let records = stream_records(&db);
    let last = records.last().unwrap();
    assert_eq!(last["eventName"], "REMOVE");
    assert_eq!(last["awsRegion"], "us-east-1");
    assert_eq!(
        last["userIdentity"]["principalId"],
        "dynamodb.amazonaws.com"
    );
    assert_eq!(records.len(), expired * 2 + 2);
    db.storage()
        .conn()
        .execute(
            "UPDATE _stream_records SET created_at = created_at - 90000",
            [],
        )
        .unwrap();
    db.sweep().await.unwrap();
    assert!(stream_records(&db).is_empty());
}

#[test]
fn streams_begin_anew_and_old_names_are_not_found() {
    let db = in_memory();
    let mut request = table("things");
    let stream = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    request["StreamSpecification"] = stream.clone();
    let made = ask(&db, "CreateTable", request).unwrap();
    let arn = made["TableDescription"]["LatestStreamArn"].clone();
    let start = "arn:aws:dynamodb:us-east-1:000000000000:table/things/stream/";
    assert!(arn.as_str().unwrap().starts_with(start), "{arn}");
    put(&db, item("1", "x"));
    assert_eq!(stream_records(&db).len(), 1);
    let update = |stream: &Value| {
        let request = json!({"TableName": "things", "StreamSpecification": stream});
        ask(&db, "UpdateTable", request)
    };
    assert_eq!(code(&update(&stream).unwrap_err()), "ValidationException");
    update(&json!({"StreamEnabled": false})).unwrap();
    update(&stream).unwrap();
    assert!(stream_records(&db).is_empty());
    let old = ask(&db, "DescribeStream", json!({"StreamArn": arn})).unwrap_err();
    assert_eq!(code(&old), "ResourceNotFoundException");
}

#[test]
fn a_table_becomes_what_a_template_says() {
    let folder = Folder::new();
    let db = folder.open();
    db.ensure_table(&table("things"), None).unwrap();
    put(&db, item("1", "x"));
    let mut request = table("things");
    let index = |name: &str, projection: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [{"AttributeName": "text", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": projection},
        })
    };
    let attributes = request["AttributeDefinitions"].as_array_mut().unwrap();
    attributes.push(json!({"AttributeName": "text", "AttributeType": "S"}));
    request["GlobalSecondaryIndexes"] = json!([index("one", "ALL"), index("two", "KEYS_ONLY")]);
    request["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"});
    request["DeletionProtectionEnabled"] = true.into();
    for _ in 0..2 {
        db.ensure_table(&request, Some("ends")).unwrap();
    }
    let found = |index: &str| {
        let query = json!({
            "TableName": "things", "IndexName": index, "KeyConditionExpression": "#text = :x",
            "ExpressionAttributeNames": {"#text": "text"}, "ExpressionAttributeValues": {":x": {"S": "x"}},
        });
        ask(&db, "Query", query).map(|reply| reply["Items"].clone())
    };
    assert_eq!(
        found("one"),
        Ok(json!([item("1", "x")])),
        "a new index has the items that were there"
    );
    let described =
        || ask(&db, "DescribeTable", json!({"TableName": "things"})).unwrap()["Table"].clone();
    let before = described();
    assert_eq!(before["StreamSpecification"]["StreamViewType"], "KEYS_ONLY");
    assert_eq!(before["DeletionProtectionEnabled"], true);
    request["GlobalSecondaryIndexes"] = json!([index("two", "ALL")]);
    request["StreamSpecification"]["StreamViewType"] = "NEW_IMAGE".into();
    db.ensure_table(&request, Some("until")).unwrap();
    assert!(found("one").is_err());
    assert_eq!(found("two"), Ok(json!([item("1", "x")])));
    assert_eq!(
        described()["StreamSpecification"]["StreamViewType"],
        "NEW_IMAGE"
    );
    let ttl = ask(&db, "DescribeTimeToLive", json!({"TableName": "things"})).unwrap();
    assert_eq!(
        ttl["TimeToLiveDescription"],
        json!({"AttributeName": "until", "TimeToLiveStatus": "ENABLED"})
    );
    request["KeySchema"] = json!([{"AttributeName": "pk", "KeyType": "HASH"}]);
    let refused = db.ensure_table(&request, None).unwrap_err();
    assert_eq!(refused.code, "ValidationException");
    assert!(refused.message.contains("another key schema"), "{refused}");
}

#[test]
fn tables_of_one_name_share_nothing() {
    let db = in_memory();
    with_table(&db);
    put(&db, item("1", "x"));
    ask(&db, "DeleteTable", json!({"TableName": "things"})).unwrap();
    let missing = ask(
        &db,
        "GetItem",
        json!({"TableName": "things", "Key": key("1")}),
    )
    .unwrap_err();
    assert_eq!(code(&missing), "ResourceNotFoundException");
    let mut other = table("things");
    other["KeySchema"] = json!([{"AttributeName": "sk", "KeyType": "HASH"}]);
    other["AttributeDefinitions"] = json!([{"AttributeName": "sk", "AttributeType": "S"}]);
    ask(&db, "CreateTable", other).unwrap();
    put(&db, json!({"sk": {"S": "1"}}));
    assert_eq!(&*db.key_names("things").unwrap(), ["sk".to_owned()]);
    assert_eq!(
        ask(&db, "Scan", json!({"TableName": "things"})).unwrap()["Count"],
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_have_the_headers_of_dynamodb() {
    let db = in_memory();
    let response = db.respond("ListTables", b"{}");
    assert_eq!(response.status(), 200);
    let body = br#"{"TableNames":[]}"#;
    assert_eq!(
        response.headers()["x-amz-crc32"],
        crc32fast::hash(body).to_string()
    );
    assert_eq!(
        response.headers()["content-type"],
        "application/x-amz-json-1.0"
    );
    assert_eq!(db.respond("GetItem", b"{}").status(), 400);
}
