//! Batches: each of their items is admitted or refused alone.

use std::collections::HashMap;

use dynoxide::{
    actions::{
        batch_get_item::{BatchGetItemRequest, KeysAndAttributes},
        batch_write_item::{BatchWriteItemRequest, WriteRequest},
    },
    storage::Storage,
};
use serde_json::{Value, json};

use super::{
    Answer, Load, Quota, Refusal, Table,
    reads::{self, consistency},
};

/// The parts of a batch that were refused, by table, and what the other parts cost.
pub(in crate::dynamodb) struct Unprocessed<T> {
    pub parts: Vec<(String, T)>,
    loads: Vec<Load>,
    first: Option<Refusal>,
}

impl<T> Unprocessed<T> {
    fn new() -> Self {
        Self {
            parts: vec![],
            loads: vec![],
            first: None,
        }
    }

    /// The answer to a batch of which nothing can be processed; `None` if nothing was refused.
    pub fn answer(&self) -> Option<Answer> {
        self.first.as_ref().map(Refusal::answer)
    }
}

impl Quota {
    /// Takes the writes whose partitions are starved out of a batch, and charges the others. Tables without any write
    /// left are out too.
    pub fn batch_write(
        &self,
        storage: &Storage,
        request: &mut BatchWriteItemRequest,
    ) -> dynoxide::Result<Unprocessed<WriteRequest>> {
        let mut out = Unprocessed::new();
        for (name, writes) in &mut request.request_items {
            let Some(table) = Table::of(storage, name)? else {
                continue;
            };
            for write in std::mem::take(writes) {
                let load = write_load(storage, &table, &write)?;
                if self.admit(load, &mut out) {
                    writes.push(write);
                } else {
                    out.parts.push((name.clone(), write));
                }
            }
        }
        let refused = &out.parts;
        request
            .request_items
            .retain(|name, writes| !writes.is_empty() || !refused.iter().any(|(of, _)| of == name));
        Ok(out)
    }

    /// As [`Self::batch_write`], for keys to read.
    pub fn batch_get(
        &self,
        storage: &Storage,
        request: &mut BatchGetItemRequest,
    ) -> dynoxide::Result<Unprocessed<Value>> {
        let mut out = Unprocessed::new();
        for (name, wanted) in &mut request.request_items {
            let consistency = consistency(wanted.consistent_read);
            let mut refused = vec![];
            for key in std::mem::take(&mut wanted.keys) {
                let load = reads::item(storage, name, &key, consistency)?;
                if self.admit(load.unwrap_or_default(), &mut out) {
                    wanted.keys.push(key);
                } else {
                    refused.push(key);
                }
            }
            if !refused.is_empty() {
                out.parts.push((name.clone(), again(wanted, &refused)));
            }
        }
        let refused = &out.parts;
        request.request_items.retain(|name, wanted| {
            !wanted.keys.is_empty() || !refused.iter().any(|(of, _)| of == name)
        });
        Ok(out)
    }

    /// Gives back what was charged for a batch that failed whole.
    pub fn refund_batch<T>(&self, unprocessed: &Unprocessed<T>) {
        unprocessed.loads.iter().for_each(|load| self.refund(load));
    }

    fn admit<T>(&self, load: Load, out: &mut Unprocessed<T>) -> bool {
        match self.spend(&load) {
            Ok(()) => {
                out.loads.push(load);
                true
            }
            Err(refusal) => {
                out.first.get_or_insert(refusal);
                false
            }
        }
    }
}

/// The cost of a write in a batch. It has no condition, so it is known before the write is executed.
fn write_load(storage: &Storage, table: &Table, write: &WriteRequest) -> dynoxide::Result<Load> {
    let put = write.put_request.as_ref().map(|put| &put.item);
    let delete = write.delete_request.as_ref().map(|delete| &delete.key);
    let Some(key) = put.or(delete) else {
        return Ok(Load::default());
    };
    let before = table.stored(storage, key)?;
    Ok(table.write(key, before.as_ref(), put))
}

/// Keys that were refused, in the form in which the request had them.
fn again(wanted: &KeysAndAttributes, keys: &[HashMap<String, dynoxide::AttributeValue>]) -> Value {
    let members = [
        ("ConsistentRead", json!(wanted.consistent_read)),
        ("ProjectionExpression", json!(wanted.projection_expression)),
        (
            "ExpressionAttributeNames",
            json!(wanted.expression_attribute_names),
        ),
        ("AttributesToGet", json!(wanted.attributes_to_get)),
    ];
    let mut again = serde_json::Map::new();
    again.insert("Keys".to_owned(), json!(keys));
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    again.extend(present.map(|(name, value)| (name.to_owned(), value)));
    again.into()
}

/// Adds keys that were refused to the unprocessed keys of a reply, which may have keys of the same table already.
pub(in crate::dynamodb) fn add_keys(
    to: &mut HashMap<String, Value>,
    refused: Vec<(String, Value)>,
) {
    for (table, more) in refused {
        let Some(known) = to.get_mut(&table) else {
            to.insert(table, more);
            continue;
        };
        let keys = known.get_mut("Keys").and_then(Value::as_array_mut);
        let more = more.get("Keys").and_then(Value::as_array);
        if let (Some(keys), Some(more)) = (keys, more) {
            keys.extend(more.iter().cloned());
        }
    }
}
