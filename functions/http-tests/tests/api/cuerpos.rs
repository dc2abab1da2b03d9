//! Tests of the faults that every test endpoint refuses.

use http_testing::{ask, post, with_header, with_other_header};
use serde_json::json;

use crate::support::fixture;

const PATHS: [&str; 4] = [
    "/pruebas/vuelos/CancelarReserva",
    "/pruebas/vuelos/eventos/ReservaCancelada",
    "/pruebas/fallas",
    "/pruebas/inventario",
];

#[test]
fn every_body_is_json_of_a_bounded_size() {
    let fixture = fixture();
    for path in PATHS {
        for (body, errores) in [
            ("", ["cuerpo: json"]),
            ("{", ["cuerpo: json"]),
            ("\u{fffd}", ["cuerpo: utf-8"]),
            ("[]", ["cuerpo: tipo"]),
            ("null", ["cuerpo: tipo"]),
            (r#"{"data":{"x":1,"\u0078":2}}"#, ["data.x: repetido"]),
            (
                r#"[[{"veces":1},{"veces":1,"veces":0}]]"#,
                ["cuerpo[0][1].veces: repetido"],
            ),
        ] {
            let answer = fixture.answer(&post(path, body));
            answer.assert_problem(400, "solicitud-invalida", path);
            assert_eq!(answer.errores(), errores, "{path}: {body}");
        }
        let huge = fixture.answer(&post(path, " ".repeat(64 * 1024 + 1)));
        huge.assert_problem(413, "cuerpo-demasiado-grande", path);
        let text = with_other_header(post(path, "{}"), "Content-Type", "text/plain");
        fixture
            .answer(&text)
            .assert_problem(415, "tipo-de-contenido", path);
        let coded = with_header(post(path, "{}"), "Content-Encoding", "gzip");
        let answer = fixture.answer(&coded);
        answer.assert_problem(415, "codificacion-de-contenido", path);
        assert_eq!(answer.errores(), ["Content-Encoding: formato"]);
        assert_eq!(answer.header("Accept-Encoding"), Some("identity"));
    }
    fixture.assert_nothing_happened("no body");
}

#[test]
fn a_command_and_an_event_say_of_what() {
    let fixture = fixture();
    for path in &PATHS[..2] {
        for (body, errores) in [
            (json!({}), vec!["id_reserva: requerido"]),
            (
                json!({"id_reserva": "uno", "id_correlacion": 2, "data": [], "otro": 1}),
                vec![
                    "otro: campo-desconocido",
                    "id_reserva: formato",
                    "id_correlacion: tipo",
                    "data: tipo",
                ],
            ),
        ] {
            let answer = fixture.answer(&post(path, body.to_string()));
            answer.assert_problem(400, "solicitud-invalida", path);
            assert_eq!(answer.errores(), errores, "{path}: {body}");
        }
        let keyed = with_header(post(path, "{}"), "Idempotency-Key", "a\tb");
        let answer = fixture.answer(&keyed);
        answer.assert_problem(400, "solicitud-invalida", path);
        assert_eq!(
            answer.errores(),
            ["Idempotency-Key: formato", "id_reserva: requerido"]
        );
    }
    fixture.assert_nothing_happened("of nothing");
}

#[test]
fn other_methods_and_paths_are_not_there() {
    let fixture = fixture();
    for path in PATHS {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            let answer = fixture.answer(&ask(method, path));
            answer.assert_problem(405, "metodo-no-permitido", path);
            assert_eq!(
                answer.header("Allow"),
                Some("OPTIONS, POST"),
                "{method} {path}"
            );
        }
    }
    for path in [
        "/",
        "/pruebas",
        "/pruebas/otra",
        "/vuelos",
        "/pruebas/vuelos/comandos/CrearReserva",
        "/pruebas/vuelos/eventos/ReservaCreada/1",
    ] {
        fixture
            .answer(&post(path, "{}"))
            .assert_problem(404, "no-existe", path);
    }
}

/// The texts that test endpoints accept in events and commands obey the same rule as the texts of clients.
#[test]
fn texts_are_held_to_the_rule_of_all_texts() {
    let fixture = fixture();
    let id = fixture.world.ids.fresh();
    for path in &PATHS[..2] {
        let body = json!({"id_reserva": id, "data": {"motivo": "a\u{ffff}b", "x": ["\u{7}"]}});
        let answer = fixture.answer(&post(path, body.to_string()));
        answer.assert_problem(400, "solicitud-invalida", path);
        assert_eq!(
            answer.errores(),
            ["data.motivo: caracteres", "data.x[0]: caracteres"],
            "{path}"
        );
    }
    fixture.assert_nothing_happened("no text");
}
