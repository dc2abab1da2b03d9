use super::*;

#[test]
fn what_is_not_supported_is_refused_by_place() {
    let with = |member: &str, value: Value| {
        let mut operation = operation("shop");
        operation[member] = value;
        paths(&json!({"/orders": { "get": operation }}))
    };
    let integration = |value: Value| with("x-amazon-apigateway-integration", value);
    let mut policy = paths(&json!({}));
    policy["x-amazon-apigateway-policy"] = json!({});
    let mut response = paths(&json!({}));
    response["x-amazon-apigateway-gateway-responses"] = json!({"NO_SUCH": {}});
    let other_method = json!({"type": "aws_proxy", "httpMethod": "GET", "uri": uri("shop")});
    let other_uri = json!({"type": "aws_proxy", "httpMethod": "POST", "uri": "http://a"});
    let no_function = proxy("order function");
    let cases = [
        (
            integration(json!({"type": "http_proxy"})),
            "GET /orders",
            "http_proxy",
        ),
        (integration(other_method), "GET /orders", "POST"),
        (integration(other_uri), "GET /orders", "http://a"),
        (integration(no_function), "GET /orders", "order function"),
        (integration(Value::Null), "GET /orders", "must be there"),
        (
            with("security", json!([{"none": []}])),
            "GET /orders",
            "none",
        ),
        (
            with("x-amazon-apigateway-request-validator", json!("all")),
            "GET /orders",
            "validator",
        ),
        (
            with("x-amazon-apigateway-auth", json!({"type": "CUSTOM"})),
            "GET /orders",
            "CUSTOM",
        ),
        (
            paths(&json!({"/orders": {"trace": {}}})),
            "/orders",
            "trace",
        ),
        (
            paths(&json!({"/{a+}/b": {"get": operation("shop")}})),
            "/{a+}/b",
            "last",
        ),
        (policy, "x-amazon-apigateway-policy", "not supported"),
        (response, "NO_SUCH", "no such"),
        (json!({}), "paths", "must be an object"),
    ];
    for (definition, place, part) in cases {
        let gateway = Gateway::new(Arc::default(), Arc::new(Functions::default()));
        let error = gateway.put(spec(definition)).unwrap_err();
        assert_eq!(error.code, "BadRequestException");
        assert!(error.message.contains(place), "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}

#[tokio::test]
async fn apis_are_listed_replaced_and_removed() {
    let fixture = orders();
    let info = &fixture.gateway.apis()[0];
    let routes = info.routes.iter();
    let routes: Vec<String> = routes
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(routes, ["GET /orders", "ANY /orders/{id}"]);
    assert!(fixture.gateway.first_serves(&Method::GET, "/orders"));
    assert!(!fixture.gateway.first_serves(&Method::GET, "/"));

    let replaced = paths(&json!({"/carts": {"get": operation("shop")}}));
    fixture.gateway.put(spec(replaced)).unwrap();
    assert_eq!(fixture.gateway.apis().len(), 1);
    let short = fixture
        .gateway
        .serve_first(&request("GET", "/carts", &[], b""))
        .await;
    assert_eq!(short.status(), 200);
    assert!(fixture.gateway.remove("a1b2c3"));
    let short = fixture
        .gateway
        .serve_first(&request("GET", "/carts", &[], b""))
        .await;
    assert_eq!(short.status(), 404);
}
