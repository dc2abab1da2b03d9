//! Functions as a template declares them, in the services.

#![cfg(test)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use alpes_local::{
    deploy::Plan,
    invoke::Invoker,
    services::{Behaviour, Services},
    store::Store,
};
use bytes::Bytes;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Ship:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: ship
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: ship.zip
      AutoPublishAlias: live
      EventInvokeConfig: { MaximumRetryAttempts: 0 }
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }
";

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_invoked_and_its_discarded_events_reach_the_dead_letter_queue() {
    let root = std::env::temp_dir().join(format!("alpes-functions-{}", Uuid::new_v4()));
    let code = root.join("ship");
    std::fs::create_dir_all(&code).unwrap();
    std::fs::write(
        code.join("bootstrap"),
        "no program, so that invocations fail",
    )
    .unwrap();
    let store = Arc::new(Store::in_memory(&root.join("data")).unwrap());
    let services = Services::new(&store, "http://127.0.0.1:1", &Behaviour::default()).unwrap();
    let template = (PathBuf::from("shop.yaml"), TEMPLATE.to_owned());
    let plan = Plan::read(&[template], "shop", &[]).unwrap();
    plan.apply(&services, &store, &root).await.unwrap();

    let invoked = services.lambda.invoke("ship:live", Bytes::new()).await;
    assert_eq!(invoked.unwrap().executed_version, "1");
    let event = Bytes::from_static(b"{ \"order\": 1 }");
    services.lambda.enqueue("ship:live", event).await.unwrap();
    let receive = json!({ "QueueUrl": services.sqs.url("dead"), "WaitTimeSeconds": 20 });
    let letters = async {
        loop {
            let received = services.sqs.call("ReceiveMessage", receive.clone()).await;
            if let Some(letters) = received.unwrap()["Messages"].as_array() {
                break letters.clone();
            }
        }
    };
    let letters = timeout(Duration::from_mins(1), letters).await.unwrap();
    assert_eq!(letters[0]["Body"], "{ \"order\": 1 }");
    services.lambda.shutdown();
    std::fs::remove_dir_all(root).unwrap();
}
