//! DynamoDB tables, as requests to create them.

use serde::Serialize;
use serde_json::{Map, Value, json};
use template::{Properties, Resource, TemplateError};

use super::draft::{Draft, Source};

/// A DynamoDB table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// The name.
    pub name: String,
    /// The input of `CreateTable`.
    pub request: Value,
    /// The attribute with the time at which an item expires.
    pub ttl_attribute: Option<String>,
}

/// Properties of a table, or of an index, that only matter for capacity, safety or monitoring on AWS.
const WITHOUT_MEANING: [&str; 9] = [
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "ResourcePolicy",
    "SSESpecification",
    "TableClass",
    "Tags",
    "WarmThroughput",
];

pub(super) fn table(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let table = resource.read(|set| {
        draft.skip(set, &WITHOUT_MEANING);
        set.text("TableName")?;
        let mut request = base(&resource.name);
        let attributes = each_of(
            set,
            "AttributeDefinitions",
            ["AttributeName", "AttributeType"],
        )?;
        request.insert("AttributeDefinitions".to_owned(), attributes);
        request.insert("KeySchema".to_owned(), key_schema(set)?);
        insert(&mut request, "BillingMode", set.text("BillingMode")?);
        insert(&mut request, "ProvisionedThroughput", throughput(set)?);
        for kind in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
            let indexes = set.each(kind, |index| {
                draft.skip(index, &WITHOUT_MEANING);
                self::index(index)
            })?;
            let indexes = (!indexes.is_empty()).then_some(indexes);
            insert(&mut request, kind, indexes);
        }
        let stream = set.within("StreamSpecification", |stream| {
            draft.skip(stream, &["ResourcePolicy"]);
            let view = stream.required("StreamViewType")?;
            Ok(json!({"StreamEnabled": true, "StreamViewType": view}))
        })?;
        insert(&mut request, "StreamSpecification", stream);
        Ok(Table {
            name: resource.name.clone(),
            request: request.into(),
            ttl_attribute: ttl_attribute(set)?,
        })
    })?;
    draft.plan.tables.push(table);
    Ok(())
}

/// A SAM table, which has only a partition key.
pub(super) fn simple(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let types = [("String", "S"), ("Number", "N"), ("Binary", "B")];
    let table = resource.read(|set| {
        draft.skip(set, &WITHOUT_MEANING);
        set.text("TableName")?;
        let key = set.within("PrimaryKey", |key| {
            let kind = key.choice("Type", &types)?;
            Ok((key.required("Name")?, kind.unwrap_or("S")))
        })?;
        let (name, kind) = key.unwrap_or_else(|| ("id".to_owned(), "S"));
        let throughput = throughput(set)?;
        let mut request = base(&resource.name);
        let attribute = json!([{"AttributeName": name, "AttributeType": kind}]);
        request.insert("AttributeDefinitions".to_owned(), attribute);
        let key = json!([{"AttributeName": name, "KeyType": "HASH"}]);
        request.insert("KeySchema".to_owned(), key);
        if throughput.is_none() {
            request.insert("BillingMode".to_owned(), "PAY_PER_REQUEST".into());
        }
        insert(&mut request, "ProvisionedThroughput", throughput);
        Ok(Table {
            name: resource.name.clone(),
            request: request.into(),
            ttl_attribute: None,
        })
    })?;
    draft.plan.tables.push(table);
    Ok(())
}

fn base(name: &str) -> Map<String, Value> {
    Map::from_iter([("TableName".to_owned(), name.into())])
}

fn insert(into: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    into.extend(value.map(|value| (name.to_owned(), value.into())));
}

/// A list of mappings with two texts each.
fn each_of(set: &Properties<'_>, name: &str, fields: [&str; 2]) -> Result<Value, TemplateError> {
    let items = set.each(name, |item| {
        let [first, second] = fields;
        Ok(json!({first: item.required(first)?, second: item.required(second)?}))
    })?;
    Ok(items.into())
}

fn key_schema(set: &Properties<'_>) -> Result<Value, TemplateError> {
    each_of(set, "KeySchema", ["AttributeName", "KeyType"])
}

fn throughput(set: &Properties<'_>) -> Result<Option<Value>, TemplateError> {
    set.within("ProvisionedThroughput", |throughput| {
        let units = |name: &str| {
            let units: Option<u64> = throughput.number(name)?;
            units.ok_or_else(|| throughput.must(name, "given"))
        };
        Ok(json!({
            "ReadCapacityUnits": units("ReadCapacityUnits")?,
            "WriteCapacityUnits": units("WriteCapacityUnits")?,
        }))
    })
}

fn index(set: &Properties<'_>) -> Result<Value, TemplateError> {
    let mut index = Map::new();
    insert(&mut index, "IndexName", Some(set.required("IndexName")?));
    insert(&mut index, "KeySchema", Some(key_schema(set)?));
    let projection = set.within("Projection", |projection| {
        let mut projected = Map::new();
        insert(
            &mut projected,
            "ProjectionType",
            projection.text("ProjectionType")?,
        );
        let attributes = projection.texts("NonKeyAttributes")?;
        let attributes = (!attributes.is_empty()).then_some(attributes);
        insert(&mut projected, "NonKeyAttributes", attributes);
        Ok(projected)
    })?;
    insert(&mut index, "Projection", projection);
    insert(&mut index, "ProvisionedThroughput", throughput(set)?);
    Ok(index.into())
}

fn ttl_attribute(set: &Properties<'_>) -> Result<Option<String>, TemplateError> {
    let attribute = set.within("TimeToLiveSpecification", |ttl| {
        let attribute = ttl.text("AttributeName")?;
        match (ttl.truth("Enabled")?, attribute) {
            (Some(true), None) => Err(ttl.must("AttributeName", "given")),
            (Some(true), attribute) => Ok(attribute),
            _ => Ok(None),
        }
    })?;
    Ok(attribute.flatten())
}
