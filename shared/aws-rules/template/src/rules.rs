//! Rules: a template's own checks of its parameters.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>

use crate::{
    error::{At, TemplateError},
    node::{Data, Entry, Node},
    scope::Scope,
};

/// Checks the rules whose condition holds. The functions that only rules have are not supported.
pub(crate) fn check(rules: &[Entry], scope: &Scope<'_>) -> Result<(), TemplateError> {
    let section = At::root("Rules", rules.first().map_or(1, |rule| rule.line));
    for rule in rules {
        let at = section.key(&rule.key, rule.line);
        let applies = match rule.value.entry("RuleCondition") {
            None => true,
            Some(entry) => scope.condition(&entry.value, &at.key(&entry.key, entry.line))?,
        };
        let assertions = rule.value.entry("Assertions");
        let assertions = assertions.ok_or_else(|| at.must("a rule with Assertions"))?;
        let at = at.key(&assertions.key, assertions.line);
        let Data::List(list) = &assertions.value.data else {
            return Err(at.must("a list"));
        };
        for (place, assertion) in list.iter().enumerate().filter(|_| applies) {
            holds(assertion, &at.item(place, assertion.line), scope)?;
        }
    }
    Ok(())
}

fn holds(assertion: &Node, at: &At<'_>, scope: &Scope<'_>) -> Result<(), TemplateError> {
    let assert = assertion.get("Assert");
    let assert = assert.ok_or_else(|| at.must("an assertion with Assert"))?;
    if scope.condition(assert, at)? {
        return Ok(());
    }
    let told = assertion.get("AssertDescription");
    let told = told.and_then(Node::as_text).unwrap_or("no description");
    Err(at.must(format!("true: {told}")))
}
