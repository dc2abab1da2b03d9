//! A table as a template wants it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{DynamoDb, shape::Table};
use crate::error::AwsError;

impl DynamoDb {
    /// Makes a table if it is missing, and changes it if it differs from the request: global secondary indexes, stream,
    /// time to live, billing mode, throughput, class and protection against deletion. Each change is complete on return.
    /// Tags and encryption count when the table is made, and are left as they are later.
    ///
    /// `request` is a request of `CreateTable`, in JSON; `ttl_attribute` is the attribute with the time to live.
    ///
    /// # Errors
    ///
    /// DynamoDB's errors for the request. `ValidationException` if the table exists with another key schema, other local
    /// secondary indexes or other vector indexes.
    pub fn ensure_table(
        &self,
        request: &Value,
        ttl_attribute: Option<&str>,
    ) -> Result<(), AwsError> {
        let wanted = Table::of(request)?;
        let name = wanted.name.as_str();
        match self.ask("DescribeTable", &json!({"TableName": name})) {
            Ok(reply) => {
                let has = Table::of(reply.get("Table").unwrap_or(&Value::Null))?;
                self.change(&has, &wanted, request)?;
            }
            Err(error) if error.code == "ResourceNotFoundException" => {
                self.ask("CreateTable", request)?;
            }
            Err(error) => return Err(error),
        }
        self.ensure_ttl(name, ttl_attribute)
    }

    fn ask(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let reply = self.call(operation, request.to_string().as_bytes())?;
        serde_json::from_str(&reply).map_err(AwsError::internal)
    }

    fn update(&self, table: &str, mut changes: Map<String, Value>) -> Result<(), AwsError> {
        changes.insert("TableName".to_owned(), table.into());
        self.ask("UpdateTable", &changes.into()).map(drop)
    }

    fn change(&self, has: &Table, wanted: &Table, request: &Value) -> Result<(), AwsError> {
        has.refuse_other_keys(wanted)?;
        let settings = has.settings(wanted);
        if !settings.is_empty() {
            self.update(&has.name, settings)?;
        }
        self.change_indexes(has, wanted, request)?;
        self.change_stream(has, wanted, request)
    }

    fn change_indexes(&self, has: &Table, wanted: &Table, request: &Value) -> Result<(), AwsError> {
        let known = has.global_indexes();
        let new = wanted.global_indexes();
        for (name, index) in &known {
            if new.get(name) != Some(index) {
                self.update_index(&has.name, &json!({"Delete": {"IndexName": name}}), None)?;
            }
        }
        let definitions = request["GlobalSecondaryIndexes"].as_array();
        for definition in definitions.into_iter().flatten() {
            let name = definition["IndexName"].as_str().unwrap_or_default();
            if known.get(name) != new.get(name) {
                let attributes = attributes(request, definition);
                self.update_index(&has.name, &json!({"Create": definition}), Some(attributes))?;
            }
        }
        Ok(())
    }

    /// DynamoDB makes or deletes one index a call.
    fn update_index(
        &self,
        table: &str,
        update: &Value,
        attributes: Option<Value>,
    ) -> Result<(), AwsError> {
        let mut changes = Map::new();
        changes.insert("GlobalSecondaryIndexUpdates".to_owned(), json!([update]));
        changes
            .extend(attributes.map(|attributes| ("AttributeDefinitions".to_owned(), attributes)));
        self.update(table, changes)
    }

    /// DynamoDB changes no stream: the old one ends, and another one begins.
    fn change_stream(&self, has: &Table, wanted: &Table, request: &Value) -> Result<(), AwsError> {
        if has.stream() == wanted.stream() {
            return Ok(());
        }
        if has.stream().is_some() {
            self.update_stream(&has.name, json!({"StreamEnabled": false}))?;
        }
        if wanted.stream().is_some() {
            self.update_stream(&has.name, request["StreamSpecification"].clone())?;
        }
        Ok(())
    }

    fn update_stream(&self, table: &str, stream: Value) -> Result<(), AwsError> {
        self.update(
            table,
            Map::from_iter([("StreamSpecification".to_owned(), stream)]),
        )
    }

    fn ensure_ttl(&self, table: &str, wanted: Option<&str>) -> Result<(), AwsError> {
        let reply = self.ask("DescribeTimeToLive", &json!({"TableName": table}))?;
        let has = reply.pointer("/TimeToLiveDescription/AttributeName");
        let has = has.and_then(Value::as_str);
        if has == wanted {
            return Ok(());
        }
        for (attribute, enabled) in [(has, false), (wanted, true)] {
            let Some(attribute) = attribute else {
                continue;
            };
            let settings = json!({"AttributeName": attribute, "Enabled": enabled});
            let request = json!({"TableName": table, "TimeToLiveSpecification": settings});
            self.ask("UpdateTimeToLive", &request)?;
        }
        Ok(())
    }
}

/// The attribute definitions that a new index needs: those of its key and of the table's key.
fn attributes(request: &Value, index: &Value) -> Value {
    let keys = [&request["KeySchema"], &index["KeySchema"]];
    let keys = keys.into_iter().filter_map(Value::as_array).flatten();
    let names: BTreeSet<_> = keys
        .filter_map(|key| key["AttributeName"].as_str())
        .collect();
    let all = request["AttributeDefinitions"].as_array();
    let needed = all.into_iter().flatten().filter(|attribute| {
        let name = attribute["AttributeName"].as_str();
        name.is_some_and(|name| names.contains(name))
    });
    needed.cloned().collect()
}
