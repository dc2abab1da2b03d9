use source_mapping::{Filter, InvalidFilter, InvalidSettings, Outcome, Rule, Settings};

use crate::support::{SHARD, World, checkpoint, numbers, refused_by, seconds, settings, told};

fn filtered(patterns: &[&str]) -> World {
    let mut settings = settings();
    for pattern in patterns {
        settings = settings.filter(pattern).unwrap();
    }
    World::new(settings)
}

/// Fails unless exactly the marked data pass the filters.
fn passes(patterns: &[&str], data: &[(&str, bool)]) -> World {
    let mut world = filtered(patterns);
    let records: Vec<_> = data
        .iter()
        .map(|(data, _)| ("key", data.as_bytes()))
        .collect();
    world.put_all_in(SHARD, &records);
    let passed: Vec<u64> = world.invoked().iter().flat_map(numbers).collect();
    let numbered = (1..).zip(data).filter(|(_, (_, passes))| *passes);
    let expected: Vec<u64> = numbered.map(|(number, _)| number).collect();
    assert_eq!(passed, expected, "{patterns:?} {data:?}");
    world
}

#[test]
fn what_matches_nothing_is_not_delivered_and_fills_no_batch() {
    let settings = Settings {
        batch_size: 2,
        batching_window: seconds(300),
        ..settings().filter(r#"{"data":{"a":[1]}}"#).unwrap()
    };
    let mut world = World::new(settings);
    let (no, yes) = (("key", b"{}".as_slice()), ("key", br#"{"a":1}"#.as_slice()));
    world.put_all_in(SHARD, &[no, yes, no, no, yes]);
    assert_eq!(numbers(&world.one()), [2, 5]);
    assert_eq!(told(&world.outputs(), "filtered"), [1, 3, 4]);
    world.proves(Rule::FilterBeforeFunction);
}

#[test]
fn the_mapping_goes_past_what_is_filtered_out() {
    let mut world = filtered(&[r#"{"data":{"a":[1]}}"#]);
    world.put_some(3);
    assert_eq!(checkpoint(&world.outputs()), Some(3));
    assert!(world.mapping.is_settled());
    world.lose_lease(false);
    assert_eq!(told(&world.outputs(), "filtered"), []);
    world.proves(Rule::FilterAdvances);
}

#[test]
fn one_filter_of_several_is_enough() {
    passes(
        &[r#"{"data":{"a":[1]}}"#, r#"{"data":{"b":[1]}}"#],
        &[
            (r#"{"a":1}"#, true),
            (r#"{"b":1}"#, true),
            (r#"{"c":1}"#, false),
        ],
    )
    .proves(Rule::FilterAnyOf);
}

#[test]
fn all_fields_of_a_pattern_must_match() {
    passes(
        &[r#"{"data":{"a":[1],"b":{"c":["x"]}}}"#],
        &[
            (r#"{"a":1,"b":{"c":"x","d":0}}"#, true),
            (r#"{"a":1,"b":{"c":"y"}}"#, false),
            (r#"{"a":1,"b":"x"}"#, false),
            (r#"{"a":1}"#, false),
        ],
    )
    .proves(Rule::FilterAllFields);
}

#[test]
fn one_value_of_a_list_is_enough() {
    passes(
        &[r#"{"data":{"a":["x","y"]}}"#],
        &[
            (r#"{"a":"x"}"#, true),
            (r#"{"a":"y"}"#, true),
            (r#"{"a":"z"}"#, false),
        ],
    )
    .proves(Rule::FilterAnyValue);
}

#[test]
fn one_object_of_or_is_enough() {
    passes(
        &[r#"{"data":{"a":[1],"$or":[{"b":[1]},{"c":[1]}]}}"#],
        &[
            (r#"{"a":1,"b":1}"#, true),
            (r#"{"a":1,"c":1}"#, true),
            (r#"{"a":1}"#, false),
            (r#"{"b":1}"#, false),
        ],
    )
    .proves(Rule::FilterOr);
}

#[test]
fn what_is_no_json_does_not_match() {
    passes(
        &[r#"{"data":{"a":[{"exists":false}]}}"#],
        &[("no json", false), (r#"{"b":1}"#, true), ("", false)],
    )
    .proves(Rule::FilterNotJson);
    // A pattern without conditions on the data accepts any data.
    let mut world = filtered(&["{}"]);
    world.put("key", b"no json");
    assert_eq!(numbers(&world.one()), [1]);
}

#[test]
fn strings_match_as_they_are() {
    passes(
        &[r#"{"data":{"a":["Alice",true,""]}}"#],
        &[
            (r#"{"a":"Alice"}"#, true),
            (r#"{"a":"\u0041lice"}"#, true),
            (r#"{"a":"alice"}"#, false),
            (r#"{"a":true}"#, true),
            (r#"{"a":"true"}"#, false),
            (r#"{"a":""}"#, true),
        ],
    )
    .proves(Rule::FilterExact);
}

#[test]
fn numbers_match_as_they_are_written() {
    passes(
        &[r#"{"data":{"a":[300]}}"#],
        &[
            (r#"{"a":300}"#, true),
            (r#"{"a":300.0}"#, false),
            (r#"{"a":3.0e2}"#, false),
            (r#"{"a":"300"}"#, false),
        ],
    )
    .proves(Rule::FilterNumberText);
}

#[test]
fn null_is_not_absence() {
    passes(
        &[r#"{"data":{"a":[null]}}"#],
        &[
            (r#"{"a":null}"#, true),
            ("{}", false),
            (r#"{"a":""}"#, false),
        ],
    )
    .proves(Rule::FilterNull);
}

#[test]
fn strings_match_by_their_beginning() {
    passes(
        &[r#"{"data":{"a":[{"prefix":"us-"}]}}"#],
        &[
            (r#"{"a":"us-east-1"}"#, true),
            (r#"{"a":"us-"}"#, true),
            (r#"{"a":"eu-us-"}"#, false),
            (r#"{"a":1}"#, false),
        ],
    )
    .proves(Rule::FilterPrefix);
}

#[test]
fn anything_but_needs_something() {
    passes(
        &[r#"{"data":{"a":[{"anything-but":["x",1]}]}}"#],
        &[
            (r#"{"a":"y"}"#, true),
            (r#"{"a":null}"#, true),
            (r#"{"a":"x"}"#, false),
            (r#"{"a":1}"#, false),
            ("{}", false),
        ],
    )
    .proves(Rule::FilterAnythingBut);
    passes(
        &[r#"{"data":{"a":[{"anything-but":"x"}]}}"#],
        &[(r#"{"a":"y"}"#, true), (r#"{"a":"x"}"#, false)],
    )
    .proves(Rule::FilterAnythingBut);
}

#[test]
fn numbers_match_by_value() {
    passes(
        &[r#"{"data":{"a":[{"numeric":[">",10,"<=",20]}]}}"#],
        &[
            (r#"{"a":10}"#, false),
            (r#"{"a":10.5}"#, true),
            (r#"{"a":2e1}"#, true),
            (r#"{"a":20.1}"#, false),
            (r#"{"a":"15"}"#, false),
        ],
    )
    .proves(Rule::FilterNumeric);
    passes(
        &[r#"{"data":{"a":[{"numeric":["=",300]},{"numeric":["<",1]},{"numeric":[">=",1000]}]}}"#],
        &[
            (r#"{"a":3.0e2}"#, true),
            (r#"{"a":1}"#, false),
            (r#"{"a":0.5}"#, true),
            (r#"{"a":1000}"#, true),
        ],
    )
    .proves(Rule::FilterNumeric);
}

#[test]
fn what_is_there_exists() {
    passes(
        &[r#"{"data":{"a":[{"exists":true}]}}"#],
        &[
            (r#"{"a":null}"#, true),
            ("{}", false),
            (r#"{"a":{"b":1}}"#, false),
        ],
    )
    .proves(Rule::FilterExists);
    passes(
        &[r#"{"data":{"a":{"b":[{"exists":false}]}}}"#],
        &[
            ("{}", true),
            (r#"{"a":{}}"#, true),
            (r#"{"a":{"b":1}}"#, false),
        ],
    )
    .proves(Rule::FilterExists);
}

#[test]
fn one_element_of_a_list_is_enough() {
    passes(
        &[r#"{"data":{"a":["x"]}}"#],
        &[
            (r#"{"a":["y","x"]}"#, true),
            (r#"{"a":["y"]}"#, false),
            (r#"{"a":[]}"#, false),
        ],
    )
    .proves(Rule::FilterArray);
    passes(
        &[r#"{"data":{"a":{"b":["x"]}}}"#],
        &[(r#"{"a":[{"b":"y"},{"b":"x"}]}"#, true)],
    )
    .proves(Rule::FilterArray);
}

#[test]
fn data_and_partition_key_are_filtered_by() {
    let mut world = filtered(&[r#"{"partitionKey":["b",{"prefix":"c"}],"data":{"a":[1]}}"#]);
    let (yes, no) = (br#"{"a":1}"#.as_slice(), br#"{"a":2}"#.as_slice());
    world.put_all_in(SHARD, &[("a", yes), ("b", yes), ("b", no), ("cd", yes)]);
    let passed: Vec<u64> = world.invoked().iter().flat_map(numbers).collect();
    assert_eq!(passed, [2, 4]);
    world.proves(Rule::FilterFields);
    let mut alone = filtered(&[r#"{"partitionKey":["b"]}"#]);
    alone.put_all_in(SHARD, &[("a", b"no JSON"), ("b", b"no JSON")]);
    assert_eq!(numbers(&alone.one()), [2]);
}

#[test]
fn another_field_is_refused() {
    let refused = settings().filter(r#"{"sequenceNumber":["1"]}"#);
    let why = InvalidFilter::UnknownField("sequenceNumber".to_owned());
    assert_eq!(refused.clone(), Err(InvalidSettings::Filter(why)));
    refused_by(&refused.unwrap_err()).proves(Rule::FilterFields);
}

#[test]
fn a_suffix_ends_a_text() {
    passes(
        &[r#"{"data":{"a":[{"suffix":".png"}]}}"#],
        &[
            (r#"{"a":"x.png"}"#, true),
            (r#"{"a":"x.PNG"}"#, false),
            (r#"{"a":"png"}"#, false),
            (r#"{"a":1}"#, false),
        ],
    )
    .proves(Rule::FilterSuffix);
}

#[test]
fn a_text_may_be_equal_but_for_case() {
    passes(
        &[r#"{"data":{"a":[{"equals-ignore-case":"Ñandú"}]}}"#],
        &[
            (r#"{"a":"ñANDÚ"}"#, true),
            (r#"{"a":"nandu"}"#, false),
            (r#"{"a":["x","ÑANDÚ"]}"#, true),
        ],
    )
    .proves(Rule::FilterEqualsIgnoreCase);
}

#[test]
fn a_pattern_has_a_longest_length() {
    let pattern = |letters| format!(r#"{{"data":{{"a":["{}"]}}}}"#, "ñ".repeat(letters));
    let around = pattern(0).chars().count();
    settings().filter(&pattern(4_096 - around)).unwrap();
    let refused = settings().filter(&pattern(4_097 - around)).unwrap_err();
    assert_eq!(refused, InvalidSettings::Filter(InvalidFilter::TooLong));
    refused_by(&refused).proves(Rule::FilterPattern);
}

#[test]
fn what_is_no_pattern_is_refused() {
    let wrong = [
        "",
        "[]",
        "\"a\"",
        r#"{"data":"a"}"#,
        r#"{"data":["a"]}"#,
        r#"{"data":{"a":1}}"#,
        r#"{"data":{"a":[[1]]}}"#,
        r#"{"data":{"a":[{"cidr":"10.0.0.0/24"}]}}"#,
        r#"{"data":{"a":[{"prefix":1}]}}"#,
        r#"{"data":{"a":[{"prefix":"x","exists":true}]}}"#,
        r#"{"data":{"a":[{}]}}"#,
        r#"{"data":{"a":[{"numeric":[]}]}}"#,
        r#"{"data":{"a":[{"numeric":["<"]}]}}"#,
        r#"{"data":{"a":[{"numeric":["!",1]}]}}"#,
        r#"{"data":{"a":[{"anything-but":{"prefix":"x"}}]}}"#,
        r#"{"data":{"$or":[1]}}"#,
    ];
    for pattern in wrong {
        let refused = Filter::parse(pattern).unwrap_err();
        refused_by(&refused.into()).proves(Rule::FilterPattern);
    }
}

#[test]
fn an_order_of_records_stays_when_some_are_filtered_out() {
    let mut world = filtered(&[r#"{"data":{"a":[1]}}"#]);
    let (no, yes) = (("key", b"{}".as_slice()), ("key", br#"{"a":1}"#.as_slice()));
    world.put_all_in(SHARD, &[yes, no, yes]);
    assert_eq!(world.end_one(Outcome::done()), [1, 3]);
    assert_eq!(checkpoint(&world.outputs()), Some(3));
}
