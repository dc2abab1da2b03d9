//! Reads the sections of a template, and resolves its resources and outputs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    Output, Resource, Stack, Template, TemplateError,
    error::At,
    node::{Data, Entry, Node},
    parameters,
    properties::Lines,
    rules, sam,
    scope::{Declared, Scope, Trail},
};

/// The macro that makes a template a SAM template.
const SAM: &str = "AWS::Serverless-2016-10-31";

/// The sections that a template may have.
const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// Attributes of a resource besides its type, properties and condition.
const ATTRIBUTES: [&str; 6] = [
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// Reads a template. Parameters that the template does not declare are ignored.
pub(crate) fn template(
    text: &str,
    stack: &Stack,
    given: &[(&str, &str)],
    exports: &BTreeMap<String, String>,
) -> Result<Template, TemplateError> {
    let root = Node::parse(text)?;
    check_sections(&root)?;
    let declared = section(&root, "Parameters")?;
    let values = parameters::take(declared, given, &At::root("Parameters", root.line))?;
    let mut scope = Scope {
        stack,
        parameters: values,
        mappings: section(&root, "Mappings")?,
        conditions: section(&root, "Conditions")?,
        resources: vec![],
        exports,
        trail: Trail::default(),
    };
    for condition in scope.conditions {
        let section = At::root("Conditions", condition.line);
        scope.holds(&condition.key, &section.key(&condition.key, condition.line))?;
    }
    rules::check(section(&root, "Rules")?, &scope)?;
    scope.resources = declared_resources(&root)?;
    let resources = resources(&scope)?;
    let outputs = outputs(section(&root, "Outputs")?, &scope)?;
    let parameters = declared.iter().map(|entry| entry.key.clone()).collect();
    Ok(Template {
        resources,
        outputs,
        parameters,
    })
}

fn check_sections(root: &Node) -> Result<(), TemplateError> {
    let Data::Map(sections) = &root.data else {
        return Err(At::root("the template", root.line).must("a mapping"));
    };
    for entry in sections {
        let at = At::root(&entry.key, entry.line);
        if !SECTIONS.contains(&entry.key.as_str()) {
            return Err(at.unsupported(""));
        }
        if entry.key == "Transform" {
            check_transform(&entry.value, &at)?;
        }
    }
    Ok(())
}

fn check_transform(transform: &Node, at: &At<'_>) -> Result<(), TemplateError> {
    let only = std::slice::from_ref(transform);
    let macros = match &transform.data {
        Data::List(items) => items,
        _ => only,
    };
    if macros.iter().all(|name| name.as_text() == Some(SAM)) {
        return Ok(());
    }
    Err(at.unsupported(&format!("the only macro is {SAM}")))
}

/// The entries of a section; none if the template does not have it.
fn section<'n>(root: &'n Node, name: &str) -> Result<&'n [Entry], TemplateError> {
    match root.entry(name) {
        None => Ok(&[]),
        Some(entry) => mapping(&entry.value, &At::root(name, entry.line)),
    }
}

fn mapping<'n>(node: &'n Node, at: &At<'_>) -> Result<&'n [Entry], TemplateError> {
    match &node.data {
        Data::Map(entries) => Ok(entries),
        _ => Err(at.must("a mapping")),
    }
}

fn declared_resources(root: &Node) -> Result<Vec<Declared>, TemplateError> {
    let globals = globals(root)?;
    let written = section(root, "Resources")?.iter();
    let mut all: Vec<_> = written
        .map(|entry| declared(entry, globals))
        .collect::<Result<_, _>>()?;
    let implied = sam::implied(&all, globals);
    // A resource that the template writes itself stands before one that SAM would add.
    let new = |implied: &Declared| !all.iter().any(|written| written.id == implied.id);
    let implied: Vec<_> = implied.into_iter().filter(new).collect();
    all.extend(implied);
    for resource in &all {
        check_dependencies(resource, root, &all)?;
    }
    Ok(all)
}

fn globals(root: &Node) -> Result<Option<&Node>, TemplateError> {
    for entry in section(root, "Globals")? {
        let known = ["Function", "Api", "SimpleTable", "StateMachine"];
        if !known.contains(&entry.key.as_str()) {
            let globals = At::root("Globals", entry.line);
            return Err(globals.key(&entry.key, entry.line).unsupported(""));
        }
    }
    Ok(root.get("Globals"))
}

fn declared(entry: &Entry, globals: Option<&Node>) -> Result<Declared, TemplateError> {
    let at = At::root(&entry.key, entry.line);
    let attributes = mapping(&entry.value, &at)?;
    let text = |name: &str| {
        entry
            .value
            .get(name)
            .map(|value| (value.as_text(), value.line))
    };
    let kind = match text("Type") {
        Some((Some(kind), _)) => kind.to_owned(),
        _ => return Err(at.key("Type", entry.line).must("a text")),
    };
    let condition = match text("Condition") {
        None => None,
        Some((Some(name), _)) => Some(name.to_owned()),
        Some((None, line)) => {
            return Err(at.key("Condition", line).must("the name of a condition"));
        }
    };
    let mut others = vec![];
    for attribute in attributes {
        match attribute.key.as_str() {
            "Type" | "Properties" | "Condition" => {}
            known if ATTRIBUTES.contains(&known) => others.push(known.to_owned()),
            unknown => return Err(at.key(unknown, attribute.line).unsupported("")),
        }
    }
    let own = entry.value.get("Properties");
    let global = sam::section(&kind).and_then(|section| globals?.get(section));
    let properties = match (global, own) {
        (Some(global), Some(own)) => Some(sam::merged(global, own)),
        (global, own) => own.or(global).cloned(),
    };
    Ok(Declared {
        id: entry.key.clone(),
        kind,
        line: entry.line,
        properties,
        condition,
        attributes: others,
        implied: false,
    })
}

/// Checks that the resources of `DependsOn` exist. Nothing depends on their order here.
fn check_dependencies(of: &Declared, root: &Node, all: &[Declared]) -> Result<(), TemplateError> {
    let written = root.get("Resources").and_then(|set| set.get(&of.id));
    let Some(depends) = written.and_then(|set| set.entry("DependsOn")) else {
        return Ok(());
    };
    let resource = At::root(&of.id, of.line);
    let at = resource.key("DependsOn", depends.line);
    let only = std::slice::from_ref(&depends.value);
    let names = match &depends.value.data {
        Data::List(items) => items,
        _ => only,
    };
    for name in names {
        let name = name
            .as_text()
            .ok_or_else(|| at.must("a logical id or a list of them"))?;
        if !all.iter().any(|known| known.id == name) {
            return Err(at.dangling(name));
        }
    }
    Ok(())
}

fn resources(scope: &Scope<'_>) -> Result<Vec<Resource>, TemplateError> {
    let mut resources = vec![];
    for declared in &scope.resources {
        let at = At::root(&declared.id, declared.line);
        let is_there = match &declared.condition {
            Some(condition) => scope.holds(condition, &at)?,
            None => true,
        };
        if is_there {
            resources.push(resource(declared, scope)?);
        }
    }
    Ok(resources)
}

fn resource(declared: &Declared, scope: &Scope<'_>) -> Result<Resource, TemplateError> {
    let at = At::root(&declared.id, declared.line);
    let resolved = match &declared.properties {
        Some(properties) => Some(scope.resolve(properties, &at)?),
        None => None,
    };
    let mut lines = Lines::from(declared.line);
    let mut properties = Map::new();
    if let Some(resolved) = resolved {
        let entries = mapping(&resolved, &at)?;
        lines.note_entries(entries, "");
        properties = values(entries, &at)?;
    }
    Ok(Resource {
        id: declared.id.clone(),
        kind: declared.kind.clone(),
        name: scope.name(declared)?,
        arn: scope.arn(declared)?,
        properties,
        attributes: declared.attributes.clone(),
        implied: declared.implied,
        lines,
    })
}

fn values(entries: &[Entry], at: &At<'_>) -> Result<Map<String, Value>, TemplateError> {
    let value = |entry: &Entry| {
        let value = entry.value.to_value();
        let value = value.ok_or_else(|| at.key(&entry.key, entry.line).must("resolved"))?;
        Ok((entry.key.clone(), value))
    };
    entries.iter().map(value).collect()
}

fn outputs(section: &[Entry], scope: &Scope<'_>) -> Result<Vec<Output>, TemplateError> {
    let root = At::root("Outputs", 1);
    let mut outputs = vec![];
    for entry in section {
        let at = root.key(&entry.key, entry.line);
        let is_there = match entry.value.get("Condition").and_then(Node::as_text) {
            Some(condition) => scope.holds(condition, &at)?,
            None => true,
        };
        if is_there {
            outputs.push(output(entry, &at, scope)?);
        }
    }
    Ok(outputs)
}

fn output(entry: &Entry, at: &At<'_>, scope: &Scope<'_>) -> Result<Output, TemplateError> {
    for part in mapping(&entry.value, at)? {
        if !["Value", "Description", "Export", "Condition"].contains(&part.key.as_str()) {
            return Err(at.key(&part.key, part.line).unsupported(""));
        }
    }
    let value = entry.value.get("Value");
    let value = value.ok_or_else(|| at.key("Value", entry.line).must("given"))?;
    let export = match entry.value.get("Export") {
        None => None,
        Some(export) => {
            let at = at.key("Export", export.line);
            let name = export
                .get("Name")
                .ok_or_else(|| at.must("a mapping with Name"))?;
            let name = scope.text(name, &at)?;
            if scope.exports.contains_key(&name) {
                return Err(at.must(format!("new, and {name} is exported already")));
            }
            Some(name)
        }
    };
    Ok(Output {
        name: entry.key.clone(),
        value: scope.text(value, &at.key("Value", value.line))?,
        export,
    })
}
