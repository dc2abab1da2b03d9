//! The documents of AWS's own policies that roles of functions and of state machines usually have.
//!
//! Source: <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>, reduced to the services of
//! this runtime.

use serde_json::{Value, json};

const OF_AWS: &str = "arn:aws:iam::aws:policy/";

const LOGS: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// A policy of AWS: its name with its path, and the actions that it allows on all resources.
type Known = (&'static str, &'static [&'static [&'static str]]);

const KNOWN: &[Known] = &[
    ("AdministratorAccess", &[&["*"]]),
    ("AmazonDynamoDBFullAccess", &[&["dynamodb:*"]]),
    (
        "AmazonDynamoDBReadOnlyAccess",
        &[&[
            "dynamodb:BatchGetItem",
            "dynamodb:Describe*",
            "dynamodb:GetItem",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:List*",
            "dynamodb:PartiQLSelect",
            "dynamodb:Query",
            "dynamodb:Scan",
        ]],
    ),
    ("AmazonKinesisFullAccess", &[&["kinesis:*"]]),
    (
        "AmazonKinesisReadOnlyAccess",
        &[&["kinesis:Get*", "kinesis:List*", "kinesis:Describe*"]],
    ),
    ("AmazonS3FullAccess", &[&["s3:*"]]),
    (
        "AmazonS3ReadOnlyAccess",
        &[&["s3:Get*", "s3:List*", "s3:Describe*"]],
    ),
    ("AmazonSNSFullAccess", &[&["sns:*"]]),
    ("AmazonSQSFullAccess", &[&["sqs:*"]]),
    (
        "AmazonSSMReadOnlyAccess",
        &[&["ssm:Describe*", "ssm:Get*", "ssm:List*"]],
    ),
    ("AWSLambda_FullAccess", &[&["lambda:*"]]),
    ("AWSStepFunctionsFullAccess", &[&["states:*"]]),
    ("AWSXRayDaemonWriteAccess", &[&["xray:PutTraceSegments"]]),
    ("CloudWatchLogsFullAccess", &[&["logs:*"]]),
    ("service-role/AWSLambdaBasicExecutionRole", &[LOGS]),
    (
        "service-role/AWSLambdaDynamoDBExecutionRole",
        &[
            &[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            LOGS,
        ],
    ),
    (
        "service-role/AWSLambdaKinesisExecutionRole",
        &[
            &[
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
                "kinesis:ListStreams",
                "kinesis:SubscribeToShard",
            ],
            LOGS,
        ],
    ),
    (
        "service-role/AWSLambdaSQSQueueExecutionRole",
        &[
            &[
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
            ],
            LOGS,
        ],
    ),
    ("service-role/AWSLambdaRole", &[&["lambda:InvokeFunction"]]),
    ("service-role/AWSLambdaVPCAccessExecutionRole", &[LOGS]),
];

/// Whether an ARN is that of one of AWS's own policies.
pub(crate) fn is_of_aws(arn: &str) -> bool {
    arn.starts_with(OF_AWS)
}

/// The document of one of AWS's own policies; `None` if it is not known here.
pub(crate) fn document(arn: &str) -> Option<Value> {
    let name = arn.strip_prefix(OF_AWS)?;
    let (_, lists) = KNOWN.iter().find(|(known, _)| *known == name)?;
    let actions: Vec<_> = lists.concat();
    Some(json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    }))
}

/// The ARN of one of AWS's own policies by its name without path, as SAM accepts it.
pub(crate) fn arn_of_name(name: &str) -> Option<String> {
    let mut known = KNOWN.iter().map(|(known, _)| *known);
    let found = known.find(|known| known.rsplit('/').next() == Some(name))?;
    Some(format!("{OF_AWS}{found}"))
}
