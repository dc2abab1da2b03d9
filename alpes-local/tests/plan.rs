//! Reading templates into plans: those of a small shop, and the one that this repository deploys.

#![cfg(test)]

use std::{path::PathBuf, time::Duration};

use alpes_local::deploy::{Mode, Plan, ScheduleSource};
use serde_json::json;
use source_mapping::{Destination, Reads};

fn read(texts: &[&str], parameters: &[(&str, &str)]) -> Result<Plan, String> {
    let path = |place| PathBuf::from(format!("shop{place}.yaml"));
    let texts = texts.iter().enumerate();
    let templates: Vec<_> = texts
        .map(|(place, text)| (path(place), (*text).to_owned()))
        .collect();
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Plan::read(&templates, "shop", &parameters).map_err(|error| error.to_string())
}

const SHOP: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Most: { Type: Number, Default: 4 }
Globals:
  Function: { Runtime: provided.al2023, Handler: bootstrap, CodeUri: ship.zip, Timeout: 20 }
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    DeletionPolicy: Retain
    Properties: { Name: orders, ShardCount: 2, RetentionPeriodHours: 48, Tags: [{ Key: a, Value: b }] }
  Share:
    Type: AWS::Kinesis::StreamConsumer
    Properties: { ConsumerName: fast, StreamARN: !GetAtt Orders.Arn }
  Stock:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: stock
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }, { AttributeName: shelf, AttributeType: N }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: shelves
          KeySchema: [{ AttributeName: shelf, KeyType: HASH }]
          Projection: { ProjectionType: INCLUDE, NonKeyAttributes: [name] }
          ProvisionedThroughput: { ReadCapacityUnits: !Ref Most, WriteCapacityUnits: 1 }
      StreamSpecification: { StreamViewType: NEW_IMAGE }
      TimeToLiveSpecification: { AttributeName: until, Enabled: true }
  Lost: { Type: AWS::S3::Bucket }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Parcels:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: parcels
      VisibilityTimeout: 60
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  News:
    Type: AWS::SNS::Topic
    Properties: { TopicName: news, Subscription: [{ Protocol: sqs, Endpoint: !GetAtt Parcels.Arn }] }
  Ship:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: ship
      AutoPublishAlias: live
      ReservedConcurrentExecutions: 5
      LoggingConfig: { LogFormat: JSON }
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }
      EventInvokeConfig: { MaximumRetryAttempts: 0, DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Dead.Arn } } }
      Policies: [DynamoDBCrudPolicy: { TableName: !Ref Stock }, AmazonSQSFullAccess, RekognitionDetectOnlyPolicy: {}]
      Events:
        Log:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Share.ConsumerARN
            StartingPosition: LATEST
            BatchSize: 7
            DestinationConfig: { OnFailure: { Destination: !GetAtt Lost.Arn } }
            FunctionResponseTypes: [ReportBatchItemFailures]
        Parcels: { Type: SQS, Properties: { Queue: !GetAtt Parcels.Arn, ScalingConfig: { MaximumConcurrency: !Ref Most } } }
        News: { Type: SNS, Properties: { Topic: !Ref News, FilterPolicy: { kind: [order] } } }
        Get: { Type: Api, Properties: { Path: "/orders/{id}", Method: GET } }
        Any: { Type: Api, Properties: { Path: /orders, Method: any, TimeoutInMillis: 500 } }
        Nightly: { Type: Schedule, Properties: { Schedule: cron(0 3 * * ? *), Input: '{"a":1}' } }
        Hourly: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 hour), State: DISABLED } }
  Sale:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: sale
      RoleArn: arn:aws:iam::000000000000:role/sale
      Definition: { StartAt: A, States: { A: { Type: Task, Resource: "${Ship}", End: true } } }
      DefinitionSubstitutions: { Ship: !GetAtt Ship.Arn }
  Level: { Type: AWS::SSM::Parameter, Properties: { Name: /shop/level, Type: String, Value: 5 } }
  Key: { Type: AWS::KMS::Key, Properties: { Description: cards, KeyPolicy: { Statement: [] } } }
  Cards: { Type: AWS::KMS::Alias, Properties: { AliasName: alias/cards, TargetKeyId: !Ref Key } }
  High: { Type: AWS::CloudWatch::Alarm, Properties: { Anything: 1 } }
  Low: { Type: AWS::CloudWatch::Alarm }
Outputs:
  Url: { Value: !Sub "https://${ServerlessRestApi}.execute-api.${AWS::Region}.amazonaws.com/Prod", Export: { Name: url } }
"#;

#[test]
fn streams_tables_and_queues_have_all_their_settings() {
    let plan = read(&[SHOP], &[]).unwrap();
    let stream = &plan.streams[0];
    assert_eq!((stream.shards, stream.mode), (2, Mode::Provisioned));
    assert_eq!(stream.retention_hours, 48);
    assert_eq!(stream.consumers, ["fast"]);
    let request = json!({
        "TableName": "stock",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "shelf", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "shelves",
            "KeySchema": [{"AttributeName": "shelf", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"]},
            "ProvisionedThroughput": {"ReadCapacityUnits": 4, "WriteCapacityUnits": 1},
        }],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
    });
    assert_eq!(plan.tables[0].request, request);
    assert_eq!(plan.tables[0].ttl_attribute.as_deref(), Some("until"));
    assert!(plan.buckets[0].name.starts_with("shop-lost-"));
    let parcels = &plan.queues[1].attributes;
    assert_eq!(parcels["VisibilityTimeout"], "60");
    let redrive: serde_json::Value = serde_json::from_str(&parcels["RedrivePolicy"]).unwrap();
    assert_eq!(redrive["maxReceiveCount"], 3);
    assert_eq!(redrive["deadLetterTargetArn"], plan.queues[0].arn);
    let [of_queue, of_function] = plan.subscriptions.as_slice() else {
        panic!("{:?}", plan.subscriptions);
    };
    assert_eq!(of_queue.endpoint, plan.queues[1].arn);
    assert_eq!(
        of_function.attributes["FilterPolicy"],
        r#"{"kind":["order"]}"#
    );
    assert_eq!(plan.parameters[0].name, "/shop/level");
    assert_eq!(plan.parameters[0].value, "5");
    assert_eq!(plan.key_aliases[0].key_id, plan.keys[0].id);
}

const LIVE: &str = "arn:aws:lambda:us-east-1:000000000000:function:ship:live";

#[test]
fn a_function_brings_its_role_and_its_alias() {
    let plan = read(&[SHOP], &[]).unwrap();
    let ship = &plan.functions[0];
    assert_eq!(ship.code, "ship.zip");
    assert_eq!(ship.timeout, Duration::from_secs(20));
    assert_eq!(ship.reserved_concurrency, Some(5));
    assert_eq!(ship.log_group, "/aws/lambda/ship");
    let dead = Some("arn:aws:sqs:us-east-1:000000000000:dead".to_owned());
    assert_eq!(ship.asynchronous.max_retries, 0);
    assert_eq!(ship.asynchronous.on_failure, dead);
    assert_eq!(ship.asynchronous.dead_letter, dead);
    assert_eq!(plan.aliases[0].name, "live");
    let role = &plan.roles[0];
    assert_eq!(role.arn, ship.role_arn);
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/stock";
    let statement = &role.policies[0].document["Statement"][0];
    assert_eq!(statement["Resource"][0], table);
    assert_eq!(role.managed_policy_arns.len(), 4);
    let machine = &plan.state_machines[0];
    assert!(
        machine.definition.contains(&ship.arn),
        "{}",
        machine.definition
    );
}

#[test]
fn the_events_of_a_function_invoke_its_alias() {
    let plan = read(&[SHOP], &[("Most", "3")]).unwrap();
    let mapping = &plan.stream_mappings[0];
    assert_eq!(mapping.function, "ship:live");
    assert_eq!(mapping.consumer.as_deref(), Some("fast"));
    let bucket = format!("arn:aws:s3:::{}", plan.buckets[0].name);
    assert_eq!(mapping.destination_arn, Some(bucket));
    let settings = &mapping.settings;
    assert_eq!(settings.batch_size, 7);
    assert_eq!(settings.reads, Reads::FanOut);
    assert_eq!(settings.on_failure, Some(Destination::S3));
    assert_eq!(settings.retention, Duration::from_hours(48));
    assert_eq!(settings.names.function_arn, LIVE);
    assert_eq!(settings.names.executed_version, "1");
    assert_eq!(plan.queue_mappings[0].maximum_concurrency, Some(3));

    let api = &plan.apis[0];
    assert_eq!(api.stage, "Prod");
    let paths = &api.definition["paths"];
    assert!(paths["/orders/{id}"]["get"].is_object());
    let operation = &paths["/orders"]["x-amazon-apigateway-any-method"];
    let integration = &operation["x-amazon-apigateway-integration"];
    assert_eq!(integration["timeoutInMillis"], 500);
    let uri = integration["uri"].as_str().unwrap();
    assert!(
        uri.ends_with(&format!("/functions/{LIVE}/invocations")),
        "{uri}"
    );
    let url = &plan.outputs[0].value;
    assert!(url.starts_with(&format!("https://{}.", api.id)), "{url}");

    let [hourly, nightly] = plan.schedules.as_slice() else {
        panic!("{:?}", plan.schedules);
    };
    let group = "default".to_owned();
    assert_eq!(hourly.source, ScheduleSource::Scheduler { group });
    assert_eq!(hourly.key(), "default/ShipHourly");
    assert!(!hourly.enabled);
    assert_eq!(nightly.source, ScheduleSource::Rule);
    assert_eq!(nightly.expression, "cron(0 3 * * ? *)");
    assert_eq!(nightly.targets[0].arn, LIVE);
    assert_eq!(nightly.targets[0].input.as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn what_has_no_meaning_is_counted() {
    let plan = read(&[SHOP], &[]).unwrap();
    let right = [
        "AWS::CloudWatch::Alarm (2)",
        "AWS::Kinesis::Stream.Tags (1)",
        "AWS::Serverless::Function.Policies.RekognitionDetectOnlyPolicy (1)",
        "DeletionPolicy (1)",
    ];
    assert_eq!(plan.without_meaning, right);
}

#[test]
fn later_templates_import_from_earlier_ones_and_add_to_them() {
    let second = r"
Parameters:
  Colour: { Type: String }
Resources:
  Url: { Type: AWS::SSM::Parameter, Properties: { Name: !Ref Colour, Type: String, Value: !ImportValue url } }
  FromOrders:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: ship:live
      EventSourceArn: arn:aws:kinesis:us-east-1:000000000000:stream/orders
      StartingPosition: TRIM_HORIZON
  Failing:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: { FunctionName: ship, Qualifier: live, MaximumEventAgeInSeconds: 60 }
";
    let plan = read(&[SHOP, second], &[("Colour", "red")]).unwrap();
    assert_eq!(plan.parameters[1].name, "red");
    assert_eq!(plan.parameters[1].value, plan.outputs[0].value);
    assert_eq!(plan.stream_mappings[1].function, "ship:live");
    let asynchronous = &plan.functions[0].asynchronous;
    assert_eq!(asynchronous.max_age_seconds, 60);
    assert_eq!(asynchronous.max_retries, 2);
    assert!(asynchronous.dead_letter.is_some());
    let unknown = read(&[SHOP], &[("Colour", "red")]).unwrap_err();
    assert_eq!(unknown, "no template has a parameter Colour");
    let twice = read(&[SHOP, SHOP], &[]).unwrap_err();
    assert!(twice.starts_with("shop1.yaml: line"), "{twice}");
}

/// The error of the shop's template after `from` is replaced by `to`, with the line of `from` cut off.
fn refused(from: &str, to: &str) -> String {
    let place = SHOP.find(from).unwrap();
    let line = SHOP[..place].matches('\n').count() + 1;
    let told = read(&[&SHOP.replacen(from, to, 1)], &[]).unwrap_err();
    let rest = told.strip_prefix(&format!("shop0.yaml: line {line}: "));
    rest.unwrap_or_else(|| panic!("line {line}: {told}"))
        .to_owned()
}

#[test]
fn fifo_queues_and_topics_have_their_attributes() {
    let template = "
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { QueueName: jobs.fifo, FifoQueue: true, ContentBasedDeduplication: false, DeduplicationScope: messageGroup }
  News:
    Type: AWS::SNS::Topic
    Properties: { TopicName: news.fifo, FifoTopic: true, ContentBasedDeduplication: true }
  Plain: { Type: AWS::SQS::Queue, Properties: { QueueName: plain, FifoQueue: false, ContentBasedDeduplication: false } }
";
    let plan = read(&[template], &[]).unwrap();
    let told = |attributes: &std::collections::BTreeMap<String, String>| {
        let told = attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        told.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        told(&plan.queues[0].attributes),
        "ContentBasedDeduplication=false DeduplicationScope=messageGroup FifoQueue=true"
    );
    assert_eq!(
        told(&plan.topics[0].attributes),
        "ContentBasedDeduplication=true FifoTopic=true"
    );
    assert!(plan.queues[1].attributes.is_empty());
}

#[test]
fn whatever_the_runtime_does_not_know_is_refused_with_its_line() {
    let mistakes = [
        (
            "Low: { Type: AWS::CloudWatch::Alarm",
            "Low: { Type: AWS::EC2::Instance",
            "Low.Type is not supported: this runtime does not know the type AWS::EC2::Instance",
        ),
        (
            "QueueName: dead",
            "QueueName: dead, Colour: red",
            "Dead.Colour is not supported",
        ),
        (
            "QueueName: dead",
            "FifoQueue: true",
            "Dead.QueueName must be a name that ends in .fifo, since FifoQueue is true",
        ),
        (
            "TopicName: news",
            "TopicName: news.fifo",
            "News.TopicName must be a name that does not end in .fifo, unless FifoTopic is true",
        ),
        (
            "VisibilityTimeout: 60",
            "VisibilityTimeout: long",
            "Parcels.VisibilityTimeout must be a whole number",
        ),
        (
            "ShardCount: 2",
            "ShardCount: 0",
            "Orders.ShardCount must be 1 or more",
        ),
        (
            "AutoPublishAlias: live",
            "Layers: [a]",
            "Ship.Layers is not supported: this runtime has no layers",
        ),
        (
            "AutoPublishAlias: live",
            "Runtime: python3.13",
            "Ship.Runtime is not supported: this runtime runs the bootstrap of provided.al2023 and provided.al2",
        ),
        (
            "AutoPublishAlias: live",
            "MemorySize: 64",
            "Ship.MemorySize must be 128 to 10240",
        ),
        (
            "BatchSize: 7",
            "BatchSize: 0",
            "Ship.Events.Log.Properties.BatchSize: BatchSize must be 1 to 10,000",
        ),
        (
            "Stream: !GetAtt Share.ConsumerARN",
            "Stream: arn:aws:kinesis:x",
            "Ship.Events.Log.Properties.Stream: the template has no stream arn:aws:kinesis:x",
        ),
        (
            "Type: SNS,",
            "Type: S3,",
            "Ship.Events.News.Type is not supported: this runtime has no events of type S3",
        ),
        (
            "Schedule: cron(0 3 * * ? *)",
            "Schedule: daily",
            "Ship.Events.Nightly.Properties.Schedule must be rate(…), cron(…) or at(…)",
        ),
        (
            "{ TableName: !Ref Stock }",
            "{ Table: !Ref Stock }",
            "Ship.Policies must be policy templates with their parameter TableName",
        ),
        (
            "TargetKeyId: !Ref Key",
            "TargetKeyId: none",
            "Cards.TargetKeyId: the template has no key none",
        ),
        (
            "Definition: {",
            "DefinitionString: '{}'\n      Definition: {",
            "Sale.Definition must be given either as Definition, as DefinitionString or as DefinitionS3Location",
        ),
    ];
    for (from, to, right) in mistakes {
        let moved = to.matches('\n').count();
        if moved == 0 {
            assert_eq!(refused(from, to), right);
        } else {
            let told = read(&[&SHOP.replacen(from, to, 1)], &[]).unwrap_err();
            assert!(told.ends_with(right), "{told}");
        }
    }
}

#[test]
fn a_definition_may_be_a_file() {
    let folder = std::env::temp_dir().join(format!("alpes-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let definition = "StartAt: A\nStates:\n  A: { Type: Pass, Comment: '${Word}', End: true }\n";
    std::fs::write(folder.join("sale.yaml"), definition).unwrap();
    let api = r#"{"openapi": "3.0.1", "paths": {"/a": {}}}"#;
    std::fs::write(folder.join("api.json"), api).unwrap();
    let text = r"Resources:
  Sale:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: sale
      DefinitionUri: sale.yaml
      DefinitionSubstitutions: { Word: hello }
  Api:
    Type: AWS::Serverless::Api
    Properties: { StageName: v1, DefinitionUri: api.json, BinaryMediaTypes: [image~1png] }
";
    let plan = |text: &str| {
        let template = (folder.join("template.yaml"), text.to_owned());
        Plan::read(&[template], "shop", &[])
    };
    let read = plan(text);
    let missing = plan(&text.replace("sale.yaml", "none.yaml"));
    std::fs::remove_dir_all(&folder).unwrap();
    let (read, missing) = (read.unwrap(), missing.unwrap_err().to_string());
    let machine = &read.state_machines[0];
    let definition: serde_json::Value = serde_json::from_str(&machine.definition).unwrap();
    assert_eq!(definition["States"]["A"]["Comment"], "hello");
    assert_eq!(read.roles[0].arn, machine.role_arn);
    let types = &read.apis[0].definition["x-amazon-apigateway-binary-media-types"];
    assert_eq!(*types, json!(["image/png"]));
    let right = "line 6: Sale.DefinitionUri must be the path of a text file";
    assert!(missing.contains(right), "{missing}");
}

/// The template that this repository deploys, with the parameters that its script gives for this runtime.
#[test]
fn the_repositorys_template_is_read_whole() {
    let infra = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra");
    let path = infra.join("template.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let parameters = [
        ("Entorno", "local"),
        ("Acceso", "abierto"),
        ("Architecture", "x86_64"),
        ("LogLevel", "info"),
        ("StreamMode", "PROVISIONED"),
        ("ShardCount", "2"),
        ("BatchWindowSeconds", "0"),
        ("ArchiveWindowSeconds", "1"),
        ("Pruebas", "true"),
        ("StepFunctions", "true"),
        ("FanOut", "true"),
        ("MappingsSince", "0"),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let plan = Plan::read(&[(path, text)], "shop", &parameters).unwrap();
    let counts = [
        plan.streams.len(),
        plan.streams[0].consumers.len(),
        plan.tables.len(),
        plan.buckets.len(),
        plan.topics.len(),
        plan.functions.len(),
        plan.stream_mappings.len(),
        plan.apis.len(),
        plan.state_machines.len(),
        plan.schedules[0].targets.len(),
        plan.roles.len(),
        plan.log_groups.len(),
    ];
    assert_eq!(counts, [1, 4, 10, 2, 1, 12, 7, 1, 1, 5, 13, 13]);
    let mut fanned = plan.stream_mappings.iter();
    assert_eq!(
        fanned
            .by_ref()
            .filter(|mapping| mapping.consumer.is_some())
            .count(),
        4
    );
    let mut functions = plan.functions.iter();
    assert!(functions.all(|function| function.code.rsplit('.').next() == Some("zip")));
    assert!(!plan.state_machines[0].definition.contains("${"));
    let paths = plan.apis[0].definition["paths"].as_object().unwrap();
    assert!(
        paths
            .values()
            .all(|path| path.as_object().unwrap().len() == 7)
    );
    let alarms = "AWS::CloudWatch::Alarm (";
    assert!(
        plan.without_meaning
            .iter()
            .any(|line| line.starts_with(alarms))
    );
}

#[test]
fn the_role_that_sam_makes_may_send_to_the_functions_destinations() {
    let template = r"
Transform: AWS::Serverless-2016-10-31
Resources:
  Log: { Type: AWS::Kinesis::Stream, Properties: { Name: log, ShardCount: 1 } }
  Bad: { Type: AWS::S3::Bucket, Properties: { BucketName: bad } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Ship:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: ship.zip
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }
      Events:
        Log:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Log.Arn
            StartingPosition: LATEST
            DestinationConfig: { OnFailure: { Type: S3, Destination: !GetAtt Bad.Arn } }
";
    let plan = read(&[template], &[]).unwrap();
    let statements = &plan.roles[0].policies[0].document["Statement"];
    let expected = serde_json::json!([
        {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["arn:aws:sqs:us-east-1:000000000000:dead"]},
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::bad", "arn:aws:s3:::bad/*"]},
    ]);
    assert_eq!(*statements, expected);
}
