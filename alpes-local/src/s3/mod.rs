//! S3: objects in buckets.

mod answers;
mod buckets;
mod checksum;
mod chunked;
mod complete;
mod conditions;
mod errors;
mod listing;
mod metadata;
mod multipart;
mod objects;
mod payload;
mod route;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod uploads;
mod xml;

use std::sync::Arc;

use self::{answers::identified, target::check_expiry};
use crate::{
    error::AwsError,
    http::{Request, Response},
    store::Store,
    waiting::aside,
};

pub(crate) use self::{route::Operation, target::Target};
pub(crate) use errors::error_answer;
pub use listing::Listed;

/// The buckets with their objects. Buckets have no versions, and every caller has access.
pub struct S3 {
    store: Arc<Store>,
}

impl S3 {
    /// The buckets in this store.
    ///
    /// # Errors
    ///
    /// If the tables cannot be made.
    pub fn new(store: Arc<Store>) -> Result<Self, AwsError> {
        store.schema(table::SCHEMA)?;
        Ok(Self { store })
    }

    /// Answers a request. The bucket is in the path or in the host's name.
    /// Bodies may be large, so this leaves its thread of a multi-threaded runtime to other tasks.
    pub fn serve(&self, request: &Request) -> Response {
        match aside(|| self.respond(request)) {
            Ok(response) => identified(response),
            Err(error) => error_answer(&request.method, &error),
        }
    }

    fn respond(&self, request: &Request) -> Result<Response, AwsError> {
        let target = Target::of(request)?;
        let operation = Operation::of(request, &target)?;
        check_expiry(request)?;
        objects::check_version(request.parameter("versionId").as_deref())?;
        metadata::check_headers(request, operation == Operation::CopyObject)?;
        match operation {
            Operation::ListBuckets => self.list_buckets(),
            Operation::CreateBucket => self.create_bucket(request, &target.bucket),
            Operation::HeadBucket => self.head_bucket(&target.bucket),
            Operation::DeleteBucket => self.delete_bucket(&target.bucket),
            Operation::GetBucketLocation => self.get_bucket_location(&target.bucket),
            Operation::ListObjects => self.list_objects(request, &target.bucket),
            Operation::ListObjectsV2 => self.list_objects_v2(request, &target.bucket),
            Operation::DeleteObjects => self.delete_objects(request, &target.bucket),
            Operation::PutObject => self.put_object(request, &target),
            Operation::CopyObject => self.copy_object(request, &target),
            Operation::GetObject => self.get_object(request, &target),
            Operation::HeadObject => self.head_object(request, &target),
            Operation::DeleteObject => self.delete_object(request, &target),
            Operation::CreateMultipartUpload => self.create_multipart_upload(request, &target),
            Operation::UploadPart => self.upload_part(request, &target),
            Operation::CompleteMultipartUpload => self.complete_multipart_upload(request, &target),
            Operation::AbortMultipartUpload => self.abort_multipart_upload(request, &target),
            Operation::ListParts => self.list_parts(request, &target),
        }
    }
}
