//! DynamoDB and its streams.
//!
//! A batch needs its own action on each table. A transaction needs the action of each of its parts:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::Need;
use crate::names::arn;

/// The members that name tables. All others are skipped, so that a large item costs little.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Named {
    table_name: Option<String>,
    index_name: Option<String>,
    resource_arn: Option<String>,
    stream_arn: Option<String>,
    shard_iterator: Option<String>,
    #[serde(deserialize_with = "names")]
    request_items: Vec<String>,
    transact_items: Vec<BTreeMap<String, OfTable>>,
    statement: Option<String>,
    statements: Vec<Stated>,
    transact_statements: Vec<Stated>,
}

/// Reads the names of an object's members, and skips the members.
fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = vec![];
            while let Some((name, IgnoredAny)) = map.next_entry()? {
                names.push(name);
            }
            Ok(names)
        }
    }

    from.deserialize_map(Names)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfTable {
    table_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stated {
    statement: String,
}

/// The needs of an operation. `stream_of` finds the stream of a shard iterator.
pub(super) fn needs(
    operation: &str,
    body: &[u8],
    stream_of: impl Fn(&str) -> Option<String>,
) -> Vec<Need> {
    let need = |operation: &str, resource: String| Need::new("dynamodb", operation, resource);
    let Ok(named) = serde_json::from_slice::<Named>(body) else {
        return vec![need(operation, "*".to_owned())];
    };
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = named.request_items.iter();
            tables
                .map(|table| need(operation, table_arn(table)))
                .collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let parts = named.transact_items.iter().flatten();
            let parts: BTreeSet<_> = parts
                .map(|(part, of)| (action_of(part), table_arn(&of.table_name)))
                .collect();
            let parts = parts.into_iter();
            parts.map(|(action, table)| need(action, table)).collect()
        }
        "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction" => {
            let several = named.statements.iter().chain(&named.transact_statements);
            let several = several.map(|stated| stated.statement.as_str());
            let all = named.statement.as_deref().into_iter().chain(several);
            all.map(of_statement).collect()
        }
        "ListTables" | "ListStreams" => vec![need(operation, "*".to_owned())],
        _ => vec![need(operation, resource(&named, stream_of))],
    }
}

/// The resource of an operation on one table, index or stream.
fn resource(named: &Named, stream_of: impl Fn(&str) -> Option<String>) -> String {
    if let Some(table) = &named.table_name {
        let table = table_arn(table);
        let index = named.index_name.as_ref();
        return index.map_or(table.clone(), |index| format!("{table}/index/{index}"));
    }
    let iterated = named.shard_iterator.as_deref().and_then(stream_of);
    let given = named.resource_arn.clone().or(named.stream_arn.clone());
    given.or(iterated).unwrap_or_else(|| "*".to_owned())
}

fn table_arn(table: &str) -> String {
    if table.starts_with("arn:") {
        return table.to_owned();
    }
    arn("dynamodb", &format!("table/{table}"))
}

/// The action of a part of a transaction.
fn action_of(part: &str) -> &'static str {
    match part {
        "Get" => "GetItem",
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        _ => "ConditionCheckItem",
    }
}

/// A statement of `PartiQL`: its verb, and the table after it, in the quotes that names need there.
fn of_statement(statement: &str) -> Need {
    let mut words = statement.split_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    let (operation, before) = match verb.as_str() {
        "SELECT" => ("PartiQLSelect", "FROM"),
        "INSERT" => ("PartiQLInsert", "INTO"),
        "UPDATE" => ("PartiQLUpdate", "UPDATE"),
        _ => ("PartiQLDelete", "FROM"),
    };
    let mut words = statement.split_whitespace();
    let named = words
        .find(|word| word.eq_ignore_ascii_case(before))
        .and_then(|_| words.next());
    let mut path = named.unwrap_or("*").split('.');
    let mut next = || path.next().map(|part| part.trim_matches('"'));
    let table = table_arn(next().unwrap_or("*"));
    let resource = match next() {
        Some(index) => format!("{table}/index/{index}"),
        None => table,
    };
    Need::new("dynamodb", operation, resource)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(operation: &str, body: &Value) -> Vec<String> {
        let table = "arn:aws:dynamodb:us-east-1:000000000000:table/";
        let needs = needs(operation, body.to_string().as_bytes(), |_| None);
        let short = |need: Need| {
            let resource = need.resource.replace(table, "");
            format!("{} {resource}", need.action)
        };
        needs.into_iter().map(short).collect()
    }

    #[test]
    fn each_table_and_each_part_is_a_need() {
        let item = json!({"TableName": "a", "Key": {"k": {"S": "1"}}});
        assert_eq!(of("GetItem", &item), ["dynamodb:GetItem a"]);
        let index = json!({"TableName": "a", "IndexName": "i"});
        assert_eq!(of("Query", &index), ["dynamodb:Query a/index/i"]);
        let batch = json!({"RequestItems": {"a": [], "b": {"Keys": []}}});
        let both = ["dynamodb:BatchGetItem a", "dynamodb:BatchGetItem b"];
        assert_eq!(of("BatchGetItem", &batch), both);
        let parts = json!({"TransactItems": [
            {"Put": {"TableName": "a", "Item": {}}},
            {"ConditionCheck": {"TableName": "b"}},
            {"Put": {"TableName": "a", "Item": {}}},
        ]});
        let expected = ["dynamodb:ConditionCheckItem b", "dynamodb:PutItem a"];
        assert_eq!(of("TransactWriteItems", &parts), expected);
        let broken = json!({"TransactItems": 7});
        assert_eq!(
            of("TransactWriteItems", &broken),
            ["dynamodb:TransactWriteItems *"]
        );
    }

    #[test]
    fn statements_are_read_as_far_as_their_table() {
        let cases = [
            (
                "SELECT * FROM \"a\".\"i\" WHERE k = 1",
                "dynamodb:PartiQLSelect a/index/i",
            ),
            (
                "insert into \"a\" value {'k': 1}",
                "dynamodb:PartiQLInsert a",
            ),
            ("UPDATE \"a\" SET x = 1", "dynamodb:PartiQLUpdate a"),
            ("DELETE FROM \"a\" WHERE k = 1", "dynamodb:PartiQLDelete a"),
        ];
        for (statement, expected) in cases {
            let body = json!({ "Statement": statement });
            assert_eq!(of("ExecuteStatement", &body), [expected]);
        }
        let two = json!({"Statements": [{"Statement": cases[2].0}, {"Statement": cases[3].0}]});
        assert_eq!(of("BatchExecuteStatement", &two), [cases[2].1, cases[3].1]);
    }
}
