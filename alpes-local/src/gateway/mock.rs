//! Mock integrations: answers without a function, for example to a browser's preflight request.

use http::HeaderName;
use regex_lite::Regex;
use serde_json::{Map, Value};

use super::{
    answer::set,
    call::Call,
    definition::{Place, members},
    refusal::{Kind, Refusal, status},
    variables::{Source, Template, Variables, template_for},
};
use crate::{
    error::AwsError,
    http::{Response, answer},
};

/// A mock integration. Its request template is a fixed `{"statusCode": …}`, which chooses one of the answers.
#[derive(Debug)]
pub(super) struct Mock {
    /// The answer that the request template chooses; `None` if none matches.
    chosen: Option<Answer>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(HeaderName, Source)>,
    templates: Vec<(String, Template)>,
}

impl Mock {
    /// Reads a mock integration.
    pub(super) fn read(integration: &Value, place: &Place) -> Result<Self, AwsError> {
        let status = requested_status(&integration["requestTemplates"], place)?;
        let place = place.at("responses");
        let responses = members(&integration["responses"], &place)?;
        let chosen = choose(responses, status, &place)?;
        let chosen = chosen.map(|(name, response)| Answer::read(response, &place.at(name)));
        Ok(Self {
            chosen: chosen.transpose()?,
        })
    }

    /// Answers a request.
    pub(super) fn answer(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        let chosen = self
            .chosen
            .as_ref()
            .ok_or_else(|| Refusal::of(Kind::ApiConfigurationError, "Internal server error"))?;
        Ok(chosen.response(call))
    }
}

/// The status in the request template: `{"statusCode": 200}`, also without quotes around the name.
fn requested_status(templates: &Value, place: &Place) -> Result<u16, AwsError> {
    let place = place.at("requestTemplates");
    let template = templates["application/json"].as_str().unwrap_or_default();
    let inner = template
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let (name, status) = inner
        .and_then(|text| text.split_once(':'))
        .unwrap_or_default();
    let named = name.trim().trim_matches(['"', '\'']) == "statusCode";
    let status = status.trim().parse().ok().filter(|_| named);
    status.ok_or_else(|| place.error("application/json must be {\"statusCode\": NUMBER}"))
}

/// The response whose pattern matches the status, or else the default one.
fn choose<'a>(
    responses: &'a Map<String, Value>,
    status: u16,
    place: &Place,
) -> Result<Option<(&'a str, &'a Value)>, AwsError> {
    let status = status.to_string();
    for (pattern, response) in responses.iter().filter(|(name, _)| *name != "default") {
        let regex = Regex::new(&format!("^(?:{pattern})$"));
        let regex = regex.map_err(|error| place.at(pattern).error(error))?;
        if regex.is_match(&status) {
            return Ok(Some((pattern, response)));
        }
    }
    Ok(responses
        .get("default")
        .map(|response| ("default", response)))
}

impl Answer {
    fn read(response: &Value, place: &Place) -> Result<Self, AwsError> {
        let status = status(&response["statusCode"], &place.at("statusCode"))?;
        let status = status.ok_or_else(|| place.error("statusCode must be there"))?;
        let parameters = &response["responseParameters"];
        Ok(Self {
            status,
            headers: Source::read_headers(parameters, "method.response.header.", place)?,
            templates: Template::read_all(&response["responseTemplates"], place)?,
        })
    }

    fn response(&self, call: &Call<'_>) -> Response {
        let variables = Variables::of(call);
        let template = template_for(&self.templates, call.request.header("accept"));
        let body = template.map_or_else(String::new, |(_, template)| template.text(&variables));
        let media = template.map_or("application/json", |(media, _)| media);
        let mut response = answer(self.status, media, body);
        for (name, source) in &self.headers {
            set(&mut response, name, &source.value(&variables));
        }
        response
    }
}
