//! What operations on a table cost, and where.

use dynoxide::{
    DynoxideError, Item,
    storage::Storage,
    types::{
        GlobalSecondaryIndex, KeySchemaElement, KeyType, LocalSecondaryIndex, Projection,
        ProjectionType, item_size,
    },
};
use quotas::{Access, Charge, Consistency, Units, index_write};
use serde::de::DeserializeOwned;

use super::{Load, PartitionId};

/// The names of a key's attributes. An index may have several of each.
struct Keys {
    partition: Vec<String>,
    sort: Vec<String>,
}

struct Index {
    name: String,
    keys: Keys,
    projection: Projection,
}

/// An item's entry in an index: its partition and sort key, and what the index projects.
struct Entry {
    partition: String,
    sort: String,
    projected: Item,
}

/// A table as far as its costs depend on it.
pub(super) struct Table {
    name: String,
    on_demand: bool,
    keys: Keys,
    globals: Vec<Index>,
    locals: Vec<Index>,
}

impl Table {
    /// Reads a table's settings; `None` if there is no such table, so that the operation will fail.
    pub fn of(storage: &Storage, name: &str) -> dynoxide::Result<Option<Self>> {
        let Some(table) = storage.get_table_metadata(name)? else {
            return Ok(None);
        };
        let globals: Vec<GlobalSecondaryIndex> = parse(table.gsi_definitions.as_deref())?;
        let locals: Vec<LocalSecondaryIndex> = parse(table.lsi_definitions.as_deref())?;
        let globals = globals.into_iter().map(|index| Index {
            name: index.index_name,
            keys: Keys::of(index.key_schema),
            projection: index.projection,
        });
        let locals = locals.into_iter().map(|index| Index {
            name: index.index_name,
            keys: Keys::of(index.key_schema),
            projection: index.projection,
        });
        Ok(Some(Self {
            name: name.to_owned(),
            on_demand: table.billing_mode.as_deref() == Some("PAY_PER_REQUEST"),
            keys: Keys::of(parse(Some(&table.key_schema))?),
            globals: globals.collect(),
            locals: locals.collect(),
        }))
    }

    /// The stored item with the key that these attributes include.
    pub fn stored(&self, storage: &Storage, attributes: &Item) -> dynoxide::Result<Option<Item>> {
        let key = self.keys.partition_of(attributes);
        let Some((partition, sort)) = key.zip(self.keys.sort_of(attributes)) else {
            return Ok(None);
        };
        let stored = storage.get_item(&self.name, &partition, &sort)?;
        stored
            .map(|json| serde_json::from_str(&json).map_err(|error| internal(&error)))
            .transpose()
    }

    /// The cost of a write that changes an item from `before` to `after`. `key` has at least the item's key.
    pub fn write(&self, key: &Item, before: Option<&Item>, after: Option<&Item>) -> Load {
        let larger = size(before).max(size(after));
        let mut charges = vec![];
        if let Some(value) = self.keys.partition_of(key) {
            let mut units = Units::written(larger);
            // A local index shares the partition of its table.
            for index in &self.locals {
                let costs = self.index_write(index, before, after).into_iter();
                units = costs.fold(units, |sum, (_, units)| sum + units);
            }
            charges.push(self.charge(None, value, Access::Write, units));
        }
        for index in &self.globals {
            for (value, units) in self.index_write(index, before, after) {
                charges.push(self.charge(Some(index), value, Access::Write, units));
            }
        }
        self.load(charges)
    }

    fn index_write(
        &self,
        index: &Index,
        before: Option<&Item>,
        after: Option<&Item>,
    ) -> Vec<(String, Units)> {
        let entry = |item: Option<&Item>| item.and_then(|item| self.entry(index, item));
        let (before, after) = (entry(before), entry(after));
        let same = matches!((&before, &after), (Some(before), Some(after)) if before.projected == after.projected);
        let parts = |entry: Entry| (entry.partition, entry.sort, size(Some(&entry.projected)));
        index_write(before.map(parts), after.map(parts), same)
    }

    /// An item's entry in an index; `None` if the item lacks a key attribute of the index.
    fn entry(&self, index: &Index, item: &Item) -> Option<Entry> {
        Some(Entry {
            partition: index.keys.partition_of(item)?,
            sort: index.keys.sort_of(item)?,
            projected: self.projected(index, item),
        })
    }

    fn projected(&self, index: &Index, item: &Item) -> Item {
        let kind = index.projection.projection_type.as_ref();
        if matches!(kind, None | Some(ProjectionType::ALL)) {
            return item.clone();
        }
        let included = index.projection.non_key_attributes.as_deref();
        let included = included.unwrap_or_default();
        let kept = item.iter().filter(|(name, _)| {
            self.keys.have(name) || index.keys.have(name) || included.contains(name)
        });
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The cost of reading one item by its key.
    pub fn read(&self, key: &Item, stored: Option<&Item>, consistency: Consistency) -> Load {
        let units = Units::read(size(stored), consistency);
        let value = self.keys.partition_of(key);
        let charges = value.map(|value| self.charge(None, value, Access::Read, units));
        self.load(charges.into_iter().collect())
    }

    /// The cost of reading a page of items from the table or one of its indexes: each partition bears its share.
    pub fn page(&self, index: Option<&str>, items: &[Item], consistency: Consistency) -> Load {
        let global = self
            .globals
            .iter()
            .find(|global| Some(global.name.as_str()) == index);
        let keys = global.map_or(&self.keys, |global| &global.keys);
        let all: u64 = items.iter().map(|item| size(Some(item))).sum();
        let units = Units::read(all, consistency);
        let mut charges: Vec<Charge<PartitionId>> = vec![];
        for item in items {
            let Some(value) = keys.partition_of(item) else {
                continue;
            };
            let share = units.share(size(Some(item)), all);
            match charges.last_mut() {
                Some(last) if last.partition.value == value => last.units = last.units + share,
                _ => charges.push(self.charge(global, value, Access::Read, share)),
            }
        }
        self.load(charges)
    }

    fn load(&self, charges: Vec<Charge<PartitionId>>) -> Load {
        Load {
            on_demand: self.on_demand,
            charges,
        }
    }

    fn charge(
        &self,
        index: Option<&Index>,
        value: String,
        access: Access,
        units: Units,
    ) -> Charge<PartitionId> {
        Charge {
            partition: PartitionId {
                table: self.name.clone(),
                index: index.map(|index| index.name.clone()),
                value,
            },
            access,
            units,
        }
    }
}

impl Load {
    /// The cost of the same operation in a transaction.
    pub fn in_transaction(mut self) -> Self {
        for charge in &mut self.charges {
            charge.units = charge.units.in_transaction();
        }
        self
    }
}

impl Keys {
    fn of(schema: Vec<KeySchemaElement>) -> Self {
        let (partition, sort): (Vec<_>, Vec<_>) = schema
            .into_iter()
            .partition(|element| element.key_type == KeyType::HASH);
        let names = |elements: Vec<KeySchemaElement>| {
            let names = elements.into_iter().map(|element| element.attribute_name);
            names.collect()
        };
        Self {
            partition: names(partition),
            sort: names(sort),
        }
    }

    fn have(&self, name: &String) -> bool {
        self.partition.contains(name) || self.sort.contains(name)
    }

    fn partition_of(&self, item: &Item) -> Option<String> {
        joined(&self.partition, item)
    }

    fn sort_of(&self, item: &Item) -> Option<String> {
        joined(&self.sort, item)
    }
}

/// The values of key attributes, as dynoxide stores them if there is one. `None` if the item lacks one of them.
fn joined(names: &[String], item: &Item) -> Option<String> {
    let values = names.iter().map(|name| item.get(name)?.to_key_string());
    let values: Option<Vec<_>> = values.collect();
    values.map(|values| values.join("\u{1}"))
}

fn size(item: Option<&Item>) -> u64 {
    u64::try_from(item.map_or(0, item_size)).unwrap_or(u64::MAX)
}

fn parse<T: DeserializeOwned>(json: Option<&str>) -> dynoxide::Result<Vec<T>> {
    let json = json.filter(|json| !json.is_empty()).unwrap_or("[]");
    serde_json::from_str(json).map_err(|error| internal(&error))
}

fn internal(error: &serde_json::Error) -> DynoxideError {
    DynoxideError::InternalServerError(error.to_string())
}
