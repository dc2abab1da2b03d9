use super::*;
use crate::iam::{ADMINISTRATOR_SECRET, signature};

#[tokio::test]
async fn the_event_is_that_of_a_rest_api() {
    let fixture = orders();
    let headers = [
        ("host", "localhost:4566"),
        ("user-agent", "curl/8.5.0"),
        ("content-length", "2"),
        ("x-tag", "one"),
        ("x-tag", "two"),
        ("x-forwarded-for", "203.0.113.7"),
    ];
    let target = "/orders/a%20b/?q=1+2&q=%C3%A9&flag";
    let answer = fixture.send(request("PUT", target, &headers, b"{}")).await;
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    let event = fixture.functions.last_event();
    let trace = event["headers"]["X-Amzn-Trace-Id"].as_str().unwrap();
    let context = &event["requestContext"];
    let expected = json!({
        "resource": "/orders/{id}",
        "path": "/orders/a%20b/",
        "httpMethod": "PUT",
        "headers": {
            "Host": "localhost:4566", "User-Agent": "curl/8.5.0", "X-Tag": "two", "X-Amzn-Trace-Id": trace,
            "X-Forwarded-For": "203.0.113.7, 127.0.0.1", "X-Forwarded-Port": "4566", "X-Forwarded-Proto": "http",
        },
        "multiValueHeaders": {
            "Host": ["localhost:4566"], "User-Agent": ["curl/8.5.0"], "X-Tag": ["one", "two"],
            "X-Amzn-Trace-Id": [trace], "X-Forwarded-For": ["203.0.113.7, 127.0.0.1"],
            "X-Forwarded-Port": ["4566"], "X-Forwarded-Proto": ["http"],
        },
        "queryStringParameters": {"q": "é", "flag": ""},
        "multiValueQueryStringParameters": {"q": ["1 2", "é"], "flag": [""]},
        "pathParameters": {"id": "a%20b"},
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "a1b2c3",
            "deploymentId": context["deploymentId"],
            "domainName": "localhost:4566",
            "domainPrefix": "localhost:4566",
            "extendedRequestId": answer.header("x-amz-apigw-id"),
            "httpMethod": "PUT",
            "identity": {
                "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null,
                "principalOrgId": null, "sourceIp": "127.0.0.1", "user": null, "userAgent": "curl/8.5.0",
                "userArn": null,
            },
            "path": "/v1/orders/a%20b/",
            "protocol": "HTTP/1.1",
            "requestId": answer.header("x-amzn-requestid"),
            "requestTime": context["requestTime"],
            "requestTimeEpoch": context["requestTimeEpoch"],
            "resourceId": context["resourceId"],
            "resourcePath": "/orders/{id}",
            "stage": "v1",
        },
        "body": "{}",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
    assert_eq!(answer.header("x-amzn-trace-id"), trace);
    assert!(trace.starts_with("Root=1-"), "{trace}");
    let time = context["requestTime"].as_str().unwrap();
    assert_eq!((time.len(), time.get(20..)), (26, Some(" +0000")), "{time}");
}

#[tokio::test]
async fn absent_maps_and_bodies_are_null_and_bytes_are_in_base64() {
    let any = json!({"x-amazon-apigateway-any-method": operation("shop")});
    let mut definition = paths(&json!({ "/": any }));
    definition["x-amazon-apigateway-binary-media-types"] = json!(["image/*"]);
    let fixture = Fixture::new(definition);
    let trace = ("x-amzn-trace-id", "Root=1-2-3;Sampled=1");
    fixture.get("/", &[trace]).await;
    let event = fixture.functions.last_event();
    for name in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "body",
    ] {
        assert_eq!(event[name], Value::Null, "{name}");
    }
    assert_eq!(event["headers"]["X-Amzn-Trace-Id"], trace.1);

    fixture
        .functions
        .answer("shop", &json!({"body": "YQ==", "isBase64Encoded": true}));
    let headers = [("content-type", "image/png"), ("accept", "image/png")];
    let answer = fixture.send(request("POST", "/", &headers, &[255])).await;
    assert_eq!(answer.body, "a");
    let event = fixture.functions.last_event();
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("/w=="), &json!(true))
    );
    assert_eq!(
        fixture.get("/", &[("accept", "text/html")]).await.body,
        "YQ=="
    );
}

#[tokio::test]
async fn unknown_routes_and_failing_functions_are_answered_as_at_aws() {
    let fixture = orders();
    for (method, target) in [("GET", "/carts"), ("HEAD", "/orders"), ("POST", "/orders")] {
        let answer = fixture.send(request(method, target, &[], b"")).await;
        assert_eq!(answer.status, 403, "{method} {target}");
        assert_eq!(answer.body, r#"{"message":"Missing Authentication Token"}"#);
        assert_eq!(
            answer.header("x-amzn-errortype"),
            "MissingAuthenticationTokenException"
        );
    }
    let functions = &fixture.functions;
    let failed = r#"{"message":"Internal server error"}"#;
    functions.fail("shop", "no");
    let answer = fixture.get("/orders", &[]).await;
    assert_eq!((answer.status, &*answer.body), (502, failed));
    functions.answer("shop", &json!({"status": 200}));
    assert_eq!(fixture.get("/orders", &[]).await.status, 502);
    functions.reject(
        "shop",
        AwsError::of(429, "TooManyRequestsException", "Rate Exceeded."),
    );
    let answer = fixture.get("/orders", &[]).await;
    assert_eq!((answer.status, &*answer.body), (500, failed));
    let bytes = vec![b'a'; MOST_BYTES + 1];
    let answer = fixture.send(request("PUT", "/orders/1", &[], &bytes)).await;
    assert_eq!(answer.status, 413);
    let get = request("GET", "/orders", &[], b"");
    let wrong_stage = fixture.gateway.serve("a1b2c3", "v2", "/orders", &get);
    assert_eq!(wrong_stage.await.status(), 403);
}

#[tokio::test]
async fn a_slow_function_is_a_timeout() {
    let mut operation = operation("slow");
    operation["x-amazon-apigateway-integration"]["timeoutInMillis"] = json!(50);
    let fixture = Fixture::new(paths(&json!({"/": {"get": operation}})));
    let answer = fixture.get("/", &[]).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.body, r#"{"message":"Endpoint request timed out"}"#);
}

#[tokio::test]
async fn gateway_responses_of_the_definition_are_used() {
    let mut definition = paths(&json!({"/": {"get": operation("shop")}}));
    definition["x-amazon-apigateway-gateway-responses"] = json!({
        "MISSING_AUTHENTICATION_TOKEN": {
            "statusCode": 404,
            "responseParameters": {
                "gatewayresponse.header.Content-Type": "'application/problem+json'",
                "gatewayresponse.header.X-Id": "context.requestId",
                "gatewayresponse.header.X-Origin": "method.request.header.Origin",
            },
            "responseTemplates": {"application/json": "{\"t\":\"$context.error.responseType $context.path\"}"},
        },
        "DEFAULT_5XX": {"responseTemplates": {"application/json": "{\"title\":$context.error.messageString}"}},
    });
    let fixture = Fixture::new(definition);
    let answer = fixture.get("/none", &[("origin", "http://o")]).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.body,
        r#"{"t":"MISSING_AUTHENTICATION_TOKEN /v1/none"}"#
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("x-id"), answer.header("x-amzn-requestid"));
    assert_eq!(answer.header("x-origin"), "http://o");
    fixture.functions.fail("shop", "no");
    let answer = fixture.get("/", &[]).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (502, r#"{"title":"Internal server error"}"#)
    );
}

#[tokio::test]
async fn methods_with_iam_take_signed_requests_only() {
    let mut get = operation("shop");
    get["x-amazon-apigateway-auth"] = json!({"type": "AWS_IAM"});
    let fixture = Fixture::new(paths(&json!({"/": { "get": get }})));
    assert_eq!(fixture.get("/", &[]).await.status, 403);
    assert!(fixture.functions.events().is_empty());
    let mut signed = request("GET", "/", &[("host", "api")], b"");
    signature::sign(&mut signed, "AK", ADMINISTRATOR_SECRET, "execute-api");
    let mut changed = signed.clone();
    changed.body = Bytes::from_static(b"other");
    let refused = fixture.send(changed).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("x-amzn-errortype"),
        "InvalidSignatureException"
    );
    assert_eq!(fixture.send(signed).await.status, 200);
    let identity = &fixture.functions.last_event()["requestContext"]["identity"];
    assert_eq!(identity["userArn"], "arn:aws:iam::000000000000:root");
    assert_eq!(identity["accessKey"], "AK");
}

#[tokio::test]
async fn a_mock_answers_without_a_function() {
    let mock = json!({
        "type": "mock", "requestTemplates": {"application/json": "{statusCode: 204}"},
        "responses": {
            "default": {"statusCode": "500"},
            "2\\d\\d": {
                "statusCode": "200",
                "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
                "responseTemplates": {"application/json": "{\"stage\": \"$context.stage\"}"},
            },
        },
    });
    let options = json!({"options": {"x-amazon-apigateway-integration": mock}});
    let fixture = Fixture::new(paths(&json!({ "/": options })));
    let answer = fixture.send(request("OPTIONS", "/", &[], b"")).await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"stage": "v1"}"#));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}
