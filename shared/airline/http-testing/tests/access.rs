//! The access of each method of the template's API, by each value of the parameter `Acceso`.

#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path};

use api::ROUTES;
use serde_json::{Value, json};
use template::{Stack, Template, TemplateError};

const PUBLIC: [&str; 2] = ["/health", "/openapi.json"];
const ISSUER: (&str, &str) = ("Emisor", "https://id.example");
const AUDIENCE: (&str, &str) = ("Audiencia", "reservas");

fn template(parameters: &[(&str, &str)]) -> Result<Template, TemplateError> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../infra/template.yaml");
    let text = fs::read_to_string(file).unwrap();
    Template::of(&text, &Stack::new("aeroalpes"), parameters)
}

/// The API's document, and whether the stack has an authorizer.
fn deployed(access: &str, web: &str) -> (Value, bool) {
    let parameters = [
        ("Acceso", access),
        ("OrigenCors", web),
        ("Pruebas", "true"),
        ISSUER,
        AUDIENCE,
    ];
    let template = template(&parameters).unwrap();
    let api = template.resource("Api").unwrap();
    let authorizers = template
        .resources
        .iter()
        .filter(|resource| resource.id.contains("Authorizer"));
    let has = authorizers.count() > 0;
    (api.properties["DefinitionBody"].clone(), has)
}

/// Each path and method, with its authorization and its security.
fn methods(document: &Value) -> Vec<(&str, &str, &Value, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            let (auth, security) = (
                &operation["x-amazon-apigateway-auth"],
                &operation["security"],
            );
            (path.as_str(), method.as_str(), auth, security)
        })
    });
    methods.collect()
}

#[test]
fn with_tokens_the_authorizer_decides_about_all_but_the_public() {
    for web in ["", "https://tienda.example"] {
        let (document, has_authorizer) = deployed("jwt", web);
        assert!(has_authorizer);
        let mut paths = BTreeSet::new();
        for (path, method, auth, security) in methods(&document) {
            paths.insert(path);
            let open = method == "options" || PUBLIC.contains(&path);
            let expected = if open {
                (json!({ "type": "NONE" }), Value::Null)
            } else {
                (Value::Null, json!([{ "token": [] }]))
            };
            assert_eq!(
                (auth, security),
                (&expected.0, &expected.1),
                "{method} {path}"
            );
        }
        let routes: BTreeSet<_> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(paths, routes);
        let scheme = &document["components"]["securitySchemes"]["token"];
        let authorizer = &scheme["x-amazon-apigateway-authorizer"];
        assert_eq!(authorizer["authorizerResultTtlInSeconds"], 60);
        let uri = authorizer["authorizerUri"].as_str().unwrap();
        assert!(
            uri.ends_with(":function:aeroalpes-authorizer/invocations"),
            "{uri}"
        );
    }
}

#[test]
fn without_tokens_nothing_of_the_authorizer_is_deployed() {
    for (access, web, kind, preflight) in [
        ("abierto", "", "NONE", "NONE"),
        ("iam", "", "AWS_IAM", "AWS_IAM"),
        ("iam", "https://tienda.example", "AWS_IAM", "NONE"),
    ] {
        let (document, has_authorizer) = deployed(access, web);
        assert!(!has_authorizer);
        assert!(document.get("components").is_none());
        for (path, method, auth, security) in methods(&document) {
            let kind = if method == "options" { preflight } else { kind };
            assert_eq!(auth["type"], kind, "{access} {method} {path}");
            assert!(security.is_null(), "{access} {method} {path}");
        }
    }
}

#[test]
fn tokens_without_issuer_or_audience_are_refused() {
    let access = ("Acceso", "jwt");
    for (given, told) in [
        (vec![access, AUDIENCE], "Acceso=jwt needs Emisor"),
        (vec![access, ISSUER], "Acceso=jwt needs Audiencia"),
        (
            vec![access, AUDIENCE, ("Emisor", "http://id.example")],
            "Emisor",
        ),
    ] {
        let error = template(&given).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(template(&[]).is_ok() && template(&[access, ISSUER, AUDIENCE]).is_ok());
}

/// The API had no throttle and no access log.
#[test]
fn the_api_is_throttled_and_its_access_log_names_nobody() {
    let given = [
        ("ThrottleRate", "7"),
        ("ThrottleBurst", "9"),
        ("AccessLogs", "true"),
    ];
    let limited = template(&given).unwrap();
    let api = &limited.resource("Api").unwrap().properties;
    let throttle = &api["MethodSettings"][0];
    assert_eq!(
        (&throttle["ResourcePath"], &throttle["HttpMethod"]),
        (&json!("/*"), &json!("*"))
    );
    let numbers = ["ThrottlingRateLimit", "ThrottlingBurstLimit"].map(|name| {
        let number = &throttle[name];
        number.as_u64().or_else(|| number.as_str()?.parse().ok())
    });
    assert_eq!(numbers, [Some(7), Some(9)]);

    let format = api["AccessLogSetting"]["Format"].as_str().unwrap();
    let line: Value = serde_json::from_str(format).unwrap();
    let told = line.as_object().unwrap().values();
    let told: BTreeSet<_> = told.map(|told| told.as_str().unwrap()).collect();
    let harmless = [
        "requestId",
        "requestTimeEpoch",
        "httpMethod",
        "resourcePath",
        "status",
        "responseLatency",
        "error.responseType",
    ];
    let harmless = harmless.map(|name| format!("$context.{name}"));
    assert_eq!(told, harmless.iter().map(String::as_str).collect());

    let plain = template(&[]).unwrap();
    assert!(
        plain
            .resource("Api")
            .unwrap()
            .properties
            .get("AccessLogSetting")
            .is_none()
    );
    assert!(plain.resource("ClientLimits").is_none());
}

/// Many clients may share one address, so where clients have tokens, a token is counted.
#[test]
fn a_client_who_sends_too_much_is_one_token_or_one_address() {
    for (access, counted) in [("jwt", "CUSTOM_KEYS"), ("iam", "IP")] {
        let given = [
            ("Acceso", access),
            ISSUER,
            AUDIENCE,
            ("ClientRequests", "300"),
        ];
        let limited = template(&given).unwrap();
        let rules = &limited.resource("ClientLimits").unwrap().properties["Rules"];
        let limit = &rules[0]["Statement"]["RateBasedStatement"];
        assert_eq!(limit["AggregateKeyType"], counted);
        let header = &limit["CustomKeys"][0]["Header"]["Name"];
        assert_eq!(
            header.as_str(),
            (access == "jwt").then_some("authorization")
        );
        assert!(limited.resource("ClientLimitsOfApi").is_some());
    }
}
