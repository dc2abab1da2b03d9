"""DynamoDB."""

from typing import Any

from calls.call import Call


def text(value: str) -> dict[str, str]:
    return {"S": value}


def number(value: int) -> dict[str, str]:
    return {"N": str(value)}


TABLE = "${run}-table"
KEY = [
    {"AttributeName": "pk", "KeyType": "HASH"},
    {"AttributeName": "sk", "KeyType": "RANGE"},
]


def key(sort: str) -> dict[str, Any]:
    return {"pk": text("a"), "sk": text(sort)}


def item(sort: str, **attributes: dict[str, Any]) -> dict[str, Any]:
    return key(sort) | attributes


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def dynamodb(operation: str, about: str, parameters: dict[str, Any] | None = None, **rest: Any) -> Call:
    """A call about the table, unless the parameters name another one."""
    given = parameters or {}
    of_many = operation.startswith(("batch", "transact")) or "TableName" in given
    return Call(
        "dynamodb",
        operation,
        about,
        given if of_many else {"TableName": TABLE} | given,
        **rest,
    )


def put(sort: str, **rest: Any) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": item(sort)} | rest}


NEW = {"ConditionExpression": "attribute_not_exists(pk)"}
NO_TABLE = {"TableName": "${run}-none"}
INDEX = {
    "IndexName": "gsi1",
    "KeySchema": [
        {"AttributeName": "gsi1pk", "KeyType": "HASH"},
        {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}
CREATE = {
    "KeySchema": KEY,
    "AttributeDefinitions": attributes("pk", "sk", "gsi1pk", "gsi1sk"),
    "GlobalSecondaryIndexes": [INDEX],
    "BillingMode": "PAY_PER_REQUEST",
}
OF_A = {
    "KeyConditionExpression": "pk = :a",
    "ExpressionAttributeValues": {":a": text("a")},
}

DYNAMODB = [
    dynamodb("create_table", "makes a table with an index", CREATE, is_unordered=True),
    dynamodb("describe_table", "of a table", until="Table.TableStatus == 'ACTIVE'", is_unordered=True),
    dynamodb("create_table", "of a table that exists", CREATE),
    dynamodb(
        "create_table",
        "with a key that is not defined",
        {
            "TableName": "${run}-bad",
            "KeySchema": KEY,
            "AttributeDefinitions": attributes("pk"),
        }
        | {"BillingMode": "PAY_PER_REQUEST"},
    ),
    dynamodb("create_table", "with a short name", CREATE | {"TableName": "ab"}),
    dynamodb(
        "create_table",
        "without throughput",
        CREATE | {"TableName": "${run}-bad", "BillingMode": "PROVISIONED"},
    ),
    dynamodb("describe_table", "of a missing table", NO_TABLE),
    dynamodb(
        "put_item",
        "of a new item",
        {"Item": item("1", n=number(1), gsi1pk=text("g"), gsi1sk=text("1"))} | NEW,
    ),
    dynamodb(
        "put_item",
        "replaces and returns",
        {"Item": item("1", n=number(2)), "ReturnValues": "ALL_OLD"},
    ),
    dynamodb("put_item", "whose condition fails", {"Item": item("1")} | NEW),
    dynamodb(
        "put_item",
        "whose condition fails and returns the item",
        {"Item": item("1"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"} | NEW,
    ),
    dynamodb("put_item", "without its sort key", {"Item": {"pk": text("a")}}),
    dynamodb(
        "put_item",
        "with a key of another type",
        {"Item": {"pk": text("a"), "sk": number(1)}},
    ),
    dynamodb("put_item", "with an empty key", {"Item": {"pk": text(""), "sk": text("1")}}),
    dynamodb(
        "put_item",
        "of 400 KB and more",
        {"Item": item("big", data=text("x" * 410_000))},
    ),
    dynamodb("put_item", "into a missing table", NO_TABLE | {"Item": item("1")}),
    dynamodb(
        "put_item",
        "with an unused value",
        {"Item": item("1"), "ExpressionAttributeValues": {":x": number(1)}} | NEW,
    ),
    dynamodb(
        "put_item",
        "with a syntax error",
        {"Item": item("1"), "ConditionExpression": "pk ="},
    ),
    dynamodb(
        "put_item",
        "of all types",
        {
            "Item": item(
                "types",
                list={"L": [text("x"), number(1), {"NULL": True}]},
                map={"M": {"yes": {"BOOL": True}}},
                bytes={"B": b"\x00\xff"},
                texts={"SS": ["b", "a"]},
                decimal={"N": "1.50"},
                large={"N": "12345678901234567890123456789012345678"},
            )
        },
    ),
    dynamodb("put_item", "with a number of 39 digits", {"Item": item("x", n={"N": "1" * 39})}),
    dynamodb("put_item", "with an empty set", {"Item": item("x", texts={"SS": []})}),
    dynamodb(
        "get_item",
        "of all types",
        {"Key": key("types"), "ConsistentRead": True},
        is_unordered=True,
    ),
    dynamodb(
        "get_item",
        "with a projection",
        {"Key": key("types"), "ProjectionExpression": "#l[1], sk"} | {"ExpressionAttributeNames": {"#l": "list"}},
    ),
    dynamodb("get_item", "of a missing item", {"Key": key("none")}),
    dynamodb("get_item", "with a half key", {"Key": {"pk": text("a")}}),
    dynamodb(
        "get_item",
        "with too many attributes in the key",
        {"Key": item("1", n=number(1))},
    ),
    dynamodb("get_item", "from a missing table", NO_TABLE | {"Key": key("1")}),
    dynamodb(
        "get_item",
        "with a reserved word",
        {"Key": key("1"), "ProjectionExpression": "name"},
    ),
    dynamodb(
        "get_item",
        "with its capacity",
        {"Key": key("1"), "ReturnConsumedCapacity": "TOTAL"},
    ),
    dynamodb(
        "update_item",
        "sets, adds and removes",
        {
            "Key": key("1"),
            "UpdateExpression": "SET #d = :d, #m = if_not_exists(#m, :m) ADD n :one REMOVE gsi1pk",
            "ExpressionAttributeNames": {"#d": "done", "#m": "map"},
            "ExpressionAttributeValues": {
                ":d": {"BOOL": True},
                ":m": {"M": {}},
                ":one": number(1),
            },
            "ReturnValues": "ALL_NEW",
        },
    ),
    dynamodb(
        "update_item",
        "makes a missing item",
        {
            "Key": key("2"),
            "UpdateExpression": "SET gsi1pk = :g, gsi1sk = :s",
            "ExpressionAttributeValues": {":g": text("g"), ":s": text("2")},
            "ReturnValues": "UPDATED_NEW",
        },
    ),
    dynamodb(
        "update_item",
        "whose condition fails",
        {
            "Key": key("1"),
            "UpdateExpression": "SET n = :n",
            "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": number(77)},
        },
    ),
    dynamodb(
        "update_item",
        "of a key",
        {
            "Key": key("1"),
            "UpdateExpression": "SET sk = :x",
            "ExpressionAttributeValues": {":x": text("x")},
        },
    ),
    dynamodb(
        "update_item",
        "of a path that is missing",
        {
            "Key": key("1"),
            "UpdateExpression": "SET nowhere.x = :x",
            "ExpressionAttributeValues": {":x": text("x")},
        },
    ),
    dynamodb(
        "update_item",
        "of overlapping paths",
        {
            "Key": key("1"),
            "UpdateExpression": "SET a.b = :x, a = :x",
            "ExpressionAttributeValues": {":x": text("x")},
        },
    ),
    dynamodb(
        "update_item",
        "that adds to a text",
        {
            "Key": key("2"),
            "UpdateExpression": "ADD gsi1pk :one",
            "ExpressionAttributeValues": {":one": number(1)},
        },
    ),
    dynamodb(
        "update_item",
        "without a defined value",
        {"Key": key("1"), "UpdateExpression": "SET n = :n"},
    ),
    dynamodb(
        "delete_item",
        "whose condition fails",
        {"Key": key("1"), "ConditionExpression": "attribute_not_exists(n)"},
    ),
    dynamodb(
        "delete_item",
        "of a missing item",
        {"Key": key("none"), "ReturnValues": "ALL_OLD"},
    ),
    dynamodb(
        "delete_item",
        "returns the item",
        {"Key": key("types"), "ReturnValues": "ALL_OLD"},
        is_unordered=True,
    ),
    dynamodb(
        "batch_get_item",
        "of two items and a missing one",
        {"RequestItems": {TABLE: {"Keys": [key("1"), key("2"), key("none")]}}},
        is_unordered=True,
    ),
    dynamodb(
        "batch_get_item",
        "of the same key twice",
        {"RequestItems": {TABLE: {"Keys": [key("1"), key("1")]}}},
    ),
    dynamodb(
        "batch_get_item",
        "of 101 keys",
        {"RequestItems": {TABLE: {"Keys": [key(str(n)) for n in range(101)]}}},
    ),
    dynamodb(
        "batch_get_item",
        "of a missing table",
        {"RequestItems": {"${run}-none": {"Keys": [key("1")]}}},
    ),
    dynamodb(
        "batch_write_item",
        "of items",
        {"RequestItems": {TABLE: [{"PutRequest": {"Item": item(f"b{n}", n=number(n))}} for n in range(5)]}},
    ),
    dynamodb(
        "batch_write_item",
        "of 26 items",
        {"RequestItems": {TABLE: [{"PutRequest": {"Item": item(f"c{n}")}} for n in range(26)]}},
    ),
    dynamodb(
        "batch_write_item",
        "of the same item twice",
        {
            "RequestItems": {
                TABLE: [
                    {"PutRequest": {"Item": item("b1")}},
                    {"DeleteRequest": {"Key": key("b1")}},
                ]
            }
        },
    ),
    dynamodb(
        "transact_write_items",
        "of all kinds",
        {
            "TransactItems": [
                put("t1", **NEW),
                {
                    "Update": {
                        "TableName": TABLE,
                        "Key": key("2"),
                        "UpdateExpression": "SET n = :n",
                        "ExpressionAttributeValues": {":n": number(5)},
                    }
                },
                {"Delete": {"TableName": TABLE, "Key": key("b4")}},
                {
                    "ConditionCheck": {
                        "TableName": TABLE,
                        "Key": key("1"),
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                },
            ]
        },
    ),
    dynamodb(
        "transact_write_items",
        "whose second condition fails",
        {"TransactItems": [put("t2"), put("t1", **NEW)]},
    ),
    dynamodb(
        "transact_write_items",
        "that returns the item on failure",
        {"TransactItems": [put("t1", ReturnValuesOnConditionCheckFailure="ALL_OLD", **NEW)]},
    ),
    dynamodb(
        "transact_write_items",
        "of one item twice",
        {"TransactItems": [put("t3"), put("t3")]},
    ),
    dynamodb(
        "transact_write_items",
        "of 101 items",
        {"TransactItems": [put(f"m{n}") for n in range(101)]},
    ),
    dynamodb("transact_write_items", "of no items", {"TransactItems": []}),
    dynamodb(
        "transact_write_items",
        "into a missing table",
        {"TransactItems": [{"Put": {"TableName": "${run}-none", "Item": item("1")}}]},
    ),
    dynamodb(
        "transact_write_items",
        "with a token",
        {"TransactItems": [put("t4", **NEW)], "ClientRequestToken": "$run"},
    ),
    dynamodb(
        "transact_write_items",
        "again with the token",
        {
            "TransactItems": [put("t4", **NEW)],
            "ClientRequestToken": "$run",
        },
    ),
    dynamodb(
        "transact_write_items",
        "with the token of another",
        {
            "TransactItems": [put("t5")],
            "ClientRequestToken": "$run",
        },
    ),
    dynamodb(
        "transact_get_items",
        "of an item and a missing one",
        {"TransactItems": [{"Get": {"TableName": TABLE, "Key": key(sort)}} for sort in ("t1", "none")]},
    ),
    dynamodb(
        "transact_get_items",
        "with a half key",
        {"TransactItems": [{"Get": {"TableName": TABLE, "Key": {"pk": text("a")}}}]},
    ),
    dynamodb("query", "of a partition", OF_A),
    dynamodb(
        "query",
        "of a page",
        OF_A | {"Limit": 2, "ScanIndexForward": False},
        keep={"start": "LastEvaluatedKey"},
    ),
    dynamodb(
        "query",
        "of the next page",
        OF_A | {"Limit": 2, "ScanIndexForward": False, "ExclusiveStartKey": "$start"},
    ),
    dynamodb(
        "query",
        "of a range",
        {
            "KeyConditionExpression": "pk = :a AND sk BETWEEN :b AND :c",
            "ExpressionAttributeValues": {
                ":a": text("a"),
                ":b": text("b1"),
                ":c": text("b3"),
            },
        },
    ),
    dynamodb(
        "query",
        "of a beginning with a filter",
        {
            "KeyConditionExpression": "pk = :a AND begins_with(sk, :b)",
            "FilterExpression": "n > :n",
            "ExpressionAttributeValues": {
                ":a": text("a"),
                ":b": text("b"),
                ":n": number(1),
            },
        },
    ),
    dynamodb(
        "query",
        "of an index",
        {
            "IndexName": "gsi1",
            "KeyConditionExpression": "gsi1pk = :g",
            "ExpressionAttributeValues": {":g": text("g")},
        },
    ),
    dynamodb("query", "of a missing index", OF_A | {"IndexName": "gsi9"}),
    dynamodb(
        "query",
        "of an index with a consistent read",
        {
            "IndexName": "gsi1",
            "KeyConditionExpression": "gsi1pk = :g",
            "ExpressionAttributeValues": {":g": text("g")},
            "ConsistentRead": True,
        },
    ),
    dynamodb(
        "query",
        "without the partition key",
        {
            "KeyConditionExpression": "sk = :a",
            "ExpressionAttributeValues": {":a": text("a")},
        },
    ),
    dynamodb("query", "with a limit of 0", OF_A | {"Limit": 0}),
    dynamodb("query", "that filters by a key", OF_A | {"FilterExpression": "sk = :a"}),
    dynamodb("scan", "of a table", is_unordered=True),
    dynamodb(
        "scan",
        "with a filter and a count",
        {
            "FilterExpression": "attribute_exists(n)",
            "Select": "COUNT",
        },
    ),
    dynamodb("scan", "of an index", {"IndexName": "gsi1"}, is_unordered=True),
    dynamodb("scan", "of a missing table", NO_TABLE),
    dynamodb("scan", "of a segment too many", {"Segment": 4, "TotalSegments": 4}),
    dynamodb(
        "update_time_to_live",
        "turns it on",
        {"TimeToLiveSpecification": {"AttributeName": "ends", "Enabled": True}},
    ),
    dynamodb(
        "update_time_to_live",
        "of another attribute",
        {"TimeToLiveSpecification": {"AttributeName": "other", "Enabled": True}},
    ),
    dynamodb("describe_time_to_live", "of a table"),
    dynamodb("describe_time_to_live", "of a missing table", NO_TABLE),
    dynamodb("update_table", "that changes nothing", {}),
    dynamodb(
        "update_table",
        "that deletes a missing index",
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "gsi9"}}]},
    ),
    dynamodb(
        "update_table",
        "that deletes an index",
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "gsi1"}}]},
        is_unordered=True,
    ),
    dynamodb("delete_table", "of a table", is_unordered=True),
    dynamodb("delete_table", "of a missing table", NO_TABLE),
    Call(
        "dynamodb",
        "http",
        "of an unknown operation",
        {
            "method": "POST",
            "path": "/",
            "body": "{}",
            "headers": {
                "X-Amz-Target": "DynamoDB_20120810.Unknown",
                "Content-Type": "application/x-amz-json-1.0",
            },
        },
    ),
    Call(
        "dynamodb",
        "http",
        "with a body that is no JSON",
        {
            "method": "POST",
            "path": "/",
            "body": "{",
            "headers": {
                "X-Amz-Target": "DynamoDB_20120810.GetItem",
                "Content-Type": "application/x-amz-json-1.0",
            },
        },
    ),
]
