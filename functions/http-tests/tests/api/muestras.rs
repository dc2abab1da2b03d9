//! Tests of the sample events in `events/`. A REST API of API Gateway sends events in the form of these files, and
//! `cargo lambda watch` in the form of the files named `_v2`.

use crate::support::fixture;

const ID: &str = "019c1350-4b80-7a11-8c01-5d6e7f8091a2";

#[test]
fn every_sample_event_is_answered_as_its_name_says() {
    let samples = http_testing::samples(concat!(env!("CARGO_MANIFEST_DIR"), "/events"));
    assert_eq!(samples.len(), 10);
    for (name, request) in samples {
        let fixture = fixture();
        let body = fixture.answer(&request).accepted();
        match name.trim_end_matches("_v2") {
            "comando_crear_reserva" => {
                assert_eq!(body["eventos"][0]["type"], "ReservaCreada", "{name}");
            }
            "comando_pagar_reserva" => {
                assert_eq!(body["eventos"][0]["type"], "ReservaPagada", "{name}");
                assert_eq!(body["eventos"][0]["subject"], ID, "{name}");
            }
            "evento_pago_fallido" => {
                assert_eq!(body["type"], "PagoFallido", "{name}");
                assert_eq!(body["stream"], format!("pago-{ID}"), "{name}");
            }
            "fallas" => assert_eq!(body["modo"], "falla", "{name}"),
            "inventario" => assert_eq!(body["libres"], 1, "{name}"),
            other => panic!("the test expects nothing of {other}"),
        }
    }
}
