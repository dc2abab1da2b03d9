//! Lambda authorizers: functions that decide whether a request may pass.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use permissions::{Caller, Context, Policies, Policy, Question, decide};
use regex_lite::Regex;
use serde_json::{Map, Value, json};

use super::{
    call::Call,
    definition::Place,
    event,
    integration::function_of,
    invocation::{invoke, may_invoke},
    refusal::{Kind, Refusal},
    variables::{Source, Variables},
};
use crate::{
    error::AwsError,
    iam::Iam,
    invoke::{Invoked, Invoker},
};

/// How long API Gateway waits for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer is kept by default, in seconds.
const DEFAULT_TTL: u64 = 300;
/// How long an answer may be kept at most, in seconds.
const LONGEST_TTL: u64 = 3_600;

/// A Lambda authorizer, with the answers that it has given.
#[derive(Debug)]
pub(super) struct Authorizer {
    function: String,
    kind: AuthorizerKind,
    /// The identity sources, which tell callers apart. If a request lacks one of them, the function is not called.
    identity: Vec<Source>,
    /// Zero: no answer is kept.
    ttl: Duration,
    kept: Mutex<HashMap<Vec<String>, Kept>>,
}

#[derive(Debug)]
enum AuthorizerKind {
    /// The function gets a token. A token that does not match is refused without a call.
    Token(Option<Regex>),
    /// The function gets the request without its body.
    Request,
}

#[derive(Debug)]
struct Kept {
    until: Instant,
    verdict: Arc<Verdict>,
}

/// A function's answer about a caller. It holds for all methods of the API.
#[derive(Debug)]
struct Verdict {
    policy: Policy,
    /// The principal and what else the function tells about the caller.
    context: Map<String, Value>,
}

impl Authorizer {
    /// Reads a security scheme with `x-amazon-apigateway-authorizer`.
    pub(super) fn read(scheme: &Value, place: &Place) -> Result<Self, AwsError> {
        let authorizer = &scheme["x-amazon-apigateway-authorizer"];
        let place = place.at("x-amazon-apigateway-authorizer");
        let kind = kind(authorizer, &place)?;
        let ttl = &authorizer["authorizerResultTtlInSeconds"];
        let ttl = read_ttl(ttl, &place.at("authorizerResultTtlInSeconds"))?;
        let place_of_source = place.at("identitySource");
        let mut identity = sources(&authorizer["identitySource"], &place_of_source)?;
        if let (AuthorizerKind::Token(_), true) = (&kind, identity.is_empty()) {
            identity.extend(
                scheme["name"]
                    .as_str()
                    .map(|name| Source::Header(name.to_owned())),
            );
        }
        check_identity(&kind, &identity, ttl).map_err(|rule| place_of_source.error(rule))?;
        Ok(Self {
            function: function_of(&authorizer["authorizerUri"], &place.at("authorizerUri"))?,
            kind,
            identity,
            ttl,
            kept: Mutex::default(),
        })
    }

    /// Lets a request pass, and returns the `authorizer` of its context, or refuses it.
    pub(super) async fn authorize(
        &self,
        call: &Call<'_>,
        service: (&Iam, &Arc<dyn Invoker>),
    ) -> Result<Map<String, Value>, Refusal> {
        let identity = self.identify(call)?;
        let began = Instant::now();
        let verdict = match self.known(&identity) {
            Some(verdict) => verdict,
            None => self.ask(call, identity, service).await?,
        };
        verdict.check(&call.method_arn())?;
        let mut context = verdict.context.clone();
        let latency = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        context.insert("integrationLatency".to_owned(), latency.into());
        Ok(context)
    }

    /// The values of the identity sources.
    fn identify(&self, call: &Call<'_>) -> Result<Vec<String>, Refusal> {
        let variables = Variables::of(call);
        let values = self.identity.iter().map(|source| source.value(&variables));
        let values: Vec<String> = values.collect();
        let matches = match &self.kind {
            AuthorizerKind::Token(Some(form)) => values.iter().all(|token| form.is_match(token)),
            _ => true,
        };
        if !matches || values.iter().any(String::is_empty) {
            return Err(unauthorized());
        }
        Ok(values)
    }

    /// Calls the function, and keeps its answer.
    async fn ask(
        &self,
        call: &Call<'_>,
        identity: Vec<String>,
        (iam, invoker): (&Iam, &Arc<dyn Invoker>),
    ) -> Result<Arc<Verdict>, Refusal> {
        let failed = Kind::AuthorizerConfigurationError;
        let source = call.authorizer_arn();
        may_invoke(iam, &source, &self.function).map_err(|_| Refusal::silent(failed))?;
        let event = self.event(call, &identity).to_string();
        let end = invoke(invoker, &self.function, event, TIMEOUT).await;
        let end = end.map_err(|_| Refusal::silent(failed))?;
        let verdict = Arc::new(Verdict::read(&end)?);
        self.keep(identity, &verdict);
        Ok(verdict)
    }

    fn event(&self, call: &Call<'_>, identity: &[String]) -> Value {
        match self.kind {
            AuthorizerKind::Token(_) => json!({
                "type": "TOKEN",
                "methodArn": call.method_arn(),
                "authorizationToken": identity.first(),
            }),
            AuthorizerKind::Request => event::authorizer(call),
        }
    }

    fn known(&self, identity: &[String]) -> Option<Arc<Verdict>> {
        let kept = self.kept();
        let kept = kept.get(identity)?;
        (Instant::now() < kept.until).then(|| kept.verdict.clone())
    }

    fn keep(&self, identity: Vec<String>, verdict: &Arc<Verdict>) {
        if self.ttl.is_zero() {
            return;
        }
        let (now, verdict) = (Instant::now(), verdict.clone());
        let mut kept = self.kept();
        kept.retain(|_, kept| now < kept.until);
        let until = now + self.ttl;
        kept.insert(identity, Kept { until, verdict });
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Vec<String>, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verdict {
    /// Reads a function's answer. The error `Unauthorized` of a function is a refusal; any other error is a mistake.
    fn read(invoked: &Invoked) -> Result<Self, Refusal> {
        let answer: &Value = &serde_json::from_slice(&invoked.payload).unwrap_or_default();
        if invoked.failure.is_some() {
            let refuses = answer["errorMessage"] == "Unauthorized";
            return Err(if refuses {
                unauthorized()
            } else {
                Refusal::silent(Kind::AuthorizerConfigurationError)
            });
        }
        let policy = policy(&answer["policyDocument"]);
        let policy =
            policy.map_err(|rule| Refusal::of(Kind::AuthorizerConfigurationError, &rule))?;
        let context = context(answer);
        let context = context.ok_or_else(|| Refusal::silent(Kind::AuthorizerConfigurationError))?;
        Ok(Self { policy, context })
    }

    fn check(&self, method_arn: &str) -> Result<(), Refusal> {
        const DENIED: &str = "User is not authorized to access this resource";
        let policies = Policies {
            identity: &[&self.policy],
            ..Policies::default()
        };
        let question = Question {
            caller: Caller::Service("apigateway.amazonaws.com"),
            action: "execute-api:Invoke",
            resource: method_arn,
            context: &Context::default(),
        };
        match decide(&policies, &question) {
            Ok(_) => Ok(()),
            Err(permissions::Refusal::IdentityDenies) => {
                let message = format!("{DENIED} with an explicit deny");
                Err(Refusal::of(Kind::AccessDenied, &message))
            }
            Err(_) => Err(Refusal::of(Kind::AccessDenied, DENIED)),
        }
    }
}

/// Reads the policy that a function answers, or tells the rule that it breaks.
fn policy(document: &Value) -> Result<Policy, String> {
    let policy = Policy::parse(document).map_err(|mistake| mistake.to_string())?;
    policy
        .check_for_role()
        .map_err(|mistake| mistake.to_string())?;
    let has_condition = policy.condition_keys().next().is_some();
    if has_condition {
        return Err("a Condition in an authorizer's policy is not supported".to_owned());
    }
    Ok(policy)
}

fn unauthorized() -> Refusal {
    Refusal::of(Kind::Unauthorized, "Unauthorized")
}

/// A function's answer about a caller: the principal, and a map whose values become texts. `None` if the principal is
/// missing, or if a value is neither text, number nor truth value.
fn context(answer: &Value) -> Option<Map<String, Value>> {
    let mut context = Map::new();
    let told = answer["context"].as_object();
    for (name, value) in told.into_iter().flatten() {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => return None,
        };
        context.insert(name.clone(), text.into());
    }
    let principal = answer["principalId"].as_str()?;
    context.insert("principalId".to_owned(), principal.into());
    Some(context)
}

fn kind(authorizer: &Value, place: &Place) -> Result<AuthorizerKind, AwsError> {
    if authorizer["type"]
        .as_str()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("request"))
    {
        return Ok(AuthorizerKind::Request);
    }
    let form = authorizer["identityValidationExpression"].as_str();
    let form = form.map(Regex::new).transpose();
    let form = form.map_err(|error| place.at("identityValidationExpression").error(error))?;
    Ok(AuthorizerKind::Token(form))
}

fn read_ttl(ttl: &Value, place: &Place) -> Result<Duration, AwsError> {
    let seconds = if ttl.is_null() {
        Some(DEFAULT_TTL)
    } else {
        ttl.as_u64().filter(|seconds| *seconds <= LONGEST_TTL)
    };
    let rule = format!("must be a number from 0 to {LONGEST_TTL}");
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| place.error(rule))
}

/// Reads `identitySource`: expressions, separated by commas.
fn sources(identity: &Value, place: &Place) -> Result<Vec<Source>, AwsError> {
    let text = identity.as_str().unwrap_or_default();
    let expressions = text
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let read = expressions.map(|expression| match Source::read(expression) {
        Some(source @ (Source::Header(_) | Source::Query(_) | Source::Context(_))) => Ok(source),
        _ => Err(place.error(format!("{expression} is not supported"))),
    });
    read.collect()
}

fn check_identity(
    kind: &AuthorizerKind,
    identity: &[Source],
    ttl: Duration,
) -> Result<(), &'static str> {
    match (kind, identity) {
        (AuthorizerKind::Token(_), [Source::Header(_)]) => Ok(()),
        (AuthorizerKind::Token(_), _) => Err("a token comes from one header"),
        (AuthorizerKind::Request, []) if !ttl.is_zero() => {
            Err("must be there, unless authorizerResultTtlInSeconds is 0")
        }
        (AuthorizerKind::Request, _) => Ok(()),
    }
}
