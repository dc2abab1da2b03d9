//! Tests of the function, with questions as the gateway asks them: the answer, and what the functions of the API make of
//! it.

#![cfg(test)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use alpes_ports::Documents;
use alpes_tokens::Signer;
use api::{Caller, Callers};
use async_trait::async_trait;
use authorizer::{App, ConfigError, Refused};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use futures::executor::block_on;
use http_testing::{ask, with_context};
use serde_json::{Value, json};
use twins::{Ports, world};

const ISSUER: &str = "https://id.example/tienda";
const SAMPLE: &str = include_str!("../../events/token_malo.json");

/// An issuer that never answers.
struct Silence;

#[async_trait]
impl Documents for Silence {
    async fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("no answer".into())
    }
}

struct Fixture {
    ports: Ports,
    app: App,
    signer: Signer,
    lines: Arc<Mutex<Vec<String>>>,
}

fn fixture(keys: bool) -> Fixture {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signer = Signer::new("una", pair.to_pkcs8v1().unwrap().as_ref());
    let lines = Arc::new(Mutex::new(vec![]));
    let mut ports = Ports::new(world(1).0);
    let written = lines.clone();
    ports.lines = Arc::new(move |line| written.lock().unwrap().push(line.to_owned()));
    let set = signer.key_set().unwrap().to_string();
    ports.settings = settings();
    if keys {
        ports.settings.insert("LLAVES".into(), set);
    }
    let app = App::new(&ports, Arc::new(Silence)).unwrap();
    Fixture {
        ports,
        app,
        signer,
        lines,
    }
}

fn settings() -> BTreeMap<String, String> {
    let settings = [
        ("ACCESO", "jwt"),
        ("EMISOR", ISSUER),
        ("AUDIENCIA", "reservas"),
        ("ALCANCE_OPERADOR", "aeroalpes/operador"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    settings.into()
}

impl Fixture {
    fn now(&self) -> i64 {
        self.ports.world.clock.now().as_second()
    }

    fn token(&self, sub: &str, scope: &str) -> String {
        let claims = json!({
            "iss": ISSUER, "aud": "reservas", "sub": sub, "scope": scope, "exp": self.now() + 60,
        });
        self.signer.sign(&claims).unwrap()
    }

    fn ask(&self, header: &str) -> Result<Value, Refused> {
        let mut question: Value = serde_json::from_str(SAMPLE).unwrap();
        question["authorizationToken"] = header.into();
        let question = serde_json::from_value(question).unwrap();
        block_on(self.app.authorize(question)).map(|answer| json!(answer))
    }

    /// The caller whom a function of the API sees after this answer. API Gateway makes texts of the context's values, and
    /// adds the principal to them.
    fn caller(&self, answer: &Value) -> Option<Caller> {
        let request = with_context(ask("GET", "/vuelos/reserva"), |context| {
            context["authorizer"] = answer["context"].clone();
            context["authorizer"]["principalId"] = answer["principalId"].clone();
        });
        let callers = Callers::of(&self.ports);
        callers.caller(&request, &*self.ports.world.clock).ok()
    }
}

#[test]
fn the_caller_whom_the_token_names_is_the_one_whom_the_functions_see() {
    let fixture = fixture(true);
    let (client, operator) = ("cli-7.a_b", "marta@aeroalpes.example");
    for (sub, scope, caller) in [
        (client, "", Caller::Cliente(client.into())),
        (
            "auth0|5f7c",
            "",
            Caller::Cliente(api::client_id("auth0|5f7c")),
        ),
        (
            client,
            "aeroalpes/operadores",
            Caller::Cliente(client.into()),
        ),
        (
            operator,
            "openid aeroalpes/operador",
            Caller::Operador(operator.into()),
        ),
        (
            client,
            "aeroalpes/operador",
            Caller::Operador(client.into()),
        ),
    ] {
        let token = fixture.token(sub, scope);
        for scheme in ["Bearer", "bearer"] {
            let answer = fixture.ask(&format!("{scheme} {token}")).unwrap();
            assert_eq!(fixture.caller(&answer).as_ref(), Some(&caller));
        }
    }
}

#[test]
fn the_answer_is_for_the_whole_stage_and_has_the_end_of_the_token() {
    let fixture = fixture(true);
    let token = fixture.token("ana", "");
    assert_eq!(
        fixture.ask(&format!("Bearer {token}")).unwrap(),
        json!({
            "principalId": "ana",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/v1/*",
                }],
            },
            "context": { "rol": "cliente", "exp": (fixture.now() + 60).to_string() },
        })
    );
}

#[test]
fn anything_but_one_good_token_is_unauthorized() {
    let fixture = fixture(true);
    let good = fixture.token("ana", "");
    assert!(fixture.ask(&format!("Bearer {good}")).is_ok());
    let other = fixture.token("luis", "");
    for header in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        good.clone(),
        format!("Basic {good}"),
        format!("Bearer  {good}"),
        format!("Bearer {good} "),
        format!("Bearer {good}, Basic YTpi"),
        format!("Basic YTpi, Bearer {good}"),
        format!("Bearer {good},Bearer {other}"),
        format!("Bearer {good} {other}"),
        format!("Bearer {}", fixture.token("", "")),
        // Names of operators that the functions would not accept.
        format!("Bearer {}", fixture.token("a b", "aeroalpes/operador")),
        format!(
            "Bearer {}",
            fixture.token(&"a".repeat(257), "aeroalpes/operador")
        ),
    ] {
        assert_eq!(fixture.ask(&header), Err(Refused::Unauthorized), "{header}");
    }
    let sample = serde_json::from_str(SAMPLE).unwrap();
    assert_eq!(
        block_on(fixture.app.authorize(sample)),
        Err(Refused::Unauthorized)
    );
    assert!(fixture.lines.lock().unwrap().is_empty());
}

/// The gateway answers 401 to the error whose message is "Unauthorized", and to no other.
#[test]
fn the_messages_of_errors_are_those_that_the_gateway_tells_apart() {
    let message = |refused| lambda_runtime::Diagnostic::from(refused).error_message;
    assert_eq!(message(Refused::Unauthorized), "Unauthorized");
    assert_ne!(message(Refused::WithoutKeys), "Unauthorized");
}

#[test]
fn without_keys_nothing_is_decided_and_the_alarm_is_told() {
    let fixture = fixture(false);
    let header = format!("Bearer {}", fixture.token("ana", ""));
    assert_eq!(fixture.ask(&header), Err(Refused::WithoutKeys));
    let lines = fixture.lines.lock().unwrap();
    let [line] = &lines[..] else {
        unreachable!("one line of metrics: {lines:?}")
    };
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["AuthorizerWithoutKeys"], 1);
}

#[test]
fn the_function_does_not_start_without_issuer_audience_and_scope() {
    for name in ["EMISOR", "AUDIENCIA", "ALCANCE_OPERADOR"] {
        let mut ports = Ports::new(world(1).0);
        ports.settings = settings();
        ports.settings.remove(name);
        let error = App::new(&ports, Arc::new(Silence)).err();
        assert_eq!(error, Some(ConfigError::Missing(name)));
    }
    for (name, value) in [("EMISOR", "http://id.example"), ("LLAVES", "{\"keys\":[]}")] {
        let mut ports = Ports::new(world(1).0);
        ports.settings = settings();
        ports.settings.insert(name.into(), value.into());
        let error = App::new(&ports, Arc::new(Silence)).err();
        assert!(matches!(error, Some(ConfigError::Wrong(of, _)) if of == name));
    }
}
