//! Transactions: their conflicts, and their tokens.

use dynoxide::{
    DynoxideError, Item,
    actions::{
        execute_transaction::{self, ExecuteTransactionRequest},
        transact_get_items::{self, TransactGet, TransactGetItem, TransactGetItemsRequest},
        transact_write_items::{
            self, TransactWriteItem, TransactWriteItemsRequest, TransactWriteItemsResponse,
        },
    },
    errors::CancellationReason,
};

use super::{
    Answer, DynamoDb,
    items::OfAnItem,
    quota::{self, OwnedItem},
    requests::Call,
    run,
    tokens::{Once, Token},
};

impl DynamoDb {
    pub(super) fn transact_get(&self, call: Call<'_>) -> Result<String, Answer> {
        let request: TransactGetItemsRequest = call.request()?;
        let items = self.ids(&request.transact_items).into_iter();
        let conflicts: Vec<bool> = items
            .map(|item| item.is_some_and(|item| self.locks.is_held(&item)))
            .collect();
        if conflicts.contains(&true) {
            return Err(cancelled(&conflicts).into());
        }
        let storage = self.storage();
        let Some(quota) = &self.quota else {
            let reply = run(transact_get_items::execute(&*storage, request))?;
            return Ok(serde_json::to_string(&reply)?);
        };
        let loads = quota::transact_get(&storage, &request)?;
        let reply = run(transact_get_items::execute(&*storage, request))?;
        quota.transact_get(&loads)?;
        Ok(serde_json::to_string(&reply)?)
    }

    pub(super) fn transact_write(&self, call: Call<'_>) -> Result<String, Answer> {
        let request: TransactWriteItemsRequest = call.request()?;
        let mut held = self.locks.held();
        // A repeated call is answered from its token, even if its items are in flight again.
        let conflicts = held.transact(self.ids(&request.transact_items));
        let token = Token::of(
            call.operation,
            request.client_request_token.as_deref(),
            &request.transact_items,
        )?;
        let once = self.once(token, |storage| {
            conflicts.map_err(|conflicts| cancelled(&conflicts))?;
            let act = || run(transact_write_items::execute(storage, request.clone()));
            let reply = match &self.quota {
                None => act()?,
                Some(quota) => {
                    let items = request.transact_items.iter().map(OwnedItem::of);
                    let items: Vec<_> = items.collect();
                    quota.transact_write(storage, &items, act)?
                }
            };
            Ok(serde_json::to_string(&reply)?)
        })?;
        match once {
            Once::First(reply) => Ok(reply),
            Once::Repeated(_) => self.repeated(&request),
        }
    }

    /// The answer to a repeated transaction: its capacity is that of reading the items.
    fn repeated(&self, request: &TransactWriteItemsRequest) -> Result<String, Answer> {
        let mode = request.return_consumed_capacity.as_deref();
        let mut reply = TransactWriteItemsResponse::default();
        if matches!(mode, Some("TOTAL" | "INDEXES")) {
            let items = request.transact_items.iter();
            let read = TransactGetItemsRequest {
                transact_items: items.filter_map(|item| self.reading(item)).collect(),
                return_consumed_capacity: mode.map(str::to_owned),
            };
            let read = run(transact_get_items::execute(&*self.storage(), read))?;
            reply.consumed_capacity = read.consumed_capacity;
        }
        Ok(serde_json::to_string(&reply)?)
    }

    fn reading(&self, write: &TransactWriteItem) -> Option<TransactGetItem> {
        let item = write.item()?;
        let names = self.key_names(item.table)?;
        let key = item
            .attributes
            .iter()
            .filter(|(name, _)| names.contains(name));
        Some(TransactGetItem {
            get: TransactGet {
                table_name: item.table.to_owned(),
                key: key
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect::<Item>(),
                ..TransactGet::default()
            },
        })
    }

    /// A transaction of statements. Its items are not known before it executes, so it conflicts with no other request;
    /// it still executes alone. A repeated call gets the first call's answer.
    pub(super) fn execute_transaction(&self, call: Call<'_>) -> Result<String, Answer> {
        let request: ExecuteTransactionRequest = call.request()?;
        let token = Token::of(
            call.operation,
            request.client_request_token.as_deref(),
            &request.transact_statements,
        )?;
        let once = self.once(token, |storage| {
            let reply = run(execute_transaction::execute(storage, request))?;
            Ok(serde_json::to_string(&reply)?)
        })?;
        let (Once::First(reply) | Once::Repeated(reply)) = once;
        Ok(reply)
    }
}

/// The error of a transaction that met other requests on some of its items.
fn cancelled(conflicts: &[bool]) -> DynoxideError {
    cancelled_for(conflicts.iter().map(|conflict| {
        conflict.then(|| CancellationReason {
            code: "TransactionConflict".to_owned(),
            message: Some("Transaction is ongoing for the item".to_owned()),
            item: None,
        })
    }))
}

/// The error of a transaction. There is a place for each of its items: the reason for which it cancels the transaction,
/// if it does.
pub(super) fn cancelled_for(
    reasons: impl Iterator<Item = Option<CancellationReason>>,
) -> DynoxideError {
    let none = || CancellationReason {
        code: "None".to_owned(),
        message: None,
        item: None,
    };
    let reasons: Vec<_> = reasons.map(|reason| reason.unwrap_or_else(none)).collect();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_str()).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    DynoxideError::TransactionCanceledException(message, reasons)
}
