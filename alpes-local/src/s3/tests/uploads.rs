//! Multipart uploads.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;

use super::{super::checksum, Buckets};

#[test]
fn an_upload_in_parts_becomes_one_object() {
    let buckets = Buckets::new();
    let (first, last) = (vec![1_u8; 5 * 1_024 * 1_024 + 7], b"end".to_vec());
    let algorithm = checksum::Algorithm::Crc32;
    let create = [
        ("x-amz-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
        ("content-type", "text/plain"),
    ];
    let id = buckets
        .send(Method::POST, "/shop/key?uploads", &create, "")
        .element("UploadId")
        .to_owned();
    let part = |number: u32, bytes: &[u8]| {
        let crc = algorithm.of(bytes);
        let target = format!("/shop/key?partNumber={number}&uploadId={id}");
        let answer = buckets.put(&target, &[("x-amz-checksum-crc32", &crc)], bytes.to_vec());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("etag").to_owned()
    };
    part(2, b"replaced");
    let etags = [part(2, &first), part(5, &last)];
    part(7, b"not used");
    let wrong = buckets.refused(
        Method::PUT,
        &format!("/shop/key?partNumber=1&uploadId={id}"),
        &[],
        "x",
    );
    assert_eq!(wrong.1, "InvalidRequest");
    let wrong = buckets.refused(
        Method::PUT,
        &format!("/shop/key?partNumber=10001&uploadId={id}"),
        &[],
        "x",
    );
    assert_eq!(wrong.1, "InvalidArgument");

    let buckets = buckets.reopened();
    let listed = buckets.get(&format!("/shop/key?uploadId={id}&max-parts=2"));
    assert_eq!(listed.elements("PartNumber"), ["2", "5"]);
    assert_eq!(listed.element("IsTruncated"), "true");
    let complete = |parts: &[(u32, &str)]| {
        let parts = parts.iter().map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        });
        let body = format!(
            "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
            parts.collect::<Vec<_>>().concat()
        );
        buckets.send(Method::POST, &format!("/shop/key?uploadId={id}"), &[], body)
    };
    for (parts, code) in [
        (&[][..], "InvalidRequest"),
        (
            &[(5, etags[1].as_str()), (2, &etags[0])],
            "InvalidPartOrder",
        ),
        (&[(2, etags[1].as_str())], "InvalidPart"),
        (&[(3, etags[1].as_str())], "InvalidPart"),
        (
            &[
                (5, etags[1].as_str()),
                (7, &format!("\"{:x}\"", md5::compute("not used"))),
            ],
            "EntityTooSmall",
        ),
    ] {
        assert_eq!(complete(parts).element("Code"), code);
    }
    let done = complete(&[(2, &etags[0]), (5, &etags[1])]);
    assert_eq!(done.status, 200, "{}", done.text());
    let whole = [first.clone(), last.clone()].concat();
    assert_eq!(done.element("ChecksumCRC32"), algorithm.of(&whole));
    let digests = [md5::compute(&first).0, md5::compute(&last).0].concat();
    let get = buckets.get("/shop/key");
    assert_eq!(
        get.header("etag"),
        format!("\"{:x}-2\"", md5::compute(digests))
    );
    assert_eq!(get.header("content-type"), "text/plain");
    assert_eq!(get.body, whole);
    let across = buckets.send(
        Method::GET,
        "/shop/key",
        &[("range", "bytes=5242880-5242889")],
        "",
    );
    assert_eq!(across.body, whole[5_242_880..5_242_890]);
    assert_eq!(complete(&[(2, &etags[0])]).element("Code"), "NoSuchUpload");

    buckets.send(Method::DELETE, "/shop/key", &[], "");
    assert_eq!(pieces(&buckets), 0, "bytes stay without an object");
}

#[test]
fn an_upload_can_have_a_checksum_of_checksums_or_be_aborted() {
    let buckets = Buckets::new();
    let create = [("x-amz-checksum-algorithm", "SHA256")];
    let begin = || {
        buckets
            .send(Method::POST, "/shop/key?uploads", &create, "")
            .element("UploadId")
            .to_owned()
    };
    let id = begin();
    let sha = checksum::Algorithm::Sha256.of(b"x");
    let put = buckets.put(
        &format!("/shop/key?partNumber=1&uploadId={id}"),
        &[("x-amz-checksum-sha256", &sha)],
        "x",
    );
    let part = format!(
        "<PartNumber>1</PartNumber><ETag>{}</ETag>",
        put.header("etag").replace('"', "&quot;")
    );
    let complete = |part: &str| {
        let body =
            format!("<CompleteMultipartUpload><Part>{part}</Part></CompleteMultipartUpload>");
        buckets.send(Method::POST, &format!("/shop/key?uploadId={id}"), &[], body)
    };
    assert_eq!(complete(&part).element("Code"), "InvalidRequest");
    let done = complete(&format!("{part}<ChecksumSHA256>{sha}</ChecksumSHA256>"));
    let expected = checksum::Algorithm::Sha256.of(&BASE64_STANDARD.decode(&sha).unwrap());
    assert_eq!(
        done.element("ChecksumSHA256"),
        format!("{expected}-1"),
        "{}",
        done.text()
    );

    let id = begin();
    let abort = format!("/shop/key?uploadId={id}");
    assert_eq!(buckets.send(Method::DELETE, &abort, &[], "").status, 204);
    assert_eq!(
        buckets.refused(Method::DELETE, &abort, &[], ""),
        (404, "NoSuchUpload".to_owned())
    );
}

/// The number of stored pieces of bytes.
fn pieces(buckets: &Buckets) -> i64 {
    let count = "SELECT (SELECT count(*) FROM s3_bytes) + (SELECT count(*) FROM s3_pieces)";
    let store = &buckets.s3.store;
    store
        .read(|connection| connection.query_row(count, [], |row| row.get(0)))
        .unwrap()
}
