//! The ports on AWS: `DynamoDB`, Kinesis, Lambda, S3, SNS, Step Functions, the operating system and tokio. Only this
//! crate depends on the AWS SDKs of these services.

#![deny(missing_docs)]

mod config;
mod conflicts;
mod documents;
mod dynamodb;
mod error;
mod kinesis;
mod lambda;
#[cfg(test)]
mod recorded;
mod rest;
mod s3;
mod sfn;
mod sns;
mod system;
mod time;

pub use config::{config, function_config};
pub use documents::HttpsDocuments;
pub use dynamodb::DynamoTables;
pub use kinesis::{KinesisLog, KinesisReader};
pub use lambda::LambdaFunctions;
pub use s3::S3Objects;
pub use sfn::SfnExecutions;
pub use sns::SnsTopic;
pub use system::world;
