//! Tables within AWS's quotas. Time passes only when a test says so.

use super::*;
use crate::throttling::{Throttled, Work, testing::Hand};

/// A database with quotas, and the clock that they see.
struct Limited {
    db: Arc<DynamoDb>,
    clock: Arc<Hand>,
    throttling: Arc<Throttling>,
}

impl Limited {
    /// A database with the table `orders`: its index `by-status` has the partition key `status`.
    fn new(billing: &Value) -> Self {
        let clock = Hand::new();
        let throttling = Throttling::with_clock(clock.clone());
        let store = Store::in_memory(&std::env::temp_dir()).unwrap();
        let db = DynamoDb::with_quotas(Arc::new(store), Some(throttling.clone())).unwrap();
        let mut table = json!({
            "TableName": "orders",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"},
                {"AttributeName": "status", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-status", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
            }],
        });
        let billing = billing.as_object().unwrap().clone();
        if let Some(units) = billing.get("ProvisionedThroughput") {
            table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"] = units.clone();
        }
        table.as_object_mut().unwrap().extend(billing);
        ask(&db, "CreateTable", table).unwrap();
        Self {
            db,
            clock,
            throttling,
        }
    }

    fn on_demand() -> Self {
        Self::new(&json!({"BillingMode": "PAY_PER_REQUEST"}))
    }

    fn provisioned() -> Self {
        let units = json!({"ReadCapacityUnits": 40_000, "WriteCapacityUnits": 40_000});
        Self::new(&json!({"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}))
    }

    fn ask(&self, operation: &str, request: &Value) -> Result<Value, Value> {
        ask(&self.db, operation, request)
    }

    fn put(&self, item: &Value) -> Result<Value, Value> {
        self.ask("PutItem", &json!({"TableName": "orders", "Item": item}))
    }

    /// The count of the items in the table, without its quotas.
    fn stored(&self) -> i64 {
        let storage = self.db.storage();
        let count = |row: &rusqlite::Row<'_>| row.get(0);
        let counted = storage
            .conn()
            .query_row("SELECT count(*) FROM orders", [], count);
        counted.unwrap()
    }

    fn throttled(&self) -> Vec<(String, Work, u64)> {
        let all = self.throttling.snapshot().into_iter();
        all.map(
            |Throttled {
                 resource,
                 work,
                 count,
                 ..
             }| {
                let name = resource.rsplit_once(":table/").unwrap().1;
                (name.to_owned(), work, count)
            },
        )
        .collect()
    }
}

/// An item of 10 write units.
fn order(pk: &str, sk: usize) -> Value {
    json!({"pk": {"S": pk}, "sk": {"N": sk.to_string()}, "text": {"S": "x".repeat(10_000)}})
}

/// The same, with an entry in the index.
fn order_with(status: &str, pk: &str, sk: usize) -> Value {
    let mut order = order(pk, sk);
    order["status"] = json!({"S": status});
    order
}

/// Offers 1,500 write units a second for three seconds, in 10 steps a second of 15 items. Returns the count of items
/// that were acknowledged, and the errors of the others.
fn offer_1500_a_second(
    limited: &Limited,
    mut offer: impl FnMut(usize) -> Result<Value, Value>,
    mut meanwhile: impl FnMut(usize),
) -> (i64, Vec<Value>) {
    let (mut acknowledged, mut refused) = (0, vec![]);
    for n in 0..450 {
        match offer(n) {
            Ok(_) => acknowledged += 1,
            Err(error) => refused.push(error),
        }
        if n % 15 == 14 {
            meanwhile(n);
            limited.clock.pass(100);
        }
    }
    (acknowledged, refused)
}

const HOT_KEY: &str = concat!(
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or ",
    "index so please try again shortly. If exceptions persist, check if you have a hot key: ",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
);

#[test]
fn a_partition_takes_a_thousand_units_a_second_and_stores_what_it_acknowledged() {
    let limited = Limited::on_demand();
    let (acknowledged, refused) = offer_1500_a_second(
        &limited,
        |n| limited.put(&order("hot", n)),
        |n| drop(limited.put(&order("calm", n)).unwrap()),
    );
    assert_eq!((acknowledged, refused.len()), (300, 150));
    assert_eq!(limited.stored(), 300 + 30);
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";
    let expected = json!({
        "__type": "com.amazon.coral.availability#ThrottlingException",
        "message": HOT_KEY,
        "throttlingReasons": [{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": arn}],
    });
    assert!(
        refused.iter().all(|error| *error == expected),
        "{}",
        refused[0]
    );
    assert_eq!(
        limited.throttled(),
        [("orders".to_owned(), Work::Writes, 150)]
    );
}

#[test]
fn a_starved_index_throttles_the_table() {
    let limited = Limited::provisioned();
    let (acknowledged, refused) = offer_1500_a_second(
        &limited,
        // Each item has a partition of the table for itself.
        |n| limited.put(&order_with("open", &n.to_string(), 0)),
        |n| {
            let calm = order_with("closed", &format!("c{n}"), 0);
            limited.put(&calm).unwrap();
        },
    );
    assert_eq!((acknowledged, refused.len()), (300, 150));
    assert_eq!(limited.stored(), 300 + 30);
    assert_eq!(code(&refused[0]), "ProvisionedThroughputExceededException");
    let message = refused[0]["message"].as_str().unwrap();
    assert!(
        message.contains("one or more global secondary indexes"),
        "{message}"
    );
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/index/by-status";
    assert_eq!(
        refused[0]["ThrottlingReasons"],
        json!([{"reason": "IndexWriteKeyRangeThroughputExceeded", "resource": arn}])
    );
    let throttled = ("orders/index/by-status".to_owned(), Work::Writes, 150);
    assert_eq!(limited.throttled(), [throttled]);
}

#[test]
fn an_update_that_moves_an_item_into_a_starved_index_partition_changes_nothing() {
    let limited = Limited::on_demand();
    limited.put(&order_with("closed", "a", 0)).unwrap();
    let put = |n: usize| limited.put(&order_with("open", &n.to_string(), 0));
    assert_eq!((0..150).filter(|n| put(*n).is_ok()).count(), 100);
    let update = |text: &str, status: &str| {
        limited.ask(
            "UpdateItem",
            &json!({
                "TableName": "orders", "Key": {"pk": {"S": "a"}, "sk": {"N": "0"}},
                "UpdateExpression": "SET #s = :s, note = :n", "ExpressionAttributeNames": {"#s": "status"},
                "ExpressionAttributeValues": {":s": {"S": status}, ":n": {"S": text}},
            }),
        )
    };
    assert_eq!(
        code(&update("refused", "open").unwrap_err()),
        "ThrottlingException"
    );
    let get = json!({"TableName": "orders", "Key": {"pk": {"S": "a"}, "sk": {"N": "0"}}});
    let item = limited.ask("GetItem", &get).unwrap()["Item"].clone();
    assert_eq!(item, order_with("closed", "a", 0));
    update("stays in its partition", "closed").unwrap();
    limited.clock.pass(1_000);
    update("moves", "open").unwrap();
    // An item that is no member of the index is not held up by it.
    assert!(limited.put(&order("b", 0)).is_ok());
}

#[test]
fn a_transaction_costs_twice_and_is_refused_whole() {
    let limited = Limited::on_demand();
    let transact = |n: usize| {
        let put = |pk: &str| json!({"Put": {"TableName": "orders", "Item": order(pk, n)}});
        let token = format!("token-{n}");
        let items = [put("hot"), put(&n.to_string())];
        limited.ask(
            "TransactWriteItems",
            &json!({"TransactItems": items, "ClientRequestToken": token}),
        )
    };
    let (acknowledged, refused) = offer_1500_a_second(&limited, transact, |_| {});
    assert_eq!((acknowledged, refused.len()), (150, 300));
    assert_eq!(limited.stored(), 2 * 150);
    let error = &refused[0];
    assert_eq!(code(error), "TransactionCanceledException");
    assert_eq!(
        error["Message"],
        "Transaction cancelled, please refer cancellation reasons for specific reasons [ThrottlingError, None]"
    );
    assert_eq!(
        error["CancellationReasons"],
        json!([{"Code": "ThrottlingError", "Message": HOT_KEY}, {"Code": "None"}])
    );
    // A refused transaction left no token: it is executed when it comes again, once.
    limited.clock.pass(1_000);
    let [again, repeated] = [transact(449), transact(449)];
    assert!(again.is_ok() && repeated.is_ok());
    assert_eq!(limited.stored(), 2 * 151);
}

#[test]
fn a_batch_returns_what_it_could_not_write_and_fails_only_as_a_whole() {
    let limited = Limited::on_demand();
    let batch = |first: usize, pk: &str| {
        let puts = (first..first + 25).map(|n| json!({"PutRequest": {"Item": order(pk, n)}}));
        let puts: Vec<_> = puts.collect();
        limited.ask("BatchWriteItem", &json!({"RequestItems": {"orders": puts}}))
    };
    for n in 0..3 {
        assert_eq!(batch(25 * n, "hot").unwrap()["UnprocessedItems"], json!({}));
    }
    limited.put(&order("hot", 75)).unwrap();
    let left = batch(76, "hot").unwrap()["UnprocessedItems"]["orders"].clone();
    assert_eq!(left, json!([{"PutRequest": {"Item": order("hot", 100)}}]));
    assert_eq!(limited.stored(), 100);
    assert_eq!(code(&batch(100, "hot").unwrap_err()), "ThrottlingException");
    assert_eq!(batch(0, "calm").unwrap()["UnprocessedItems"], json!({}));
    // A batch with a mistake costs nothing.
    limited.clock.pass(1_000);
    for _ in 0..5 {
        let same = json!({"PutRequest": {"Item": order("hot", 0)}});
        let twice = vec![same; 25];
        let error = limited
            .ask(
                "BatchWriteItem",
                &json!({"RequestItems": {"orders": twice}}),
            )
            .unwrap_err();
        assert_eq!(code(&error), "ValidationException");
    }
    assert_eq!(batch(100, "hot").unwrap()["UnprocessedItems"], json!({}));
}

/// The units that a partition gave, each second, to reads that cost so many.
fn reads(limited: &Limited, units: usize, read: impl Fn() -> Result<Value, Value>) -> usize {
    limited.clock.pass(1_000);
    let offered = 4_000 / units;
    let mut given = 0;
    for _ in 0..offered {
        match read() {
            Ok(_) => given += units,
            Err(error) => assert_eq!(code(&error), "ThrottlingException"),
        }
    }
    given
}

#[test]
fn a_partition_gives_three_thousand_units_a_second_to_any_kind_of_read() {
    let limited = Limited::on_demand();
    // An item of 100 read units and 400 write units.
    let text = "x".repeat(409_000 - "open".len());
    let mut item = json!({"pk": {"S": "hot"}, "sk": {"N": "1"}, "text": {"S": text}});
    item["status"] = json!({"S": "open"});
    limited.put(&item).unwrap();
    let key = json!({"pk": {"S": "hot"}, "sk": {"N": "1"}});
    let get = json!({"TableName": "orders", "Key": key, "ConsistentRead": true});
    let query = json!({
        "TableName": "orders", "ConsistentRead": true, "KeyConditionExpression": "#p = :p AND sk = :one",
        "FilterExpression": "#n = :n", "ProjectionExpression": "#n",
        "ExpressionAttributeNames": {"#p": "pk", "#n": "note"},
        "ExpressionAttributeValues": {":p": {"S": "hot"}, ":one": {"N": "1"}, ":n": {"S": "none has it"}},
    });
    let scan = json!({"TableName": "orders", "ConsistentRead": true, "ProjectionExpression": "sk"});
    let batch = json!({"RequestItems": {"orders": {"Keys": [key], "ConsistentRead": true}}});
    let transact = json!({"TransactItems": [{"Get": {"TableName": "orders", "Key": key}}]});
    let of_index = json!({
        "TableName": "orders", "IndexName": "by-status", "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "status"}, "ExpressionAttributeValues": {":s": {"S": "open"}},
    });
    let eventual = json!({"TableName": "orders", "Key": key});
    for (operation, request, units) in [
        ("GetItem", &get, 100),
        ("GetItem", &eventual, 50),
        ("Query", &query, 100),
        ("Query", &of_index, 50),
        ("Scan", &scan, 100),
        ("BatchGetItem", &batch, 100),
    ] {
        let given = reads(&limited, units, || limited.ask(operation, request));
        assert_eq!(given, 3_000, "{operation} {request}");
    }
    limited.clock.pass(1_000);
    let transactions = (0..20).filter(|_| limited.ask("TransactGetItems", &transact).is_ok());
    assert_eq!(transactions.count(), 15);
    let error = limited.ask("TransactGetItems", &transact).unwrap_err();
    assert_eq!(error["CancellationReasons"][0]["Code"], "ThrottlingError");
    // The index has partitions of its own, and other partitions of the table are free.
    assert!(limited.ask("Query", &of_index).is_ok());
    let two = json!({"RequestItems": {"orders": {
        "Keys": [key, {"pk": {"S": "calm"}, "sk": {"N": "1"}}], "ConsistentRead": true,
    }}});
    let reply = limited.ask("BatchGetItem", &two).unwrap();
    assert_eq!(
        reply["UnprocessedKeys"],
        json!({"orders": {"Keys": [key], "ConsistentRead": true}})
    );
}

#[test]
fn mistakes_cost_nothing_and_failed_conditions_cost_a_write() {
    let limited = Limited::on_demand();
    limited.put(&order("hot", 0)).unwrap();
    let put_new = json!({
        "TableName": "orders", "Item": order("hot", 0), "ConditionExpression": "attribute_not_exists(pk)",
    });
    let failed = (0..150).map(|_| limited.ask("PutItem", &put_new).unwrap_err());
    let failed: Vec<_> = failed.map(|error| code(&error).to_owned()).collect();
    let conditions = failed
        .iter()
        .filter(|code| *code == "ConditionalCheckFailedException");
    assert_eq!(conditions.count(), 99);
    assert_eq!(failed.last().unwrap(), "ThrottlingException");
    // A starved partition does not hide a mistake.
    let mistake = json!({"TableName": "orders", "Item": {"pk": {"S": "hot"}}});
    for _ in 0..1_000 {
        assert_eq!(
            code(&limited.ask("PutItem", &mistake).unwrap_err()),
            "ValidationException"
        );
    }
    limited.clock.pass(1_000);
    let put = |n: usize| limited.put(&order("hot", n));
    assert_eq!((1..150).filter(|n| put(*n).is_ok()).count(), 100);
}
