//! Deployments, one after the other, to the real services.

use std::{fs, path::PathBuf, sync::Arc};

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Plan;
use crate::{
    http::Request,
    lambda::Code,
    names::arn,
    services::{Behaviour, Services},
    store::Store,
};

const SHOP: &str = r"
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs, VisibilityTimeout: 60 } }
  News: { Type: AWS::SNS::Topic, Properties: { TopicName: news } }
  Letters: { Type: AWS::SNS::Subscription, Properties: { TopicArn: !Ref News, Protocol: sqs, Endpoint: !GetAtt Jobs.Arn } }
  Log: { Type: AWS::Kinesis::Stream, Properties: { Name: log, ShardCount: 2 } }
  Size: { Type: AWS::SSM::Parameter, Properties: { Name: size, Type: String, Value: small } }
  Key: { Type: AWS::KMS::Key, Properties: { Enabled: true, KeyPolicy: { Statement: [] } } }
  Work:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: work
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: work.zip
      Timeout: 20
      AutoPublishAlias: live
      Events:
        Jobs: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn, BatchSize: 5 } }
        Beat: { Type: Schedule, Properties: { Name: beat, Schedule: rate(1 hour) } }
  Sale:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: sale
      RoleArn: arn:aws:iam::000000000000:role/sale
      Definition: { StartAt: A, States: { A: { Type: Pass, End: true } } }
";

/// A data folder, the services over it, and the folder of artifacts.
struct World {
    folder: PathBuf,
    store: Arc<Store>,
    services: Services,
}

impl World {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("alpes-deploy-{}", Uuid::new_v4()));
        let world = Self::over(folder);
        world.write_code("one");
        world
    }

    fn over(folder: PathBuf) -> Self {
        let store = Arc::new(Store::open(&folder).unwrap());
        let services = Services::new(&store, "http://127.0.0.1:1", &Behaviour::default()).unwrap();
        Self {
            folder,
            store,
            services,
        }
    }

    fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    /// Writes the code of the function to the folder of artifacts.
    fn write_code(&self, text: &str) {
        let folder = self.artifacts().join("work");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("bootstrap"), text).unwrap();
    }

    async fn deploy(&self, template: &str) -> Result<(), String> {
        let templates = [(PathBuf::from("shop.yaml"), template.to_owned())];
        let plan = Plan::read(&templates, "shop", &[]).unwrap();
        let artifacts = self.artifacts();
        let applied = plan.apply(&self.services, &self.store, &artifacts).await;
        applied.map_err(|(what, error)| format!("{what}: {error}"))
    }

    fn key(&self) -> Value {
        let keys = self.services.kms.call("ListKeys", &json!({})).unwrap();
        json!({"KeyId": keys["Keys"][0]["KeyId"]})
    }

    /// One setting of each resource that can be changed by an API.
    async fn settings(&self) -> Value {
        let services = &self.services;
        let queue = json!({"QueueUrl": services.sqs.url("jobs"), "AttributeNames": ["All"]});
        let queue = services
            .sqs
            .call("GetQueueAttributes", queue)
            .await
            .unwrap();
        let shards = services.kinesis.topology("log").unwrap();
        let size = services.ssm.call("GetParameter", &json!({"Name": "size"}));
        let key = services.kms.call("DescribeKey", &self.key()).unwrap();
        let rule = services
            .schedules
            .call("DescribeRule", &json!({"Name": "beat"}));
        let machine = services
            .states
            .call("DescribeStateMachine", &sale())
            .unwrap();
        json!({
            "function": services.lambda.function("work").unwrap().timeout,
            "key": key["KeyMetadata"]["KeyState"],
            "machine": machine["definition"].as_str().unwrap().contains("Succeed"),
            "mapping": services.mappings.snapshot()[0].state,
            "parameter": size.unwrap()["Parameter"]["Value"],
            "queue": queue["Attributes"]["VisibilityTimeout"],
            "rule": rule.unwrap()["State"],
            "stream": shards.iter().filter(|shard| !shard.closed).count(),
        })
    }

    /// Changes all of these settings by the APIs.
    async fn change(&self) {
        let services = &self.services;
        let request = json!({
            "QueueUrl": services.sqs.url("jobs"), "Attributes": {"VisibilityTimeout": "90"},
        });
        services
            .sqs
            .call("SetQueueAttributes", request)
            .await
            .unwrap();
        let request = json!({
            "StreamName": "log", "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING",
        });
        services.kinesis.call("UpdateShardCount", request).unwrap();
        let request = json!({"Name": "size", "Value": "medium", "Overwrite": true});
        services.ssm.call("PutParameter", &request).unwrap();
        services.kms.call("DisableKey", &self.key()).unwrap();
        let rule = json!({"Name": "beat"});
        services.schedules.call("DisableRule", &rule).unwrap();
        let mut request = sale();
        let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}});
        request["definition"] = definition.to_string().into();
        services
            .states
            .call("UpdateStateMachine", &request)
            .unwrap();
        let timeout = put("functions/work/configuration", &json!({"Timeout": 30}));
        services.lambda.serve(timeout).await;
        let mapping = services.mappings.snapshot()[0].uuid;
        let mapping = format!("event-source-mappings/{mapping}");
        let disabled = put(&mapping, &json!({"Enabled": false}));
        services.mappings.serve(disabled).await;
    }

    /// The program of the function.
    fn program(&self) -> String {
        let function = self.services.lambda.function("work").unwrap();
        let Code::Folder(folder) = function.code else {
            panic!("code in place is a folder");
        };
        fs::read_to_string(folder.join("bootstrap")).unwrap()
    }

    fn is_subscribed(&self) -> bool {
        let (topic, queue) = (arn("sns", "news"), arn("sqs", "jobs"));
        let found = self.services.sns.subscription_of(&topic, "sqs", &queue);
        found.unwrap().is_some()
    }

    fn end(self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn sale() -> Value {
    json!({"stateMachineArn": arn("states", "stateMachine:sale")})
}

fn put(path: &str, body: &Value) -> Request {
    Request {
        method: Method::PUT,
        path: format!("/2015-03-31/{path}"),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: body.to_string().into(),
        peer: ([127, 0, 0, 1], 1).into(),
    }
}

#[tokio::test]
async fn what_an_api_changed_stays_until_the_template_asks_for_something_else() {
    let world = World::new();
    world.deploy(SHOP).await.unwrap();
    let declared = json!({
        "function": 20, "key": "Enabled", "machine": false, "mapping": "Enabled",
        "parameter": "small", "queue": "60", "rule": "ENABLED", "stream": 2,
    });
    assert_eq!(world.settings().await, declared);
    world.change().await;
    let changed = json!({
        "function": 30, "key": "Disabled", "machine": true, "mapping": "Disabled",
        "parameter": "medium", "queue": "90", "rule": "DISABLED", "stream": 4,
    });
    assert_eq!(world.settings().await, changed);
    world.deploy(SHOP).await.unwrap();
    assert_eq!(world.settings().await, changed);

    let folder = world.folder.clone();
    drop(world);
    let world = World::over(folder);
    world.write_code("two");
    world.deploy(SHOP).await.unwrap();
    assert_eq!(world.settings().await, changed);
    assert_eq!(world.program(), "two");

    let other = SHOP
        .replace("Timeout: 20", "Timeout: 25")
        .replace("VisibilityTimeout: 60", "VisibilityTimeout: 70")
        .replace("ShardCount: 2", "ShardCount: 3")
        .replace("small", "large")
        .replace("Enabled: true", "Description: d")
        .replace("BatchSize: 5", "BatchSize: 6")
        .replace("rate(1 hour)", "rate(2 hours)")
        .replace("States: {", "Comment: c, States: {");
    world.deploy(&other).await.unwrap();
    let declared = json!({
        "function": 25, "key": "Enabled", "machine": false, "mapping": "Enabled",
        "parameter": "large", "queue": "70", "rule": "ENABLED", "stream": 3,
    });
    assert_eq!(world.settings().await, declared);
    world.end();
}

#[tokio::test]
async fn what_is_missing_is_made_again() {
    let world = World::new();
    world.deploy(SHOP).await.unwrap();
    let services = &world.services;
    let queue = json!({"QueueUrl": services.sqs.url("jobs")});
    services.sqs.call("DeleteQueue", queue).await.unwrap();
    services
        .kinesis
        .call("DeleteStream", json!({"StreamName": "log"}))
        .unwrap();
    services
        .ssm
        .call("DeleteParameter", &json!({"Name": "size"}))
        .unwrap();
    services.states.call("DeleteStateMachine", &sale()).unwrap();
    services.lambda.remove("work").unwrap();
    let mapping = services.mappings.snapshot()[0].uuid;
    services.mappings.remove(mapping).await.unwrap();
    services.schedules.remove("beat").unwrap();
    let topic = crate::http::Form::parse(&format!("TopicArn={}", arn("sns", "news")));
    services.sns.call("DeleteTopic", &topic).unwrap();
    world.deploy(SHOP).await.unwrap();
    assert_eq!(world.settings().await["parameter"], "small");
    assert!(world.is_subscribed());
    world.end();
}

#[tokio::test]
async fn what_a_template_no_longer_has_is_removed_also_after_a_deployment_that_failed() {
    let world = World::new();
    let small = "Resources:\n  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs } }\n";
    world.deploy(small).await.unwrap();
    let faulty = SHOP.replace("StartAt: A", "StartAt: B");
    let told = world.deploy(&faulty).await.unwrap_err();
    assert!(told.starts_with("sale: InvalidDefinition"), "{told}");
    let services = &world.services;
    assert!(services.lambda.function("work").is_some() && world.is_subscribed());
    world.deploy(small).await.unwrap();
    assert!(services.lambda.functions().is_empty() && !world.is_subscribed());
    assert!(services.mappings.snapshot().is_empty());
    assert!(
        services.kinesis.topology("log").is_ok(),
        "what has data stays"
    );

    world.deploy(SHOP).await.unwrap();
    world.deploy(small).await.unwrap();
    assert!(!services.schedules.exists("beat").unwrap());
    let machine = services.states.call("DescribeStateMachine", &sale());
    assert_eq!(machine.unwrap_err().code, "StateMachineDoesNotExist");
    world.end();
}
