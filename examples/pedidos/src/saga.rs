//! The saga of an order, as data: what each step asks of whom, and how it is undone.

use std::time::Duration;

use alpes_saga::{Definition, Expiry, Mapping, Step, Texts};

/// The saga. Its first step is done when the order is placed.
pub fn definition() -> Definition {
    let nothing = Mapping::empty;
    let reason = nothing().field("reason", "saga.reason");
    let lines = nothing().field("lines", "OrderPlaced.lines");
    let country = nothing().field("country", "OrderPlaced.country");
    let money = nothing()
        .field("amount", "OrderPlaced.total")
        .field("card", "OrderPlaced.card");
    Definition {
        name: "order",
        version: 1,
        // An order that waited for so long is cancelled instead of charged.
        expiry: Expiry {
            after: Duration::from_hours(24),
            reason: "expired",
        },
        patience: Duration::from_mins(1),
        texts: Texts::ENGLISH,
        steps: vec![
            Step::opening("PlaceOrder", "OrderPlaced").undone_by(
                "orders",
                "CancelOrder",
                reason,
                "OrderCancelled",
            ),
            Step::asking("stock", "ReserveStock", lines, "StockReserved")
                .failing_with("StockShort")
                .undone_by("stock", "ReleaseStock", nothing(), "StockReleased"),
            Step::asking("payments", "TakePayment", money, "PaymentTaken")
                .failing_with("PaymentDeclined")
                .undone_by("payments", "RefundPayment", nothing(), "PaymentRefunded"),
            Step::asking("shipping", "ShipOrder", country, "OrderShipped")
                .failing_with("ShippingRefused")
                .undone_by("shipping", "RecallShipment", nothing(), "ShipmentRecalled"),
        ],
    }
}
