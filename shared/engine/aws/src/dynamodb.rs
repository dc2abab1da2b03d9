//! Tables on `DynamoDB`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use alpes_ports::{
    Condition, Consistency, Direction, Found, Index, IndexPage, IndexQuery, Item, Key, Path,
    ScanPage, TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};
use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem, Update as UpdateItem,
    },
};
use serde_json::{Map, Number, Value};

use crate::{
    conflicts::Conflicts,
    error::{OF_A_TRANSACTION, OF_DYNAMODB, ServiceError, sorted},
};

/// `DynamoDB`'s limit on one `BatchGetItem`.
const BATCH: usize = 100;
/// The largest number of requests for one batch of keys. `BatchGetItem` may leave keys unprocessed, and the next
/// request asks for them again.
const BATCH_ATTEMPTS: u32 = 8;

type Attributes = HashMap<String, AttributeValue>;

/// The tables, by their logical names.
pub struct DynamoTables {
    client: Client,
    names: BTreeMap<String, String>,
}

impl DynamoTables {
    /// `names` maps logical names to physical ones. A table without an entry cannot be used.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, names: BTreeMap<String, String>) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(config);
        let config = config.retry_classifier(Conflicts);
        Self {
            client: Client::from_conf(config.build()),
            names,
        }
    }

    fn name(&self, table: TableName) -> Result<&str, TableError> {
        let name = self.names.get(table.0).map(String::as_str);
        name.ok_or_else(|| {
            TableError::Unavailable(format!("no table {:?} is configured here", table.0))
        })
    }

    async fn batch(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<BTreeMap<Key, Item>, TableError> {
        let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
        let mut tables: HashMap<&str, TableName> = HashMap::new();
        for key in keys {
            let name = self.name(key.table)?;
            tables.insert(name, key.table);
            let slot = wanted.remove(name);
            let mut list = slot.map(|slot| slot.keys).unwrap_or_default();
            list.push(key_attributes(key));
            let request = KeysAndAttributes::builder()
                .set_keys(Some(list))
                .consistent_read(consistency == Consistency::Strong)
                .build()
                .map_err(refused)?;
            wanted.insert(name.to_owned(), request);
        }
        let mut found = BTreeMap::new();
        for attempt in 0..BATCH_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(10 << attempt)).await;
            }
            let request = self.client.batch_get_item().set_request_items(Some(wanted));
            let output = request.send().await.map_err(|error| table_error(&error))?;
            for (name, items) in output.responses.unwrap_or_default() {
                let Some(table) = tables.get(name.as_str()) else {
                    continue;
                };
                for attributes in items {
                    let item = item(attributes)?;
                    found.insert(key_of(*table, &item)?, item);
                }
            }
            wanted = output.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
        }
        Err(TableError::Unavailable(
            "a batch of reads was throttled".into(),
        ))
    }
}

fn refused(error: impl std::fmt::Display) -> TableError {
    TableError::Refused(error.to_string())
}

fn table_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> TableError {
    sorted(
        error,
        OF_DYNAMODB,
        TableError::Refused,
        TableError::Unavailable,
    )
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(yes) => AttributeValue::Bool(*yes),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(list) => AttributeValue::L(list.iter().map(attribute).collect()),
        Value::Object(object) => AttributeValue::M(attributes(object)),
    }
}

fn attributes(object: &Map<String, Value>) -> Attributes {
    object
        .iter()
        .map(|(name, value)| (name.clone(), attribute(value)))
        .collect()
}

fn value(attribute: AttributeValue) -> Result<Value, TableError> {
    Ok(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(yes) => Value::Bool(yes),
        AttributeValue::N(text) => text.parse::<Number>().map(Value::Number).map_err(refused)?,
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => {
            Value::Array(list.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        AttributeValue::M(map) => Value::Object(item(map)?),
        other => {
            return Err(TableError::Refused(format!(
                "an attribute is {other:?}, which is not JSON"
            )));
        }
    })
}

fn item(attributes: Attributes) -> Result<Item, TableError> {
    attributes
        .into_iter()
        .map(|(name, attribute)| Ok((name, value(attribute)?)))
        .collect()
}

fn key_attributes(key: &Key) -> Attributes {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([
        ("pk".to_owned(), text(&key.pk)),
        ("sk".to_owned(), text(&key.sk)),
    ])
}

fn key_of(table: TableName, item: &Item) -> Result<Key, TableError> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    match (text("pk"), text("sk")) {
        (Some(pk), Some(sk)) => Ok(Key::new(table, pk, sk)),
        _ => Err(TableError::Refused("an item has no key".into())),
    }
}

/// The names and values of an expression, each with its placeholder.
#[derive(Default)]
struct Expression {
    names: HashMap<String, String>,
    values: Attributes,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn path(&mut self, path: &Path) -> String {
        let attribute = self.name(&path.attribute);
        match &path.entry {
            None => attribute,
            Some(entry) => format!("{attribute}.{}", self.name(entry)),
        }
    }

    fn compare(&mut self, path: &Path, operator: &str, value: AttributeValue) -> String {
        format!("{} {operator} {}", self.path(path), self.value(value))
    }

    /// The text of a condition; `None` for the condition that always holds.
    fn condition(&mut self, condition: &Condition) -> Option<String> {
        Some(match condition {
            Condition::Always => return None,
            Condition::Exists => format!("attribute_exists({})", self.name("pk")),
            Condition::Absent => format!("attribute_not_exists({})", self.name("pk")),
            Condition::Equals(path, value) => self.compare(path, "=", attribute(value)),
            Condition::Less(path, bound) => {
                self.compare(path, "<", AttributeValue::N(bound.to_string()))
            }
            Condition::AtLeast(path, bound) => {
                self.compare(path, ">=", AttributeValue::N(bound.to_string()))
            }
            Condition::All(parts) => self.join(parts, " AND "),
            Condition::Any(parts) => self.join(parts, " OR "),
        })
    }

    fn join(&mut self, parts: &[Condition], operator: &str) -> String {
        let parts: Vec<_> = parts
            .iter()
            .filter_map(|part| self.condition(part))
            .collect();
        format!("({})", parts.join(operator))
    }

    fn update(&mut self, update: &Update) -> String {
        let mut set = vec![];
        for (path, value) in &update.set {
            set.push(self.compare(path, "=", attribute(value)));
        }
        for (path, values) in &update.append {
            let (target, empty) = (self.path(path), self.value(AttributeValue::L(vec![])));
            let added = self.value(AttributeValue::L(values.iter().map(attribute).collect()));
            set.push(format!(
                "{target} = list_append(if_not_exists({target}, {empty}), {added})"
            ));
        }
        for (path, amount) in &update.add {
            let (target, zero) = (self.path(path), self.value(AttributeValue::N("0".into())));
            let added = self.value(AttributeValue::N(amount.to_string()));
            set.push(format!(
                "{target} = if_not_exists({target}, {zero}) + {added}"
            ));
        }
        let remove: Vec<_> = update.remove.iter().map(|path| self.path(path)).collect();
        let clause = |word: &str, parts: &[String]| match parts {
            [] => String::new(),
            parts => format!("{word} {} ", parts.join(", ")),
        };
        clause("SET", &set) + &clause("REMOVE", &remove)
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    fn values(&self) -> Option<Attributes> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

fn whole(key: &Key, item: &Item) -> Attributes {
    let mut whole = attributes(item);
    whole.extend(key_attributes(key));
    whole
}

/// True if the condition of a single write did not hold.
fn condition_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

fn write_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> WriteError {
    if condition_failed(error) {
        WriteError::ConditionFailed
    } else {
        table_error(error).into()
    }
}

#[async_trait]
impl Tables for DynamoTables {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        if let [key] = keys {
            let get = self.client.get_item().table_name(self.name(key.table)?);
            let get = get
                .set_key(Some(key_attributes(key)))
                .consistent_read(consistency == Consistency::Strong);
            let output = get.send().await.map_err(|error| table_error(&error))?;
            return Ok(vec![output.item.map(item).transpose()?]);
        }
        let mut distinct = keys.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let mut found = BTreeMap::new();
        for chunk in distinct.chunks(BATCH) {
            found.append(&mut self.batch(chunk, consistency).await?);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let mut expression = Expression::default();
        let condition = expression.condition(write.condition());
        let name = self.name(write.key().table)?;
        match write {
            Write::Update(update) => {
                let text = expression.update(update);
                let request = self
                    .client
                    .update_item()
                    .table_name(name)
                    .set_key(Some(key_attributes(&update.key)));
                let request = request
                    .update_expression(text)
                    .set_condition_expression(condition);
                let request = request.set_expression_attribute_names(expression.names());
                let request = request.set_expression_attribute_values(expression.values());
                request.send().await.map_err(|error| write_error(&error))?;
            }
            Write::Put { key, item, .. } => {
                let request = self
                    .client
                    .put_item()
                    .table_name(name)
                    .set_item(Some(whole(key, item)));
                let request = request.set_condition_expression(condition);
                let request = request.set_expression_attribute_names(expression.names());
                let request = request.set_expression_attribute_values(expression.values());
                request.send().await.map_err(|error| write_error(&error))?;
            }
            Write::Delete { key, .. } => {
                let request = self
                    .client
                    .delete_item()
                    .table_name(name)
                    .set_key(Some(key_attributes(key)));
                let request = request.set_condition_expression(condition);
                let request = request.set_expression_attribute_names(expression.names());
                let request = request.set_expression_attribute_values(expression.values());
                request.send().await.map_err(|error| write_error(&error))?;
            }
        }
        Ok(())
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let mut request = self.client.transact_write_items();
        for write in writes {
            request = request.transact_items(self.transact_item(write)?);
        }
        let Err(error) = request.send().await else {
            return Ok(());
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(table_error(&error).into());
        };
        let failed = |reason: &aws_sdk_dynamodb::types::CancellationReason| {
            reason.code.as_deref() == Some("ConditionalCheckFailed")
        };
        let reasons = cancelled.cancellation_reasons();
        let places: Vec<_> = (0..)
            .zip(reasons)
            .filter(|(_, reason)| failed(reason))
            .map(|(place, _)| place)
            .collect();
        if !places.is_empty() {
            return Err(TransactError::ConditionsFailed(places));
        }
        let text = DisplayErrorContext(&error).to_string();
        let mut codes = reasons.iter().filter_map(|reason| reason.code.as_deref());
        let for_good = codes.any(|code| OF_A_TRANSACTION.contains(&code));
        Err(if for_good {
            TableError::Refused(text)
        } else {
            TableError::Unavailable(text)
        }
        .into())
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let (partition, sort) = query.index.attributes();
        let mut expression = Expression::default();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let sort = Path::of(sort);
        let mut condition = expression.compare(&Path::of(partition), "=", text(&query.partition));
        // A key condition has at most one range, and `BETWEEN` includes the end of the range. The loop below removes
        // the items at this end.
        let range = match (&query.from, &query.below) {
            (None, None) => None,
            (Some(from), None) => Some(expression.compare(&sort, ">=", text(from))),
            (None, Some(below)) => Some(expression.compare(&sort, "<", text(below))),
            (Some(from), Some(below)) => {
                let (from, below) = (expression.value(text(from)), expression.value(text(below)));
                Some(format!(
                    "{} BETWEEN {from} AND {below}",
                    expression.path(&sort)
                ))
            }
        };
        if let Some(range) = range {
            condition = format!("{condition} AND {range}");
        }
        let (mut items, mut start): (Vec<Item>, _) = (vec![], None);
        loop {
            let missing = query.limit.saturating_sub(items.len());
            let request = self
                .client
                .query()
                .table_name(self.name(query.table)?)
                .set_index_name(query.index.name().map(str::to_owned))
                .consistent_read(query.index == Index::Primary);
            let request = request
                .key_condition_expression(&condition)
                .set_expression_attribute_names(expression.names())
                .set_expression_attribute_values(expression.values())
                .scan_index_forward(query.direction == Direction::Ascending)
                .limit(i32::try_from(missing).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let output = request.send().await.map_err(|error| table_error(&error))?;
            for attributes in output.items.unwrap_or_default() {
                let item = item(attributes)?;
                let place = item.get(&sort.attribute).and_then(Value::as_str);
                if query
                    .below
                    .as_deref()
                    .is_none_or(|below| place.is_some_and(|place| place < below))
                {
                    items.push(item);
                }
            }
            start = output.last_evaluated_key;
            if start.is_none() || items.len() >= query.limit {
                return Ok(IndexPage {
                    items,
                    more: start.is_some(),
                });
            }
        }
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        let request = self
            .client
            .scan()
            .table_name(self.name(table)?)
            .consistent_read(true);
        let request = request.set_exclusive_start_key(after.map(key_attributes));
        let output = request.send().await.map_err(|error| table_error(&error))?;
        page(table, output.items, output.last_evaluated_key)
    }
}

fn page(
    table: TableName,
    items: Option<Vec<Attributes>>,
    next: Option<Attributes>,
) -> Result<ScanPage, TableError> {
    let items = items
        .unwrap_or_default()
        .into_iter()
        .map(item)
        .collect::<Result<_, _>>()?;
    let next = next
        .filter(|next| !next.is_empty())
        .map(|next| key_of(table, &item(next)?))
        .transpose()?;
    Ok(ScanPage { items, next })
}

impl DynamoTables {
    fn transact_item(&self, write: &Write) -> Result<TransactWriteItem, TableError> {
        let mut expression = Expression::default();
        let condition = expression.condition(write.condition());
        let name = self.name(write.key().table)?;
        let item = TransactWriteItem::builder();
        Ok(match write {
            Write::Update(update) => {
                let text = expression.update(update);
                let update = UpdateItem::builder()
                    .table_name(name)
                    .set_key(Some(key_attributes(&update.key)))
                    .update_expression(text)
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.update(update.build().map_err(refused)?)
            }
            Write::Put {
                key, item: content, ..
            } => {
                let put = Put::builder()
                    .table_name(name)
                    .set_item(Some(whole(key, content)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.put(put.build().map_err(refused)?)
            }
            Write::Delete { key, .. } => {
                let delete = Delete::builder()
                    .table_name(name)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.delete(delete.build().map_err(refused)?)
            }
        }
        .build())
    }
}
