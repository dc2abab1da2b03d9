//! Buckets, objects and lists.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Method;

use super::{super::checksum, Buckets};
use crate::names::now_millis;

#[test]
fn buckets_are_made_listed_and_deleted() {
    let buckets = Buckets::new();
    assert_eq!(buckets.put("/second", &[], "").status, 200);
    assert_eq!(buckets.put("/second", &[], "").status, 200);
    let buckets = buckets.reopened();
    assert_eq!(buckets.get("/").elements("Name"), ["second", "shop"]);
    assert_eq!(
        buckets
            .send(Method::HEAD, "/shop", &[], "")
            .header("x-amz-bucket-region"),
        "us-east-1"
    );
    assert!(
        buckets
            .get("/shop?location")
            .text()
            .contains("LocationConstraint")
    );

    buckets.put("/second/key", &[], "x");
    let refused = buckets.refused(Method::DELETE, "/second", &[], "");
    assert_eq!(refused, (409, "BucketNotEmpty".to_owned()));
    buckets.send(Method::DELETE, "/second/key", &[], "");
    assert_eq!(buckets.send(Method::DELETE, "/second", &[], "").status, 204);
    assert_eq!(buckets.send(Method::HEAD, "/second", &[], "").status, 404);

    let elsewhere = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    for (target, body, code) in [
        ("/Upper", "", "InvalidBucketName"),
        ("/192.168.0.1", "", "InvalidBucketName"),
        ("/far", elsewhere, "IllegalLocationConstraintException"),
        ("/far", "<CreateBucketConfiguration>", "MalformedXML"),
    ] {
        assert_eq!(
            buckets.refused(Method::PUT, target, &[], body).1,
            code,
            "{target}"
        );
    }
    let refused = buckets.refused(Method::PUT, "/shop?versioning", &[], "");
    assert_eq!(refused, (501, "NotImplemented".to_owned()));
}

#[test]
fn an_object_comes_back_with_its_headers() {
    let buckets = Buckets::new();
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    let headers = [
        ("content-type", "image/png"),
        ("x-amz-meta-colour", "red"),
        ("content-encoding", "gzip,aws-chunked"),
        (
            "x-amz-checksum-sha256",
            &checksum::Algorithm::Sha256.of(&bytes),
        ),
    ];
    // A body is in the encoding `aws-chunked` if its headers say so.
    let body = [
        format!("{:x}\r\n", bytes.len()).as_bytes(),
        &bytes,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let put = buckets.put("/shop/a%20b/c+d", &headers, body);
    assert_eq!(put.status, 200, "{}", put.text());

    let buckets = buckets.reopened();
    let get = buckets.send(
        Method::GET,
        "/shop/a%20b/c+d?response-content-type=text%2Fplain",
        &[("x-amz-checksum-mode", "ENABLED")],
        "",
    );
    assert_eq!(get.body, bytes);
    assert_eq!(get.header("etag"), put.header("etag"));
    assert_eq!(
        get.header("etag"),
        format!("\"{:x}\"", md5::compute(&bytes))
    );
    assert_eq!(get.header("content-type"), "text/plain");
    assert_eq!(get.header("content-encoding"), "gzip");
    assert_eq!(get.header("x-amz-meta-colour"), "red");
    assert_eq!(get.header("x-amz-checksum-sha256"), headers[3].1);
    let head = buckets.send(Method::HEAD, "/shop/a%20b/c+d", &[], "");
    assert_eq!(head.header("content-length"), "3000000");
    assert_eq!(head.header("content-type"), "image/png");
    assert_eq!(buckets.s3.get("shop", "a b/c+d").unwrap(), bytes);

    for (range, expected) in [
        ("bytes=1048570-1048589", 1_048_570..1_048_590),
        ("bytes=-5", 2_999_995..3_000_000),
        ("bytes=2999999-", 2_999_999..3_000_000),
    ] {
        let part = buckets.send(Method::GET, "/shop/a%20b/c+d", &[("range", range)], "");
        assert_eq!(part.status, 206);
        assert_eq!(part.body, bytes[expected], "{range}");
    }
    let beyond = buckets.refused(
        Method::GET,
        "/shop/a%20b/c+d",
        &[("range", "bytes=3000000-")],
        "",
    );
    assert_eq!(beyond, (416, "InvalidRange".to_owned()));
    assert_eq!(
        buckets.refused(Method::GET, "/shop/missing", &[], ""),
        (404, "NoSuchKey".to_owned())
    );
    assert_eq!(
        buckets.refused(Method::GET, "/none/key", &[], ""),
        (404, "NoSuchBucket".to_owned())
    );
}

#[test]
fn the_bucket_may_be_in_the_hosts_name() {
    let buckets = Buckets::new();
    buckets.put("/shop/key", &[], "x");
    for host in [
        "shop.localhost:4566",
        "shop.s3.localhost",
        "shop.s3.us-east-1.amazonaws.com",
        "shop.s3-x.test",
    ] {
        let answer = buckets.send(Method::GET, "/key", &[("host", host)], "");
        assert_eq!(answer.body, "x", "{host}");
    }
    for host in [
        "localhost:4566",
        "127.0.0.1:4566",
        "s3.localhost",
        "s3.us-east-1.amazonaws.com",
    ] {
        let answer = buckets.send(Method::GET, "/shop/key", &[("host", host)], "");
        assert_eq!(answer.body, "x", "{host}");
    }
}

#[test]
fn conditions_hold_for_reads_and_writes() {
    let buckets = Buckets::new();
    let put = |headers: &[(&str, &str)]| buckets.put("/shop/key", headers, "x").status;
    let new = [("if-none-match", "*")];
    let missing = buckets.refused(Method::PUT, "/shop/key", &[("if-match", "\"x\"")], "");
    assert_eq!(missing, (404, "NoSuchKey".to_owned()));
    assert_eq!(put(&new), 200);
    assert_eq!(put(&new), 412);
    let etag = buckets.get("/shop/key").header("etag").to_owned();
    assert_eq!(put(&[("if-match", &etag)]), 200);
    assert_eq!(put(&[("if-match", "\"other\"")]), 412);
    assert_eq!(put(&[("if-none-match", &etag)]), 501);

    let past = "Sat, 01 Jan 2000 00:00:00 GMT";
    let modified = buckets.get("/shop/key").header("last-modified").to_owned();
    let get = |name: &str, value: &str| {
        buckets
            .send(Method::GET, "/shop/key", &[(name, value)], "")
            .status
    };
    assert_eq!(get("if-match", &etag), 200);
    assert_eq!(get("if-match", "\"other\""), 412);
    assert_eq!(get("if-none-match", &etag), 304);
    assert_eq!(get("if-none-match", "\"other\""), 200);
    assert_eq!(get("if-modified-since", &modified), 304);
    assert_eq!(get("if-modified-since", past), 200);
    assert_eq!(get("if-unmodified-since", past), 412);
    assert_eq!(get("if-unmodified-since", &modified), 200);
}

#[test]
fn copies_have_the_headers_of_the_source_or_new_ones() {
    let buckets = Buckets::new();
    buckets.put(
        "/shop/one",
        &[
            ("x-amz-meta-colour", "red"),
            ("x-amz-checksum-crc32", "jNxUPQ=="),
        ],
        "y",
    );
    buckets.put("/shop/one", &[("x-amz-meta-colour", "red")], "x");
    let source = ("x-amz-copy-source", "/shop/one");
    let copy = buckets.put("/shop/two", &[source], "");
    assert!(copy.text().contains("<ETag>"), "{}", copy.text());
    assert_eq!(buckets.get("/shop/two").header("x-amz-meta-colour"), "red");
    let replace = [
        source,
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-colour", "blue"),
        ("x-amz-checksum-algorithm", "CRC64NVME"),
    ];
    let copy = buckets.put("/shop/one", &replace, "");
    assert!(
        copy.text().contains("<ChecksumCRC64NVME>"),
        "{}",
        copy.text()
    );
    assert_eq!(buckets.get("/shop/one").header("x-amz-meta-colour"), "blue");
    assert_eq!(buckets.get("/shop/one").body, "x");

    for (target, headers, code) in [
        ("/shop/one", &[source][..], "InvalidRequest"),
        (
            "/shop/two",
            &[("x-amz-copy-source", "/shop/none")],
            "NoSuchKey",
        ),
        (
            "/shop/two",
            &[("x-amz-copy-source", "shop")],
            "InvalidArgument",
        ),
        (
            "/shop/two",
            &[source, ("x-amz-copy-source-if-match", "\"other\"")],
            "PreconditionFailed",
        ),
    ] {
        assert_eq!(
            buckets.refused(Method::PUT, target, headers, "").1,
            code,
            "{headers:?}"
        );
    }
}

#[test]
fn objects_are_deleted_together() {
    let buckets = Buckets::new();
    for key in ["a", "b", "c&d"] {
        buckets
            .s3
            .put("shop", key, Bytes::from_static(b"x"), "text/plain")
            .unwrap();
    }
    let body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object>\
                <Object><Key>c&amp;d</Key></Object><Object><Key>none</Key></Object></Delete>";
    let md5 = BASE64_STANDARD.encode(md5::compute(body).as_slice());
    let answer = buckets.send(Method::POST, "/shop?delete", &[("content-md5", &md5)], body);
    assert_eq!(answer.elements("Key"), ["a", "c&amp;d", "none"]);
    let keys: Vec<String> = buckets
        .s3
        .list("shop", "")
        .unwrap()
        .into_iter()
        .map(|listed| listed.key)
        .collect();
    assert_eq!(keys, ["b"]);
    assert_eq!(
        buckets.refused(Method::POST, "/shop?delete", &[], body).1,
        "InvalidRequest"
    );
    for body in [
        "<Delete/>",
        "<Delete><Object>",
        "<!DOCTYPE x><Delete/>",
        "<Delete><Object><Key>&none;</Key></Object></Delete>",
    ] {
        let md5 = BASE64_STANDARD.encode(md5::compute(body).as_slice());
        let refused = buckets.refused(Method::POST, "/shop?delete", &[("content-md5", &md5)], body);
        assert_eq!(refused.1, "MalformedXML", "{body}");
    }
}

#[test]
fn lists_go_on_page_by_page() {
    let buckets = Buckets::new();
    let keys = [
        "a/1",
        "a/2",
        "b",
        "c d",
        "c/1/2",
        "c/3",
        "e\u{10ffff}x",
        "é",
    ];
    for key in keys {
        buckets
            .s3
            .put("shop", key, Bytes::new(), "text/plain")
            .unwrap();
    }
    let buckets = buckets.reopened();
    assert_eq!(buckets.get("/shop?list-type=2").elements("Key"), keys);
    assert_eq!(
        buckets.get("/shop?list-type=2&prefix=c").elements("Key"),
        ["c d", "c/1/2", "c/3"]
    );
    assert_eq!(
        buckets
            .get("/shop?list-type=2&encoding-type=url&prefix=c%20")
            .elements("Key"),
        ["c%20d"]
    );

    // Both versions, with and without a delimiter, list the same on pages of any size as on one.
    for base in [
        "/shop?list-type=2",
        "/shop?list-type=2&delimiter=/",
        "/shop?",
        "/shop?delimiter=/",
        "/shop?delimiter=%F4%8F%BF%BF",
    ] {
        let whole = buckets.get(base);
        let (all_keys, all_prefixes) = (whole.elements("Key"), &whole.elements("Prefix")[1..]);
        for most in 1..=4 {
            let (mut found, mut prefixes, mut next) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = buckets.get(&format!("{base}&max-keys={most}{next}"));
                let (keys, common) = (page.elements("Key"), page.elements("Prefix"));
                assert!(keys.len() + common.len() - 1 <= most);
                found.extend(keys.iter().map(|key| (*key).to_owned()));
                prefixes.extend(common[1..].iter().map(|prefix| (*prefix).to_owned()));
                if page.element("IsTruncated") == "false" {
                    break;
                }
                let token = page.element("NextContinuationToken");
                let marker = match page.element("NextMarker") {
                    "" => found.last().cloned().unwrap_or_default(),
                    marker => marker.to_owned(),
                };
                next = if base.contains("list-type") {
                    format!("&continuation-token={token}")
                } else {
                    format!(
                        "&marker={}",
                        percent_encoding::utf8_percent_encode(
                            &marker,
                            percent_encoding::NON_ALPHANUMERIC
                        )
                    )
                };
            }
            assert_eq!(found, all_keys, "{base} {most}");
            assert_eq!(prefixes, all_prefixes, "{base} {most}");
        }
    }
    let roots = buckets.get("/shop?list-type=2&delimiter=/&start-after=a/1");
    assert_eq!(roots.elements("Prefix"), ["", "a/", "c/"]);
    for (query, code) in [
        ("continuation-token=!", "InvalidArgument"),
        ("max-keys=-1", "InvalidArgument"),
        ("policy", "NotImplemented"),
    ] {
        let refused = buckets.refused(Method::GET, &format!("/shop?list-type=2&{query}"), &[], "");
        assert_eq!(refused.1, code);
    }
}

#[test]
fn a_presigned_request_ends() {
    let buckets = Buckets::new();
    buckets.put("/shop/key", &[], "x");
    let at = |seconds: i64| {
        let now = jiff::Timestamp::from_millisecond(i64::try_from(now_millis()).unwrap()).unwrap();
        let time = now
            .checked_sub(jiff::SignedDuration::from_secs(seconds))
            .unwrap();
        let date = time.strftime("%Y%m%dT%H%M%SZ");
        let query = format!("X-Amz-Algorithm=x&X-Amz-Date={date}&X-Amz-Expires=60&x-id=GetObject");
        buckets.get(&format!("/shop/key?{query}"))
    };
    assert_eq!(at(0).body, "x");
    let late = at(61);
    assert_eq!(
        (late.status, late.element("Message")),
        (403, "Request has expired")
    );
    let wrong = buckets.refused(
        Method::GET,
        "/shop/key?X-Amz-Date=now&X-Amz-Expires=60",
        &[],
        "",
    );
    assert_eq!(wrong.1, "AuthorizationQueryParametersError");
}
