//! Roles and policies of resources: what callers may do by the policies of a template, over the runtime's own requests.

#![cfg(test)]

use std::{fs, path::PathBuf, sync::Arc};

use alpes_local::{
    http::{Handler, Request},
    options::{Data, Options},
    runtime::Runtime,
};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use uuid::Uuid;

/// A clerk may write orders and read their objects; a topic may send to one of two queues; an API may invoke one of two
/// functions, and nobody but administrators may call its third method.
const SHOP: &str = r#"
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::SimpleTable
    Properties: { TableName: orders }
  Papers: { Type: AWS::S3::Bucket, Properties: { BucketName: papers } }
  News: { Type: AWS::SNS::Topic, Properties: { TopicName: news } }
  Open: { Type: AWS::SQS::Queue, Properties: { QueueName: open } }
  Shut: { Type: AWS::SQS::Queue, Properties: { QueueName: shut } }
  ToOpen: { Type: AWS::SNS::Subscription, Properties: { TopicArn: !Ref News, Protocol: sqs, Endpoint: !GetAtt Open.Arn } }
  ToShut: { Type: AWS::SNS::Subscription, Properties: { TopicArn: !Ref News, Protocol: sqs, Endpoint: !GetAtt Shut.Arn } }
  LetIn:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Open]
      PolicyDocument:
        Statement:
          - { Effect: Allow, Principal: { Service: sns.amazonaws.com }, Action: sqs:SendMessage, Resource: !GetAtt Open.Arn,
              Condition: { ArnEquals: { aws:SourceArn: !Ref News } } }
  Clerk:
    Type: AWS::IAM::Role
    Properties:
      RoleName: clerk
      AssumeRolePolicyDocument: &trust
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement:
              - { Effect: Allow, Action: [dynamodb:PutItem, dynamodb:DeleteItem], Resource: !GetAtt Orders.Arn }
              - { Effect: Allow, Action: s3:GetObject, Resource: !Sub "${Papers.Arn}/*" }
              - { Effect: Allow, Action: sns:Publish, Resource: "*" }
              - { Effect: Deny, Action: sns:Publish, Resource: "arn:aws:sns:*:*:secret" }
  Sell:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: sell, Role: !GetAtt Clerk.Arn, Runtime: provided.al2023, Handler: bootstrap, CodeUri: f.zip }
  Hidden:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: hidden, Role: !GetAtt Clerk.Arn, Runtime: provided.al2023, Handler: bootstrap, CodeUri: f.zip }
  MayCall:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Sell
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/sell/*"
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /sell/{id}: { get: { x-amazon-apigateway-integration: &sell { type: aws_proxy, httpMethod: POST,
            uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Sell.Arn}/invocations" } } }
          /hidden: { get: { x-amazon-apigateway-integration: { type: aws_proxy, httpMethod: POST,
            uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Hidden.Arn}/invocations" } } }
"#;

/// A function that answers every invocation.
const FUNCTION: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  id=$(curl -s -D - -o /dev/null "$api/next" | tr -d '\r' | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  curl -s -o /dev/null -X POST "$api/$id/response" -d '{"statusCode": 200, "body": "sold"}'
done
"#;

struct World {
    folder: PathBuf,
    runtime: Arc<Runtime>,
}

impl World {
    async fn start(template: &str) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("alpes-roles-{}", Uuid::new_v4()));
        let code = folder.join("f");
        fs::create_dir_all(&code).unwrap();
        fs::write(code.join("bootstrap"), FUNCTION).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(code.join("bootstrap"), executable).unwrap();
        let path = folder.join("template.yaml");
        fs::write(&path, template).unwrap();
        let words = ["up", "--port", "0", "--template", path.to_str().unwrap()];
        let more = ["--artifacts", folder.to_str().unwrap()];
        let words: Vec<_> = words.iter().chain(&more).map(|&word| word.into()).collect();
        let mut options = Options::parse(&words).unwrap();
        options.data = Data::Folder(folder.join("data"));
        let runtime = Runtime::start(options).await.inspect_err(|_| {
            let _ = fs::remove_dir_all(&folder);
        })?;
        Ok(Self { folder, runtime })
    }

    /// Sends a request that is signed with this key, and returns the status and the body.
    async fn send(
        &self,
        key: &str,
        service: &str,
        (method, path): (&str, &str),
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> (u16, String) {
        let mut map = HeaderMap::new();
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260131/us-east-1/{service}/aws4_request, Signature=x"
        );
        if !service.is_empty() {
            map.insert("authorization", credential.parse().unwrap());
        }
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let response = self.runtime.handle(Request {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
            peer: ([127, 0, 0, 1], 50_000).into(),
        });
        let response = response.await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn dynamodb(&self, key: &str, operation: &str, body: &Value) -> (u16, String) {
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [("x-amz-target", &*target)];
        self.send(key, "dynamodb", ("POST", "/"), &headers, &body.to_string())
            .await
    }

    async fn publish(&self, key: &str, topic: &str) -> (u16, String) {
        let form = format!(
            "Action=Publish&Version=2010-03-31&Message=m&TopicArn=arn:aws:sns:us-east-1:000000000000:{topic}"
        );
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send(key, "sns", ("POST", "/"), &kind, &form).await
    }

    async fn messages(&self, queue: &str) -> usize {
        let url = format!("{}/000000000000/{queue}", self.runtime.endpoint());
        let body = json!({"QueueUrl": url, "MaxNumberOfMessages": 10}).to_string();
        let headers = [("x-amz-target", "AmazonSQS.ReceiveMessage")];
        let (_, answer) = self
            .send("test", "sqs", ("POST", "/"), &headers, &body)
            .await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["Messages"].as_array().map_or(0, Vec::len)
    }

    async fn report(&self) -> Value {
        let (_, report) = self
            .send("", "", ("GET", "/_alpes/permissions"), &[], "")
            .await;
        serde_json::from_str(&report).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.runtime.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const CLERK: &str = "ASIA.clerk.sell";

fn item() -> Value {
    json!({"TableName": "orders", "Item": {"id": {"S": "1"}}})
}

fn key() -> Value {
    json!({"TableName": "orders", "Key": {"id": {"S": "1"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_may_do_what_its_policies_allow_and_no_more() {
    let world = World::start(SHOP).await.unwrap();
    assert_eq!(world.dynamodb(CLERK, "PutItem", &item()).await.0, 200);
    let (status, refusal) = world.dynamodb(CLERK, "GetItem", &key()).await;
    let refusal: Value = serde_json::from_str(&refusal).unwrap();
    assert_eq!(
        (status, refusal["__type"].as_str().unwrap()),
        (400, "AccessDeniedException")
    );
    assert_eq!(
        refusal["message"],
        "User: arn:aws:sts::000000000000:assumed-role/clerk/sell is not authorized to perform: dynamodb:GetItem on \
         resource: arn:aws:dynamodb:us-east-1:000000000000:table/orders because no identity-based policy allows the \
         dynamodb:GetItem action"
    );
    // A transaction needs the actions of its parts, and nothing of a refused one is done.
    let parts = json!({"TransactItems": [
        {"Put": {"TableName": "orders", "Item": {"id": {"S": "2"}}}},
        {"ConditionCheck": {"TableName": "orders", "Key": {"id": {"S": "1"}}, "ConditionExpression": "attribute_exists(id)"}},
    ]});
    assert_eq!(
        world.dynamodb(CLERK, "TransactWriteItems", &parts).await.0,
        400
    );
    let all = json!({"TableName": "orders"});
    let (status, scanned) = world.dynamodb("test", "Scan", &all).await;
    assert!(
        status == 200 && scanned.contains("\"Count\":1"),
        "{scanned}"
    );

    assert_eq!(world.publish(CLERK, "news").await.0, 200);
    let (status, refusal) = world.publish(CLERK, "secret").await;
    assert!(
        status == 403 && refusal.contains("<Code>AuthorizationError</Code>"),
        "{refusal}"
    );
    assert!(
        refusal.contains("with an explicit deny in an identity-based policy"),
        "{refusal}"
    );

    // A function that names no role of the template is the administrator's.
    assert_eq!(
        world.dynamodb("ASIA.none.sell", "GetItem", &key()).await.0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_may_not_list_a_bucket_does_not_learn_what_is_missing() {
    let world = World::start(SHOP).await.unwrap();
    let put = ("PUT", "/papers/a");
    let (status, refusal) = world.send(CLERK, "s3", put, &[], "text").await;
    assert!(
        status == 403 && refusal.contains("<Code>AccessDenied</Code>"),
        "{refusal}"
    );
    assert_eq!(world.send("test", "s3", put, &[], "text").await.0, 200);
    let got = world.send(CLERK, "s3", ("GET", "/papers/a"), &[], "").await;
    assert_eq!(got, (200, "text".to_owned()));
    let (status, missing) = world.send(CLERK, "s3", ("GET", "/papers/b"), &[], "").await;
    assert!(
        status == 403 && missing.contains("s3:ListBucket"),
        "{missing}"
    );
    assert_eq!(
        world
            .send("test", "s3", ("GET", "/papers/b"), &[], "")
            .await
            .0,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn services_reach_what_lets_them_in() {
    let world = World::start(SHOP).await.unwrap();
    assert_eq!(world.publish("test", "news").await.0, 200);
    assert_eq!(
        (world.messages("open").await, world.messages("shut").await),
        (1, 0)
    );
    let sold = world.send("", "", ("GET", "/sell/7"), &[], "").await;
    assert_eq!(sold, (200, "sold".to_owned()));
    let hidden = world.send("", "", ("GET", "/hidden"), &[], "").await;
    assert_eq!(hidden.0, 500, "{}", hidden.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_tells_what_was_used_and_refused_also_after_a_restart() {
    let world = World::start(SHOP).await.unwrap();
    world.dynamodb(CLERK, "PutItem", &item()).await;
    world.dynamodb(CLERK, "GetItem", &key()).await;
    world.publish(CLERK, "news").await;
    let report = world.report().await;
    let role = &report["roles"][0];
    let used = role["permissions"].as_array().unwrap().iter();
    let used = used.filter(|permission| permission["used"] == true);
    let used = used.map(|permission| permission["action"].as_str().unwrap());
    assert_eq!(
        used.collect::<Vec<_>>(),
        ["dynamodb:PutItem", "sns:Publish"]
    );
    assert_eq!(
        role["least"]["Statement"],
        json!([
            {"Effect": "Allow", "Action": ["dynamodb:PutItem"], "Resource": "arn:aws:dynamodb:us-east-1:000000000000:table/orders"},
            {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": "arn:aws:sns:us-east-1:000000000000:news"},
        ])
    );
    assert_eq!(report["refused"][0]["action"], "dynamodb:GetItem");
    assert_eq!(report["refused"][0]["times"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_fails_where_aws_would_refuse_the_role() {
    let trust = SHOP.replace("lambda.amazonaws.com", "ec2.amazonaws.com");
    let refused = World::start(&trust).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("cannot be assumed by Lambda"), "{refused}");
    let mapped = format!(
        "{SHOP}  Log: {{ Type: AWS::Kinesis::Stream, Properties: {{ Name: log, ShardCount: 1 }} }}\n  \
         FromLog: {{ Type: AWS::Lambda::EventSourceMapping, Properties: {{ FunctionName: !Ref Sell, \
         EventSourceArn: !GetAtt Log.Arn, StartingPosition: LATEST }} }}\n"
    );
    let refused = World::start(&mapped).await.map(|_| ()).unwrap_err();
    assert!(
        refused.contains("Cannot access stream arn:aws:kinesis"),
        "{refused}"
    );
    let unknown = SHOP.replace("Action: s3:GetObject", "Action: getobject");
    let refused = World::start(&unknown).await.map(|_| ()).unwrap_err();
    assert!(
        refused.contains("line ") && refused.contains("SERVICE:NAME"),
        "{refused}"
    );
}
