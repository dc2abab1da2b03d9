//! What this context asks of a payment provider.
//!
//! The two promises of [`Gateway`] must hold whatever calls run at the same time, and whichever answers are lost. A provider
//! that can void by the key of the request keeps them by itself. For one that cannot, the adapter needs a record of its own
//! for each key, written conditionally:
//!
//! - Before it charges, it notes under the key that it will, unless a void is noted; it charges with the key as the provider's
//!   idempotency key; then it notes the id of the charge.
//! - To void, it first notes the void, so that no charge begins from then on. If it had noted that it would charge, there may be
//!   one: it takes the noted id, or finds the charge at the provider by the idempotency key or the metadata it was given, and
//!   refunds it, again under a key of its own. Where one may still be on its way (noted, not found, and younger than the longest
//!   call), the answer is [`NoAnswer`], and the command comes again.

use alpes_event_store::Unavailable;
use async_trait::async_trait;
use events::vuelos::Pago;
use thiserror::Error;

/// What came of asking for a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cobro {
    /// It was made: this one, which is another than was asked for if the key was charged before.
    Cobrado(Pago),
    /// It was not made, and will not be under this key.
    Rechazado {
        /// Why: the provider's word.
        motivo: String,
    },
}

/// What came of voiding a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anulacion {
    /// There was a charge, and it is given back, now or before.
    Devuelto,
    /// There was none, and there will be none.
    SinCargo,
}

/// The provider did not answer. It may have done what it was asked; asking again is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the payment gateway did not answer: {0}")]
pub struct NoAnswer(pub String);

impl From<NoAnswer> for Unavailable {
    fn from(error: NoAnswer) -> Self {
        Self(error.to_string())
    }
}

/// A payment provider. One key is one charge.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Charges once under `key`, however often it is asked, and whatever it is asked later: the first outcome stands.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`].
    async fn cobrar(&self, key: &str, pago: &Pago) -> Result<Cobro, NoAnswer>;

    /// Voids what is under `key`: once this has returned, that charge is given back or will never be made.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`].
    async fn anular(&self, key: &str) -> Result<Anulacion, NoAnswer>;
}
