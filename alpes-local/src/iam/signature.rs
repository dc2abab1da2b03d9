//! Signatures of requests, version 4: whether the caller has the secret of its key, and sent what it signed.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{
    digest::{hexadecimal, sha256},
    http::Request,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The most by which the time of a request may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The form of times in signatures.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// What signatures encode: all but letters, digits and `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// Why a signature does not count, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// Another secret, or another request than the signed one.
    Mismatch,
    /// The time of the signature is too far from now.
    Expired,
    /// A part of the signature is missing.
    Incomplete,
}

impl Unsigned {
    /// AWS's message.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Mismatch => {
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details."
            }
            Self::Expired => "Signature expired: its time is more than 5 minutes from now.",
            Self::Incomplete => {
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, and of \
                 'Credential', 'SignedHeaders' and 'Signature' parameters."
            }
        }
    }
}

/// The parts of a signature, from the header `Authorization` or from the query.
struct Signature {
    /// `DATE/REGION/SERVICE/aws4_request`.
    scope: String,
    headers: String,
    /// The signature itself, in hexadecimal digits.
    digits: String,
    time: String,
    /// How long a presigned request is good, in seconds.
    expires: Option<i64>,
}

/// Checks the signature of a request with the secret of its key.
///
/// # Errors
///
/// Why the signature does not count.
pub(super) fn verify(request: &Request, secret: &str, now: Timestamp) -> Result<(), Unsigned> {
    let signature = Signature::of(request).ok_or(Unsigned::Incomplete)?;
    signature.check_time(now)?;
    let expected = signature.expected(request, secret);
    verify_slices_are_equal(expected.as_bytes(), signature.digits.as_bytes())
        .map_err(|_| Unsigned::Mismatch)
}

impl Signature {
    fn of(request: &Request) -> Option<Self> {
        Self::in_header(request).or_else(|| Self::in_query(request))
    }

    fn in_header(request: &Request) -> Option<Self> {
        let fields = request.header("authorization")?.strip_prefix(ALGORITHM)?;
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        Some(Self {
            scope: scope(&field("Credential")?)?,
            headers: field("SignedHeaders")?,
            digits: field("Signature")?,
            time: request.header("x-amz-date")?.to_owned(),
            expires: None,
        })
    }

    fn in_query(request: &Request) -> Option<Self> {
        Some(Self {
            scope: scope(&request.parameter("X-Amz-Credential")?)?,
            headers: request.parameter("X-Amz-SignedHeaders")?,
            digits: request.parameter("X-Amz-Signature")?,
            time: request.parameter("X-Amz-Date")?,
            expires: Some(request.parameter("X-Amz-Expires")?.parse().ok()?),
        })
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Unsigned> {
        let time = DateTime::strptime(TIME, &self.time).ok();
        let time = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
        let time = time.ok_or(Unsigned::Incomplete)?.timestamp();
        let age = now.duration_since(time);
        let oldest = self.expires.map_or(SKEW, SignedDuration::from_secs);
        if age > oldest || age < -SKEW {
            return Err(Unsigned::Expired);
        }
        Ok(())
    }

    /// The signature that the request should have.
    fn expected(&self, request: &Request, secret: &str) -> String {
        let canonical = hexadecimal(&sha256(self.canonical(request)));
        let text = format!("{ALGORITHM}\n{}\n{}\n{canonical}", self.time, self.scope);
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in self.scope.split('/') {
            key = mac(&key, part);
        }
        hexadecimal(&mac(&key, &text))
    }

    fn canonical(&self, request: &Request) -> String {
        let path = utf8_percent_encode(&request.path, IN_PATH);
        let mut canonical = format!("{}\n{path}\n{}\n", request.method, query(&request.query));
        for name in self.headers.split(';') {
            let values = request.headers.get_all(name).iter();
            let values = values.filter_map(|value| value.to_str().ok());
            let values = values.map(|value| {
                let words = value.split_whitespace();
                words.collect::<Vec<_>>().join(" ")
            });
            let values = values.collect::<Vec<_>>().join(",");
            // Writing to a string does not fail.
            let _ = writeln!(canonical, "{name}:{values}");
        }
        let body = hexadecimal(&sha256(&request.body));
        let _ = write!(canonical, "\n{}\n{body}", self.headers);
        canonical
    }
}

/// The scope of a credential: all but the key.
fn scope(credential: &str) -> Option<String> {
    let (_, scope) = credential.split_once('/')?;
    Some(scope.to_owned())
}

/// The parameters of a query in order, without the signature itself.
fn query(query: &str) -> String {
    let encoded = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&decoded, ENCODED).to_string()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<_> = pairs
        .map(|(name, value)| (encoded(name), encoded(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// Signs a request as a client would, for tests.
#[cfg(test)]
pub(crate) fn sign(request: &mut Request, key: &str, secret: &str, service: &str) {
    let time = Timestamp::now().strftime(TIME).to_string();
    let date = time.split('T').next().unwrap();
    let scope = format!("{date}/us-east-1/{service}/aws4_request");
    request.headers.insert("x-amz-date", time.parse().unwrap());
    let mut signature = Signature {
        scope,
        headers: "host;x-amz-date".to_owned(),
        digits: String::new(),
        time,
        expires: None,
    };
    signature.digits = signature.expected(request, secret);
    let Signature {
        scope,
        headers,
        digits,
        ..
    } = signature;
    let header = format!(
        "{ALGORITHM} Credential={key}/{scope}, SignedHeaders={headers}, Signature={digits}"
    );
    request
        .headers
        .insert("authorization", header.parse().unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of AWS's test suite for signatures, which was published with the signatures of all its requests:
    /// `get-vanilla-query-order-key-case` and `post-x-www-form-urlencoded`.
    fn of_the_suite(
        method: &str,
        query: &str,
        body: &'static [u8],
        more: &[(&str, &str)],
    ) -> Request {
        let mut headers = http::HeaderMap::new();
        for (name, value) in [
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ]
        .iter()
        .chain(more)
        {
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        Request {
            method: method.parse().unwrap(),
            path: "/".to_owned(),
            query: query.to_owned(),
            headers,
            body: bytes::Bytes::from_static(body),
            peer: ([127, 0, 0, 1], 50_000).into(),
        }
    }

    fn signed(mut request: Request, headers: &str, signature: &str) -> Request {
        let header = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={headers}, Signature={signature}"
        );
        request
            .headers
            .insert("authorization", header.parse().unwrap());
        request
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn at_the_time() -> Timestamp {
        "2015-08-30T12:36:00Z".parse().unwrap()
    }

    #[test]
    fn requests_of_the_test_suite_have_its_signatures() {
        let get = signed(
            of_the_suite("GET", "Param2=value2&Param1=value1", b"", &[]),
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        assert_eq!(verify(&get, SECRET, at_the_time()), Ok(()));
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let post = signed(
            of_the_suite("POST", "", b"Param1=value1", &form),
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
        assert_eq!(verify(&post, SECRET, at_the_time()), Ok(()));
    }

    #[test]
    fn a_changed_request_or_another_secret_or_time_does_not_count() {
        let request = || {
            let mut request = of_the_suite("PUT", "a=1&b=%2B", b"body", &[]);
            request.path = "/a%20b/{c}".to_owned();
            sign(&mut request, "key", SECRET, "execute-api");
            request
        };
        let now = Timestamp::now();
        assert_eq!(verify(&request(), SECRET, now), Ok(()));
        assert_eq!(verify(&request(), "other", now), Err(Unsigned::Mismatch));
        let later = now + SignedDuration::from_mins(6);
        assert_eq!(verify(&request(), SECRET, later), Err(Unsigned::Expired));
        let changes: [fn(&mut Request); 4] = [
            |request| request.body = bytes::Bytes::from_static(b"other"),
            |request| request.path = "/a%20b/c".to_owned(),
            |request| request.query = "a=1&b=%2C".to_owned(),
            |request| request.method = http::Method::POST,
        ];
        for change in changes {
            let mut other = request();
            change(&mut other);
            assert_eq!(verify(&other, SECRET, now), Err(Unsigned::Mismatch));
        }
        let mut without = request();
        without.headers.remove("x-amz-date");
        assert_eq!(verify(&without, SECRET, now), Err(Unsigned::Incomplete));
    }
}
