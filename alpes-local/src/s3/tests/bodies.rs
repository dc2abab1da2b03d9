//! Bodies and their checksums.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;

use super::{super::checksum, Buckets};

/// The headers and the body of a request, and the code of its error.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn a_body_that_is_not_what_the_client_says_is_refused_and_not_stored() {
    let buckets = Buckets::new();
    let empty = BASE64_STANDARD.encode(md5::compute("").as_slice());
    let (zero, chunked) = (
        "0".repeat(64),
        [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")],
    );
    let trailer = [chunked[0], ("x-amz-trailer", "x-amz-checksum-crc32")];
    let length = [chunked[0], ("x-amz-decoded-content-length", "9")];
    let cases: [Case<'_>; 12] = [
        (&[("content-md5", &empty)], "x", "BadDigest"),
        (&[("content-md5", "x")], "x", "InvalidDigest"),
        (&[("x-amz-checksum-crc32", "AAAAAA==")], "x", "BadDigest"),
        (&[("x-amz-checksum-crc32", "AAAA")], "x", "InvalidRequest"),
        (
            &[("x-amz-sdk-checksum-algorithm", "CRC32")],
            "x",
            "InvalidRequest",
        ),
        (
            &[("x-amz-content-sha256", &zero)],
            "x",
            "XAmzContentSHA256Mismatch",
        ),
        (&[("x-amz-acl", "public-read")], "x", "NotImplemented"),
        (&[("x-amz-tagging", "a=b")], "x", "NotImplemented"),
        (&chunked, "5\r\nhell", "IncompleteBody"),
        (&length, "1\r\nx\r\n0\r\n\r\n", "IncompleteBody"),
        (&trailer, "1\r\nx\r\n0\r\n\r\n", "MalformedTrailerError"),
        (
            &trailer,
            "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            "BadDigest",
        ),
    ];
    for (headers, body, code) in cases {
        assert_eq!(
            buckets.refused(Method::PUT, "/shop/key", headers, body).1,
            code,
            "{headers:?}"
        );
    }
    let long = format!("/shop/{}", "k".repeat(1_025));
    assert_eq!(
        buckets.refused(Method::PUT, &long, &[], "x").1,
        "KeyTooLongError"
    );
    assert!(buckets.s3.list("shop", "").unwrap().is_empty());
}

#[test]
fn bodies_in_chunks_are_decoded_with_and_without_signatures() {
    let buckets = Buckets::new();
    let crc = checksum::Algorithm::Crc32.of(b"hello world");
    let plain = format!("5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n");
    let signed = "5;chunk-signature=aa\r\nhello\r\n6;chunk-signature=bb\r\n world\r\n0;chunk-signature=cc\r\n\r\n".to_owned();
    let both = format!(
        "b;chunk-signature=aa\r\nhello world\r\n0;chunk-signature=bb\r\nx-amz-checksum-crc32:{crc}\n\r\n\
         x-amz-trailer-signature:cc\r\n\r\n"
    );
    for (kind, body, has_checksum) in [
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", plain, true),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", signed, false),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", both, true),
    ] {
        let headers = [
            ("x-amz-content-sha256", kind),
            ("x-amz-decoded-content-length", "11"),
        ];
        let put = buckets.put("/shop/key", &headers, body);
        assert_eq!(put.status, 200, "{kind}: {}", put.text());
        assert_eq!(put.header("x-amz-checksum-crc32") == crc, has_checksum);
        assert_eq!(buckets.get("/shop/key").body, "hello world", "{kind}");
    }
}

#[test]
fn objects_without_a_checksum_of_the_client_get_one() {
    let buckets = Buckets::new();
    let crc = checksum::Algorithm::Crc64Nvme.of(b"x");
    let put = buckets.put("/shop/key", &[], "x");
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), crc);
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");

    let created = buckets.send(Method::POST, "/shop/key?uploads", &[], "");
    let id = created.element("UploadId");
    let part = buckets.put(&format!("/shop/key?partNumber=1&uploadId={id}"), &[], "x");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").replace('"', "&quot;")
    );
    let done = buckets.send(Method::POST, &format!("/shop/key?uploadId={id}"), &[], body);
    assert_eq!(done.element("ChecksumCRC64NVME"), crc, "{}", done.text());
    assert_eq!(done.element("ChecksumType"), "FULL_OBJECT");
}

/// The check values of the algorithms' definitions.
#[test]
fn checksums_are_those_of_their_definitions() {
    let expected: [(checksum::Algorithm, &[u8]); 3] = [
        (checksum::Algorithm::Crc32, &[0xcb, 0xf4, 0x39, 0x26]),
        (checksum::Algorithm::Crc32c, &[0xe3, 0x06, 0x92, 0x83]),
        (
            checksum::Algorithm::Crc64Nvme,
            &[0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88],
        ),
    ];
    for (algorithm, value) in expected {
        assert_eq!(algorithm.of(b"123456789"), BASE64_STANDARD.encode(value));
    }
}
