//! The operations on buckets.

use super::{
    S3,
    answers::{OWNER, document, element, empty, iso_date, set},
    table,
    xml::Element,
};
use crate::{
    error::AwsError,
    http::{Request, Response},
    names::{REGION, now_millis},
};

impl S3 {
    /// A bucket that exists already is made again without an error: S3 in us-east-1 does so.
    pub(super) fn create_bucket(
        &self,
        request: &Request,
        name: &str,
    ) -> Result<Response, AwsError> {
        check_configuration(&request.body)?;
        self.ensure_bucket(name)?;
        let mut response = empty(200);
        set(&mut response, "location", &format!("/{name}"));
        set_arn(&mut response, name);
        Ok(response)
    }

    pub(super) fn list_buckets(&self) -> Result<Response, AwsError> {
        let buckets = self.store.read(table::buckets)?;
        let buckets = buckets.iter().map(|(name, created)| {
            let created = element("CreationDate", &iso_date(*created));
            format!("<Bucket>{}{created}</Bucket>", element("Name", name))
        });
        let buckets: String = buckets.collect();
        let content = format!("<Owner><ID>{OWNER}</ID></Owner><Buckets>{buckets}</Buckets>");
        Ok(document("ListAllMyBucketsResult", &content))
    }

    pub(super) fn head_bucket(&self, name: &str) -> Result<Response, AwsError> {
        self.store
            .read(|connection| table::bucket(connection, name))?;
        let mut response = empty(200);
        set(&mut response, "x-amz-bucket-region", REGION);
        set_arn(&mut response, name);
        Ok(response)
    }

    /// A bucket in us-east-1 has an empty location.
    pub(super) fn get_bucket_location(&self, name: &str) -> Result<Response, AwsError> {
        self.store
            .read(|connection| table::bucket(connection, name))?;
        Ok(document("LocationConstraint", ""))
    }

    pub(super) fn delete_bucket(&self, name: &str) -> Result<Response, AwsError> {
        self.store.write(|transaction| {
            table::bucket(transaction, name)?;
            let mut is_empty = true;
            table::objects_from(transaction, name, "", |_, _| {
                is_empty = false;
                false
            })?;
            if !is_empty {
                return Err(AwsError::of(
                    409,
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty",
                )
                .with("BucketName", name));
            }
            super::multipart::abort_all(transaction, name)?;
            table::delete_bucket(transaction, name)
        })?;
        Ok(empty(204))
    }

    /// Makes a bucket if it is missing.
    ///
    /// # Errors
    ///
    /// `InvalidBucketName`.
    pub fn ensure_bucket(&self, name: &str) -> Result<(), AwsError> {
        check_name(name)?;
        self.store
            .write(|transaction| table::make_bucket(transaction, name, now_millis()))
    }
}

fn set_arn(response: &mut Response, bucket: &str) {
    set(
        response,
        "x-amz-bucket-arn",
        &format!("arn:aws:s3:::{bucket}"),
    );
}

/// Checks the document of a request to make a bucket. All buckets are in the one region.
fn check_configuration(body: &[u8]) -> Result<(), AwsError> {
    if body.is_empty() {
        return Ok(());
    }
    let configuration = Element::parse(body, "CreateBucketConfiguration")?;
    if let Some(name) = configuration.other_than(&["LocationConstraint"]) {
        return Err(AwsError::of(
            501,
            "NotImplemented",
            format!("The local runtime does not implement {name} of a bucket's configuration."),
        ));
    }
    match configuration.text_of("LocationConstraint") {
        None | Some("") => Ok(()),
        Some(REGION) => Err(AwsError::client(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )
        .with("LocationConstraint", REGION)),
        Some(other) => Err(AwsError::client(
            "IllegalLocationConstraintException",
            format!(
                "The {other} location constraint is incompatible for the region specific endpoint this request was \
                 sent to."
            ),
        )),
    }
}

/// Checks S3's rules for the name of a new bucket.
fn check_name(name: &str) -> Result<(), AwsError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(allowed);
    let valid = (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| allowed(byte) || byte == b'-' || byte == b'.')
        && ends(name.bytes().next())
        && ends(name.bytes().last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
    if valid {
        return Ok(());
    }
    Err(
        AwsError::client("InvalidBucketName", "The specified bucket is not valid.")
            .with("BucketName", name),
    )
}
