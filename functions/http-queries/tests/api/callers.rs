//! Tests of who may see what, by every way in which a caller becomes known.

use http_testing::{Answer, ask, with_context, with_header};
use lambda_http::Request;
use serde_json::json;

use crate::support::{Fixture, fixture};

const LATER: i64 = 4_000_000_000;

/// The callers of an open API: nobody, the owner, another client, an operator.
fn named(path: &str) -> [Request; 4] {
    let by = |header: &str, name: &str| with_header(ask("GET", path), header, name);
    [
        ask("GET", path),
        by("X-Cliente", "ana"),
        by("X-Cliente", "luis"),
        by("X-Operador", "marta"),
    ]
}

/// The same callers, as an authorizer tells them: nobody is told.
fn authorized(path: &str) -> [Request; 4] {
    let by = |rol: &str, name: &str| with_token(ask("GET", path), rol, name, LATER);
    [
        ask("GET", path),
        by("cliente", "ana"),
        by("cliente", "luis"),
        by("operador", "marta"),
    ]
}

/// The same callers, as their signatures tell them.
fn signed(path: &str) -> [Request; 4] {
    let by = |arn: &str, user: &str| {
        with_context(ask("GET", path), |context| {
            context["identity"]["userArn"] = json!(arn);
            context["identity"]["user"] = json!(user);
        })
    };
    [
        ask("GET", path),
        by("arn:aws:iam::123456789012:user/ana", "ana"),
        by("arn:aws:iam::123456789012:user/luis", "luis"),
        by(
            "arn:aws:sts::123456789012:assumed-role/operators/marta",
            "AROA:marta",
        ),
    ]
}

fn with_token(request: Request, rol: &str, name: &str, exp: i64) -> Request {
    with_context(request, |context| {
        context["authorizer"] = json!({
            "principalId": name, "rol": rol, "exp": exp.to_string(), "integrationLatency": 3,
        });
    })
}

fn with_access(access: &str) -> Fixture {
    fixture().over(|ports| {
        let operators = "arn:aws:sts::123456789012:assumed-role/operators/*";
        ports.settings = [("ACCESO", access), ("OPERADORES", operators)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    })
}

fn statuses(fixture: &Fixture, requests: &[Request]) -> Vec<u16> {
    let answers = requests.iter().map(|request| fixture.answer(request));
    answers
        .map(|answer: Answer| answer.status.as_u16())
        .collect()
}

#[test]
fn each_caller_sees_their_own_and_an_operator_sees_all() {
    type Ways = [(&'static str, fn(&str) -> [Request; 4], u16); 3];
    let ways: Ways = [
        ("abierto", named, 200),
        ("jwt", authorized, 401),
        ("iam", signed, 401),
    ];
    for (access, by, nobody) in ways {
        let fixture = with_access(access);
        let id = fixture.create(Some("ana"));
        let unowned = fixture.create(None);
        let fresh = fixture.fresh();
        for seen in [false, true] {
            if seen {
                fixture.project();
                fixture.run_sagas();
            }
            let own = [
                format!("/vuelos/reserva/{id}"),
                format!("/vuelos/reserva/{id}/eventos"),
                format!("/sagas/{}", fixture.saga_of(id)),
                "/vuelos/reserva?id_cliente=ana".to_owned(),
            ];
            for path in own {
                let expected = [nobody, 200, 404, 200];
                assert_eq!(statuses(&fixture, &by(&path)), expected, "{access} {path}");
            }
            let nobodys = [
                format!("/vuelos/reserva/{unowned}"),
                format!("/vuelos/reserva/{unowned}/eventos"),
                format!("/sagas/{}", fixture.saga_of(unowned)),
            ];
            for path in nobodys {
                let expected = [nobody, 404, 404, 200];
                assert_eq!(statuses(&fixture, &by(&path)), expected, "{access} {path}");
            }
        }
        for path in [
            "/sagas?estado=Completada",
            "/vuelos/reportes/totales",
            "/vuelos/reportes/reservas-por-dia",
        ] {
            assert_eq!(
                statuses(&fixture, &by(path)),
                [nobody, 403, 403, 200],
                "{access} {path}"
            );
        }
        let missing = format!("/vuelos/reserva/{fresh}");
        let nobody_sees = if nobody == 200 { 404 } else { nobody };
        assert_eq!(
            statuses(&fixture, &by(&missing)),
            [nobody_sees, 404, 404, 404],
            "{access}"
        );
        for public in ["/health", "/openapi.json"] {
            assert_eq!(
                statuses(&fixture, &by(public)),
                [200; 4],
                "{access} {public}"
            );
        }
    }
}

#[test]
fn a_list_without_a_filter_has_the_callers_own() {
    let fixture = with_access("abierto");
    let mine = fixture.create(Some("ana")).to_string();
    fixture.create(Some("luis"));
    fixture.project();
    let all = fixture.get("/vuelos/reserva").ok();
    assert_eq!(all["reservas"].as_array().unwrap().len(), 2);
    let own = with_header(ask("GET", "/vuelos/reserva"), "X-Cliente", "ana");
    let own = fixture.answer(&own).ok();
    let ids: Vec<_> = own["reservas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["id_reserva"])
        .collect();
    assert_eq!(ids, [&json!(mine)]);
}

#[test]
fn a_token_that_has_expired_since_and_an_unknown_role_are_nobody() {
    let fixture = with_access("jwt");
    let id = fixture.create(Some("ana"));
    let path = format!("/vuelos/reserva/{id}");
    let now = fixture.world.clock.now().as_second();
    for (rol, name, exp, status) in [
        ("cliente", "ana", now + 1, 200),
        ("cliente", "ana", now, 401),
        ("cliente", "", LATER, 401),
        ("cliente", "a b", LATER, 401),
        ("administrador", "ana", LATER, 401),
    ] {
        let request = with_token(ask("GET", &path), rol, name, exp);
        assert_eq!(
            fixture.answer(&request).status,
            status,
            "{rol} {name} {exp}"
        );
    }
    let headers = with_header(ask("GET", &path), "X-Operador", "marta");
    assert_eq!(
        fixture.answer(&headers).status,
        401,
        "headers are of an open API"
    );
}

#[test]
fn headers_that_name_no_caller_are_refused() {
    let fixture = with_access("abierto");
    let ask = || ask("GET", "/vuelos/reserva");
    let twice = with_header(with_header(ask(), "X-Cliente", "ana"), "X-Cliente", "ana");
    let both = with_header(
        with_header(ask(), "X-Cliente", "ana"),
        "X-Operador",
        "marta",
    );
    for request in [
        twice,
        both,
        with_header(ask(), "X-Cliente", "a b"),
        with_header(ask(), "X-Operador", ""),
    ] {
        assert_eq!(fixture.answer(&request).status, 400);
    }
}
