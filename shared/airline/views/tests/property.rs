//! Tests that the airline's views equal the fold of its event streams, under any deliveries and during a rebuild.
#![cfg(test)]

mod common;

use alpes_event_store::Stream;
use alpes_messages::StreamId;
use common::{Airline, Bench, id};
use domain_kit::record;
use events::VUELOS;
use serde_json::json;

domain_kit::views_equal_the_fold!(Airline);

#[test]
fn a_stream_in_the_log_alone_is_folded_too() {
    // Events of the tutorials' own code are in the log, and in no item of the table of streams.
    let bench = Bench::new();
    let reservation = id(77).to_string();
    let event = json!({
        "id": "f9be90a4-a393-4547-8e0b-c4fab3762001", "time": 1_669_122_600_000_i64, "ingestion": 1_669_122_600_001_i64,
        "specversion": "v1", "type": "ReservaCreada", "datacontenttype": "AVRO", "service_name": "aeroalpes",
        "data": { "id_reserva": reservation, "id_cliente": "None", "estado": "PENDIENTE", "fecha_creacion": 1_669_122_600_000_i64 },
    });
    bench.settle(&[record(&reservation, event.to_string().as_bytes())]);
    let row = bench.row(id(77)).unwrap();
    assert_eq!(
        (row["estado"].as_str(), row["guard"].clone()),
        (Some("Pendiente"), json!({ "reserva": 1 }))
    );
    assert_eq!(row["fecha_creacion"], "2022-11-22T13:10:00.000Z");
    assert_eq!(
        Stream::key(StreamId::new(VUELOS, id(77))).pk,
        format!("reserva-{reservation}")
    );
    assert_eq!(bench.stream_items(), 0);
}
