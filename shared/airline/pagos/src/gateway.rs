//! The port to a payment provider.
//!
//! The two promises of [`Gateway`] must hold under concurrent calls and lost answers. If the provider can void a charge
//! by the key of its request, the provider itself keeps both promises. For any other provider, the adapter needs a
//! record of its own for each key, written conditionally:
//!
//! - Before a charge, the adapter records under the key that it will charge, unless a void is recorded. The charge uses
//!   the key as the provider's idempotency key. Then the adapter records the id of the charge.
//!
//! - To void, the adapter first records the void, so that no charge begins from then on. If the adapter had recorded
//!   that it will charge, a charge may exist. The adapter then takes the recorded id of the charge, or finds the charge
//!   at the provider by its idempotency key or metadata, and refunds the charge under a separate key. If the charge is
//!   recorded, cannot be found, and is younger than the longest call, it may still be in flight. The answer is then
//!   [`NoAnswer`], and the command is retried.

use alpes_event_store::Unavailable;
use async_trait::async_trait;
use events::vuelos::Pago;
use thiserror::Error;

/// The outcome of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cobro {
    /// The provider charged this payment. If the key was charged before, this is the payment of the earlier charge.
    Cobrado(Pago),
    /// The provider declined, and will not charge under this key.
    Rechazado {
        /// The reason, as the provider gave it.
        motivo: String,
    },
}

/// The outcome of voiding a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anulacion {
    /// The key had a charge, which is now refunded.
    Devuelto,
    /// The key had no charge, and can never be charged.
    SinCargo,
}

/// The provider did not answer, but may have executed the call. Repeating the call is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the payment gateway did not answer: {0}")]
pub struct NoAnswer(pub String);

impl From<NoAnswer> for Unavailable {
    fn from(error: NoAnswer) -> Self {
        Self(error.to_string())
    }
}

/// A payment provider charges each key at most once.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Charges once under `key`. Later calls with the same key return the first outcome, even if they ask for another
    /// payment.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if the provider did not answer.
    async fn cobrar(&self, key: &str, pago: &Pago) -> Result<Cobro, NoAnswer>;

    /// Voids the charge under `key`. Once this call has returned, the charge is refunded or will never be made.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if the provider did not answer.
    async fn anular(&self, key: &str) -> Result<Anulacion, NoAnswer>;
}
