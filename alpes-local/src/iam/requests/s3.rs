//! S3.

use super::Need;
use crate::{
    http::Request,
    s3::{Operation, Target},
};

/// The needs of a request; none if S3 knows no such request, since S3 then refuses it.
pub(super) fn needs(request: &Request) -> Vec<Need> {
    let Ok(target) = Target::of(request) else {
        return vec![];
    };
    let Ok(operation) = Operation::of(request, &target) else {
        return vec![];
    };
    let (action, on_objects) = action(operation);
    let bucket = format!("arn:aws:s3:::{}", target.bucket);
    let resource = match (on_objects, operation) {
        (_, Operation::ListBuckets) => "*".to_owned(),
        (true, Operation::DeleteObjects) => format!("{bucket}/*"),
        (true, _) => format!("{bucket}/{}", target.key),
        (false, _) => bucket,
    };
    let mut needs = vec![Need::new("s3", action, resource)];
    if operation == Operation::CopyObject {
        needs.extend(source(request));
    }
    needs
}

/// The action of an operation, and whether it is on objects.
fn action(operation: Operation) -> (&'static str, bool) {
    match operation {
        Operation::AbortMultipartUpload => ("AbortMultipartUpload", true),
        Operation::CompleteMultipartUpload
        | Operation::CopyObject
        | Operation::CreateMultipartUpload
        | Operation::PutObject
        | Operation::UploadPart => ("PutObject", true),
        Operation::CreateBucket => ("CreateBucket", false),
        Operation::DeleteBucket => ("DeleteBucket", false),
        Operation::DeleteObject | Operation::DeleteObjects => ("DeleteObject", true),
        Operation::GetBucketLocation => ("GetBucketLocation", false),
        Operation::GetObject | Operation::HeadObject => ("GetObject", true),
        Operation::HeadBucket | Operation::ListObjects | Operation::ListObjectsV2 => {
            ("ListBucket", false)
        }
        Operation::ListBuckets => ("ListAllMyBuckets", false),
        Operation::ListParts => ("ListMultipartUploadParts", true),
    }
}

/// The source of a copy.
fn source(request: &Request) -> Option<Need> {
    let source = Target::of_copy(request.header("x-amz-copy-source")?).ok()?;
    let object = format!("arn:aws:s3:::{}/{}", source.bucket, source.key);
    Some(Need::new("s3", "GetObject", object))
}

/// The need of a caller who learns that an object is missing. Without it, AWS answers that access is denied:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>.
pub(crate) fn to_learn_that_it_is_missing(request: &Request) -> Option<Need> {
    let target = Target::of(request).ok()?;
    let operation = Operation::of(request, &target).ok()?;
    let reads = matches!(operation, Operation::GetObject | Operation::HeadObject);
    let bucket = format!("arn:aws:s3:::{}", target.bucket);
    reads.then(|| Need::new("s3", "ListBucket", bucket))
}
