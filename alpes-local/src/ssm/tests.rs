//! Parameters from their creation to their deletion.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Ssm;
use crate::{error::AwsError, kms::Kms, store::Store};

fn over(store: Store) -> Ssm {
    let store = Arc::new(store);
    let kms = Arc::new(Kms::new(store.clone()).unwrap());
    Ssm::new(store, kms).unwrap()
}

fn ssm() -> Ssm {
    over(Store::in_memory(&std::env::temp_dir()).unwrap())
}

fn put(ssm: &Ssm, name: &str, more: &Value) -> Result<Value, AwsError> {
    let mut request = json!({"Name": name, "Value": "v", "Type": "String"});
    let more = more.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(more);
    ssm.call("PutParameter", &request)
}

fn value(ssm: &Ssm, name: &str) -> Result<Value, AwsError> {
    let request = json!({"Name": name, "WithDecryption": true});
    let answer = ssm.call("GetParameter", &request)?;
    Ok(answer["Parameter"]["Value"].clone())
}

fn names(answer: &Value) -> Vec<&str> {
    let parameters = answer["Parameters"].as_array().unwrap().iter();
    parameters
        .map(|one| one["Name"].as_str().unwrap())
        .collect()
}

#[test]
fn parameters_have_versions_that_survive() {
    let folder = std::env::temp_dir().join(format!("alpes-ssm-{}", Uuid::new_v4()));
    {
        let ssm = over(Store::open(&folder).unwrap());
        let first = put(&ssm, "/shop/color", &json!({"Description": "d"}));
        assert_eq!(first, Ok(json!({"Version": 1, "Tier": "Standard"})));
        let refused = put(&ssm, "/shop/color", &json!({}));
        assert_eq!(refused.unwrap_err().code, "ParameterAlreadyExists");
        let more = json!({"Overwrite": true, "Value": "w"});
        assert_eq!(put(&ssm, "/shop/color", &more).unwrap()["Version"], 2);
        let secret = json!({"Type": "SecureString", "Value": "señal"});
        put(&ssm, "/shop/key", &secret).unwrap();
    }
    let ssm = over(Store::open(&folder).unwrap());
    assert_eq!(value(&ssm, "/shop/color"), Ok(json!("w")));
    assert_eq!(value(&ssm, "/shop/color:1"), Ok(json!("v")));
    assert_eq!(
        value(&ssm, "/shop/color:3").unwrap_err().code,
        "ParameterVersionNotFound"
    );
    assert_eq!(value(&ssm, "/shop/key"), Ok(json!("señal")));
    let sealed = ssm
        .call("GetParameter", &json!({"Name": "/shop/key"}))
        .unwrap();
    let sealed = sealed["Parameter"]["Value"].as_str().unwrap().to_owned();
    assert!(STANDARD.decode(&sealed).is_ok(), "{sealed}");
    let told = ssm.call("DescribeParameters", &json!({})).unwrap();
    assert_eq!(names(&told), ["/shop/color", "/shop/key"]);
    assert_eq!(told["Parameters"][0]["Description"], "d");
    assert_eq!(told["Parameters"][1]["KeyId"], "alias/aws/ssm");
    for version in 3..=102 {
        let more = json!({"Overwrite": true, "Value": version.to_string()});
        put(&ssm, "/shop/color", &more).unwrap();
    }
    assert!(value(&ssm, "/shop/color:2").is_err());
    assert_eq!(value(&ssm, "/shop/color:3"), Ok(json!("3")));
    let delete = json!({"Name": "/shop/color"});
    ssm.call("DeleteParameter", &delete).unwrap();
    let again = ssm.call("DeleteParameter", &delete).unwrap_err();
    assert_eq!(again.code, "ParameterNotFound");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn parameters_are_found_by_name_and_by_path() {
    let ssm = ssm();
    for name in ["/a/1", "/a/2", "/a/b/3", "/ab", "plain"] {
        put(&ssm, name, &json!({})).unwrap();
    }
    let many = json!({"Names": ["plain", "/a/1:1", "none"]});
    let many = ssm.call("GetParameters", &many).unwrap();
    assert_eq!(names(&many), ["plain", "/a/1"]);
    assert_eq!(many["Parameters"][1]["Selector"], ":1");
    assert_eq!(many["InvalidParameters"], json!(["none"]));
    assert_eq!(
        many["Parameters"][1]["ARN"],
        "arn:aws:ssm:us-east-1:000000000000:parameter/a/1"
    );
    let below = |request: Value| ssm.call("GetParametersByPath", &request).unwrap();
    assert_eq!(names(&below(json!({"Path": "/a"}))), ["/a/1", "/a/2"]);
    assert_eq!(names(&below(json!({"Path": "/a/"}))), ["/a/1", "/a/2"]);
    let all = below(json!({"Path": "/a", "Recursive": true}));
    assert_eq!(names(&all), ["/a/1", "/a/2", "/a/b/3"]);
    assert_eq!(names(&below(json!({"Path": "/"}))), ["/ab"]);
    let page = below(json!({"Path": "/a", "Recursive": true, "MaxResults": 2}));
    assert_eq!(names(&page), ["/a/1", "/a/2"]);
    let rest = below(json!({"Path": "/a", "Recursive": true, "NextToken": page["NextToken"]}));
    assert_eq!(names(&rest), ["/a/b/3"]);
}

#[test]
fn parameters_that_break_a_rule_are_refused() {
    let ssm = ssm();
    put(&ssm, "old", &json!({})).unwrap();
    let long = |length: usize| "a".repeat(length);
    for (name, more, code) in [
        ("a b", json!({}), "ValidationException"),
        ("a", json!({"Type": null}), "ValidationException"),
        ("a", json!({"Type": "Text"}), "ValidationException"),
        ("a", json!({"Value": ""}), "ValidationException"),
        ("a", json!({"Value": long(4097)}), "ValidationException"),
        (
            "a",
            json!({"Value": long(8193), "Tier": "Advanced"}),
            "ValidationException",
        ),
        ("a", json!({"Tier": "Large"}), "ValidationException"),
        (
            "a",
            json!({"DataType": "aws:ec2:image"}),
            "ValidationException",
        ),
        ("a", json!({"KeyId": "alias/x"}), "ValidationException"),
        ("a", json!({"AllowedPattern": ".*"}), "ValidationException"),
        (
            "a",
            json!({"Type": "SecureString", "KeyId": "alias/x"}),
            "InvalidKeyId",
        ),
        (
            "old",
            json!({"Type": "StringList", "Overwrite": true}),
            "HierarchyTypeMismatchException",
        ),
    ] {
        let refused = put(&ssm, name, &more).unwrap_err();
        assert_eq!(refused.code, code, "{name} {more}");
    }
    let tiered = json!({"Value": long(4097), "Tier": "Intelligent-Tiering"});
    assert_eq!(put(&ssm, "b", &tiered).unwrap()["Tier"], "Advanced");
    let refused = ssm.call("LabelParameterVersion", &json!({})).unwrap_err();
    assert_eq!(refused.code, "UnknownOperationException");
}

#[test]
fn deployments_write_what_differs() {
    let ssm = ssm();
    let ensure = |value: &str, about| ssm.ensure("size", "String", value, Some(about));
    let told = || {
        let told = ssm.call("DescribeParameters", &json!({})).unwrap();
        let told = &told["Parameters"][0];
        (told["Version"].clone(), told["Description"].clone())
    };
    ensure("1", "of a box").unwrap();
    ensure("1", "of a box").unwrap();
    assert_eq!(told(), (json!(1), json!("of a box")));
    ensure("1", "of a crate").unwrap();
    assert_eq!(told(), (json!(2), json!("of a crate")));
    ensure("3", "of a crate").unwrap();
    assert_eq!(value(&ssm, "size"), Ok(json!("3")));
    assert!(ssm.ensure("secret", "SecureString", "x", None).is_err());
}
