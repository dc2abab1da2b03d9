//! The functions that a template's values can call.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    TemplateError,
    error::At,
    node::{Data, Entry, Node},
    scope::{Scope, arguments},
};

impl Scope<'_> {
    /// The value of a function. `function` has neither `!` nor `Fn::`.
    pub fn call(&self, function: &str, of: &Node, at: &At<'_>) -> Result<Node, TemplateError> {
        let text = |text: String| Node::text(of.line, text);
        match function {
            "Ref" => self.reference(written_text(of, at)?, at),
            "GetAtt" => self.get_att(of, at).map(text),
            "Sub" => self.sub(of, at).map(text),
            "Join" => self.join(of, at).map(text),
            "Select" => self.select(of, at),
            "Split" => self.split(of, at),
            "If" => self.choose(of, at),
            "FindInMap" => self.find_in_map(of, at),
            "Base64" => Ok(text(STANDARD.encode(self.text(of, at)?))),
            "ImportValue" => {
                let name = self.text(of, at)?;
                let found = self.exports.get(&name).cloned();
                let found = found.ok_or_else(|| at.dangling(format!("export {name} before it")))?;
                Ok(text(found))
            }
            "Equals" | "Not" | "And" | "Or" | "Condition" => {
                Err(at.unsupported("a condition belongs into Conditions"))
            }
            _ => Err(at.unsupported(&format!(
                "this reader does not know the function {function}"
            ))),
        }
    }

    /// The value of a parameter, or the name or ARN by which AWS refers to a resource.
    fn reference(&self, name: &str, at: &At<'_>) -> Result<Node, TemplateError> {
        let line = at.place().line;
        let text = |text: &str| Ok(Node::text(line, text));
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        match name {
            "AWS::NoValue" => Ok(Node {
                line,
                data: Data::NoValue,
            }),
            "AWS::StackName" => text(&self.stack.name),
            "AWS::Region" => text(&self.stack.region),
            "AWS::AccountId" => text(&self.stack.account),
            "AWS::Partition" => text("aws"),
            "AWS::URLSuffix" => text("amazonaws.com"),
            "AWS::StackId" => text(&self.stack.arn("cloudformation", &self.stack_resource())),
            "AWS::NotificationARNs" => Ok(Node::texts(line, [])),
            _ => match name.split_once('.') {
                // The only attributes that SAM's Ref knows.
                Some((id, attribute @ ("Alias" | "Version" | "Stage"))) => {
                    text(&self.attribute(id, attribute, at)?)
                }
                _ => text(&self.reference_to(name, at)?),
            },
        }
    }

    fn stack_resource(&self) -> String {
        let name = &self.stack.name;
        let id = self.stack.generated_name("AWS::KMS::Key", "AWS::StackId");
        format!("stack/{name}/{id}")
    }

    /// `!GetAtt id.attribute`, or a list of both.
    fn get_att(&self, of: &Node, at: &At<'_>) -> Result<String, TemplateError> {
        if let Data::List(_) = &of.data {
            let [id, attribute] = arguments(of, at)?;
            return self.attribute(written_text(id, at)?, &self.text(attribute, at)?, at);
        }
        let both = written_text(of, at)?.split_once('.');
        let (id, attribute) = both.ok_or_else(|| at.must("a resource, a dot and an attribute"))?;
        self.attribute(id, attribute, at)
    }

    /// `!Sub text`, or a list of the text and the values of further names.
    fn sub(&self, of: &Node, at: &At<'_>) -> Result<String, TemplateError> {
        let Data::List(_) = &of.data else {
            return self.substituted(written_text(of, at)?, &[], at);
        };
        let [text, names] = arguments(of, at)?;
        self.substituted(written_text(text, at)?, names.entries(), at)
    }

    fn substituted(
        &self,
        text: &str,
        names: &[Entry],
        at: &At<'_>,
    ) -> Result<String, TemplateError> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part
                .split_once('}')
                .ok_or_else(|| at.must("a text whose every ${ ends with }"))?;
            // ${!name} stands for the text ${name}.
            match name.strip_prefix('!') {
                Some(literal) => whole.extend(["${", literal, "}"]),
                None => whole.push_str(&self.named(name, names, at)?),
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }

    /// The text of a name in a `Sub`.
    fn named(&self, name: &str, names: &[Entry], at: &At<'_>) -> Result<String, TemplateError> {
        if let Some(own) = names.iter().find(|entry| entry.key == name) {
            return self.text(&own.value, &at.key(name, own.line));
        }
        if let Some((id, attribute)) = name.split_once('.') {
            return self.attribute(id, attribute, at);
        }
        let value = self.reference(name, at)?.to_text();
        value.ok_or_else(|| at.must(format!("made of texts, which {name} is not")))
    }

    fn join(&self, of: &Node, at: &At<'_>) -> Result<String, TemplateError> {
        let [between, parts] = arguments(of, at)?;
        let between = self.text(between, at)?;
        let parts = self.items(parts, at)?;
        let texts: Option<Vec<_>> = parts.iter().map(Node::to_text).collect();
        let texts = texts.ok_or_else(|| at.must("a delimiter and a list of texts"))?;
        Ok(texts.join(&between))
    }

    fn select(&self, of: &Node, at: &At<'_>) -> Result<Node, TemplateError> {
        let [place, items] = arguments(of, at)?;
        let place: Option<usize> = self.text(place, at)?.parse().ok();
        let place = place.ok_or_else(|| at.must("an index and a list"))?;
        let items = self.items(items, at)?;
        let most = items.len();
        let found = items.into_iter().nth(place);
        found.ok_or_else(|| at.must(format!("an index below {most}, the length of its list")))
    }

    fn split(&self, of: &Node, at: &At<'_>) -> Result<Node, TemplateError> {
        let [between, text] = arguments(of, at)?;
        let between = self.text(between, at)?;
        if between.is_empty() {
            return Err(at.must("a delimiter that is not empty, and a text"));
        }
        let text = self.text(text, at)?;
        let parts = text.split(between.as_str()).map(str::to_owned);
        Ok(Node::texts(of.line, parts))
    }

    fn items(&self, of: &Node, at: &At<'_>) -> Result<Vec<Node>, TemplateError> {
        match self.resolve(of, at)?.data {
            Data::List(items) => Ok(items),
            _ => Err(at.must("a function of a list")),
        }
    }

    fn choose(&self, of: &Node, at: &At<'_>) -> Result<Node, TemplateError> {
        let [condition, then, otherwise] = arguments(of, at)?;
        let holds = self.holds(written_text(condition, at)?, at)?;
        self.resolve(if holds { then } else { otherwise }, at)
    }

    fn find_in_map(&self, of: &Node, at: &At<'_>) -> Result<Node, TemplateError> {
        let [map, top, second] = arguments(of, at)?;
        let (map, top, second) = (
            self.text(map, at)?,
            self.text(top, at)?,
            self.text(second, at)?,
        );
        let found = self.mappings.iter().find(|entry| entry.key == map);
        let found = found.and_then(|entry| entry.value.get(&top)?.get(&second));
        let found = found.ok_or_else(|| at.dangling(format!("mapping {map}.{top}.{second}")))?;
        self.resolve(found, at)
    }
}

/// A text that must be written as such, since `CloudFormation` allows no function there.
fn written_text<'n>(of: &'n Node, at: &At<'_>) -> Result<&'n str, TemplateError> {
    of.as_text().ok_or_else(|| at.must("a text"))
}
