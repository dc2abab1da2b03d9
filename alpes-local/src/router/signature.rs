//! Reads the key and the service of a signature. Signatures themselves are not checked.

use crate::http::Request;

/// How the header `Authorization` of a signed request begins.
const SCHEME: &str = "AWS4-HMAC-SHA256";

/// The credential that a request is signed with: `KEY/DATE/REGION/SERVICE/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key.
    pub key: String,
    /// The service for which the request is signed, for example `s3`.
    pub service: String,
}

impl Credential {
    /// The credential of a request that is signed by its headers or, if it is presigned, by its query.
    #[must_use]
    pub fn of(request: &Request) -> Option<Self> {
        let header = request.header("authorization");
        match header.and_then(in_header) {
            Some(credential) => Self::read(credential),
            None => Self::read(&request.parameter("X-Amz-Credential")?),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (key, service) = (parts.next()?, parts.nth(2)?);
        (parts.next() == Some("aws4_request") && !key.is_empty()).then(|| Self {
            key: key.to_owned(),
            service: service.to_owned(),
        })
    }
}

fn in_header(header: &str) -> Option<&str> {
    let fields = header.strip_prefix(SCHEME)?.split([',', ' ']);
    let mut credentials = fields.filter_map(|field| field.strip_prefix("Credential="));
    credentials.next()
}
