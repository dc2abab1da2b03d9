//! The items that requests name.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use dynoxide::{
    Item,
    actions::{
        batch_write_item::WriteRequest, delete_item::DeleteItemRequest, put_item::PutItemRequest,
        transact_get_items::TransactGetItem, transact_write_items::TransactWriteItem,
        update_item::UpdateItemRequest,
    },
    storage::Storage,
    types::{KeySchemaElement, KeyType},
};

use super::{DynamoDb, locks::ItemId};

/// An item in a request: attributes that include its key.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub table: &'a str,
    pub attributes: &'a Item,
}

/// A request, or a part of one, about one item.
pub(super) trait OfAnItem {
    /// The item; `None` if the request has no action, which makes it fail.
    fn item(&self) -> Option<Named<'_>>;
}

fn named<'a>(table: &'a str, attributes: &'a Item) -> Named<'a> {
    Named { table, attributes }
}

impl OfAnItem for PutItemRequest {
    fn item(&self) -> Option<Named<'_>> {
        Some(named(&self.table_name, &self.item))
    }
}

impl OfAnItem for UpdateItemRequest {
    fn item(&self) -> Option<Named<'_>> {
        Some(named(&self.table_name, &self.key))
    }
}

impl OfAnItem for DeleteItemRequest {
    fn item(&self) -> Option<Named<'_>> {
        Some(named(&self.table_name, &self.key))
    }
}

impl OfAnItem for TransactWriteItem {
    fn item(&self) -> Option<Named<'_>> {
        let put = self.put.as_ref();
        let update = self.update.as_ref();
        let delete = self.delete.as_ref();
        let check = self.condition_check.as_ref();
        put.map(|put| named(&put.table_name, &put.item))
            .or_else(|| update.map(|update| named(&update.table_name, &update.key)))
            .or_else(|| delete.map(|delete| named(&delete.table_name, &delete.key)))
            .or_else(|| check.map(|check| named(&check.table_name, &check.key)))
    }
}

impl OfAnItem for TransactGetItem {
    fn item(&self) -> Option<Named<'_>> {
        Some(named(&self.get.table_name, &self.get.key))
    }
}

/// The item of a part of `BatchWriteItem`, which has its table elsewhere.
pub(super) fn of_batch<'a>(table: &'a str, request: &'a WriteRequest) -> Option<Named<'a>> {
    let put = request.put_request.as_ref().map(|put| &put.item);
    let delete = request.delete_request.as_ref().map(|delete| &delete.key);
    put.or(delete).map(|attributes| named(table, attributes))
}

/// The names of tables' key attributes, partition key first. Requests need them on arrival, before the storage is free.
#[derive(Default)]
pub(super) struct KeySchemas(RwLock<HashMap<String, Arc<[String]>>>);

impl KeySchemas {
    fn get(&self, table: &str) -> Option<Arc<[String]>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(table).cloned()
    }

    /// Reads a table's key attributes. The caller has the storage, so that no table changes meanwhile.
    fn load(&self, storage: &Storage, table: &str) -> Option<Arc<[String]>> {
        let table_data = storage.get_table_metadata(table).ok()??;
        let mut schema: Vec<KeySchemaElement> =
            serde_json::from_str(&table_data.key_schema).ok()?;
        schema.sort_by_key(|element| matches!(element.key_type, KeyType::RANGE));
        let names = schema.into_iter().map(|element| element.attribute_name);
        let names: Arc<[String]> = names.collect();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(table.to_owned(), names.clone());
        Some(names)
    }

    /// Forgets a table that was made or deleted.
    pub fn forget(&self, table: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(table);
    }
}

impl DynamoDb {
    /// The names of a table's key attributes; `None` if there is no such table.
    pub(super) fn key_names(&self, table: &str) -> Option<Arc<[String]>> {
        self.keys
            .get(table)
            .or_else(|| self.keys.load(&self.storage(), table))
    }

    /// The id of an item; `None` if the table is missing or the attributes lack a key, so that the request will fail.
    pub(super) fn id(&self, item: Named<'_>) -> Option<ItemId> {
        let names = self.key_names(item.table)?;
        let key = names
            .iter()
            .map(|name| item.attributes.get(name)?.to_key_string());
        Some(ItemId {
            table: item.table.to_owned(),
            key: key.collect::<Option<_>>()?,
        })
    }

    pub(super) fn ids<T: OfAnItem>(&self, requests: &[T]) -> Vec<Option<ItemId>> {
        let items = requests.iter().map(T::item);
        items.map(|item| self.id(item?)).collect()
    }
}
