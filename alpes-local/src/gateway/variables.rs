//! Variables in templates and in mappings of headers: `$context.requestId`, `method.request.header.Origin`.

use http::HeaderName;
use serde_json::Value;

use super::{
    call::Call,
    definition::{Place, members},
    media::first,
};
use crate::error::AwsError;

/// Variables and directives of AWS's templates that have no meaning here.
const NOT_SUPPORTED: [&str; 6] = [
    "$input",
    "$stageVariables",
    "$util",
    "#foreach(",
    "#if(",
    "#set(",
];

/// The values of variables during a request.
pub(super) struct Variables<'a> {
    call: &'a Call<'a>,
    context: Value,
}

impl<'a> Variables<'a> {
    pub(super) fn of(call: &'a Call<'a>) -> Self {
        Self {
            context: call.context(),
            call,
        }
    }

    /// Adds `$context.error`.
    pub(super) fn with_error(mut self, error: Value) -> Self {
        if let Value::Object(members) = &mut self.context {
            members.insert("error".to_owned(), error);
        }
        self
    }

    /// The text of a variable of the context, for example of `identity.sourceIp`; empty if it has no value.
    fn context(&self, name: &str) -> String {
        let mut names = name.split('.');
        match names.try_fold(&self.context, |value, name| value.get(name)) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn path_parameter(&self, name: &str) -> Option<String> {
        let route = self.call.route.as_ref()?;
        let mut parameters = route.parameters.iter();
        let found = parameters.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    }
}

/// Where the value of a header or of a caller's identity comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A text in single quotes.
    Literal(String),
    Context(String),
    Header(String),
    Query(String),
    Path(String),
}

impl Source {
    /// Reads an expression; `None` if it is none that is supported.
    pub(super) fn read(text: &str) -> Option<Self> {
        let quoted = text
            .strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''));
        if let Some(literal) = quoted {
            return Some(Self::Literal(literal.to_owned()));
        }
        let named = |prefix: &str| {
            let name = text.strip_prefix(prefix).filter(|name| !name.is_empty());
            name.map(str::to_owned)
        };
        let header = || named("method.request.header.").map(Self::Header);
        let query = || named("method.request.querystring.").map(Self::Query);
        let path = || named("method.request.path.").map(Self::Path);
        let context = named("context.").map(Self::Context);
        context.or_else(header).or_else(query).or_else(path)
    }

    /// Reads `responseParameters`: names of headers after `prefix`, with expressions.
    pub(super) fn read_headers(
        parameters: &Value,
        prefix: &str,
        place: &Place,
    ) -> Result<Vec<(HeaderName, Self)>, AwsError> {
        if parameters.is_null() {
            return Ok(vec![]);
        }
        let place = place.at("responseParameters");
        let parameters = members(parameters, &place)?.iter();
        let read = parameters.map(|(name, expression)| {
            let header = name.strip_prefix(prefix).and_then(|name| name.parse().ok());
            let header = header.ok_or_else(|| place.error(format!("{name} names no header")))?;
            let source = expression.as_str().and_then(Self::read);
            let source = source.ok_or_else(|| {
                place
                    .at(name)
                    .error(format!("{expression} is not supported"))
            })?;
            Ok((header, source))
        });
        read.collect()
    }

    /// The value; empty if there is none.
    pub(super) fn value(&self, variables: &Variables<'_>) -> String {
        let request = variables.call.request;
        let value = match self {
            Self::Literal(text) => Some(text.clone()),
            Self::Context(name) => Some(variables.context(name)),
            Self::Header(name) => request.header(name).map(str::to_owned),
            Self::Query(name) => request.parameter(name),
            Self::Path(name) => variables.path_parameter(name),
        };
        value.unwrap_or_default()
    }
}

/// A template of a body with variables. It has no directives: API Gateway's own answers have none either.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Context(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The rule that the template breaks.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut unknown = NOT_SUPPORTED
            .iter()
            .filter(|unknown| text.contains(**unknown));
        if let Some(unknown) = unknown.next() {
            return Err(format!("{unknown} is not supported, only $context is"));
        }
        let (mut parts, mut rest) = (vec![], text);
        while let Some((before, name, after)) = next_variable(rest) {
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Context(name.to_owned()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Reads `responseTemplates`: templates by media type.
    pub(super) fn read_all(
        templates: &Value,
        place: &Place,
    ) -> Result<Vec<(String, Self)>, AwsError> {
        if templates.is_null() {
            return Ok(vec![]);
        }
        let place = place.at("responseTemplates");
        let templates = members(templates, &place)?.iter();
        let read = templates.map(|(media, template)| {
            let text = template.as_str().ok_or_else(|| "must be a text".to_owned());
            let template = text.and_then(Self::read);
            let template = template.map_err(|rule| place.at(media).error(rule))?;
            Ok((media.clone(), template))
        });
        read.collect()
    }

    /// The text with values in place of variables.
    pub(super) fn text(&self, variables: &Variables<'_>) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Context(name) => variables.context(name),
        });
        parts.collect()
    }
}

/// The template for a client: the one of the media type that the client accepts first, else the one for JSON, else the
/// first one.
pub(super) fn template_for<'a>(
    templates: &'a [(String, Template)],
    accept: Option<&str>,
) -> Option<(&'a str, &'a Template)> {
    let accepted = first(accept.unwrap_or_default());
    let of_media = |media: &str| templates.iter().find(|(known, _)| known == media);
    let found = of_media(&accepted).or_else(|| of_media("application/json"));
    let found = found.or_else(|| templates.first());
    found.map(|(media, template)| (media.as_str(), template))
}

/// The text before the next variable, the variable's name without `context.`, and the text after it.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('$').find_map(|(at, dollar)| {
        let (before, rest) = (text.get(..at)?, text.get(at + dollar.len()..)?);
        let (name, after) = variable(rest)?;
        Some((before, name, after))
    })
}

fn variable(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix("{context.") {
        return braced.split_once('}');
    }
    let text = text.strip_prefix("context.")?;
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let end = text.find(|letter| !of_name(letter)).unwrap_or(text.len());
    let name = text.get(..end)?.trim_end_matches(['.', '-']);
    text.split_at_checked(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_end_where_their_names_end() {
        let cases = [
            ("a $context.b.c. d", Some(("a ", "b.c", ". d"))),
            ("$ ${context.b}c", Some(("$ ", "b", "c"))),
            (
                "\"$context.error.message\"",
                Some(("\"", "error.message", "\"")),
            ),
            ("$stage 5$", None),
        ];
        for (text, expected) in cases {
            assert_eq!(next_variable(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        assert!(Template::read("{\"a\": $input.json('$.a')}").is_err());
        assert!(Source::read("stageVariables.a").is_none());
        assert!(Source::read("method.request.header.").is_none());
    }
}
