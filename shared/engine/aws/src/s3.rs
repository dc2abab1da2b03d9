//! Objects on S3.

use std::fmt::Debug;

use alpes_ports::{KeyRange, ObjectError, Objects};
use async_trait::async_trait;
use aws_sdk_s3::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};

use crate::error::{OF_S3, ServiceError, sorted};

/// An S3 bucket.
pub struct S3Objects {
    client: Client,
    bucket: String,
}

impl S3Objects {
    /// The bucket named `bucket`.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, bucket: String) -> Self {
        // An emulator has one address for all buckets, so the bucket's name is in the path.
        let emulated = config.endpoint_url().is_some();
        let config = Config::from(config)
            .to_builder()
            .force_path_style(emulated)
            .build();
        Self {
            client: Client::from_conf(config),
            bucket,
        }
    }
}

fn object_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> ObjectError {
    sorted(error, OF_S3, ObjectError::Refused, ObjectError::Unavailable)
}

#[async_trait]
impl Objects for S3Objects {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key);
        put.body(ByteStream::from(data.to_vec()))
            .send()
            .await
            .map_err(|error| object_error(&error))?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let output = match get.send().await {
            Ok(output) => output,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(object_error(&error)),
        };
        let data = output
            .body
            .collect()
            .await
            .map_err(|error| ObjectError::Unavailable(error.to_string()))?;
        Ok(Some(data.to_vec()))
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        let list = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(range.prefix);
        let list = list
            .max_keys(i32::try_from(range.limit).unwrap_or(i32::MAX))
            .set_start_after(range.after.map(str::to_owned));
        let output = list.send().await.map_err(|error| object_error(&error))?;
        Ok(output
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| object.key)
            .collect())
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        delete.send().await.map_err(|error| object_error(&error))?;
        Ok(())
    }
}
