//! Decoding records of the log: events of every known version, and the reasons why other records fail.

#![cfg(test)]

use alpes_messages::{DecodeError, Event};
use serde_json::{Value, json};
use toy::{Fact, loan, loans::LoanOpened};

fn opened() -> LoanOpened {
    LoanOpened {
        loan: loan(7),
        reader: "ana".into(),
        opened: jiff::Timestamp::UNIX_EPOCH.into(),
        days: 21,
    }
}

/// Applies `change` to the JSON of a valid event, and decodes the result.
fn changed(change: impl FnOnce(&mut Value)) -> Result<(Event, Fact), DecodeError> {
    let text = toy::event(opened(), 1).encode().unwrap();
    let mut event = serde_json::from_str(&text).unwrap();
    change(&mut event);
    Event::decode(event.to_string().as_bytes(), &toy::catalogue())
}

#[test]
fn an_old_version_is_lifted_to_the_newest() {
    let (newest, fact) = changed(|_| {}).unwrap();
    let lifted = changed(|event| {
        event["dataschema"] = "urn:library:schema:loans:LoanOpened:v1".into();
        event["data"].as_object_mut().unwrap().remove("days");
    });
    assert_eq!(lifted.unwrap(), (newest, fact.clone()));
    assert_eq!(fact, Fact::LoanOpened(opened()));
}

#[test]
fn a_version_a_type_or_a_context_that_is_not_known_may_be_known_to_a_newer_build() {
    for schema in [
        "urn:library:schema:loans:LoanOpened:v3",
        "urn:library:schema:loans:LoanOpened:v0",
        "urn:library:schema:loans:LoanDreamt:v1",
        "urn:library:schema:cellar:LoanOpened:v1",
    ] {
        let unknown = changed(|event| event["dataschema"] = schema.into());
        assert_eq!(unknown, Err(DecodeError::UnknownType(schema.into())));
    }
    let text = toy::event(opened(), 1).encode().unwrap();
    let older = toy::catalogue().without("LoanOpened");
    let unknown = Event::decode(text.as_bytes(), &older).unwrap_err();
    assert!(matches!(unknown, DecodeError::UnknownType(_)), "{unknown}");
    assert_ne!(older.fingerprint(), toy::catalogue().fingerprint());
}

#[test]
fn what_contradicts_itself_or_its_schema_is_no_event() {
    let set = |field: &'static str, value: Value| changed(move |event| event[field] = value);
    for (field, value) in [
        ("specversion", json!("0.3")),
        ("type", json!("LoanCancelled")),
        ("source", json!("/library/deposits")),
        ("stream", json!(format!("deposit-{}", loan(7)))),
        ("subject", json!(loan(8))),
        ("streamversion", json!(0)),
        ("data", json!(["an", "array"])),
        ("data", json!({ "loan": loan(7) })),
    ] {
        let refused = set(field, value.clone());
        let is_refused = matches!(refused, Err(DecodeError::Undecodable(_)));
        assert!(is_refused, "{field} {value}: {refused:?}");
    }
}
