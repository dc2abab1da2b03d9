//! The ports on AWS: `DynamoDB`, Kinesis, the operating system and tokio. The only crate that knows their SDKs.

#![deny(missing_docs)]

mod dynamodb;
mod kinesis;
mod s3;
mod system;

pub use dynamodb::DynamoTables;
pub use kinesis::{KinesisLog, KinesisReader};
pub use s3::S3Objects;
pub use system::world;

/// Loads the configuration of the environment: region, credentials, endpoint.
///
/// Retries are the SDK's standard ones: three attempts, of which a later one may repeat what the first already did. Our writes are
/// conditional and our appends may be doubled, so that is safe.
pub async fn config() -> aws_config::SdkConfig {
    aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await
}
