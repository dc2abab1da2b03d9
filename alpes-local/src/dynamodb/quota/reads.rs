//! What reads cost.

use std::collections::HashMap;

use dynoxide::{
    Item,
    actions::{
        get_item::GetItemRequest,
        query::{self, QueryRequest},
        scan::{self, ScanRequest},
        transact_get_items::TransactGetItemsRequest,
    },
    storage::Storage,
};
use quotas::Consistency;

use super::{Answer, Load, Quota, Table};
use crate::dynamodb::{run, transactions::cancelled_for};

impl Quota {
    /// Charges a read, or refuses it.
    pub fn read(&self, loads: &[Load]) -> Result<(), Answer> {
        loads.iter().try_for_each(|load| Ok(self.spend(load)?))
    }

    /// Charges the reads of a transaction, or cancels it.
    pub fn transact_get(&self, loads: &[Load]) -> Result<(), Answer> {
        let spent = self.spend_all(loads);
        spent.map_err(|refusals| {
            let reasons = refusals.iter().map(|refusal| refusal.as_ref());
            cancelled_for(reasons.map(|refusal| Some(refusal?.cancellation()))).into()
        })
    }
}

/// The cost of `GetItem`.
pub(in crate::dynamodb) fn get_item(
    storage: &Storage,
    request: &GetItemRequest,
) -> dynoxide::Result<Vec<Load>> {
    let consistency = consistency(request.consistent_read);
    let load = item(storage, &request.table_name, &request.key, consistency)?;
    Ok(load.into_iter().collect())
}

/// The cost of `TransactGetItems`, for each of its items.
pub(in crate::dynamodb) fn transact_get(
    storage: &Storage,
    request: &TransactGetItemsRequest,
) -> dynoxide::Result<Vec<Load>> {
    let items = request.transact_items.iter().map(|wanted| {
        let (table, key) = (&wanted.get.table_name, &wanted.get.key);
        let load = item(storage, table, key, Consistency::Strong)?;
        Ok(load.unwrap_or_default().in_transaction())
    });
    items.collect()
}

/// The cost of reading one item; `None` if there is no such table.
pub(super) fn item(
    storage: &Storage,
    table: &str,
    key: &Item,
    consistency: Consistency,
) -> dynoxide::Result<Option<Load>> {
    let Some(table) = Table::of(storage, table)? else {
        return Ok(None);
    };
    let stored = table.stored(storage, key)?;
    Ok(Some(table.read(key, stored.as_ref(), consistency)))
}

/// The cost of `Query`. A query that finds nothing costs half a unit or one, which is not charged here.
pub(in crate::dynamodb) fn query(
    storage: &Storage,
    request: &QueryRequest,
) -> dynoxide::Result<Vec<Load>> {
    let expression = request.key_condition_expression.as_deref();
    let expression = expression.unwrap_or_default();
    // The same page without filter and projection, which change what is returned and not what is read.
    let whole = QueryRequest {
        table_name: request.table_name.clone(),
        key_condition_expression: request.key_condition_expression.clone(),
        expression_attribute_names: used(request.expression_attribute_names.as_ref(), expression),
        expression_attribute_values: used(request.expression_attribute_values.as_ref(), expression),
        key_conditions: request.key_conditions.clone(),
        scan_index_forward: request.scan_index_forward,
        limit: request.limit,
        exclusive_start_key: request.exclusive_start_key.clone(),
        exclusive_start_key_raw: request.exclusive_start_key_raw.clone(),
        index_name: request.index_name.clone(),
        ..QueryRequest::default()
    };
    let index = request.index_name.as_deref();
    let consistency = consistency(request.consistent_read);
    // A query with a mistake costs nothing: it fails with the error of its mistake.
    let items = run(query::execute(storage, whole)).ok();
    let items = items.and_then(|reply| reply.items).unwrap_or_default();
    page(storage, &request.table_name, index, &items, consistency)
}

/// The cost of `Scan`.
pub(in crate::dynamodb) fn scan(
    storage: &Storage,
    request: &ScanRequest,
) -> dynoxide::Result<Vec<Load>> {
    let whole = ScanRequest {
        table_name: request.table_name.clone(),
        limit: request.limit,
        exclusive_start_key: request.exclusive_start_key.clone(),
        exclusive_start_key_raw: request.exclusive_start_key_raw.clone(),
        index_name: request.index_name.clone(),
        segment: request.segment,
        total_segments: request.total_segments,
        ..ScanRequest::default()
    };
    let index = request.index_name.as_deref();
    let consistency = consistency(request.consistent_read);
    let items = run(scan::execute(storage, whole)).ok();
    let items = items.and_then(|reply| reply.items).unwrap_or_default();
    page(storage, &request.table_name, index, &items, consistency)
}

fn page(
    storage: &Storage,
    table: &str,
    index: Option<&str>,
    items: &[Item],
    consistency: Consistency,
) -> dynoxide::Result<Vec<Load>> {
    let table = Table::of(storage, table)?;
    let load = table.map(|table| table.page(index, items, consistency));
    Ok(load.into_iter().collect())
}

/// The names or values that an expression uses. DynamoDB refuses those that no expression uses.
fn used<T: Clone>(
    all: Option<&HashMap<String, T>>,
    expression: &str,
) -> Option<HashMap<String, T>> {
    let is_word = |letter: char| letter.is_alphanumeric() || "#:_".contains(letter);
    let words: Vec<_> = expression.split(|letter| !is_word(letter)).collect();
    let used = all?
        .iter()
        .filter(|(name, _)| words.contains(&name.as_str()));
    let used: HashMap<_, _> = used
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (!used.is_empty()).then_some(used)
}

pub(super) fn consistency(consistent: Option<bool>) -> Consistency {
    if consistent == Some(true) {
        Consistency::Strong
    } else {
        Consistency::Eventual
    }
}
