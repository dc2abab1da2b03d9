//! The names that a template's values can refer to, and the resolving of these values.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    Stack, TemplateError,
    error::At,
    node::{Data, Entry, Node},
};

/// A resource as the template declares it, or as SAM implies it.
pub(crate) struct Declared {
    pub id: String,
    pub kind: String,
    pub line: usize,
    /// The properties as they are written, with `Globals` merged in.
    pub properties: Option<Node>,
    pub condition: Option<String>,
    /// The names of the resource's attributes besides type, properties and condition.
    pub attributes: Vec<String>,
    /// True if SAM adds the resource.
    pub implied: bool,
}

/// The names in scope.
pub(crate) struct Scope<'a> {
    pub stack: &'a Stack,
    /// The values of the parameters.
    pub parameters: BTreeMap<String, Node>,
    pub mappings: &'a [Entry],
    pub conditions: &'a [Entry],
    /// All resources, in the order of the template. While conditions are resolved there are none.
    pub resources: Vec<Declared>,
    /// The values that earlier templates export.
    pub exports: &'a BTreeMap<String, String>,
    pub trail: Trail,
}

/// The names that are being resolved. They show when a value depends on itself.
#[derive(Default)]
pub(crate) struct Trail {
    busy: RefCell<BTreeSet<String>>,
    truths: RefCell<BTreeMap<String, bool>>,
}

impl Trail {
    /// Resolves something named; an error if that is being resolved already.
    pub fn within<T>(
        &self,
        name: &str,
        at: &At<'_>,
        resolve: impl FnOnce() -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        if !self.busy.borrow_mut().insert(name.to_owned()) {
            return Err(at.must(format!("free of circles: {name} depends on itself")));
        }
        let resolved = resolve();
        self.busy.borrow_mut().remove(name);
        resolved
    }
}

impl Scope<'_> {
    /// A value with all functions resolved, without the properties and items that are `AWS::NoValue`.
    pub fn resolve(&self, node: &Node, at: &At<'_>) -> Result<Node, TemplateError> {
        let line = node.line;
        if let Some((function, argument)) = node.call() {
            let resolved = self.call(function, argument, &at.on(line))?;
            return Ok(Node { line, ..resolved });
        }
        let data = match &node.data {
            Data::List(items) => Data::List(self.resolve_items(items, at)?),
            Data::Map(entries) => Data::Map(self.resolve_entries(entries, at)?),
            Data::Null => return Err(at.must("a value, since CloudFormation takes no null")),
            other => other.clone(),
        };
        Ok(Node { line, data })
    }

    fn resolve_items(&self, items: &[Node], at: &At<'_>) -> Result<Vec<Node>, TemplateError> {
        let mut resolved = vec![];
        for (place, item) in items.iter().enumerate() {
            let item = self.resolve(item, &at.item(place, item.line))?;
            if item.data != Data::NoValue {
                resolved.push(item);
            }
        }
        Ok(resolved)
    }

    fn resolve_entries(&self, entries: &[Entry], at: &At<'_>) -> Result<Vec<Entry>, TemplateError> {
        let mut resolved = vec![];
        for entry in entries {
            let at = at.key(&entry.key, entry.line);
            if entry.key.starts_with("Fn::") {
                return Err(at.must("alone in its mapping, since it is a function"));
            }
            let value = self.resolve(&entry.value, &at)?;
            if value.data != Data::NoValue {
                resolved.push(Entry {
                    value,
                    ..entry.clone()
                });
            }
        }
        Ok(resolved)
    }

    /// The text of a value.
    pub fn text(&self, node: &Node, at: &At<'_>) -> Result<String, TemplateError> {
        let resolved = self.resolve(node, at)?;
        resolved.to_text().ok_or_else(|| at.must("a text"))
    }

    /// True if this condition of the template holds.
    pub fn holds(&self, name: &str, at: &At<'_>) -> Result<bool, TemplateError> {
        if let Some(known) = self.trail.truths.borrow().get(name) {
            return Ok(*known);
        }
        let found = self.conditions.iter().find(|entry| entry.key == name);
        let found = found.ok_or_else(|| at.dangling(format!("condition {name}")))?;
        let section = At::root("Conditions", found.line);
        let inside = section.key(name, found.line);
        let holds = self.trail.within(&format!("condition {name}"), at, || {
            self.condition(&found.value, &inside)
        })?;
        self.trail
            .truths
            .borrow_mut()
            .insert(name.to_owned(), holds);
        Ok(holds)
    }

    /// The value of a condition's definition.
    pub(crate) fn condition(&self, node: &Node, at: &At<'_>) -> Result<bool, TemplateError> {
        let at = &at.on(node.line);
        if let Some(named) = named_condition(node) {
            return self.holds(named, at);
        }
        match node.call() {
            Some(("Equals", of)) => {
                let [left, right] = arguments(of, at)?;
                let (left, right) = (self.resolve(left, at)?, self.resolve(right, at)?);
                Ok(match (left.to_text(), right.to_text()) {
                    (Some(left), Some(right)) => left == right,
                    _ => left.to_value() == right.to_value(),
                })
            }
            Some(("Not", of)) => {
                let [condition] = arguments(of, at)?;
                Ok(!self.condition(condition, at)?)
            }
            Some(("And", of)) => {
                let all = self.conditions_of(of, at)?;
                Ok(all.into_iter().all(|holds| holds))
            }
            Some(("Or", of)) => {
                let any = self.conditions_of(of, at)?;
                Ok(any.into_iter().any(|holds| holds))
            }
            _ => Err(at.must("a condition: Equals, Not, And, Or or Condition")),
        }
    }

    fn conditions_of(&self, of: &Node, at: &At<'_>) -> Result<Vec<bool>, TemplateError> {
        let Data::List(conditions) = &of.data else {
            return Err(at.must("a list of conditions"));
        };
        if !(2..=10).contains(&conditions.len()) {
            return Err(at.must("a list of 2 to 10 conditions"));
        }
        conditions
            .iter()
            .map(|condition| self.condition(condition, at))
            .collect()
    }
}

/// The name in `!Condition name` or `Condition: name`.
fn named_condition(node: &Node) -> Option<&str> {
    match &node.data {
        Data::Tagged(function, name) if function == "Condition" => name.as_text(),
        Data::Map(entries) => match entries.as_slice() {
            [entry] if entry.key == "Condition" => entry.value.as_text(),
            _ => None,
        },
        _ => None,
    }
}

/// The arguments of a function that takes this many.
pub(crate) fn arguments<'n, const N: usize>(
    of: &'n Node,
    at: &At<'_>,
) -> Result<[&'n Node; N], TemplateError> {
    let Data::List(items) = &of.data else {
        return Err(at.must(format!("a list of {N} arguments")));
    };
    let items: Vec<_> = items.iter().collect();
    let items = items.try_into();
    items.map_err(|_| at.must(format!("a list of {N} arguments")))
}
