//! The answer of each path to each method.

use e2e::{Booked, Stack, at_its_own_time, sample};
use serde_json::Value;

/// Every method that the gateway passes on.
const ALL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The paths in the API's own description, each with its methods in the order of `Allow`.
fn described(stack: &Stack) -> Vec<(String, Vec<&'static str>)> {
    let openapi = stack.api.get("/openapi.json").expect(200);
    let paths = openapi["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let has = |method: &str| item[method].is_object();
        let mut methods = vec![];
        if has("get") {
            methods.extend(["GET", "HEAD"]);
        }
        methods.push("OPTIONS");
        methods.extend(has("post").then_some("POST"));
        (path.clone(), methods)
    };
    paths.iter().map(of_path).collect()
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let stack = Stack::from_env();
    let body = at_its_own_time(sample()).to_string();
    let id = Booked::from(&stack.api.book(body.as_bytes(), &[]))
        .id
        .to_string();
    let mut asked = 0;
    for (path, methods) in described(&stack) {
        if !methods.contains(&"HEAD") {
            continue;
        }
        let path = path.replace("{id}", &id);
        // Without a state in the query, the list of sagas is refused, to HEAD as to GET.
        let (head, got) = (stack.api.ask("HEAD", &path), stack.api.get(&path));
        assert_eq!(head.status, got.status, "HEAD {path}");
        assert_eq!(head.header("content-type"), got.header("content-type"));
        assert!(head.body.is_empty(), "HEAD {path}");
        assert!(!got.body.is_empty(), "GET {path}");
        let length = head.header("content-length");
        let right = got.body.len().to_string();
        // Other tests change the answers about reservations meanwhile.
        if ["/health", "/openapi.json", "/sagas"].contains(&&*path) {
            assert!(
                length.is_none_or(|length| length == right),
                "{path}: {length:?}"
            );
        }
        assert_ne!(length, Some("0"), "HEAD {path}");
        asked += 1;
    }
    assert_eq!(asked, 9);
}

#[test]
fn other_methods_are_refused_with_those_that_there_are() {
    let stack = Stack::from_env();
    let mut asked = 0;
    for (path, there) in described(&stack) {
        let filled = path
            .replace("{id}", "019c1350-4b80-7a11-8c01-5d6e7f8091a2")
            .replace("{contexto}", "pagos")
            .replace("{comando}", "PagarReserva")
            .replace("{evento}", "ReservaPagada");
        for method in ALL.into_iter().filter(|method| !there.contains(method)) {
            let answer = stack.api.ask(method, &filled);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(
                answer.header("allow"),
                Some(&*there.join(", ")),
                "{method} {path}"
            );
            if method == "HEAD" {
                assert!(answer.body.is_empty());
            } else {
                answer.problem(405);
            }
            asked += 1;
        }
        let options = stack.api.ask("OPTIONS", &filled);
        assert_eq!(options.status, 204, "OPTIONS {path}");
        assert_eq!(options.header("allow"), Some(&*there.join(", ")));
        assert_eq!(options.header("cache-control"), Some("no-store"));
    }
    assert!(asked >= 30, "{asked}");
}
