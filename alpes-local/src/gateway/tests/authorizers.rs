use super::*;

fn with_authorizer(authorizer: &Value) -> Fixture {
    let mut get = operation("shop");
    get["security"] = json!([{"guard": []}]);
    let mut definition =
        paths(&json!({"/orders/{id}": {"get": get.clone()}, "/carts": { "get": get }}));
    definition["components"]["securitySchemes"]["guard"] = json!({
        "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": authorizer,
    });
    let fixture = Fixture::new(definition);
    fixture.functions.answer(
        "guard",
        &verdict("arn:aws:execute-api:*:*:a1b2c3/*/GET/orders/*"),
    );
    fixture
}

fn verdict(resource: &str) -> Value {
    let statement =
        json!({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": resource});
    json!({
        "principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"level": 7, "admin": true, "name": "n"}, "usageIdentifierKey": "ignored",
    })
}

#[tokio::test]
async fn a_token_authorizer_decides_and_its_answer_is_kept() {
    let authorizer = json!({
        "type": "token", "authorizerUri": uri("guard"), "identityValidationExpression": "^Bearer .+$",
    });
    let fixture = with_authorizer(&authorizer);
    for headers in [vec![], vec![("authorization", "Basic x")]] {
        let answer = fixture.get("/orders/1", &headers).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (401, r#"{"message":"Unauthorized"}"#)
        );
    }
    assert!(fixture.functions.events().is_empty());

    let token = [("authorization", "Bearer a")];
    assert_eq!(fixture.get("/orders/1", &token).await.status, 200);
    let events = fixture.functions.events().clone();
    let asked = json!({
        "type": "TOKEN", "authorizationToken": "Bearer a",
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:a1b2c3/v1/GET/orders/1",
    });
    assert_eq!(events[0], ("guard".to_owned(), asked));
    let told = &events[1].1["requestContext"]["authorizer"];
    assert_eq!(
        (&told["principalId"], &told["level"], &told["admin"]),
        (&json!("me"), &json!("7"), &json!("true"))
    );

    // The kept policy decides about another path too, without a call.
    let answer = fixture.get("/carts", &token).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body,
        r#"{"Message":"User is not authorized to access this resource"}"#
    );
    assert_eq!(fixture.functions.events().len(), 2);
}

#[tokio::test]
async fn a_request_authorizer_gets_the_request() {
    let authorizer = json!({
        "type": "request", "authorizerUri": uri("guard"), "authorizerResultTtlInSeconds": 0,
        "identitySource": "method.request.querystring.key, context.identity.sourceIp",
    });
    let fixture = with_authorizer(&authorizer);
    assert_eq!(fixture.get("/orders/1", &[]).await.status, 401);
    assert_eq!(fixture.get("/orders/1?key=k", &[]).await.status, 200);
    assert_eq!(fixture.get("/orders/1?key=k", &[]).await.status, 200);
    let events = fixture.functions.events().clone();
    assert_eq!(events.len(), 4, "a time to live of zero keeps nothing");
    let event = &events[0].1;
    assert_eq!(
        (&event["type"], &event["path"]),
        (&json!("REQUEST"), &json!("/orders/1"))
    );
    assert_eq!(event["pathParameters"], json!({"id": "1"}));
    assert_eq!(
        (&event["stageVariables"], event.get("body")),
        (&json!({}), None)
    );
}

#[tokio::test]
async fn an_authorizer_that_fails_lets_nobody_pass() {
    let authorizer = json!({"type": "token", "authorizerUri": uri("guard")});
    let fixture = with_authorizer(&authorizer);
    let (functions, token) = (&fixture.functions, [("authorization", "a")]);
    functions.fail("guard", "Unauthorized");
    assert_eq!(fixture.get("/orders/1", &token).await.status, 401);
    functions.fail("guard", "other");
    let answer = fixture.get("/orders/1", &token).await;
    assert_eq!((answer.status, &*answer.body), (500, r#"{"message":null}"#));
    assert_eq!(
        answer.header("x-amzn-errortype"),
        "AuthorizerConfigurationException"
    );
    functions.reject(
        "guard",
        AwsError::of(404, "ResourceNotFoundException", "no"),
    );
    assert_eq!(fixture.get("/orders/1", &token).await.status, 500);
    let mut nested = verdict("*");
    nested["context"]["list"] = json!([1]);
    functions.answer("guard", &nested);
    assert_eq!(fixture.get("/orders/1", &token).await.status, 500);
    let mut denied = verdict("*");
    denied["policyDocument"]["Statement"][0]["Effect"] = json!("Deny");
    functions.answer("guard", &denied);
    let answer = fixture.get("/orders/1", &token).await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.contains("with an explicit deny"),
        "{}",
        answer.body
    );
    assert!(
        functions
            .events()
            .iter()
            .all(|(function, _)| function == "guard")
    );
}
