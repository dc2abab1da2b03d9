//! The saga of an order as data: for each step its command, and the command that undoes the step.

use std::time::Duration;

use alpes_saga::{Definition, Expiry, Mapping, Step, Texts};

/// The saga's definition. Its first step is complete when the order is placed.
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
        // If an order's saga begins later than this, the order is cancelled and not charged.
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
