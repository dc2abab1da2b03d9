//! The rules: for each context, the command that acts, the command that undoes it, and the functions that decide.

use std::sync::Arc;

use alpes_event_store::{Case, Decision, Pair, PairRules, Unavailable};
use alpes_messages::{Command, Kind, Problem, Violation};
use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::{
    events::{ORDERS, PAYMENTS, SHIPPING, STOCK, ShopEvent},
    orders,
    payments::{self, Provider},
    shipping, stock,
};

/// The data of the command break the shop's rules. `errores` lists the fields at fault.
pub const INVALID: Kind = Kind::new("urn:shop:problem:invalid", "Not a valid command", 400);
/// The state of the order does not allow the command.
pub const REFUSED: Kind = Kind::new("urn:shop:problem:refused", "The command is refused", 409);

/// The rules of all contexts.
pub struct Rules(pub Arc<dyn Provider>);

#[async_trait]
impl PairRules<ShopEvent> for Rules {
    const PAIRS: &'static [Pair] = &[
        Pair::of(ORDERS, "PlaceOrder", "CancelOrder", "OrderCancelled"),
        Pair::of(STOCK, "ReserveStock", "ReleaseStock", "StockReleased"),
        Pair::of(PAYMENTS, "TakePayment", "RefundPayment", "PaymentRefunded"),
        Pair::of(SHIPPING, "ShipOrder", "RecallShipment", "ShipmentRecalled"),
    ];

    fn refuse(&self, why: &str) -> Problem {
        Problem::of(REFUSED).because(why)
    }

    async fn decide(
        &self,
        case: &Case<'_, ShopEvent>,
        done: Option<&ShopEvent>,
    ) -> Result<Decision, Unavailable> {
        let (provider, command) = (&*self.0, case.command);
        let key = command.subject.to_string();
        let decided = match command.kind.as_str() {
            "PlaceOrder" => read(command).and_then(orders::place),
            "CancelOrder" => read(command).map(orders::cancel),
            "ReserveStock" => read(command).map(|it| stock::reserve(it, case.refused)),
            "ReleaseStock" => Ok(stock::release(done)),
            "TakePayment" => match read(command) {
                Ok(it) => Ok(payments::take(provider, &key, it).await?),
                Err(problem) => Err(problem),
            },
            "RefundPayment" => Ok(payments::refund(provider, &key).await?),
            "ShipOrder" => read(command).map(shipping::ship),
            _ => Ok(shipping::recall()),
        };
        Ok(decided.unwrap_or_else(Decision::Reject))
    }
}

/// Reads the data of a command. The error names the field that has the wrong form.
fn read<T: DeserializeOwned>(command: &Command) -> Result<T, Problem> {
    let read = serde_path_to_error::deserialize(&command.data);
    read.or_else(|error| invalid(error.path().to_string(), "form", &error.inner().to_string()))
}

pub(crate) fn invalid<T>(at: String, rule: &'static str, why: &str) -> Result<T, Problem> {
    Err(Problem::of(INVALID).at(vec![Violation::new(at, rule, why)]))
}
