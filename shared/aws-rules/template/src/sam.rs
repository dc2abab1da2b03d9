//! SAM's additions to a template before `CloudFormation` reads it: global settings, and resources that others imply.

use crate::{
    node::{Data, Entry, Node},
    scope::Declared,
};

/// The logical id of the API that functions' events imply.
const IMPLICIT_API: &str = "ServerlessRestApi";

/// The section of `Globals` for resources of this kind.
pub(crate) fn section(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AWS::Serverless::Function" => "Function",
        "AWS::Serverless::Api" => "Api",
        "AWS::Serverless::SimpleTable" => "SimpleTable",
        "AWS::Serverless::StateMachine" => "StateMachine",
        _ => return None,
    })
}

/// Merges global settings with a resource's own: mappings are merged, lists are joined, and other values are replaced.
pub(crate) fn merged(global: &Node, own: &Node) -> Node {
    // A function is a value: what it calls is not merged.
    if global.call().is_some() || own.call().is_some() {
        return own.clone();
    }
    let data = match (&global.data, &own.data) {
        (Data::Map(global), Data::Map(own)) => Data::Map(merged_entries(global, own)),
        (Data::List(global), Data::List(own)) => {
            Data::List(global.iter().chain(own).cloned().collect())
        }
        _ => own.data.clone(),
    };
    let line = own.line;
    Node { line, data }
}

fn merged_entries(global: &[Entry], own: &[Entry]) -> Vec<Entry> {
    let mut merged_entries = vec![];
    for entry in global {
        let own = own.iter().find(|own| own.key == entry.key);
        merged_entries.push(match own {
            Some(own) => Entry {
                value: merged(&entry.value, &own.value),
                ..own.clone()
            },
            None => entry.clone(),
        });
    }
    let known = |entry: &&Entry| !global.iter().any(|global| global.key == entry.key);
    merged_entries.extend(own.iter().filter(known).cloned());
    merged_entries
}

/// The resources that others imply: the role of a function or state machine without one, and the API of functions'
/// events without one.
pub(crate) fn implied(declared: &[Declared], globals: Option<&Node>) -> Vec<Declared> {
    let mut implied: Vec<_> = declared.iter().filter_map(implied_role).collect();
    let api = declared.iter().find(|resource| implies_api(resource));
    implied.extend(api.map(|function| Declared {
        id: IMPLICIT_API.to_owned(),
        kind: "AWS::Serverless::Api".to_owned(),
        line: function.line,
        properties: globals.and_then(|globals| globals.get("Api")).cloned(),
        condition: None,
        attributes: vec![],
        implied: true,
    }));
    implied
}

fn implied_role(of: &Declared) -> Option<Declared> {
    let serverless = matches!(
        of.kind.as_str(),
        "AWS::Serverless::Function" | "AWS::Serverless::StateMachine"
    );
    let role = of.properties.as_ref().and_then(|set| set.get("Role"));
    (serverless && role.is_none()).then(|| Declared {
        id: format!("{}Role", of.id),
        kind: "AWS::IAM::Role".to_owned(),
        line: of.line,
        properties: None,
        condition: of.condition.clone(),
        attributes: vec![],
        implied: true,
    })
}

fn implies_api(of: &Declared) -> bool {
    let events = of.properties.as_ref().and_then(|set| set.get("Events"));
    let mut events = events.into_iter().flat_map(Node::entries);
    of.kind == "AWS::Serverless::Function"
        && events.any(|event| {
            let properties = event.value.get("Properties");
            let of_api = event.value.get("Type").and_then(Node::as_text) == Some("Api");
            of_api && properties.and_then(|set| set.get("RestApiId")).is_none()
        })
}
