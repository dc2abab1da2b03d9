//! Payments: the rules call an external provider before the commit. After a crash between call and commit, the provider
//! still knows the charge.

use alpes_event_store::{Decision, Unavailable};
use async_trait::async_trait;
use serde::Deserialize;

use crate::events::{PaymentDeclined, PaymentRefunded, PaymentTaken};

/// A payment provider charges each key at most once, also under concurrent calls and lost answers.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Charges once under `key`; later calls return the first outcome. False if the card is declined.
    async fn charge(&self, key: &str, card: &str, amount: u64) -> Result<bool, Unavailable>;

    /// Refunds the charge under `key`, and charges nothing under it from then on.
    async fn void(&self, key: &str) -> Result<(), Unavailable>;
}

/// The data of `TakePayment`.
#[derive(Deserialize)]
pub struct TakePayment {
    amount: u64,
    card: String,
}

type Decided = Result<Decision, Unavailable>;

pub(crate) async fn take(provider: &dyn Provider, key: &str, it: TakePayment) -> Decided {
    let TakePayment { amount, card } = it;
    let event = if provider.charge(key, &card, amount).await? {
        PaymentTaken { amount }.into()
    } else {
        PaymentDeclined {}.into()
    };
    Ok(Decision::commit(vec![event]))
}

/// Voids the charge whatever events the stream has, because the event of a charge may never have been committed.
pub(crate) async fn refund(provider: &dyn Provider, key: &str) -> Decided {
    provider.void(key).await?;
    Ok(Decision::commit(vec![PaymentRefunded {}.into()]))
}
