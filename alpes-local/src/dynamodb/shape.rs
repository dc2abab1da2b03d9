//! The comparison of two tables: one that a template wants, and one that exists.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::AwsError;

/// The comparable parts of a `CreateTable` request and of a table's description.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Table {
    #[serde(rename = "TableName")]
    pub name: String,
    #[serde(default)]
    key_schema: Vec<Key>,
    #[serde(default)]
    attribute_definitions: Vec<Attribute>,
    global_secondary_indexes: Option<Vec<Index>>,
    local_secondary_indexes: Option<Vec<Index>>,
    vector_indexes: Option<Vec<VectorIndex>>,
    stream_specification: Option<Stream>,
    billing_mode: Option<String>,
    billing_mode_summary: Option<BillingModeSummary>,
    provisioned_throughput: Option<Throughput>,
    deletion_protection_enabled: Option<bool>,
    #[serde(rename = "TableClass")]
    class: Option<String>,
    #[serde(rename = "TableClassSummary")]
    class_summary: Option<ClassSummary>,
}

#[derive(Clone, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    #[serde(rename = "IndexName")]
    name: String,
    key_schema: Vec<Key>,
    projection: Projection,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Projection {
    projection_type: Option<String>,
    non_key_attributes: Option<BTreeSet<String>>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct VectorIndex {
    #[serde(rename = "IndexName")]
    name: String,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct Stream {
    stream_enabled: bool,
    stream_view_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BillingModeSummary {
    billing_mode: String,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct Throughput {
    read_capacity_units: i64,
    write_capacity_units: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ClassSummary {
    table_class: String,
}

/// The identity of an index: its keys with their types, and its projection.
pub(super) type IndexShape<'a> = (Vec<(&'a Key, Option<&'a str>)>, &'a Projection);

/// Indexes by name.
pub(super) type Indexes<'a> = BTreeMap<&'a str, IndexShape<'a>>;

impl Table {
    /// Reads a request of `CreateTable`, or a description.
    pub fn of(description: &Value) -> Result<Self, AwsError> {
        Self::deserialize(description).map_err(|error| {
            AwsError::client(
                "ValidationException",
                format!("the table's properties: {error}"),
            )
        })
    }

    /// A key's attributes with their types.
    fn typed<'a>(&'a self, keys: &'a [Key]) -> Vec<(&'a Key, Option<&'a str>)> {
        let attributes = &self.attribute_definitions;
        let kind = |key: &Key| {
            let found = attributes
                .iter()
                .find(|known| known.attribute_name == key.attribute_name);
            found.map(|attribute| attribute.attribute_type.as_str())
        };
        keys.iter().map(|key| (key, kind(key))).collect()
    }

    /// The global secondary indexes by name.
    pub fn global_indexes(&self) -> Indexes<'_> {
        self.indexes(self.global_secondary_indexes.as_ref())
    }

    fn local_indexes(&self) -> Indexes<'_> {
        self.indexes(self.local_secondary_indexes.as_ref())
    }

    fn indexes<'a>(&'a self, of: Option<&'a Vec<Index>>) -> Indexes<'a> {
        let indexes = of.into_iter().flatten().map(|index| {
            let keys = self.typed(&index.key_schema);
            (index.name.as_str(), (keys, &index.projection))
        });
        indexes.collect()
    }

    /// The view type of the enabled stream.
    pub fn stream(&self) -> Option<&str> {
        let stream = self.stream_specification.as_ref();
        let enabled = stream.filter(|stream| stream.stream_enabled)?;
        enabled.stream_view_type.as_deref()
    }

    fn billing(&self) -> &str {
        let summary = self.billing_mode_summary.as_ref();
        let mode = summary.map(|summary| summary.billing_mode.as_str());
        mode.or(self.billing_mode.as_deref())
            .unwrap_or("PROVISIONED")
    }

    fn class(&self) -> &str {
        let summary = self.class_summary.as_ref();
        let class = summary.map(|summary| summary.table_class.as_str());
        class.or(self.class.as_deref()).unwrap_or("STANDARD")
    }

    fn vectors(&self) -> BTreeSet<&VectorIndex> {
        self.vector_indexes.iter().flatten().collect()
    }

    fn refuse(&self, what: &str) -> AwsError {
        AwsError::client(
            "ValidationException",
            format!(
                "table {} exists with {what}, which cannot be changed: delete the table, or give the new one another \
                 name",
                self.name
            ),
        )
    }

    /// Refuses changes that DynamoDB cannot make to a table.
    pub fn refuse_other_keys(&self, wanted: &Self) -> Result<(), AwsError> {
        if self.typed(&self.key_schema) != wanted.typed(&wanted.key_schema) {
            return Err(self.refuse("another key schema"));
        }
        if self.local_indexes() != wanted.local_indexes() {
            return Err(self.refuse("other local secondary indexes"));
        }
        if self.vectors() != wanted.vectors() {
            return Err(self.refuse("other vector indexes"));
        }
        Ok(())
    }

    /// The members of an `UpdateTable` request for settings that differ.
    pub fn settings(&self, wanted: &Self) -> Map<String, Value> {
        let mut changes = Map::new();
        let mode = wanted.billing();
        if self.billing() != mode {
            changes.insert("BillingMode".to_owned(), mode.into());
        }
        let throughput = wanted.provisioned_throughput.as_ref();
        let throughput = throughput.filter(|_| mode == "PROVISIONED");
        if let Some(units) = throughput
            && throughput != self.provisioned_throughput.as_ref()
        {
            let units = json!({
                "ReadCapacityUnits": units.read_capacity_units,
                "WriteCapacityUnits": units.write_capacity_units,
            });
            changes.insert("ProvisionedThroughput".to_owned(), units);
        }
        if self.class() != wanted.class() {
            changes.insert("TableClass".to_owned(), wanted.class().into());
        }
        let protected = wanted.deletion_protection_enabled.unwrap_or_default();
        if self.deletion_protection_enabled.unwrap_or_default() != protected {
            changes.insert("DeletionProtectionEnabled".to_owned(), protected.into());
        }
        changes
    }
}
