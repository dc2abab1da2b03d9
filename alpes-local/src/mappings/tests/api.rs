use std::sync::{Arc, atomic::Ordering};

use http_body_util::BodyExt;
use serde_json::{Value, json};
use source_mapping::Change;
use uuid::Uuid;

use super::support::{BUCKET_ARN, CONSUMER_ARN, QUEUE_ARN, STREAM_ARN, World, spec_with, until};
use crate::{http::Request, mappings::Mappings};

const ROOT: &str = "/2015-03-31/event-source-mappings";

async fn call(mappings: &Arc<Mappings>, method: &str, path: &str, body: Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: http::HeaderMap::new(),
        body: body.to_string().into(),
        peer: ([127, 0, 0, 1], 1).into(),
    };
    let response = mappings.serve(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn creation() -> Value {
    json!({"FunctionName": "worker", "EventSourceArn": CONSUMER_ARN, "StartingPosition": "TRIM_HORIZON"})
}

#[test]
fn a_mapping_lives_from_creation_to_deletion() {
    let world = World::new();
    world.run(async |mappings| {
        let (status, created) = call(&mappings, "POST", ROOT, creation()).await;
        assert_eq!((status, &created["State"]), (202, &json!("Creating")));
        let uuid = created["UUID"].as_str().unwrap();
        let own = format!("{ROOT}/{uuid}");
        let (status, found) = call(&mappings, "GET", &own, json!({})).await;
        assert_eq!((status, &found["State"]), (200, &json!("Enabled")));
        assert_eq!(found["LastProcessingResult"], "No records processed");
        assert_eq!(found["MaximumRetryAttempts"], -1);
        assert_eq!(found["BatchSize"], 100);

        let (status, error) = call(&mappings, "POST", ROOT, creation()).await;
        assert_eq!((status, &error["__type"]), (409, &json!("ResourceConflictException")));
        assert!(error["message"].as_str().unwrap().contains(uuid));

        let change = json!({"Enabled": false, "DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}}});
        let (status, changed) = call(&mappings, "PUT", &own, change).await;
        assert_eq!((status, &changed["State"]), (202, &json!("Disabling")));
        world.stream.put("0", &["a"]);
        let (_, found) = call(&mappings, "GET", &own, json!({})).await;
        assert_eq!(found["State"], "Disabled");
        assert_eq!(found["DestinationConfig"]["OnFailure"]["Destination"], BUCKET_ARN);
        assert!(world.function.data().is_empty());
        let (_, changed) = call(&mappings, "PUT", &own, json!({"Enabled": true})).await;
        assert_eq!(changed["State"], "Enabling");
        until("the delivery", || world.function.data() == ["a"]).await;

        let (status, deleted) = call(&mappings, "DELETE", &own, json!({})).await;
        assert_eq!((status, &deleted["State"]), (202, &json!("Deleting")));
        let (status, error) = call(&mappings, "GET", &own, json!({})).await;
        assert_eq!((status, &error["__type"]), (404, &json!("ResourceNotFoundException")));
    });
    world.run(async |mappings| assert!(mappings.snapshot().is_empty()));
}

#[test]
fn an_update_delivers_what_was_in_flight_again_and_its_first_outcome_does_not_count() {
    let world = World::new();
    world.function.paused.store(true, Ordering::SeqCst);
    world.stream.put("0", &["a", "b"]);
    world.run(async |mappings| {
        let (_, created) = call(&mappings, "POST", ROOT, creation()).await;
        let own = format!("{ROOT}/{}", created["UUID"].as_str().unwrap());
        until("the first delivery", || {
            world.function.batches() == [["a", "b"]]
        })
        .await;
        let (_, changed) = call(&mappings, "PUT", &own, json!({"BatchSize": 1})).await;
        assert_eq!(
            (&changed["State"], &changed["BatchSize"]),
            (&json!("Updating"), &json!(1))
        );
        world.function.resume();
        until("the new batches", || {
            world.function.data() == ["a", "b", "a", "b"]
        })
        .await;
        assert_eq!(world.function.batches().len(), 3);
    });
}

#[test]
fn a_change_is_done_whole_if_its_caller_goes_away() {
    let world = World::new();
    world.run(async |mappings| {
        let (_, created) = call(&mappings, "POST", ROOT, creation()).await;
        let own = format!("{ROOT}/{}", created["UUID"].as_str().unwrap());
        let change = json!({"BatchSize": 1});
        tokio::select! {
            biased;
            _ = call(&mappings, "PUT", &own, change.clone()) => panic!("the reader ends later"),
            () = std::future::ready(()) => {}
        }
        // The change goes on in a task of its own, and holds the turn until it is done.
        tokio::task::yield_now().await;
        drop(mappings.changing.lock().await);
        world.stream.put("0", &["a", "b"]);
        until("single records", || {
            world.function.batches() == [["a"], ["b"]]
        })
        .await;
    });
}

#[test]
fn a_mapping_that_does_not_read_begins_again_with_the_next_deployment() {
    let world = World::new();
    world.run(async |mappings| {
        let uuid = mappings.ensure(spec_with(|_| {})).await.unwrap();
        mappings.find(uuid).unwrap().stop(Change::Disable).await;
        mappings.ensure(spec_with(|_| {})).await.unwrap();
        world.stream.put("0", &["a"]);
        until("the delivery", || world.function.data() == ["a"]).await;
    });
}

#[test]
fn a_function_that_is_missing_is_refused() {
    let world = World::new();
    world.run(async |mappings| {
        let refusal = (
            400,
            json!("InvalidParameterValueException"),
            json!("Function does not exist"),
        );
        let refused = async |method: &str, path: &str, mut body: Value| {
            body["FunctionName"] = "none".into();
            let (status, error) = call(&mappings, method, path, body).await;
            assert_eq!(
                (status, error["__type"].clone(), error["message"].clone()),
                refusal
            );
        };
        refused("POST", ROOT, creation()).await;
        let (_, created) = call(&mappings, "POST", ROOT, creation()).await;
        let own = format!("{ROOT}/{}", created["UUID"].as_str().unwrap());
        refused("PUT", &own, json!({})).await;
        let (_, found) = call(&mappings, "GET", &own, json!({})).await;
        assert!(found["FunctionArn"].as_str().unwrap().ends_with(":worker"));
    });
}

#[test]
fn lists_are_filtered_and_have_pages() {
    let world = World::new();
    world.run(async |mappings| {
        for (function, source) in [
            ("worker", CONSUMER_ARN),
            ("worker", STREAM_ARN),
            ("other", STREAM_ARN),
        ] {
            let mut body = creation();
            body["FunctionName"] = function.into();
            body["EventSourceArn"] = source.into();
            assert_eq!(call(&mappings, "POST", ROOT, body).await.0, 202);
        }
        let body = json!({"FunctionName": "worker", "EventSourceArn": QUEUE_ARN});
        assert_eq!(call(&mappings, "POST", ROOT, body).await.0, 202);
        let count = async |query: &str| {
            let (_, body) = call(&mappings, "GET", &format!("{ROOT}/?{query}"), json!({})).await;
            body["EventSourceMappings"].as_array().unwrap().len()
        };
        assert_eq!(count("").await, 4);
        assert_eq!(count("FunctionName=worker").await, 3);
        assert_eq!(count(&format!("EventSourceArn={STREAM_ARN}")).await, 2);
        let (_, page) = call(&mappings, "GET", &format!("{ROOT}?MaxItems=3"), json!({})).await;
        let next = page["NextMarker"].as_str().unwrap();
        assert_eq!(count(&format!("Marker={next}")).await, 1);
        let (status, _) = call(&mappings, "GET", &format!("{ROOT}?MaxItems=0"), json!({})).await;
        assert_eq!(status, 400);
    });
}

#[test]
fn a_source_that_is_missing_is_refused() {
    let world = World::new();
    world.run(async |mappings| {
        for source in [
            STREAM_ARN.replace("log", "none"),
            QUEUE_ARN.replace("jobs", "none"),
        ] {
            let mut body = creation();
            body["EventSourceArn"] = source.clone().into();
            if source.contains("sqs") {
                body.as_object_mut().unwrap().remove("StartingPosition");
            }
            let (status, error) = call(&mappings, "POST", ROOT, body).await;
            assert_eq!(
                (status, &error["__type"]),
                (400, &json!("InvalidParameterValueException"))
            );
            assert!(
                error["message"].as_str().unwrap().contains(&source),
                "{error}"
            );
        }
        let unknown = format!("{ROOT}/{}", Uuid::new_v4());
        assert_eq!(call(&mappings, "PUT", &unknown, json!({})).await.0, 404);
        assert_eq!(call(&mappings, "PATCH", ROOT, json!({})).await.0, 400);
    });
}
