//! The matrix: every route, by every kind of caller.

use std::collections::BTreeSet;

use api::ROUTES;
use e2e::{Stack, at_its_own_time, sample};
use serde_json::{Value, json};

use crate::{
    routes::{expected, of_template},
    tokens::Tokens,
};

/// A reservation of the owner.
struct Booked {
    id: String,
    correlation: String,
}

struct Fixture {
    stack: Stack,
    owner: String,
}

impl Fixture {
    fn book(&self) -> Booked {
        let body = at_its_own_time(sample());
        let answer = self
            .stack
            .api
            .call("POST", "/vuelos/reserva", Some(&self.owner), &body);
        let made = answer.expect(202);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Booked {
            id: text("id_reserva"),
            correlation: text("id_correlacion"),
        }
    }

    fn status(&self, (path, method): (&str, &str), booked: &Booked, token: Option<&str>) -> u16 {
        let id = if path.starts_with("/sagas") {
            &booked.correlation
        } else {
            &booked.id
        };
        let concrete = path
            .replace("{id}", id)
            .replace("{contexto}", "gds")
            .replace("{comando}", "RevertirConfirmacion")
            .replace("{evento}", "ReservaGDSConfirmada");
        let query = if (path, method) == ("/sagas", "GET") || (path, method) == ("/sagas", "HEAD") {
            "?estado=Completada"
        } else {
            ""
        };
        let body = match path {
            "/vuelos/reserva" => at_its_own_time(sample()),
            "/vuelos/cotizacion" => json!({ "itinerarios": sample()["itinerarios"] }),
            _ => json!({}),
        };
        let answer = self
            .stack
            .api
            .call(method, &format!("{concrete}{query}"), token, &body);
        if method != "HEAD" && answer.status == 401 {
            let problem = answer.problem(401);
            assert_eq!(problem["type"], "urn:aeroalpes:problema:sin-identidad");
        }
        answer.status
    }
}

#[test]
#[ignore = "needs a stack with Acceso=jwt"]
fn every_route_answers_every_caller_as_it_must() {
    let tokens = Tokens::start();
    let fixture = Fixture {
        stack: Stack::from_env(),
        owner: tokens.owner(),
    };
    let list = |token: &str| {
        let api = &fixture.stack.api;
        api.call("GET", "/vuelos/reserva", Some(token), &Value::Null)
            .status
    };
    // The old key is good until the issuer takes it back. A token of the new key has the keys read again.
    assert_eq!(list(&tokens.of_old_key(1)), 200);
    tokens.rotate();
    assert_eq!(list(&tokens.of_new_key()), 200);

    let routes = of_template();
    let paths: BTreeSet<_> = routes.keys().map(String::as_str).collect();
    assert_eq!(paths, ROUTES.iter().map(|route| route.path).collect());
    let (other, operator, bad) = (tokens.other(), tokens.operator(), tokens.bad());
    let names = bad.iter().map(|(name, _)| *name);
    let names: Vec<&str> = names.chain(["other client", "owner", "operator"]).collect();
    println!("route by {}", names.join(", "));
    let mut wrong = vec![];
    let mut booked = fixture.book();
    for (path, method) in routes.iter().flat_map(|(path, methods)| {
        methods
            .iter()
            .map(move |method| (path.as_str(), method.as_str()))
    }) {
        let row = expected(path, method);
        let refused = bad.iter().map(|(_, token)| (token.as_deref(), row.nobody));
        // Those who may not come before those who may, while there is something to do.
        let callers = refused.chain([
            (Some(other.as_str()), row.other),
            (Some(fixture.owner.as_str()), row.owner),
            (Some(operator.as_str()), row.operator),
        ]);
        let (mut seen, mut must) = (vec![], vec![]);
        for (token, status) in callers {
            seen.push(fixture.status((path, method), &booked, token));
            must.push(status);
            if path.ends_with("/cancelacion") && seen.last() == Some(&202) {
                booked = fixture.book();
            }
        }
        let shown: Vec<_> = seen.iter().map(u16::to_string).collect();
        println!("{:7} {:42} {}", method, path, shown.join(" "));
        if seen != must {
            wrong.push(format!("{method} {path}: {seen:?}, and must be {must:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fixture.stack.must_log("authorizer");
    // Each line of a request's log names its caller.
    for (function, actor) in [
        ("http-commands", "cliente:ana"),
        ("http-queries", "operador:marta@aeroalpes.example"),
        ("http-tests", "operador:marta@aeroalpes.example"),
    ] {
        fixture.stack.must_tell(function, actor);
    }
}
