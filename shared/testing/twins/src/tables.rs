//! Tables in memory, with the rules of DynamoDB that the system relies on.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    ops::{Bound, Deref},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde_json::{Map, Value};

use alpes_ports::{
    Condition, Consistency, Direction, Found, Index, IndexPage, IndexQuery, Item, Key, Path,
    ScanPage, TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};

/// DynamoDB's limit on one item, in bytes.
const ITEM_BYTES: usize = 400 * 1024;
/// DynamoDB's limit on the writes of one transaction.
const TRANSACTION_WRITES: usize = 100;
/// The number of items on a page of a scan. The number is small, so that tests need several pages.
const SCAN_PAGE: usize = 100;

/// An entry of an index: table, index, partition, sort value, and the item's key.
type Place = (TableName, &'static str, String, String, Key);

/// The items by key, and the entries of the indexes.
#[derive(Default)]
struct Items {
    by_key: BTreeMap<Key, Item>,
    by_index: BTreeSet<Place>,
}

impl Deref for Items {
    type Target = BTreeMap<Key, Item>;

    fn deref(&self) -> &Self::Target {
        &self.by_key
    }
}

impl Items {
    fn store(&mut self, key: &Key, after: Option<Item>) {
        if let Some(before) = self.by_key.get(key) {
            for place in places(key, before) {
                self.by_index.remove(&place);
            }
        }
        match after {
            Some(item) => {
                self.by_index.extend(places(key, &item));
                self.by_key.insert(key.clone(), item);
            }
            None => drop(self.by_key.remove(key)),
        }
    }

    /// The items that a query covers, in order, each with its key.
    fn of(&self, query: &IndexQuery) -> Vec<(&Key, &Item)> {
        let (table, partition) = (query.table, query.partition.as_str());
        let from = query.from.as_deref().unwrap_or("");
        let below = |place: &str| query.below.as_deref().is_none_or(|below| place < below);
        let Some(index) = query.index.name() else {
            let of = self.by_key.range(Key::new(table, partition, from)..);
            let of = of.take_while(|(key, _)| key.table == table && key.pk == partition);
            return of.take_while(|(key, _)| below(&key.sk)).collect();
        };
        let first = Key::new(table, "", "");
        let first = (table, index, partition.to_owned(), from.to_owned(), first);
        let of = self.by_index.range(first..);
        let of = of.take_while(|(in_table, of, own, place, _)| {
            (*in_table, *of, own.as_str()) == (table, index, partition) && below(place)
        });
        let items = of.filter_map(|(.., key)| self.by_key.get_key_value(key));
        items.collect()
    }
}

/// The entries of an item in the indexes.
fn places<'a>(key: &'a Key, item: &'a Item) -> impl Iterator<Item = Place> + 'a {
    let indexes = [Index::Gsi1, Index::Gsi2].into_iter();
    indexes.filter_map(move |index| {
        let (partition, sort) = index.attributes();
        let text = |name: &str| Some(item.get(name)?.as_str()?.to_owned());
        let (partition, sort) = (text(partition)?, text(sort)?);
        Some((key.table, index.name()?, partition, sort, key.clone()))
    })
}

/// The twin of DynamoDB.
#[derive(Default)]
pub struct MemoryTables {
    items: Mutex<Items>,
}

impl MemoryTables {
    /// Tables without items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every item of a table with its key. The items lack their key attributes.
    #[must_use]
    pub fn all(&self, table: TableName) -> Vec<(Key, Item)> {
        self.find(table, |key, item| Some((key.clone(), item.clone())))
    }

    /// The item of a key, without its key attributes.
    #[must_use]
    pub fn item(&self, key: &Key) -> Option<Item> {
        self.lock().get(key).cloned()
    }

    /// The positions of the writes whose conditions fail.
    #[must_use]
    pub fn refused(&self, writes: &[Write]) -> Vec<usize> {
        failed(&self.lock(), writes)
    }

    /// The values that `look` finds in the items of a table, in the order of their keys.
    #[must_use]
    pub fn find<T>(
        &self,
        table: TableName,
        mut look: impl FnMut(&Key, &Item) -> Option<T>,
    ) -> Vec<T> {
        let items = self.lock();
        let of = items.range(Key::new(table, "", "")..);
        let of = of.take_while(|(key, _)| key.table == table);
        of.filter_map(|(key, item)| look(key, item)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Items> {
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

/// The object that contains the last part of `path`, and the name of this part.
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

/// The length of an item in bytes as JSON, counted without storing the text.
fn size(item: &Item) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    let written = serde_json::to_writer(&mut counter, item);
    written.map_or(usize::MAX, |()| counter.0)
}

/// The item after the write; `None` if it is deleted.
fn outcome(write: &Write, before: Option<&Item>) -> Result<Option<Item>, TableError> {
    let after = match write {
        Write::Update(update) => Some(apply(update, before.cloned().unwrap_or_default())?),
        Write::Put { item, .. } => Some(item.clone()),
        Write::Delete { .. } => None,
    };
    if let Some(item) = &after {
        if size(item) > ITEM_BYTES {
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

#[async_trait]
impl Tables for MemoryTables {
    async fn get(&self, keys: &[Key], _consistency: Consistency) -> Result<Found, TableError> {
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
        items.store(write.key(), after);
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
            items.store(key, after);
        }
        Ok(())
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let items = self.lock();
        let mut found = items.of(query);
        if query.direction == Direction::Descending {
            found.reverse();
        }
        let more = found.len() > query.limit;
        Ok(IndexPage {
            items: found
                .into_iter()
                .take(query.limit)
                .map(|(key, item)| with_key(key, item))
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
