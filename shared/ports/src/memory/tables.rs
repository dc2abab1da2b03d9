//! Tables in memory, with DynamoDB's rules where ours rely on them.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    Condition, Consistency, Direction, Index, IndexPage, IndexQuery, Item, Key, Path, ScanPage,
    TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};

/// DynamoDB's limit on one item.
const ITEM_BYTES: usize = 400 * 1024;
/// DynamoDB's limit on one transaction.
const TRANSACTION_WRITES: usize = 100;
/// Items of one page of a scan: small, so that paging is exercised.
const SCAN_PAGE: usize = 100;

/// The twin of DynamoDB.
#[derive(Default)]
pub struct MemoryTables {
    items: Mutex<BTreeMap<Key, Item>>,
}

impl MemoryTables {
    /// Tables without items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every item of a table, by key, without key attributes.
    #[must_use]
    pub fn all(&self, table: TableName) -> Vec<(Key, Item)> {
        let items = self.lock();
        items
            .iter()
            .filter(|(key, _)| key.table == table)
            .map(|(key, item)| (key.clone(), item.clone()))
            .collect()
    }

    /// The item of a key, without key attributes.
    #[must_use]
    pub fn item(&self, key: &Key) -> Option<Item> {
        self.lock().get(key).cloned()
    }

    /// The places of those writes whose condition does not hold.
    #[must_use]
    pub fn refused(&self, writes: &[Write]) -> Vec<usize> {
        failed(&self.lock(), writes)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_key(key: &Key, item: &Item) -> Item {
    let mut item = item.clone();
    item.insert("pk".into(), Value::from(key.pk.clone()));
    item.insert("sk".into(), Value::from(key.sk.clone()));
    item
}

fn look<'a>(item: &'a Item, path: &Path) -> Option<&'a Value> {
    let attribute = item.get(&path.attribute)?;
    match &path.entry {
        None => Some(attribute),
        Some(entry) => attribute.as_object()?.get(entry),
    }
}

fn number(item: Option<&Item>, path: &Path) -> Option<i64> {
    look(item?, path)?.as_i64()
}

fn holds(condition: &Condition, item: Option<&Item>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Exists => item.is_some(),
        Condition::Absent => item.is_none(),
        Condition::Equals(path, value) => item.and_then(|item| look(item, path)) == Some(value),
        Condition::Less(path, bound) => number(item, path).is_some_and(|found| found < *bound),
        Condition::AtLeast(path, bound) => number(item, path).is_some_and(|found| found >= *bound),
        Condition::All(parts) => parts.iter().all(|part| holds(part, item)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, item)),
    }
}

fn failed(items: &BTreeMap<Key, Item>, writes: &[Write]) -> Vec<usize> {
    (0..)
        .zip(writes)
        .filter(|(_, write)| !holds(write.condition(), items.get(write.key())))
        .map(|(place, _)| place)
        .collect()
}

fn refused(text: impl Into<String>) -> TableError {
    TableError::Refused(text.into())
}

/// The object that holds the last step of `path`, where it exists.
fn parent<'a>(
    item: &'a mut Item,
    path: &'a Path,
) -> Result<(&'a mut Map<String, Value>, &'a str), TableError> {
    match &path.entry {
        None => Ok((item, &path.attribute)),
        Some(entry) => match item.get_mut(&path.attribute) {
            Some(Value::Object(object)) => Ok((object, entry)),
            _ => Err(refused(format!(
                "{} is not an object of the item",
                path.attribute
            ))),
        },
    }
}

fn apply(update: &Update, mut item: Item) -> Result<Item, TableError> {
    let paths = update.set.iter().map(|(path, _)| path);
    let paths = paths.chain(update.append.iter().map(|(path, _)| path));
    let paths = paths
        .chain(update.add.iter().map(|(path, _)| path))
        .chain(&update.remove);
    let mut seen = HashSet::new();
    for path in paths {
        if !seen.insert(path) {
            return Err(refused(format!("{path:?} is changed twice in one update")));
        }
    }
    for (path, value) in &update.set {
        let (object, name) = parent(&mut item, path)?;
        object.insert(name.to_owned(), value.clone());
    }
    for (path, values) in &update.append {
        let (object, name) = parent(&mut item, path)?;
        match object
            .entry(name.to_owned())
            .or_insert_with(|| Value::Array(vec![]))
        {
            Value::Array(list) => list.extend(values.iter().cloned()),
            _ => return Err(refused(format!("{path:?} is not a list"))),
        }
    }
    for (path, amount) in &update.add {
        let (object, name) = parent(&mut item, path)?;
        let slot = object
            .entry(name.to_owned())
            .or_insert_with(|| Value::from(0));
        let Some(sum) = slot.as_i64().and_then(|number| number.checked_add(*amount)) else {
            return Err(refused(format!("{path:?} is not a number")));
        };
        *slot = Value::from(sum);
    }
    for path in &update.remove {
        let (object, name) = parent(&mut item, path)?;
        object.remove(name);
    }
    Ok(item)
}

/// The item after the write; `None` when it is gone.
fn outcome(write: &Write, before: Option<&Item>) -> Result<Option<Item>, TableError> {
    let after = match write {
        Write::Update(update) => Some(apply(update, before.cloned().unwrap_or_default())?),
        Write::Put { item, .. } => Some(item.clone()),
        Write::Delete { .. } => None,
    };
    if let Some(item) = &after {
        if serde_json::to_vec(item).map_or(usize::MAX, |bytes| bytes.len()) > ITEM_BYTES {
            return Err(refused("Item size has exceeded the maximum allowed size"));
        }
        for name in ["gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"] {
            if item
                .get(name)
                .is_some_and(|value| value.as_str().is_none_or(str::is_empty))
            {
                return Err(refused(format!("{name} must be text, and not empty")));
            }
        }
    }
    Ok(after)
}

fn store(items: &mut BTreeMap<Key, Item>, key: &Key, after: Option<Item>) {
    match after {
        Some(item) => items.insert(key.clone(), item),
        None => items.remove(key),
    };
}

#[async_trait]
impl Tables for MemoryTables {
    async fn get(
        &self,
        keys: &[Key],
        _consistency: Consistency,
    ) -> Result<Vec<Option<Item>>, TableError> {
        let items = self.lock();
        Ok(keys
            .iter()
            .map(|key| items.get(key).map(|item| with_key(key, item)))
            .collect())
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let mut items = self.lock();
        let before = items.get(write.key());
        if !holds(write.condition(), before) {
            return Err(WriteError::ConditionFailed);
        }
        let after = outcome(write, before)?;
        store(&mut items, write.key(), after);
        Ok(())
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        if writes.is_empty() || writes.len() > TRANSACTION_WRITES {
            return Err(refused("a transaction has 1 to 100 writes").into());
        }
        let keys: HashSet<_> = writes.iter().map(Write::key).collect();
        if keys.len() != writes.len() {
            return Err(refused("a transaction writes each item once").into());
        }
        let mut items = self.lock();
        let failed = failed(&items, writes);
        if !failed.is_empty() {
            return Err(TransactError::ConditionsFailed(failed));
        }
        let mut results = Vec::with_capacity(writes.len());
        for write in writes {
            results.push((write.key(), outcome(write, items.get(write.key()))?));
        }
        for (key, after) in results {
            store(&mut items, key, after);
        }
        Ok(())
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let (partition, sort) = query.index.attributes();
        let items = self.lock();
        let mut found: Vec<(&str, Item)> = items
            .iter()
            .filter(|(key, _)| key.table == query.table)
            .filter_map(|(key, item)| {
                let (of, place) = match query.index {
                    Index::Primary => (key.pk.as_str(), key.sk.as_str()),
                    Index::Gsi1 | Index::Gsi2 => {
                        (item.get(partition)?.as_str()?, item.get(sort)?.as_str()?)
                    }
                };
                let inside = of == query.partition
                    && query.from.as_deref().is_none_or(|from| place >= from)
                    && query.below.as_deref().is_none_or(|below| place < below);
                inside.then(|| (place, with_key(key, item)))
            })
            .collect();
        found.sort_by_key(|(place, _)| *place);
        if query.direction == Direction::Descending {
            found.reverse();
        }
        let more = found.len() > query.limit;
        Ok(IndexPage {
            items: found
                .into_iter()
                .take(query.limit)
                .map(|(_, item)| item)
                .collect(),
            more,
        })
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        let items = self.lock();
        let start = after.map_or(Bound::Included(Key::new(table, "", "")), |key| {
            Bound::Excluded(key.clone())
        });
        let mut rest = items
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| key.table == table);
        let found: Vec<_> = rest.by_ref().take(SCAN_PAGE).collect();
        let next = rest
            .next()
            .and_then(|_| found.last().map(|(key, _)| (*key).clone()));
        Ok(ScanPage {
            items: found
                .into_iter()
                .map(|(key, item)| with_key(key, item))
                .collect(),
            next,
        })
    }
}
