//! Decides which operation a request asks for.

use http::Method;

use super::{
    errors::{not_allowed, parameter_not_implemented},
    objects::OVERRIDES,
    target::Target,
};
use crate::{
    error::AwsError,
    http::{Form, Request},
};

/// An operation of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CopyObject,
    CreateBucket,
    CreateMultipartUpload,
    DeleteBucket,
    DeleteObject,
    DeleteObjects,
    GetBucketLocation,
    GetObject,
    HeadBucket,
    HeadObject,
    ListBuckets,
    ListObjects,
    ListObjectsV2,
    ListParts,
    PutObject,
    UploadPart,
}

impl Operation {
    /// The operation of a request. A parameter that the operation does not have asks for something that the runtime
    /// does not do, for example for a bucket's policy, and is refused.
    pub fn of(request: &Request, target: &Target) -> Result<Self, AwsError> {
        let operation = Self::choose(request, target)?;
        let known = operation.parameters();
        for (name, _) in Form::pairs(&request.query) {
            if !known.contains(&name.as_str()) && !is_of_signature(&name) {
                return Err(parameter_not_implemented(&name));
            }
        }
        Ok(operation)
    }

    fn choose(request: &Request, target: &Target) -> Result<Self, AwsError> {
        let operation = if target.bucket.is_empty() {
            (request.method == Method::GET).then_some(Self::ListBuckets)
        } else if target.key.is_empty() {
            Self::of_bucket(request)
        } else {
            Self::of_object(request)
        };
        operation.ok_or_else(|| not_allowed(&request.method))
    }

    fn of_bucket(request: &Request) -> Option<Self> {
        match request.method {
            Method::PUT => Some(Self::CreateBucket),
            Method::HEAD => Some(Self::HeadBucket),
            Method::DELETE => Some(Self::DeleteBucket),
            Method::POST => Some(Self::DeleteObjects).filter(|_| has(request, "delete")),
            Method::GET if has(request, "location") => Some(Self::GetBucketLocation),
            Method::GET if has(request, "list-type") => Some(Self::ListObjectsV2),
            Method::GET => Some(Self::ListObjects),
            _ => None,
        }
    }

    fn of_object(request: &Request) -> Option<Self> {
        let of_upload = has(request, "uploadId");
        match request.method {
            Method::PUT if of_upload => Some(Self::UploadPart),
            Method::PUT if request.headers.contains_key("x-amz-copy-source") => {
                Some(Self::CopyObject)
            }
            Method::PUT => Some(Self::PutObject),
            Method::GET if of_upload => Some(Self::ListParts),
            Method::GET => Some(Self::GetObject),
            Method::HEAD => Some(Self::HeadObject),
            Method::DELETE if of_upload => Some(Self::AbortMultipartUpload),
            Method::DELETE => Some(Self::DeleteObject),
            Method::POST if of_upload => Some(Self::CompleteMultipartUpload),
            Method::POST if has(request, "uploads") => Some(Self::CreateMultipartUpload),
            _ => None,
        }
    }

    /// The parameters that the operation has.
    fn parameters(self) -> Vec<&'static str> {
        const LIST: [&str; 4] = ["delimiter", "encoding-type", "max-keys", "prefix"];
        match self {
            Self::CopyObject
            | Self::CreateBucket
            | Self::DeleteBucket
            | Self::HeadBucket
            | Self::ListBuckets
            | Self::PutObject => Vec::new(),
            Self::AbortMultipartUpload | Self::CompleteMultipartUpload => vec!["uploadId"],
            Self::CreateMultipartUpload => vec!["uploads"],
            Self::DeleteObject => vec!["versionId"],
            Self::DeleteObjects => vec!["delete"],
            Self::GetBucketLocation => vec!["location"],
            Self::GetObject | Self::HeadObject => [&["versionId"], &OVERRIDES[..]].concat(),
            Self::ListObjects => [&["marker"], &LIST[..]].concat(),
            Self::ListObjectsV2 => [
                &[
                    "list-type",
                    "continuation-token",
                    "fetch-owner",
                    "start-after",
                ],
                &LIST[..],
            ]
            .concat(),
            Self::ListParts => vec!["uploadId", "max-parts", "part-number-marker"],
            Self::UploadPart => vec!["uploadId", "partNumber"],
        }
    }
}

fn has(request: &Request, name: &str) -> bool {
    request.parameter(name).is_some()
}

/// True for parameters of presigned requests, and for the one by which SDKs name the operation.
fn is_of_signature(name: &str) -> bool {
    matches!(name, "x-id" | "AWSAccessKeyId" | "Signature" | "Expires")
        || name.to_lowercase().starts_with("x-amz-")
}
