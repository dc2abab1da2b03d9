use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use super::*;

type Headers<'a> = &'a [(&'a str, &'a str)];

fn request(method: &str, target: &str, headers: Headers<'_>, body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = headers.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    Request {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect::<HeaderMap>(),
        body: Bytes::from(body.to_owned()),
        peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
    }
}

fn signed_for(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260131/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=a"
    )
}

fn decided(request: &Request) -> Result<For, Refused> {
    let mounts = [
        Mount::new("/docs/", "http://127.0.0.1:9").unwrap(),
        Mount::new("/docs/api", "http://127.0.0.1:9").unwrap(),
    ];
    let known = Known {
        mounts: &mounts,
        root_is_routed: false,
    };
    decide(request, &known)
}

fn api(id: &str, stage: &str, path: &str) -> For {
    For::Api {
        id: id.to_owned(),
        stage: stage.to_owned(),
        path: path.to_owned(),
    }
}

#[test]
fn paths_decide() {
    let cases = [
        ("/_alpes/events", For::Admin("/events".to_owned())),
        ("/_alpes", For::Admin(String::new())),
        ("/_alpest", For::ShortApi),
        (
            "/_aws/execute-api/a1/v1/orders/1",
            api("a1", "v1", "/orders/1"),
        ),
        ("/_aws/execute-api/a1/v1", api("a1", "v1", "")),
        ("/restapis/a1/v1/_user_request_/x", api("a1", "v1", "/x")),
        ("/restapis/a1", For::ShortApi),
        ("/2015-03-31/functions/f/invocations", For::LambdaRest),
        ("/2015-03-31/event-source-mappings/?x=y", For::MappingsRest),
        ("/2015-03-31/orders", For::ShortApi),
        ("/docs", For::Mount(0, String::new())),
        ("/docs/apis", For::Mount(0, "/apis".to_owned())),
        ("/docs/api/a", For::Mount(1, "/a".to_owned())),
        ("/docs2", For::ShortApi),
        ("/orders/1", For::ShortApi),
        ("/", For::ShortApi),
    ];
    for (path, expected) in cases {
        assert_eq!(
            decided(&request("GET", path, &[], "")),
            Ok(expected),
            "{path}"
        );
    }
}

#[test]
fn hosts_and_targets_decide() {
    let host = [("host", "a1.execute-api.localhost:4566")];
    let of_host = decided(&request("GET", "/v1/orders", &host, ""));
    assert_eq!(of_host, Ok(api("a1", "v1", "/orders")));

    let target = [("x-amz-target", "DynamoDBStreams_20120810.GetRecords")];
    let of_target = decided(&request("POST", "/", &target, "{}"));
    let expected = For::Json {
        service: Service::DynamoDbStreams,
        version: "1.0",
        operation: "GetRecords".to_owned(),
    };
    assert_eq!(of_target, Ok(expected));
}

#[test]
fn signatures_decide() {
    let cases = [
        ("execute-api", "/2015-03-31/functions", "", For::ShortApi),
        ("s3", "/docs/object", "", For::S3),
        ("lambda", "/2018-10-31/layers", "", For::LambdaRest),
        (
            "sns",
            "/",
            "Action=Publish&Message=a",
            For::Query {
                service: Service::Sns,
                action: "Publish".to_owned(),
            },
        ),
    ];
    for (service, path, body, expected) in cases {
        let headers = [
            ("authorization", &*signed_for(service)),
            (
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
        ];
        let found = decided(&request("POST", path, &headers, body));
        assert_eq!(found, Ok(expected), "{service}");
    }
    let presigned = "/bucket/key?X-Amz-Credential=test%2F20260131%2Fus-east-1%2Fs3%2Faws4_request";
    assert_eq!(decided(&request("GET", presigned, &[], "")), Ok(For::S3));
    let bearer = [("authorization", "Bearer abc")];
    assert_eq!(
        decided(&request("GET", "/orders", &bearer, "")),
        Ok(For::ShortApi)
    );
}

#[test]
fn browsers_get_the_page_unless_the_api_has_a_root() {
    let browser = request("GET", "/", &[("accept", "text/html,*/*;q=0.8")], "");
    assert_eq!(decided(&browser), Ok(For::Page));
    let known = Known {
        mounts: &[],
        root_is_routed: true,
    };
    assert_eq!(decide(&browser, &known), Ok(For::ShortApi));
}

#[test]
fn what_is_not_supported_is_refused_in_the_clients_form() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let sqs = signed_for("sqs");
    let ec2 = signed_for("ec2");
    let scheduler = signed_for("scheduler");
    let cases: [(Headers, &str, u16, &str); 5] = [
        (
            &[("content-type", "application/x-amz-cbor-1.1")],
            "",
            415,
            "CBOR",
        ),
        (
            &[("x-amz-target", "Firehose_20150804.PutRecord")],
            "",
            400,
            "Firehose_20150804",
        ),
        (
            &[("authorization", &sqs), form],
            "Action=SendMessage",
            400,
            "JSON protocol",
        ),
        (
            &[("authorization", &ec2), form],
            "Action=RunInstances",
            400,
            "ec2",
        ),
        (&[("authorization", &scheduler)], "", 400, "scheduler"),
    ];
    for (headers, body, status, part) in cases {
        let refused = decided(&request("POST", "/", headers, body)).unwrap_err();
        assert!(refused.error.message.contains(part), "{}", refused.error);
        assert_eq!(refused.response().status(), status);
    }
}
