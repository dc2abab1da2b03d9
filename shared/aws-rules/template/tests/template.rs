//! Reading templates, and the errors for mistakes in them.

#![cfg(test)]

use std::time::Duration;

use source_mapping::{Destination, Millis, Reads, Settings, StartingPosition};
use template::{Template, TemplateError};

const TEXT: &str = r#"
Parameters:
  Since: { Type: String, Default: "0" }
  Share: { Type: String, Default: "false" }
  Window: { Type: Number, Default: 1 }
Conditions:
  SinceATime: !Not [!Equals [!Ref Since, "0"]]
  WithShare: !Equals [!Ref Share, "true"]
Globals:
  Function:
    Timeout: 60
    Environment:
      Variables: { LEVEL: info, STACK: !Ref AWS::StackName }
Resources:
  Log:
    Type: AWS::Kinesis::Stream
    Properties: { Name: !Sub "${AWS::StackName}-log", RetentionPeriodHours: 8760 }
  Failed:
    Type: AWS::S3::Bucket
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-reader"
      MemorySize: 512
      Environment:
        Variables: { LOG: !Ref Log, LEVEL: debug, SHARE: !If [WithShare, !Ref ReaderShare, !Ref AWS::NoValue] }
  ReaderShare:
    Type: AWS::Kinesis::StreamConsumer
    Condition: WithShare
    Properties: { ConsumerName: readers }
  ReaderFromLog:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Reader
      EventSourceArn: !If [WithShare, !GetAtt ReaderShare.ConsumerARN, !GetAtt Log.Arn]
      StartingPosition: &since !If [SinceATime, AT_TIMESTAMP, TRIM_HORIZON]
      StartingPositionTimestamp: !If [SinceATime, !Ref Since, !Ref AWS::NoValue]
      BatchSize: 500
      MaximumBatchingWindowInSeconds: !Ref Window
      BisectBatchOnFunctionError: true
      MaximumRetryAttempts: 20
      MaximumRecordAgeInSeconds: -1
      FunctionResponseTypes: [ReportBatchItemFailures]
      FilterCriteria:
        Filters: [{ Pattern: '{"data":{"mode":["own"]}}' }]
      DestinationConfig: { OnFailure: { Destination: !GetAtt Failed.Arn } }
"#;

fn mapping(parameters: &[(&str, &str)]) -> Settings {
    let template = Template::of(TEXT, "shop", parameters).unwrap();
    template.mapping("shop-reader").unwrap()
}

#[test]
fn each_setting_of_a_mapping_is_read() {
    let mut right = Settings::new(StartingPosition::TrimHorizon);
    right.batch_size = 500;
    right.batching_window = Duration::from_secs(1);
    right.bisect_batch_on_function_error = true;
    right.maximum_retry_attempts = Some(20);
    right.report_batch_item_failures = true;
    right.on_failure = Some(Destination::S3);
    right.retention = Duration::from_hours(8760);
    right.names.function_arn =
        "arn:aws:lambda:us-east-1:123456789012:function:shop-reader".to_owned();
    let right = right.filter(r#"{"data":{"mode":["own"]}}"#).unwrap();
    assert_eq!(mapping(&[]), right);
}

#[test]
fn parameters_stand_before_defaults() {
    let set = mapping(&[("Since", "1700000000"), ("Share", "true"), ("Window", "7")]);
    let since = StartingPosition::AtTimestamp(Millis(1_700_000_000_000));
    assert_eq!(set.starting_position, since);
    assert_eq!(set.reads, Reads::FanOut);
    assert_eq!(set.batching_window, Duration::from_secs(7));
}

#[test]
fn a_function_has_what_is_its_own_and_what_is_global() {
    let template = Template::of(TEXT, "shop", &[]).unwrap();
    let reader = template.function("shop-reader").unwrap();
    assert_eq!(reader.timeout, Duration::from_mins(1));
    assert_eq!(reader.memory, 512);
    let right = serde_json::json!({"LEVEL": "debug", "LOG": "shop-log", "STACK": "shop"});
    assert_eq!(serde_json::Value::from(reader.environment), right);
    assert_eq!(template.mapped().collect::<Vec<_>>(), ["shop-reader"]);
}

/// The error of the template after `from` is replaced by `to`.
fn refused(from: &str, to: &str) -> String {
    assert!(TEXT.contains(from), "{from}");
    let text = TEXT.replacen(from, to, 1);
    let template = Template::of(&text, "shop", &[]);
    let read = template.and_then(|template| {
        template.function("shop-reader")?;
        template.mapping("shop-reader")
    });
    read.unwrap_err().to_string()
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let mistakes = [
        (
            "BatchSize: 500",
            "BatchSize: many",
            "ReaderFromLog.BatchSize must be a whole number",
        ),
        (
            "MaximumRecordAgeInSeconds: -1",
            "MaximumRecordAgeInSeconds: -2",
            "ReaderFromLog.MaximumRecordAgeInSeconds must be a whole number that is not negative",
        ),
        (
            "!Ref Window",
            "!Ref Windoe",
            "ReaderFromLog.MaximumBatchingWindowInSeconds: the template has no Windoe",
        ),
        (
            "!GetAtt Failed.Arn",
            "!GetAtt Log.Arn",
            "ReaderFromLog.DestinationConfig must be a bucket, a queue or a topic of the template",
        ),
        (
            "!If [SinceATime",
            "!If [Sometime",
            "ReaderFromLog.StartingPosition: the template has no condition Sometime",
        ),
        (
            "[ReportBatchItemFailures]",
            "[ReportBatchItemFailures",
            "the template is no YAML",
        ),
        (
            "TRIM_HORIZON",
            "THE_END",
            "ReaderFromLog.StartingPosition must be TRIM_HORIZON, LATEST or AT_TIMESTAMP",
        ),
        (
            "!Ref Log,",
            "!ImportValue Log,",
            "Reader.Environment.Variables.LOG must be made by Ref",
        ),
    ];
    for (from, to, right) in mistakes {
        let told = refused(from, to);
        assert!(told.starts_with(right), "{told}");
    }
    let unknown = Template::of(TEXT, "shop", &[("Colour", "red")]);
    assert_eq!(unknown, Err(TemplateError::NoParameter("Colour".into())));
    let template = Template::of(TEXT, "shop", &[]).unwrap();
    let none = template.mapping("shop-writer").unwrap_err().to_string();
    assert_eq!(
        none,
        "the template has no event source mapping of shop-writer"
    );
}
