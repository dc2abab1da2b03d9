//! The admin API, below `/_alpes`: what runs inside the runtime, and the deployment. It is JSON, and one stream of
//! server-sent events.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /_alpes` | this table, as JSON |
//! | `GET /_alpes/outputs` | the outputs of the templates: `{"Name": "value"}` |
//! | `POST /_alpes/deploy` | reads templates and code again, and deploys what has changed; 400 with a sentence otherwise |
//! | `GET /_alpes/sandboxes` | the functions' processes: what they do, their memory and their invocations |
//! | `POST /_alpes/sandboxes/PID/kill` | kills a process, as a crash would |
//! | `GET /_alpes/mappings` | the event source mappings, by shard: position, lag, batches in flight, retries, splits, counts |
//! | `GET /_alpes/streams` | the streams, by shard: hashes, counts of records, last sequence numbers |
//! | `POST /_alpes/streams/NAME/split?shard=ID` | splits a shard into halves |
//! | `POST /_alpes/streams/NAME/merge?shard=ID&with=ID` | merges two neighbouring shards |
//! | `GET /_alpes/quotas` | how often AWS's quotas throttled each table, index, shard and function; `null` without `--quotas aws` |
//! | `POST /_alpes/schedules/NAME/fire` | invokes a schedule's functions now |
//! | `GET /_alpes/chaos` | the seed of `--chaos`, null without it, and the number of acts of each kind |
//! | `GET /_alpes/permissions` | what each role may do, what of it was used, the least policy, and what was refused |
//! | `GET /_alpes/events` | server-sent events `lambda` and `mapping`, each with JSON, as they happen |

use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{Channel, Either, channel::Sender};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    error::AwsError,
    http::{Request, Response, json_answer, json_error},
    kinesis::StreamInfo,
    runtime::Runtime,
};

/// The requests, for `GET /_alpes`.
const INDEX: [(&str, &str); 13] = [
    ("GET /_alpes/outputs", "the outputs of the templates"),
    (
        "POST /_alpes/deploy",
        "read templates and code again, and deploy what has changed",
    ),
    ("GET /_alpes/sandboxes", "the functions' processes"),
    ("POST /_alpes/sandboxes/PID/kill", "kill a process"),
    (
        "GET /_alpes/mappings",
        "the event source mappings, by shard",
    ),
    ("GET /_alpes/streams", "the streams, by shard"),
    (
        "POST /_alpes/streams/NAME/split?shard=ID",
        "split a shard into halves",
    ),
    (
        "POST /_alpes/streams/NAME/merge?shard=ID&with=ID",
        "merge two neighbouring shards",
    ),
    (
        "GET /_alpes/quotas",
        "how often AWS's quotas throttled each resource",
    ),
    (
        "POST /_alpes/schedules/NAME/fire",
        "invoke a schedule's functions now",
    ),
    (
        "GET /_alpes/chaos",
        "the seed of --chaos, and the number of acts of each kind",
    ),
    (
        "GET /_alpes/permissions",
        "what each role may do, what of it was used, the least policy, and what was refused",
    ),
    ("GET /_alpes/events", "what happens, as server-sent events"),
];

/// How many events may wait for a slow reader before the reader misses some.
const EVENTS_IN_FLIGHT: usize = 64;

/// Answers a request of the admin API. `path` is the path after `/_alpes`.
pub async fn serve(runtime: &Runtime, path: &str, request: &Request) -> Response {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    if (&request.method, parts.as_slice()) == (&Method::GET, &["events"]) {
        return events(runtime);
    }
    match answer(runtime, &parts, request).await {
        Ok(body) => json_answer(200, "", &body),
        Err(error) => json_error("", &error),
    }
}

async fn answer(runtime: &Runtime, parts: &[&str], request: &Request) -> Result<Value, AwsError> {
    let services = &runtime.services;
    match (request.method.as_str(), parts) {
        ("GET", []) => Ok(index()),
        ("GET", ["outputs"]) => Ok(outputs(runtime)),
        ("POST", ["deploy"]) => {
            let deployed = runtime.deploy().await;
            deployed.map_err(|told| AwsError::client("ValidationException", told))?;
            Ok(outputs(runtime))
        }
        ("GET", ["sandboxes"]) => json_of(&services.lambda.sandboxes()),
        ("POST", ["sandboxes", pid, "kill"]) => {
            let known = pid.parse().is_ok_and(|pid| services.lambda.kill(pid));
            if known {
                return Ok(json!({}));
            }
            Err(missing(format!("no function has a process {pid}")))
        }
        ("GET", ["mappings"]) => json_of(&services.mappings.snapshot()),
        ("GET", ["streams"]) => streams(runtime),
        ("POST", ["streams", name, "split"]) => {
            let shard = wanted(request, "shard")?;
            split(runtime, name, &shard)?;
            streams(runtime)
        }
        ("POST", ["streams", name, "merge"]) => {
            let (shard, with) = (wanted(request, "shard")?, wanted(request, "with")?);
            let input = json!({
                "StreamName": name, "ShardToMerge": shard, "AdjacentShardToMerge": with,
            });
            services.kinesis.call("MergeShards", input)?;
            streams(runtime)
        }
        ("GET", ["quotas"]) => json_of(&services.throttling.as_ref().map(|all| all.snapshot())),
        ("GET", ["chaos"]) => Ok(chaos(runtime)),
        ("GET", ["permissions"]) => Ok(services.iam.report()),
        ("POST", ["schedules", name, "fire"]) => {
            services.schedules.fire(name).await?;
            Ok(json!({}))
        }
        (method, _) => Err(missing(format!(
            "the admin API has no {method} {}; GET /_alpes lists what it has",
            request.path
        ))),
    }
}

fn missing(told: String) -> AwsError {
    AwsError::of(404, "ResourceNotFoundException", told)
}

fn wanted(request: &Request, name: &str) -> Result<String, AwsError> {
    let given = request.parameter(name).filter(|value| !value.is_empty());
    given.ok_or_else(|| {
        AwsError::client(
            "ValidationException",
            format!("the parameter {name} must be the id of a shard"),
        )
    })
}

fn json_of(value: &impl Serialize) -> Result<Value, AwsError> {
    serde_json::to_value(value).map_err(AwsError::internal)
}

fn index() -> Value {
    let entries = INDEX.map(|(request, about)| (request.to_owned(), about.into()));
    Value::Object(entries.into_iter().collect())
}

fn outputs(runtime: &Runtime) -> Value {
    let deployed = runtime.deployed();
    let outputs = deployed.outputs.iter();
    let outputs: Map<_, _> = outputs
        .map(|output| (output.name.clone(), output.value.clone().into()))
        .collect();
    outputs.into()
}

fn chaos(runtime: &Runtime) -> Value {
    let chaos = runtime.chaos.as_ref();
    json!({
        "seed": chaos.map(|chaos| chaos.seed()),
        "acts": chaos.map(|chaos| chaos.counts()).unwrap_or_default(),
    })
}

/// Splits a shard in the middle of its hashes.
fn split(runtime: &Runtime, stream: &str, shard: &str) -> Result<(), AwsError> {
    let kinesis = &runtime.services.kinesis;
    let shards = kinesis.topology(stream)?;
    let found = shards.iter().find(|known| known.id.to_string() == shard);
    let found =
        found.ok_or_else(|| missing(format!("the stream {stream} has no shard {shard}")))?;
    let (first, last) = found.hashes;
    let middle = first + (last - first) / 2 + 1;
    let input = json!({
        "StreamName": stream, "ShardToSplit": shard, "NewStartingHashKey": middle.to_string(),
    });
    kinesis.call("SplitShard", input).map(drop)
}

fn streams(runtime: &Runtime) -> Result<Value, AwsError> {
    let kinesis = &runtime.services.kinesis;
    let streams = kinesis.names().into_iter().map(|name| {
        let info = kinesis.describe(&name)?;
        Ok(stream(&info))
    });
    streams.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn stream(info: &StreamInfo) -> Value {
    let shards = info.shards.iter().map(|status| {
        let shard = &status.shard;
        json!({
            "id": shard.id.to_string(),
            "parents": shard.parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "closed": shard.closed,
            "firstHash": shard.hashes.0.to_string(),
            "lastHash": shard.hashes.1.to_string(),
            "records": status.records,
            "last": status.last.as_ref().map(ToString::to_string),
        })
    });
    json!({
        "name": info.name,
        "arn": info.arn,
        "retentionHours": info.retention_hours,
        "consumers": info.consumers,
        "shards": shards.collect::<Vec<_>>(),
    })
}

/// A stream of events, which lasts until its reader goes away.
fn events(runtime: &Runtime) -> Response {
    let (mut sender, body) = Channel::new(EVENTS_IN_FLIGHT);
    let mut lambda = runtime.services.lambda.subscribe();
    let mut mappings = runtime.services.mappings.subscribe();
    tokio::spawn(async move {
        loop {
            let sent = tokio::select! {
                event = lambda.recv() => send(&mut sender, "lambda", event).await,
                event = mappings.recv() => send(&mut sender, "mapping", event).await,
            };
            if !sent {
                return;
            }
        }
    });
    let mut response = http::Response::new(Either::Right(body));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends an event to a reader. Returns false if the reader has gone, or nothing will happen any more.
async fn send(
    sender: &mut Sender<bytes::Bytes>,
    kind: &str,
    event: Result<impl Serialize, RecvError>,
) -> bool {
    let (kind, data) = match event {
        Ok(event) => (kind, serde_json::to_string(&event).unwrap_or_default()),
        // The reader is too slow. This event says how many events it has missed.
        Err(RecvError::Lagged(missed)) => ("missed", missed.to_string()),
        Err(RecvError::Closed) => return false,
    };
    let text = format!("event: {kind}\ndata: {data}\n\n");
    sender.send_data(text.into()).await.is_ok()
}
