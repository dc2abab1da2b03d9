//! The operations: which action of `dynoxide` each one is, and whether it writes.

use dynoxide::{
    DynoxideError,
    actions::{
        batch_execute_statement, batch_get_item,
        batch_write_item::{self, BatchWriteItemRequest, WriteRequest},
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
    requests::Call,
    run,
};

impl DynamoDb {
    pub(super) fn dispatch(&self, operation: &str, body: &[u8]) -> Result<String, Answer> {
        let call = Call::new(operation, body)?;
        match operation {
            "GetItem" => self.read(call, get_item::execute),
            "BatchGetItem" => self.read(call, batch_get_item::execute),
            "Query" => self.read(call, query::execute),
            "Scan" => self.read(call, scan::execute),
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
        let reply = self.writing(|storage| run(action(storage, request)))?;
        Ok(serde_json::to_string(&reply)?)
    }

    /// Writes the items that no transaction holds, and returns the others as unprocessed.
    fn batch_write(&self, call: Call<'_>) -> Result<String, Answer> {
        let mut request: BatchWriteItemRequest = call.request()?;
        let mut held = self.locks.held();
        let refused = self.hold_batch(&mut request, &mut held)?;
        if request.request_items.is_empty() && !refused.is_empty() {
            return Ok(json!({"UnprocessedItems": by_table(refused)}).to_string());
        }
        let mut reply = self.writing(|storage| run(batch_write_item::execute(storage, request)))?;
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
