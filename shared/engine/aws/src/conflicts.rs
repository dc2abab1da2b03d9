//! Retries of `DynamoDB`'s transaction conflicts.
//!
//! While a transaction is ongoing for an item, `DynamoDB` refuses another write of this item, and writes nothing. The SDK
//! does not retry these refusals by itself:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>, section "Transaction conflict
//! handling". A transaction takes milliseconds, so the SDK's pauses suffice.

use aws_sdk_dynamodb::{
    config::retry::{ClassifyRetry, RetryAction},
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError,
        transact_write_items::TransactWriteItemsError, update_item::UpdateItemError,
    },
};
use aws_smithy_runtime_api::client::{
    interceptors::context::{Error, InterceptorContext},
    orchestrator::OrchestratorError,
};

/// Has the SDK retry a write that conflicts with a transaction, as often as it retries a throttle.
#[derive(Debug)]
pub(crate) struct Conflicts;

impl ClassifyRetry for Conflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        match failed.and_then(OrchestratorError::as_operation_error) {
            Some(error) if is_conflict(error) => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "transaction conflicts"
    }
}

fn is_conflict(error: &Error) -> bool {
    let put = error.downcast_ref::<PutItemError>();
    let update = error.downcast_ref::<UpdateItemError>();
    let delete = error.downcast_ref::<DeleteItemError>();
    let transact = error.downcast_ref::<TransactWriteItemsError>();
    put.is_some_and(PutItemError::is_transaction_conflict_exception)
        || update.is_some_and(UpdateItemError::is_transaction_conflict_exception)
        || delete.is_some_and(DeleteItemError::is_transaction_conflict_exception)
        || transact.is_some_and(is_cancelled_by_conflicts)
}

/// True if conflicts are all that cancelled the transaction. With another reason, a retry would be in vain.
fn is_cancelled_by_conflicts(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return false;
    };
    let codes = cancelled.cancellation_reasons().iter();
    let mut codes = codes
        .filter_map(|reason| reason.code())
        .filter(|code| *code != "None")
        .peekable();
    codes.peek().is_some() && codes.all(|code| code == "TransactionConflict")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use alpes_ports::{Condition, Item, Key, TableName, Tables, TransactError, Write, WriteError};
    use aws_smithy_types::retry::RetryConfig;

    use crate::{
        DynamoTables,
        recorded::{Exchange, Recorded, run},
    };

    const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException","message":"Transaction is ongoing for the item"}"#;
    const CANCELLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}]}"#;
    const IN_VAIN: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled","CancellationReasons":[{"Code":"ConditionalCheckFailed"},{"Code":"TransactionConflict"}]}"#;

    fn put(number: u32) -> Write {
        Write::Put {
            key: Key::new(TableName("t"), "p", number.to_string()),
            item: Item::new(),
            condition: Condition::Always,
        }
    }

    /// The result of some work with these answers and short pauses, and the number of attempts.
    fn retried<T>(answers: &[Recorded], ask: impl AsyncFnOnce(DynamoTables) -> T) -> (T, usize) {
        let exchange = Exchange::new(answers);
        let pause = Duration::from_millis(1);
        let retries = RetryConfig::standard().with_initial_backoff(pause);
        let config = exchange.config().retry_config(retries).build();
        let names = BTreeMap::from([("t".to_owned(), "t".to_owned())]);
        let told = run(ask(DynamoTables::new(&config, names)));
        (told, exchange.requests().len())
    }

    #[test]
    fn a_write_that_conflicts_with_a_transaction_is_retried() {
        let done = Recorded::of(200, "{}");
        let write = async |tables: DynamoTables| tables.write(&put(1)).await;
        let conflict = Recorded::of(400, CONFLICT);
        assert_eq!(retried(&[conflict, conflict, done], write), (Ok(()), 3));
        let (told, attempts) = retried(&[conflict; 3], write);
        assert!(matches!(told, Err(WriteError::Table(_))), "{told:?}");
        assert_eq!(attempts, 3);
    }

    #[test]
    fn a_transaction_that_only_conflicts_is_retried() {
        let done = Recorded::of(200, "{}");
        let transact = async |tables: DynamoTables| tables.transact(&[put(1), put(2)]).await;
        let cancelled = Recorded::of(400, CANCELLED);
        assert_eq!(retried(&[cancelled, done], transact), (Ok(()), 2));
        let failed = Err(TransactError::ConditionsFailed(vec![0]));
        let in_vain = Recorded::of(400, IN_VAIN);
        assert_eq!(retried(&[in_vain], transact), (failed, 1));
    }
}
