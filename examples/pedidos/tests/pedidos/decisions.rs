//! Tests the decisions of the rules, and the conversion of older events.

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Paired};
use alpes_messages::{Command, CommandId, Event, Problem, SubjectId};
use futures::executor::block_on;
use pedidos::{ShopEvent, catalogue, events::Line, rules::Rules};
use serde_json::{Value, json};
use twins::MemoryTables;
use uuid::Uuid;

use crate::provider::Ledger;

const ORDER: SubjectId = SubjectId(Uuid::from_u128(7));

fn decide(kind: &str, data: Value) -> Decision {
    let rules = Paired(Rules(Arc::new(Ledger(Arc::new(MemoryTables::new())))));
    let command = Command {
        id: CommandId(Uuid::from_u128(1)),
        ..Command::opening(kind, ORDER, data)
    };
    let now = jiff::Timestamp::UNIX_EPOCH.into();
    block_on(rules.decide(&Case::first(&[], &command, now))).unwrap()
}

fn refused(kind: &str, data: Value) -> Problem {
    match decide(kind, data) {
        Decision::Reject(problem) => problem,
        other => panic!("{other:?}"),
    }
}

fn order(lines: &Value) -> Value {
    json!({ "lines": lines, "card": "visa", "country": "CO" })
}

#[test]
fn an_order_costs_what_the_shop_says() {
    let lines = json!([{ "product": "lamp", "units": 2 }, { "product": "table", "units": 1 }]);
    let Decision::Commit { events, .. } = decide("PlaceOrder", order(&lines)) else {
        panic!("it is not placed");
    };
    assert_eq!(events[0].data["total"], json!(52_000));
}

#[test]
fn a_refusal_names_the_field_and_its_rule() {
    let line = |product: &str, units: Value| json!({ "product": product, "units": units });
    let lamp = line("lamp", json!(1));
    for (lines, field, rule) in [
        (json!([]), "lines", "empty"),
        (
            json!([lamp, line("dodo", json!(1))]),
            "lines[1].product",
            "unknown",
        ),
        (json!([lamp, lamp]), "lines[1].product", "repeated"),
        (json!([line("lamp", json!(0))]), "lines[0].units", "range"),
        (json!([line("lamp", json!(101))]), "lines[0].units", "range"),
        (json!([line("lamp", json!("1"))]), "lines[0].units", "form"),
    ] {
        let problem = refused("PlaceOrder", order(&lines));
        let violation = &problem.errores[0];
        assert_eq!((violation.campo.as_str(), &*violation.regla), (field, rule));
        assert_eq!(problem.status, 400);
    }
    let unknown = json!({ "lines": [lamp], "card": "visa", "country": "CO", "total": 1 });
    assert_eq!(
        refused("PlaceOrder", unknown).status,
        400,
        "a price is the shop's"
    );
    assert_eq!(refused("StealOrder", json!({})).status, 409);
}

#[test]
fn an_order_of_version_1_is_read_as_one_of_version_2() {
    let old = json!({
        "specversion": "1.0",
        "id": Uuid::from_u128(3),
        "source": "/shop/orders",
        "type": "OrderPlaced",
        "subject": ORDER,
        "time": "2024-02-29T08:00:00.000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:shop:schema:orders:OrderPlaced:v1",
        "stream": format!("orders-{ORDER}"),
        "streamversion": 1,
        "correlationid": ORDER,
        "causationid": ORDER,
        "data": { "product": "lamp", "units": 2, "total": 7_000, "card": "visa" },
    });
    let (event, what) = Event::decode(old.to_string().as_bytes(), &catalogue()).unwrap();
    let ShopEvent::OrderPlaced(placed) = what else {
        panic!("{what:?}");
    };
    let product = "lamp".to_owned();
    assert_eq!(placed.lines, [Line { product, units: 2 }]);
    assert_eq!((placed.total, placed.country.as_str()), (7_000, "CO"));
    assert!(event.dataschema.ends_with(":OrderPlaced:v2"));
}
