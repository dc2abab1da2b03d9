//! Resolving parameters, conditions, functions and references, and the errors for mistakes in them.

#![cfg(test)]

use serde_json::{Value, json};
use template::{Stack, Template, TemplateError};

const PARAMETERS: &str = r#"
Parameters:
  Size: { Type: String, Default: small, AllowedValues: [small, large] }
  Colours: { Type: CommaDelimitedList, Default: "red, green" }
  Port: { Type: Number, Default: 8080, MinValue: 1, MaxValue: 65535 }
  Code: { Type: String, Default: "ab12", AllowedPattern: "[a-z]+[0-9]+", MaxLength: 6 }
Conditions:
  Both: !And [!Condition Large, !Condition Busy]
  Either: { "Fn::Or": [{ Condition: Large }, { Condition: Busy }] }
  Large: !Equals [!Ref Size, large]
  Busy: !Not [!Equals [!Ref Port, 8080]]
Mappings:
  Sizes: { small: { Most: 5, Names: [a, b] }, large: { Most: 50, Names: [c] } }
"#;

/// The properties of a resource that has this property `Value`.
fn value(written: &str, given: &[(&str, &str)]) -> Result<Value, TemplateError> {
    let text = format!(
        "{PARAMETERS}Resources:\n  It:\n    Type: Shop::Thing\n    Properties:\n      Value: {written}\n  Orders: {{ Type: AWS::Kinesis::Stream }}\n"
    );
    let template = Template::of(&text, &Stack::new("shop"), given)?;
    Ok(template.resources[0]
        .properties
        .get("Value")
        .cloned()
        .unwrap_or_default())
}

#[test]
fn every_function_has_two_forms() {
    let cases = [
        ("!Ref Size", json!("small")),
        ("{ Ref: Colours }", json!(["red", "green"])),
        (
            "!Sub '${Size}-${!Size}-${AWS::Region}'",
            json!("small-${Size}-us-east-1"),
        ),
        ("!Sub ['${A}${Size}', { A: !Ref Port }]", json!("8080small")),
        (
            "{ 'Fn::Sub': 'x-${AWS::AccountId}' }",
            json!("x-123456789012"),
        ),
        ("!Join ['-', [a, !Ref Port, 1]]", json!("a-8080-1")),
        ("{ 'Fn::Join': [',', !Ref Colours] }", json!("red,green")),
        ("!Select [1, !Ref Colours]", json!("green")),
        ("!Select ['0', !Split ['/', 'a/b']]", json!("a")),
        ("!If [Large, 1, 2]", json!(2)),
        ("!If [Both, 1, !Ref AWS::NoValue]", json!(null)),
        ("[!If [Either, 1, !Ref AWS::NoValue], 2]", json!([2])),
        ("!FindInMap [Sizes, !Ref Size, Most]", json!(5)),
        ("{ 'Fn::FindInMap': [Sizes, large, Names] }", json!(["c"])),
        ("!Base64 abc", json!("YWJj")),
        (
            "{ 'Fn::GetAtt': [Orders, Arn], Other: 1 }",
            json!("refused"),
        ),
        ("{ 'Fn::GetAtt': Orders.Arn }", json!("arn")),
        ("!GetAtt [Orders, Arn]", json!("arn")),
        ("!Sub '${Orders.Arn}'", json!("arn")),
    ];
    let arn = value("!GetAtt Orders.Arn", &[]).unwrap();
    assert!(
        arn.as_str()
            .unwrap()
            .starts_with("arn:aws:kinesis:us-east-1:123456789012:stream/shop-Orders-")
    );
    for (written, right) in cases {
        match value(written, &[]) {
            Ok(found) if right == "arn" => assert_eq!(found, arn, "{written}"),
            Ok(found) => assert_eq!(found, right, "{written}"),
            Err(error) => assert_eq!(right, "refused", "{written}: {error}"),
        }
    }
}

#[test]
fn conditions_may_stand_in_any_order() {
    let given = [("Size", "large"), ("Port", "1")];
    assert_eq!(value("!If [Both, 1, 2]", &given).unwrap(), 1);
    assert_eq!(value("!If [Either, 1, 2]", &given[..1]).unwrap(), 1);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let mistakes = [
        ("!Ref Sise", "line 18: It.Value: the template has no Sise"),
        (
            "!GetAtt Orders",
            "line 18: It.Value must be a resource, a dot and an attribute",
        ),
        (
            "!GetAtt Orders.Colour",
            "line 18: It.Value is not supported: AWS::Kinesis::Stream has no attribute Colour that is known here",
        ),
        (
            "!Ref Orders.Arn",
            "line 18: It.Value: the template has no Orders.Arn",
        ),
        (
            "!Sub 'x${Size'",
            "line 18: It.Value must be a text whose every ${ ends with }",
        ),
        (
            "!Sub '${Colours}'",
            "line 18: It.Value must be made of texts, which Colours is not",
        ),
        (
            "!Select [2, !Ref Colours]",
            "line 18: It.Value must be an index below 2, the length of its list",
        ),
        (
            "!If [Large, 1]",
            "line 18: It.Value must be a list of 3 arguments",
        ),
        (
            "!If [Huge, 1, 2]",
            "line 18: It.Value: the template has no condition Huge",
        ),
        (
            "!FindInMap [Sizes, huge, Most]",
            "line 18: It.Value: the template has no mapping Sizes.huge.Most",
        ),
        (
            "!ImportValue log",
            "line 18: It.Value: the template has no export log before it",
        ),
        (
            "!Equals [1, 1]",
            "line 18: It.Value is not supported: a condition belongs into Conditions",
        ),
        (
            "{ A: [{ B: null }] }",
            "line 18: It.Value.A[0].B must be a value, since CloudFormation takes no null",
        ),
    ];
    for (written, right) in mistakes {
        assert_eq!(
            value(written, &[]).unwrap_err().to_string(),
            right,
            "{written}"
        );
    }
}

#[test]
fn parameters_keep_to_their_limits() {
    let mistakes = [
        (
            ("Size", "huge"),
            "line 3: Parameters.Size must be one of small, large, not \"huge\"",
        ),
        (
            ("Port", "0"),
            "line 5: Parameters.Port must be 1 or more, not \"0\"",
        ),
        (
            ("Port", "70000"),
            "line 5: Parameters.Port must be 65535 or less, not \"70000\"",
        ),
        (
            ("Port", "many"),
            "line 5: Parameters.Port must be a number, not \"many\"",
        ),
        (
            ("Code", "12ab"),
            "line 6: Parameters.Code must be of the pattern [a-z]+[0-9]+, not \"12ab\"",
        ),
        (
            ("Code", "abc1234"),
            "line 6: Parameters.Code must be of 6 characters or fewer, not \"abc1234\"",
        ),
        (("Colour", "red"), "the template has no parameter Colour"),
    ];
    for (given, right) in mistakes {
        assert_eq!(value("1", &[given]).unwrap_err().to_string(), right);
    }
    let without = "Parameters:\n  Size: { Type: String }\nResources: {}\n";
    let error = Template::of(without, &Stack::new("shop"), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2: Parameters.Size must be given a value, since it has no Default"
    );
}

fn refused(text: &str) -> String {
    Template::of(text, &Stack::new("shop"), &[])
        .unwrap_err()
        .to_string()
}

#[test]
fn circles_and_unknown_sections_are_refused() {
    let circle = "Resources:\n  A: { Type: AWS::SQS::Queue, Properties: { QueueName: !GetAtt B.QueueName } }\n  B:\n    Type: AWS::SQS::Queue\n    Properties: { QueueName: !GetAtt A.QueueName }\n";
    assert!(
        refused(circle).contains("must be free of circles"),
        "{}",
        refused(circle)
    );
    let circle = "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\n";
    assert_eq!(
        refused(circle),
        "line 3: Conditions.B must be free of circles: condition A depends on itself"
    );
    assert_eq!(refused("Hooks: {}\n"), "line 1: Hooks is not supported");
    assert_eq!(
        refused("Transform: [Mine]\n"),
        "line 1: Transform is not supported: the only macro is AWS::Serverless-2016-10-31"
    );
    assert_eq!(
        refused("Resources:\n  A:\n    Type: T\n    Propertys: {}\n"),
        "line 4: A.Propertys is not supported"
    );
    assert_eq!(
        refused("Resources:\n  A: { Type: T, DependsOn: [B] }\n"),
        "line 2: A.DependsOn: the template has no B"
    );
    let twice = "Resources:\n  A: { Type: T }\n  A: { Type: T }\n";
    assert!(
        refused(twice).starts_with("the template is no YAML"),
        "{}",
        refused(twice)
    );
    let absent = "Conditions:\n  Never: !Equals [1, 2]\nResources:\n  A: { Type: T, Condition: Never }\n  B: { Type: T, Properties: { A: !Ref A } }\n";
    assert_eq!(
        refused(absent),
        "line 5: B.A: the template has no A while its condition Never does not hold"
    );
}

#[test]
fn references_are_names_or_arns_by_kind() {
    let text = r#"{
	"Transform": "AWS::Serverless-2016-10-31",
	"Resources": {
		"Bucket": {"Type": "AWS::S3::Bucket"},
		"Orders": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "orders"}},
		"Share": {"Type": "AWS::Kinesis::StreamConsumer", "Properties": {"ConsumerName": "fast", "StreamARN": {"Fn::GetAtt": ["Orders", "Arn"]}}},
		"Late": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "late"}},
		"News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
		"Ship": {"Type": "AWS::Serverless::Function", "Properties": {"FunctionName": "ship", "AutoPublishAlias": "live", "Events": {"Http": {"Type": "Api"}}}},
		"Sale": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"StateMachineName": "sale"}},
		"Key": {"Type": "AWS::KMS::Key"}
	},
	"Outputs": {
		"Bucket": {"Value": {"Ref": "Bucket"}},
		"Share": {"Value": {"Ref": "Share"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-share"}}},
		"Late": {"Value": {"Ref": "Late"}},
		"LateArn": {"Value": {"Fn::GetAtt": "Late.Arn"}},
		"News": {"Value": {"Ref": "News"}},
		"Ship": {"Value": {"Ref": "Ship"}},
		"Live": {"Value": {"Ref": "Ship.Alias"}},
		"ShipRole": {"Value": {"Fn::GetAtt": ["ShipRole", "Arn"]}},
		"Sale": {"Value": {"Ref": "Sale"}},
		"Key": {"Value": {"Ref": "Key"}},
		"Api": {"Value": {"Ref": "ServerlessRestApi"}}
	}
}"#;
    let stack = Stack {
        account: "000000000000".to_owned(),
        ..Stack::new("Shop")
    };
    let template = Template::of(text, &stack, &[]).unwrap();
    let value = |name: &str| {
        let found = template.outputs.iter().find(|output| output.name == name);
        found.unwrap().value.clone()
    };
    let bucket = value("Bucket");
    assert!(
        bucket.starts_with("shop-bucket-") && bucket.len() == 24,
        "{bucket}"
    );
    let share = "arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/fast:1";
    assert_eq!(value("Share"), share);
    assert_eq!(
        value("Late"),
        "https://sqs.us-east-1.amazonaws.com/000000000000/late"
    );
    assert_eq!(value("LateArn"), "arn:aws:sqs:us-east-1:000000000000:late");
    assert_eq!(value("News"), "arn:aws:sns:us-east-1:000000000000:news");
    assert_eq!(value("Ship"), "ship");
    assert_eq!(
        value("Live"),
        "arn:aws:lambda:us-east-1:000000000000:function:ship:live"
    );
    assert!(value("ShipRole").starts_with("arn:aws:iam::000000000000:role/Shop-ShipRole-"));
    assert_eq!(
        value("Sale"),
        "arn:aws:states:us-east-1:000000000000:stateMachine:sale"
    );
    assert_eq!(value("Key").len(), 36);
    assert_eq!(value("Api").len(), 10);
    let importing = "Resources:\n  A: { Type: T, Properties: { Of: !ImportValue Shop-share } }\n";
    let second = Template::after(importing, &stack, &[], &[template]).unwrap();
    assert_eq!(second.resources[0].properties["Of"], share);
}

#[test]
fn globals_are_merged_as_sam_does() {
    let text = r"
Globals:
  Function:
    Timeout: 60
    Architectures: [arm64]
    Environment: { Variables: { A: 1, B: !Ref AWS::Region } }
Resources:
  Ship:
    Type: AWS::Serverless::Function
    Properties: { Timeout: 5, Architectures: [x86_64], Environment: { Variables: { B: 2 } } }
";
    let template = Template::of(text, &Stack::new("shop"), &[]).unwrap();
    let properties = Value::from(template.resources[0].properties.clone());
    let right = json!({
        "Timeout": 5,
        "Architectures": ["arm64", "x86_64"],
        "Environment": {"Variables": {"A": 1, "B": 2}},
    });
    assert_eq!(properties, right);
}

#[test]
fn a_property_that_nobody_asks_for_is_refused() {
    let text = "Resources:\n  A:\n    Type: T\n    Properties:\n      Known: 1\n      Parts:\n        - { Known: 1 }\n        - Colour: red\n";
    let template = Template::of(text, &Stack::new("shop"), &[]).unwrap();
    let read = template.resources[0].read(|set| {
        set.integer("Known")?;
        set.each("Parts", |part| part.integer("Known"))
    });
    assert_eq!(
        read.unwrap_err().to_string(),
        "line 8: A.Parts[1].Colour is not supported"
    );
    let none = template.resources[0].read(|set| set.integer("Known"));
    assert_eq!(
        none.unwrap_err().to_string(),
        "line 6: A.Parts is not supported"
    );
}

#[test]
fn a_template_in_json_is_the_same_template() {
    let yaml = "
Parameters: { Largo: { Type: Number, Default: 20 }, Si: { Type: String, Default: 'true' } }
Conditions:
  ConColas: !And [!Equals [!Ref Si, 'true'], !Condition ConMas]
  ConMas: !Not [!Equals [!Ref Si, maybe]]
Resources:
  Cola:
    Type: AWS::SQS::Queue
    Condition: ConColas
    Properties: &igual { QueueName: !Sub '${AWS::StackName}-a', DelaySeconds: !Ref Largo }
  Otra:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: b
      Tags: [{ Key: de, Value: !GetAtt Cola.Arn }, !If [ConColas, { Key: x, Value: y }, !Ref AWS::NoValue]]
      RedrivePolicy: *igual
";
    let json = template::in_json(yaml).unwrap();
    let tags = &json["Resources"]["Otra"]["Properties"]["Tags"];
    assert_eq!(tags[0]["Value"], json!({"Fn::GetAtt": ["Cola", "Arn"]}));
    let of = |text: &str| {
        let resources = Template::of(text, &Stack::new("shop"), &[])
            .unwrap()
            .resources;
        let told = resources.into_iter().map(|one| (one.id, one.properties));
        told.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(of(&json.to_string()), of(yaml));
}

#[test]
fn a_rule_whose_condition_holds_is_checked() {
    let text = "\
Parameters:
  Access: { Type: String, Default: open }
  Issuer: { Type: String, Default: '' }
Rules:
  TokensNeedAnIssuer:
    RuleCondition: !Equals [!Ref Access, tokens]
    Assertions:
      - Assert: !Not [!Equals [!Ref Issuer, '']]
        AssertDescription: give an Issuer
Resources:
  A: { Type: T }
";
    let read = |given: &[(&str, &str)]| Template::of(text, &Stack::new("shop"), given);
    assert!(read(&[]).is_ok());
    assert!(read(&[("Access", "tokens"), ("Issuer", "https://id.example")]).is_ok());
    assert_eq!(
        read(&[("Access", "tokens")]).unwrap_err().to_string(),
        "line 8: Rules.TokensNeedAnIssuer.Assertions[0] must be true: give an Issuer"
    );
}
