//! Records that should not be in the log, and events that the log lacks.

use std::sync::Arc;

use alpes_consumer::{Parked, Reason};
use alpes_event_store::Handled;
use alpes_messages::Event;
use alpes_ports::{Log, LogError, NewRecord, SequenceNumber};
use alpes_saga::SagaId;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use e2e::{Booked, Outcome, PARKING, Stack, at_its_own_time, eventually, nobody, sample};
use events::IdReserva;
use serde_json::json;
use vuelos::{APROBAR_RESERVA, CANCELAR_RESERVA, CREAR_RESERVA, Vuelos};

/// A log that acknowledges every record and stores none.
struct Forgetful;

#[async_trait]
impl Log for Forgetful {
    async fn append(&self, _: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        Ok(SequenceNumber("0".into()))
    }
}

/// How the bytes of the unreadable records of [`passed`] begin.
const MARKER: &str = "marker";

/// Appends an unreadable record, and waits until every consumer has parked it. By then each consumer has received the
/// records before it.
pub(crate) fn passed(stack: &Stack, id: IdReserva) {
    let marker = format!("{MARKER} {}", nobody());
    stack.append(id, marker.as_bytes());
    eventually("every consumer has seen the log", || {
        let parked = stack.parked(id).into_iter();
        let parked: Vec<_> = parked
            .filter(|(_, data)| data == marker.as_bytes())
            .collect();
        (parked.len() == PARKING.len()).then(|| stack.forget(&parked))
    });
}

/// The parked records of a reservation, without those of [`passed`]: a consumer that receives one again, after the test
/// has deleted it, parks it again.
fn parked(stack: &Stack, id: IdReserva) -> Vec<(Parked, Vec<u8>)> {
    let mut parked = stack.parked(id);
    parked.retain(|(_, data)| !data.starts_with(MARKER.as_bytes()));
    parked
}

#[test]
fn a_second_delivery_changes_nothing() {
    let stack = Stack::from_env();
    let booked = stack.booked(&at_its_own_time(sample()));
    let id = booked.id;
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    passed(&stack, id);
    let (row, saga) = (stack.row(id).unwrap(), stack.saga(booked));
    assert_eq!(row["guard"], json!({ "gds": 1, "pago": 1, "reserva": 2 }));
    for text in stack.committed(id).iter().cycle().take(9) {
        stack.append(id, text);
    }
    passed(&stack, id);
    assert_eq!(stack.row(id).unwrap(), row, "not even written again");
    assert_eq!(stack.saga(booked), saga);
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
}

#[test]
fn a_gap_in_the_log_is_healed_from_the_stream() {
    let stack = Stack::from_env();
    let id = nobody();
    let store = stack.store_with(|ports| ports.log = Arc::new(Forgetful));
    let journey = at_its_own_time(sample());
    for (kind, data) in [
        (CREAR_RESERVA, journey.clone()),
        (APROBAR_RESERVA, json!({})),
        (CANCELAR_RESERVA, json!({ "motivo": "cambio de planes" })),
    ] {
        let command = stack.command(kind, id, data);
        let handled = stack.wait(store.handle(&Vuelos, &command)).unwrap();
        assert!(matches!(handled, Handled::Committed { .. }), "{handled:?}");
    }
    let stream = stack.stream(id);
    assert_eq!(stream.version(), 3);
    assert!(stack.log_of(id).is_empty());
    stack.append(id, stream.events[2].as_bytes());
    let healed = stack.seen_as(id, "Cancelada");
    assert_eq!(healed["itinerarios"], journey["itinerarios"]);
    let row = stack.row(id).unwrap();
    assert_eq!(row["guard"], json!({ "reserva": 3 }));

    // The missing events arrive late, out of order and twice. The projector has already read them from the event
    // stream.
    for late in [1, 2, 1] {
        stack.append(id, stream.events[late].as_bytes());
    }
    passed(&stack, id);
    assert_eq!(stack.row(id).unwrap(), row);

    // The late event opens the saga. The coordinator then reads the event streams, which show that the reservation was
    // cancelled long ago.
    stack.append(id, stream.events[0].as_bytes());
    let created: Event = serde_json::from_str(&stream.events[0]).unwrap();
    let saga = SagaId(created.correlationid.0);
    let outcome = stack.outcome(Booked { id, saga });
    assert_eq!(outcome, Outcome::REFUNDED);
    let left = parked(&stack, id);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_batch_that_the_runtime_gave_up_is_parked_and_tried_again() {
    let stack = Stack::from_env();
    let booked = stack.booked(&at_its_own_time(sample()));
    let id = booked.id;
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    passed(&stack, id);
    let row = stack.row(id).unwrap();
    let record = |place: u32, data: &[u8]| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": id.to_string(),
                "sequenceNumber": format!("{:056}", place),
                "data": STANDARD.encode(data),
                "approximateArrivalTimestamp": 1_769_853_600.5,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("shard-{id}:{place:056}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/any",
            "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/any",
        })
    };
    let created = stack.stream(id).events[0].clone();
    let batch = json!({ "Records": [record(1, created.as_bytes()), record(2, b"rubbish")] });
    let name = std::env::var("ALPES_STACK").unwrap();
    // The message that Lambda writes when its retries are used up.
    let note = json!({
        "requestContext": {
            "requestId": "c9b8fa9f",
            "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{name}-projector"),
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 21,
        },
        "version": "1.0",
        "payload": batch.to_string(),
    });
    let key = format!("aws/lambda/{id}/shardId-000000000000/1");
    let note = note.to_string();
    let put = stack.undelivered.put(&key, note.as_bytes());
    stack.wait(put).unwrap();
    // Both records are parked and retried at once. The good record is then handled.
    let parked = eventually("one is parked", || {
        stack.task(&json!({ "task": "parked" }));
        Some(parked(&stack, id)).filter(|parked| parked.len() == 1)
    });
    let (parked, data) = &parked[0];
    assert_eq!(
        (&*parked.owner, parked.reason, data.as_slice()),
        ("projector", Reason::Undelivered, b"rubbish".as_slice())
    );
    assert_eq!(stack.wait(stack.undelivered.get(&key)).unwrap(), None);
    assert_eq!(stack.row(id).unwrap(), row, "the view had it already");

    stack
        .wait(stack.parking().discard(parked, "a test's own"))
        .unwrap();
    let (discarded, _) = &self::parked(&stack, id)[0];
    assert_eq!(discarded.discarded.as_ref().unwrap().note, "a test's own");
    stack.wait(stack.parking().remove(parked)).unwrap();
}
