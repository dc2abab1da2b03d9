//! The operations: which action of `dynoxide` each one is, and whether it writes.

use dynoxide::{
    DynoxideError,
    actions::{
        batch_execute_statement,
        batch_get_item::{self, BatchGetItemRequest},
        batch_write_item::{self, BatchWriteItemRequest, BatchWriteItemResponse, WriteRequest},
        delete_item, describe_time_to_live, execute_statement, get_item, list_tables,
        list_tags_of_resource, put_item, query, scan, search_vectors, tag_resource, untag_resource,
        update_item, update_time_to_live,
    },
    storage::Storage,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Answer, DynamoDb,
    items::{OfAnItem, of_batch},
    locks::Held,
    quota::{self, Load, OwnedItem, Quota},
    requests::Call,
    run,
};

impl DynamoDb {
    pub(super) fn dispatch(&self, operation: &str, body: &[u8]) -> Result<String, Answer> {
        let call = Call::new(operation, body)?;
        match operation {
            "GetItem" => self.read_within(call, quota::get_item, get_item::execute),
            "BatchGetItem" => self.batch_get(call),
            "Query" => self.read_within(call, quota::query, query::execute),
            "Scan" => self.read_within(call, quota::scan, scan::execute),
            "SearchVectors" => self.read(call, async |storage: &Storage, request| {
                search_vectors::execute(storage, request, &self.vectors).await
            }),
            "PutItem" => self.write_item(call, put_item::execute),
            "UpdateItem" => self.write_item(call, update_item::execute),
            "DeleteItem" => self.write_item(call, delete_item::execute),
            "BatchWriteItem" => self.batch_write(call),
            "TransactGetItems" => self.transact_get(call),
            "TransactWriteItems" => self.transact_write(call),
            "ExecuteStatement" => self.write(call, statement),
            "BatchExecuteStatement" => self.write(call, batch_execute_statement::execute),
            "ExecuteTransaction" => self.execute_transaction(call),
            "CreateTable" => self.create_table(call),
            "UpdateTable" => self.update_table(call),
            "DeleteTable" => self.delete_table(call),
            "DescribeTable" => self.describe_table(call),
            "ListTables" => self.read(call, list_tables::execute),
            "UpdateTimeToLive" => self.write(call, update_time_to_live::execute),
            "DescribeTimeToLive" => self.read(call, describe_time_to_live::execute),
            "TagResource" => self.write(call, tag_resource::execute),
            "UntagResource" => self.write(call, untag_resource::execute),
            "ListTagsOfResource" => self.read(call, list_tags_of_resource::execute),
            "ListStreams" => self.list_streams(call),
            "DescribeStream" => self.describe_stream(call),
            "GetShardIterator" => self.get_shard_iterator(call),
            "GetRecords" => self.get_records(call),
            _ => Err(Answer::unknown(operation)),
        }
    }

    /// Runs an action that changes nothing.
    pub(super) fn read<Q: DeserializeOwned, R: Serialize>(
        &self,
        call: Call<'_>,
        action: impl AsyncFnOnce(&Storage, Q) -> dynoxide::Result<R>,
    ) -> Result<String, Answer> {
        let request = call.request()?;
        let reply = run(action(&self.storage(), request))?;
        Ok(serde_json::to_string(&reply)?)
    }

    /// Runs an action that reads items, within the quotas of their partitions. `weigh` says what the action costs.
    fn read_within<Q: DeserializeOwned, R: Serialize>(
        &self,
        call: Call<'_>,
        weigh: impl FnOnce(&Storage, &Q) -> dynoxide::Result<Vec<Load>>,
        action: impl AsyncFnOnce(&Storage, Q) -> dynoxide::Result<R>,
    ) -> Result<String, Answer> {
        let Some(quota) = &self.quota else {
            return self.read(call, action);
        };
        let request = call.request()?;
        let storage = self.storage();
        let loads = weigh(&storage, &request)?;
        let reply = run(action(&storage, request))?;
        quota.read(&loads)?;
        Ok(serde_json::to_string(&reply)?)
    }

    /// Reads the items whose partitions are not starved, and returns the keys of the others as unprocessed.
    fn batch_get(&self, call: Call<'_>) -> Result<String, Answer> {
        let Some(quota) = &self.quota else {
            return self.read(call, batch_get_item::execute);
        };
        let mut request: BatchGetItemRequest = call.request()?;
        let storage = self.storage();
        let refused = quota.batch_get(&storage, &mut request)?;
        if let Some(answer) = refused
            .answer()
            .filter(|_| request.request_items.is_empty())
        {
            return Err(answer);
        }
        let reply = run(batch_get_item::execute(&*storage, request));
        let mut reply = reply.inspect_err(|_| quota.refund_batch(&refused))?;
        quota::add_keys(&mut reply.unprocessed_keys, refused.parts);
        Ok(serde_json::to_string(&reply)?)
    }

    /// Runs an action that writes, whatever items are in flight.
    pub(super) fn write<Q: DeserializeOwned, R: Serialize>(
        &self,
        call: Call<'_>,
        action: impl AsyncFnOnce(&Storage, Q) -> dynoxide::Result<R>,
    ) -> Result<String, Answer> {
        let request = call.request()?;
        let reply = self.writing(|storage| run(action(storage, request)))?;
        Ok(serde_json::to_string(&reply)?)
    }

    /// Runs a write of one item.
    fn write_item<Q: DeserializeOwned + OfAnItem, R: Serialize>(
        &self,
        call: Call<'_>,
        action: impl AsyncFnOnce(&Storage, Q) -> dynoxide::Result<R>,
    ) -> Result<String, Answer> {
        let request: Q = call.request()?;
        let mut held = self.locks.held();
        let item = request.item().and_then(|item| self.id(item));
        if item.is_some_and(|item| !held.write(item)) {
            return Err(Answer::of(
                "TransactionConflictException",
                "Transaction is ongoing for the item",
            ));
        }
        let reply = self.writing(|storage| match &self.quota {
            None => Ok(run(action(storage, request))?),
            Some(quota) => self.undone_if_refused(storage, || {
                let item = OwnedItem::of(&request);
                quota.write(storage, item, || run(action(storage, request)))
            }),
        })?;
        Ok(serde_json::to_string(&reply)?)
    }

    /// Writes the items that no transaction holds and that the quotas admit, and returns the others as unprocessed.
    fn batch_write(&self, call: Call<'_>) -> Result<String, Answer> {
        let mut request: BatchWriteItemRequest = call.request()?;
        let mut held = self.locks.held();
        let mut refused = self.hold_batch(&mut request, &mut held)?;
        if request.request_items.is_empty() && !refused.is_empty() {
            return Ok(json!({"UnprocessedItems": by_table(refused)}).to_string());
        }
        let mut reply = self.writing(|storage| match &self.quota {
            None => Ok(run(batch_write_item::execute(storage, request))?),
            Some(quota) => batch_write_within(quota, storage, request, &mut refused),
        })?;
        reply.unprocessed_items.extend(by_table(refused));
        Ok(serde_json::to_string(&reply)?)
    }

    /// Takes the items of a batch. Those that a transaction holds leave the request.
    fn hold_batch(
        &self,
        request: &mut BatchWriteItemRequest,
        held: &mut Held<'_>,
    ) -> Result<Vec<(String, Value)>, Answer> {
        let mut refused = vec![];
        for (table, writes) in &mut request.request_items {
            let all = std::mem::take(writes);
            for write in all {
                let item = of_batch(table, &write).and_then(|item| self.id(item));
                if item.is_some_and(|item| !held.write(item)) {
                    refused.push((table.clone(), as_json(&write)?));
                } else {
                    writes.push(write);
                }
            }
        }
        for (table, _) in &refused {
            if request.request_items.get(table).is_some_and(Vec::is_empty) {
                request.request_items.remove(table);
            }
        }
        Ok(refused)
    }
}

/// Writes the items of a batch that the quotas admit, and adds the others to those that were refused before.
fn batch_write_within(
    quota: &Quota,
    storage: &Storage,
    mut request: BatchWriteItemRequest,
    refused: &mut Vec<(String, Value)>,
) -> Result<BatchWriteItemResponse, Answer> {
    let throttled = quota.batch_write(storage, &mut request)?;
    for (table, write) in &throttled.parts {
        refused.push((table.clone(), as_json(write)?));
    }
    match throttled.answer() {
        Some(answer) if request.request_items.is_empty() => {
            // AWS answers with an error only if nothing of the batch can be processed because of throttling.
            let all_throttled = refused.len() == throttled.parts.len();
            return if all_throttled {
                Err(answer)
            } else {
                Ok(BatchWriteItemResponse::default())
            };
        }
        _ => {}
    }
    let reply = run(batch_write_item::execute(storage, request));
    Ok(reply.inspect_err(|_| quota.refund_batch(&throttled))?)
}

fn as_json(write: &WriteRequest) -> Result<Value, Answer> {
    let put = write.put_request.as_ref();
    let delete = write.delete_request.as_ref();
    let put = put.map(|put| Ok(json!({"PutRequest": {"Item": serde_json::to_value(&put.item)?}})));
    let delete = delete
        .map(|delete| Ok(json!({"DeleteRequest": {"Key": serde_json::to_value(&delete.key)?}})));
    put.or(delete).unwrap_or(Ok(Value::Null))
}

fn by_table(writes: Vec<(String, Value)>) -> std::collections::HashMap<String, Value> {
    let mut tables = std::collections::HashMap::<String, Vec<Value>>::new();
    for (table, write) in writes {
        tables.entry(table).or_default().push(write);
    }
    let tables = tables.into_iter();
    tables
        .map(|(table, writes)| (table, writes.into()))
        .collect()
}

/// DynamoDB writes the item of a failed statement in another form than that of a failed write.
async fn statement(
    storage: &Storage,
    request: execute_statement::ExecuteStatementRequest,
) -> dynoxide::Result<execute_statement::ExecuteStatementResponse> {
    let result = execute_statement::execute(storage, request).await;
    result.map_err(|error| match error {
        DynoxideError::ConditionalCheckFailedException(message, Some(item)) => {
            DynoxideError::StatementConditionalCheckFailed(message, item)
        }
        error => error,
    })
}
