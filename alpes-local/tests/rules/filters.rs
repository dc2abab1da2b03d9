//! Filters.

use serde_json::{Value, json};
use source_mapping::Rule::{self, *};

use crate::{
    scenario::Scenario,
    scene::{Put, Scene, sequences},
};

/// A rule, filter patterns, and data with the mark whether they pass.
type Case = (
    Rule,
    &'static [&'static str],
    &'static [(&'static str, bool)],
);

const CASES: [Case; 16] = [
    (
        FilterBeforeFunction,
        &[r#"{"data":{"a":[1]}}"#],
        &[(r#"{"a":1}"#, true), (r#"{"a":2}"#, false)],
    ),
    (
        FilterAnyOf,
        &[r#"{"data":{"a":[1]}}"#, r#"{"data":{"b":[1]}}"#],
        &[
            (r#"{"a":1}"#, true),
            (r#"{"b":1}"#, true),
            (r#"{"c":1}"#, false),
        ],
    ),
    (
        FilterAllFields,
        &[r#"{"data":{"a":[1],"b":{"c":["x"]}}}"#],
        &[(r#"{"a":1,"b":{"c":"x"}}"#, true), (r#"{"a":1}"#, false)],
    ),
    (
        FilterAnyValue,
        &[r#"{"data":{"a":["x","y"]}}"#],
        &[(r#"{"a":"y"}"#, true), (r#"{"a":"z"}"#, false)],
    ),
    (
        FilterOr,
        &[r#"{"data":{"$or":[{"a":[1]},{"b":[1]}]}}"#],
        &[(r#"{"b":1}"#, true), (r#"{"c":1}"#, false)],
    ),
    (
        FilterNotJson,
        &[r#"{"data":{"a":[{"exists":false}]}}"#],
        &[(r#"{"b":1}"#, true), ("no json", false)],
    ),
    (
        FilterExact,
        &[r#"{"data":{"a":["x",true]}}"#],
        &[
            (r#"{"a":"x"}"#, true),
            (r#"{"a":true}"#, true),
            (r#"{"a":"X"}"#, false),
        ],
    ),
    (
        FilterNumberText,
        &[r#"{"data":{"a":[300]}}"#],
        &[
            (r#"{"a":300}"#, true),
            (r#"{"a":300.0}"#, false),
            (r#"{"a":3e2}"#, false),
        ],
    ),
    (
        FilterNull,
        &[r#"{"data":{"a":[null]}}"#],
        &[(r#"{"a":null}"#, true), (r#"{"b":1}"#, false)],
    ),
    (
        FilterPrefix,
        &[r#"{"data":{"a":[{"prefix":"ab"}]}}"#],
        &[(r#"{"a":"abc"}"#, true), (r#"{"a":"cab"}"#, false)],
    ),
    (
        FilterSuffix,
        &[r#"{"data":{"a":[{"suffix":"ab"}]}}"#],
        &[(r#"{"a":"cab"}"#, true), (r#"{"a":"abc"}"#, false)],
    ),
    (
        FilterEqualsIgnoreCase,
        &[r#"{"data":{"a":[{"equals-ignore-case":"Ab"}]}}"#],
        &[(r#"{"a":"aB"}"#, true), (r#"{"a":"abc"}"#, false)],
    ),
    (
        FilterAnythingBut,
        &[r#"{"data":{"a":[{"anything-but":["x"]}]}}"#],
        &[
            (r#"{"a":"y"}"#, true),
            (r#"{"a":"x"}"#, false),
            (r#"{"b":1}"#, false),
        ],
    ),
    (
        FilterNumeric,
        &[r#"{"data":{"a":[{"numeric":[">",1,"<=",3]}]}}"#],
        &[(r#"{"a":3.0}"#, true), (r#"{"a":1}"#, false)],
    ),
    (
        FilterExists,
        &[r#"{"data":{"a":[{"exists":true}]}}"#],
        &[(r#"{"a":0}"#, true), (r#"{"b":0}"#, false)],
    ),
    (
        FilterArray,
        &[r#"{"data":{"a":[1]}}"#],
        &[(r#"{"a":[2,1]}"#, true), (r#"{"a":[2]}"#, false)],
    ),
];

pub fn scenarios() -> Vec<Scenario> {
    let cases = CASES.iter();
    let cases = cases.map(|(rule, patterns, data)| {
        Scenario::new(&[*rule], move |scene| filtered(scene, patterns, data))
    });
    let refused = [
        Scenario::new(&[FilterFields], fields),
        Scenario::new(&[FilterPattern], pattern),
        Scenario::new(&[FilterAdvances], advances),
    ];
    cases.chain(refused).collect()
}

fn criteria(patterns: &[&str]) -> Value {
    let filters: Vec<_> = patterns
        .iter()
        .map(|pattern| json!({"Pattern": pattern}))
        .collect();
    json!({"FilterCriteria": {"Filters": filters}})
}

async fn filtered(
    scene: Scene,
    patterns: &'static [&'static str],
    data: &'static [(&'static str, bool)],
) -> String {
    let stream = scene.stream(1).await;
    let texts: Vec<_> = data.iter().map(|(text, _)| (*text).to_owned()).collect();
    let puts = scene.put(&stream, &texts).await;
    scene.map(&stream, &criteria(patterns)).await;
    let marked = puts.iter().zip(data).filter(|(_, (_, passes))| *passes);
    let passing: Vec<Put> = marked.map(|(put, _)| put.clone()).collect();
    scene.all_delivered(&passing).await;
    let came: Vec<_> = scene
        .deliveries(&puts)
        .into_iter()
        .flat_map(|batch| batch.sequences)
        .collect();
    assert_eq!(came, sequences(&passing));
    let passed: Vec<_> = data
        .iter()
        .filter(|(_, passes)| *passes)
        .map(|(text, _)| *text)
        .collect();
    format!(
        "of {} data {} came through {}",
        data.len(),
        passed.join(" and "),
        patterns.join(" or ")
    )
}

/// The refusal of a pattern.
async fn refusal(scene: &Scene, pattern: &str) -> String {
    let stream = scene.stream(1).await;
    let (status, error) = scene.try_map(&stream, &criteria(&[pattern])).await;
    assert_eq!(status, 400, "{error}");
    assert_eq!(error["__type"], "InvalidParameterValueException");
    error["message"].as_str().unwrap().to_owned()
}

async fn fields(scene: Scene) -> String {
    let message = refusal(&scene, r#"{"sequenceNumber":["1"]}"#).await;
    assert!(message.contains("sequenceNumber"), "{message}");
    format!("a filter by the sequence number was refused: {message}")
}

async fn pattern(scene: Scene) -> String {
    refusal(&scene, "no json").await;
    let long = json!({"data": {"a": ["x".repeat(4_097)]}}).to_string();
    refusal(&scene, &long).await;
    let message = refusal(&scene, r#"{"data":{"a":[{"about":1}]}}"#).await;
    assert!(message.contains("about"), "{message}");
    format!("patterns that were no JSON, too long, or with an unknown test were refused: {message}")
}

async fn advances(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene
        .put(&stream, &[r#"{"a":1}"#.to_owned(), r#"{"a":2}"#.to_owned()])
        .await;
    let uuid = scene
        .map(&stream, &criteria(&[r#"{"data":{"a":[2]}}"#]))
        .await;
    scene.all_delivered(&puts[1..]).await;
    scene.quiet().await;
    // Without filters the mapping would deliver what it had not gone past.
    scene.update(&uuid, &json!({"FilterCriteria": {}})).await;
    let later = scene.put(&stream, &[r#"{"a":3}"#.to_owned()]).await;
    scene.all_delivered(&later).await;
    assert!(scene.deliveries(&puts[..1]).is_empty());
    "a record that was filtered out did not come after the filter was removed".to_owned()
}
