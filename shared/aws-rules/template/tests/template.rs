//! Reading the settings of functions and event source mappings, and the errors for mistakes in them.

#![cfg(test)]

use std::time::Duration;

use source_mapping::{Destination, Millis, Reads, Settings, StartingPosition};
use template::{Stack, Template, TemplateError};

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
    Properties: { ConsumerName: readers, StreamARN: !GetAtt Log.Arn }
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
    let template = Template::of(TEXT, &Stack::new("shop"), parameters).unwrap();
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
    right.names.stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/shop-log".to_owned();
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
    let template = Template::of(TEXT, &Stack::new("shop"), &[]).unwrap();
    let reader = template.function("shop-reader").unwrap();
    assert_eq!(reader.timeout, Duration::from_mins(1));
    assert_eq!(reader.memory, 512);
    let right = [("LEVEL", "debug"), ("LOG", "shop-log"), ("STACK", "shop")];
    let right = right.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(reader.environment, right.into());
    assert_eq!(template.mapped().collect::<Vec<_>>(), ["shop-reader"]);
}

/// The error of the template after `from` is replaced by `to`.
fn refused(from: &str, to: &str) -> String {
    assert!(TEXT.contains(from), "{from}");
    let text = TEXT.replacen(from, to, 1);
    let template = Template::of(&text, &Stack::new("shop"), &[]);
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
            "ReaderFromLog.DestinationConfig.OnFailure.Destination must be the ARN of a bucket, a queue or a topic",
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
            "BatchSize: 500",
            "BatchSize: 20000",
            "ReaderFromLog.BatchSize: BatchSize must be 1 to 10,000",
        ),
        (
            "TRIM_HORIZON",
            "THE_END",
            "ReaderFromLog.StartingPosition must be TRIM_HORIZON, LATEST or AT_TIMESTAMP",
        ),
        (
            "!Ref Log,",
            "!Cidr Log,",
            "Reader.Environment.Variables.LOG is not supported: this reader does not know the function Cidr",
        ),
    ];
    for (from, to, right) in mistakes {
        let told = refused(from, to);
        let place = TEXT.find(from).unwrap();
        let line = TEXT[..place].matches('\n').count() + 1;
        let right = right.replacen("Reader", &format!("line {line}: Reader"), 1);
        assert!(told.starts_with(&right), "{told}");
    }
    let unknown = Template::of(TEXT, &Stack::new("shop"), &[("Colour", "red")]);
    assert_eq!(unknown, Err(TemplateError::NoParameter("Colour".into())));
    let template = Template::of(TEXT, &Stack::new("shop"), &[]).unwrap();
    let none = template.mapping("shop-writer").unwrap_err().to_string();
    assert_eq!(
        none,
        "the template has no event source mapping of shop-writer"
    );
}
