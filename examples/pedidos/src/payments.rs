//! Payments: a provider outside is asked before the commit, and remembers what a crash makes this process forget.

use alpes_event_store::{Decision, Unavailable};
use async_trait::async_trait;
use serde::Deserialize;

use crate::events::{PaymentDeclined, PaymentRefunded, PaymentTaken};

/// A payment provider. A key is one charge, whatever calls run side by side and whichever answers are lost.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Charges once under `key`: the first outcome stands. False if nothing is charged.
    async fn charge(&self, key: &str, card: &str, amount: u64) -> Result<bool, Unavailable>;

    /// Gives back what is charged under `key`, and charges nothing under it from then on.
    async fn void(&self, key: &str) -> Result<(), Unavailable>;
}

/// `TakePayment`.
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

/// Voids, whatever the stream says: a charge may have been made whose event was never committed.
pub(crate) async fn refund(provider: &dyn Provider, key: &str) -> Decided {
    provider.void(key).await?;
    Ok(Decision::commit(vec![PaymentRefunded {}.into()]))
}
