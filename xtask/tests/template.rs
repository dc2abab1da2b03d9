//! The template names things that are elsewhere, and is named by others: they must agree.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

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

/// So it is deployed after the machine, and begins no saga of a version that the machine lacks.
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

/// A mapping that is replaced begins anew. What replaces one is in the hands of `deploy.sh`, by these alone.
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
    // Their names follow from the stack's.
    for name in between(&template, "FunctionName: !Sub \"", '"') {
        assert!(name.starts_with("${AWS::StackName}-") && name.matches('$').count() == 1);
    }
    assert!(template.contains("Name: !Sub \"${AWS::StackName}-eventos\"\n"));
}
