//! The rules of `rules.yaml`, the variants of `Rule` and their tests correspond.

use std::{collections::BTreeSet, fs, path::Path};

use saphyr::{LoadableYamlNode, Yaml};
use source_mapping::Rule;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn list() -> Yaml<'static> {
    let text = fs::read_to_string(folder().join("rules.yaml")).unwrap();
    let text: &'static str = text.leak();
    Yaml::load_from_str(text).unwrap().remove(0)
}

fn text<'a>(of: &'a Yaml<'a>, name: &str) -> &'a str {
    let found = of.as_mapping_get(name).and_then(Yaml::as_str);
    found.unwrap_or_else(|| panic!("no {name} in {of:?}"))
}

fn rules(list: &Yaml<'static>) -> Vec<Yaml<'static>> {
    list.as_mapping_get("rules")
        .unwrap()
        .as_vec()
        .unwrap()
        .clone()
}

/// The variants that the tests of this folder prove.
fn proven() -> BTreeSet<String> {
    let files = fs::read_dir(folder().join("tests/rules")).unwrap();
    let mut found = BTreeSet::new();
    for file in files {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        for named in source.split("proves(Rule::").skip(1) {
            found.insert(named.split(')').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn each_rule_of_the_list_is_a_variant_and_the_other_way_round() {
    let list = list();
    let listed: Vec<_> = rules(&list)
        .iter()
        .map(|rule| text(rule, "id").to_owned())
        .collect();
    let variants: Vec<_> = Rule::ALL.iter().map(|rule| rule.id().to_owned()).collect();
    assert_eq!(listed, variants);
}

#[test]
fn each_rule_has_a_test() {
    let proven = proven();
    let without: Vec<_> = Rule::ALL
        .iter()
        .filter(|rule| !proven.contains(&format!("{rule:?}")))
        .collect();
    assert!(without.is_empty(), "no test proves {without:?}");
}

#[test]
fn each_rule_says_where_aws_says_it() {
    let list = list();
    for rule in rules(&list) {
        let known = ["id", "rule", "source", "recorded", "since", "note"];
        for (key, _) in rule.as_mapping().unwrap() {
            assert!(
                known.contains(&key.as_str().unwrap()),
                "{key:?} in {rule:?}"
            );
        }
        assert!(text(&rule, "rule").ends_with('.'));
        let source = rule.as_mapping_get("source").unwrap();
        let page = text(source, "page");
        assert!(
            page.starts_with("https://docs.aws.amazon.com/")
                || page.starts_with("https://aws.amazon.com/"),
            "{page}"
        );
        assert!(!text(source, "section").is_empty());
        // Recordings of real AWS, where the pages are silent or differ.
        if let Some(recorded) = rule.as_mapping_get("recorded").and_then(Yaml::as_str) {
            assert!(recorded.starts_with("https://github.com/"), "{recorded}");
        }
    }
    let outside = list
        .as_mapping_get("out_of_scope")
        .unwrap()
        .as_vec()
        .unwrap();
    let windows = outside.iter().filter_map(Yaml::as_str);
    assert!(
        windows
            .into_iter()
            .any(|text| text.contains("Tumbling windows"))
    );
}
