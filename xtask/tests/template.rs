//! The names in the template must agree with those in the code and in other files.

#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path};

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// Every text between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    let parts = text.split(open).skip(1);
    parts.filter_map(move |part| Some(part.split_once(close)?.0))
}

/// The keys below the only line `{indent}{block}:`, with their values.
fn entries<'a>(template: &'a str, block: &str) -> Vec<(&'a str, &'a str)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = template.lines();
    let begins = lines.find(|line| line.trim() == format!("{block}:"));
    let outer = indent(begins.unwrap());
    let inside = lines.take_while(|line| indent(line) > outer);
    inside
        .filter(|line| indent(line) == outer + 2)
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(key, value)| (key, value.trim()))
        .collect()
}

#[test]
fn the_state_machine_is_given_the_functions_that_it_names() {
    let template = file("infra/template.yaml");
    let definition = file("infra/saga-reserva.asl.json");
    let named: BTreeSet<_> = between(&definition, "${", '}').collect();
    assert!(!named.is_empty());
    let given = entries(&template, "DefinitionSubstitutions");
    assert_eq!(named, given.iter().map(|(key, _)| *key).collect());
    for (key, value) in given {
        assert_eq!(value, format!("!GetAtt {key}.Arn"));
        let right = format!("                  - {value}\n");
        let role = template.split("\n  SagaReservaRole:").nth(1).unwrap();
        let role = role.split("\n  SagaReserva:").next().unwrap();
        assert!(role.contains(&right), "the machine may not call {key}");
    }
}

/// Because of the reference, CloudFormation deploys the orchestrator after the state machine. So the orchestrator
/// begins no saga of a version that the state machine lacks.
#[test]
fn the_orchestrator_refers_to_the_state_machine() {
    let template = file("infra/template.yaml");
    let machine = "&state-machine !If [ConStepFunctions, !Ref SagaReserva, !Ref AWS::NoValue]";
    assert!(template.contains(machine));
    let orchestrator = template.split("\n  Orchestrator:\n").nth(1).unwrap();
    let orchestrator = orchestrator.split("\n\n").next().unwrap();
    assert!(orchestrator.contains("*state-machine"), "{orchestrator}");
}

#[test]
fn the_outputs_that_the_tool_reads_are_the_templates() {
    let template = file("infra/template.yaml");
    let outputs = template.split("\nOutputs:\n").nth(1).unwrap();
    let deploy = file("xtask/src/deploy.rs").replace("found(\"", "output(\"");
    let read: BTreeSet<_> = between(&deploy, "output(\"", '"').collect();
    assert!(read.contains("StateMachine") && read.contains("ApiId"));
    for name in read {
        assert!(
            outputs.contains(&format!("\n  {name}:\n"))
                || outputs.starts_with(&format!("  {name}:\n")),
            "the template has no output {name}"
        );
    }
}

/// The LocalStack services that each CloudFormation namespace needs.
const SERVICES: [(&str, &[&str]); 12] = [
    ("CloudWatch", &["cloudwatch"]),
    ("DynamoDB", &["dynamodb", "dynamodbstreams"]),
    ("Events", &["events"]),
    ("IAM", &["iam"]),
    ("Kinesis", &["kinesis"]),
    ("Lambda", &["lambda"]),
    ("Logs", &["logs"]),
    ("S3", &["s3"]),
    ("SNS", &["sns"]),
    ("Serverless", &["apigateway", "lambda", "iam", "events"]),
    ("StepFunctions", &["stepfunctions"]),
    // Only where clients are throttled, which LocalStack's free edition cannot do.
    ("WAFv2", &[]),
];

/// The LocalStack services that are used by the template's resources, by the clients of functions and tests, and by the
/// scripts.
fn needed_services() -> BTreeSet<String> {
    let template = file("infra/template.yaml");
    let resources = between(&template, "Type: AWS::", ':').flat_map(|kind| {
        let known = SERVICES.iter().find(|(name, _)| *name == kind);
        let (_, services) = known.unwrap_or_else(|| panic!("which service is AWS::{kind}?"));
        *services
    });
    let manifest = file("Cargo.toml");
    let clients = between(&manifest, "\naws-sdk-", ' ').map(|client| match client {
        "sfn" => "stepfunctions",
        client => client,
    });
    let scripts = [
        file("infra/deploy.sh"),
        file("infra/localstack/deploy-on-ready.sh"),
    ]
    .concat();
    let calls = ["aws_do ", "aws_try ", "\"$cli\" "];
    let calls = calls.iter().flat_map(|call| between(&scripts, call, ' '));
    let calls = calls
        .map(|service| service.trim_end_matches("api"))
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()) && *word != "configure");
    let needed = resources.copied().chain(clients).chain(calls);
    needed.map(str::to_owned).collect()
}

#[test]
fn the_container_has_every_service_that_is_used() {
    let compose = file("docker-compose.yml");
    let line = between(&compose, "SERVICES: ", '\n').next().unwrap();
    let has: BTreeSet<_> = line.split(',').map(str::to_owned).collect();
    let needed = needed_services();
    for service in ["kinesis", "sqs", "stepfunctions", "sts", "cloudformation"] {
        assert!(needed.contains(service), "{service} is used, and not found");
    }
    let missing: Vec<_> = needed.difference(&has).collect();
    assert!(missing.is_empty(), "SERVICES lacks {missing:?}");
}

/// For a missing folder in the short form of a mount, Docker creates a folder that root owns.
#[test]
fn the_container_mounts_only_what_is_there() {
    let compose = file("docker-compose.yml");
    let volumes = compose.split("    volumes:").nth(1).unwrap();
    let volumes = volumes.split("    healthcheck:").next().unwrap();
    let mounts = volumes.lines().filter(|line| line.starts_with("      - "));
    assert!(mounts.clone().count() > 1);
    for mount in mounts {
        assert!(mount.starts_with("      - type: bind"), "{mount}");
    }
    for mount in volumes.split("      - type: bind").skip(1) {
        assert!(
            mount.contains("        bind: {create_host_path: false}\n"),
            "{mount}"
        );
    }
}

/// An event source mapping that is replaced loses its position in the log. Only `FanOut` and `MappingsSince`, which
/// `deploy.sh` sets, replace event source mappings.
#[test]
fn nothing_but_fan_out_makes_a_mapping_anew() {
    let template = file("infra/template.yaml");
    let mappings = template.split("Type: AWS::Lambda::EventSourceMapping\n");
    let mappings: Vec<_> = mappings.skip(1).collect();
    assert_eq!(mappings.len(), 7);
    for mapping in mappings {
        let mapping = mapping.split("\n\n").next().unwrap();
        let replacing = ["EventSourceArn:", "FunctionName:", "StartingPosition"];
        let lines = mapping.lines().map(str::trim);
        for line in lines.filter(|line| replacing.iter().any(|name| line.starts_with(name))) {
            let conditions = between(line, "!If [", ',');
            for condition in conditions {
                assert!(["ConFanOut", "SinceATime"].contains(&condition), "{line}");
            }
        }
    }
    // The functions' names begin with the stack's name.
    for name in between(&template, "FunctionName: !Sub \"", '"') {
        assert!(name.starts_with("${AWS::StackName}-") && name.matches('$').count() == 1);
    }
    assert!(template.contains("Name: !Sub \"${AWS::StackName}-eventos\"\n"));
}
