//! The callers of the API: who they are, and what they may see and do.
//!
//! | `ALPES_ACCESO` | a caller is |
//! | --- | --- |
//! | `jwt` | whom the authorizer names in the request's context |
//! | `iam` | the principal who signed the request: an operator if a pattern of `ALPES_OPERADORES` names them, a client otherwise |
//! | `abierto` | whom the headers `X-Cliente` or `X-Operador` name; without either header, a caller who may do everything |
//!
//! Only local runtimes are open. For a client, the reservations of others do not exist, so the API answers with 404
//! and not with 403.

use alpes_messages::{Problem, Violation, letters};
use alpes_ports::{Clock, Platform};
use events::{MAX_ACTOR, kinds, vuelos::is_client};
use lambda_http::{Request, RequestExt, request::RequestContext};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::Span;

use crate::Header;

/// The header that names the client who calls an open API.
const CLIENT_HEADER: &str = "x-cliente";
/// The header that names the operator who calls an open API.
const OPERATOR_HEADER: &str = "x-operador";
/// The longest name of an operator, in bytes.
pub const MAX_NAME: usize = MAX_ACTOR - "operador:".len();

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anyone at all, where the API is open: the caller may do everything.
    Anyone,
    /// The client with this id. A client sees and cancels their own reservations.
    Cliente(String),
    /// The operator with this name. An operator sees everything, and intervenes in sagas.
    Operador(String),
}

/// How callers become known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Access {
    Open,
    Signed { operators: Vec<String> },
    Token,
}

/// Tells the callers of requests.
pub struct Callers {
    access: Access,
}

impl Callers {
    /// The callers of the API that this platform serves. A platform without the setting `ACCESO` demands tokens.
    #[must_use]
    pub fn of<P: Platform>(platform: &P) -> Self {
        let access = match platform.setting("ACCESO").as_deref() {
            Some("abierto") => Access::Open,
            Some("iam") => {
                let names = platform.setting("OPERADORES").unwrap_or_default();
                let names = names
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                Access::Signed {
                    operators: names.map(str::to_owned).collect(),
                }
            }
            _ => Access::Token,
        };
        Self { access }
    }

    /// The caller of a request.
    ///
    /// # Errors
    ///
    /// A 401 [`Problem`] if the caller is not known or their token has expired, and a 400 one for a malformed header of
    /// an open API.
    pub fn caller(&self, request: &Request, clock: &dyn Clock) -> Result<Caller, Problem> {
        let caller = match &self.access {
            Access::Open => named(request)?,
            Access::Signed { operators } => signed(request, operators).ok_or_else(unknown)?,
            Access::Token => {
                let now = clock.now().as_second();
                with_token(request, now).ok_or_else(unknown)?
            }
        };
        if let Some(actor) = caller.actor() {
            // The span is that of the request, so that each of its log lines names the caller.
            Span::current().record("actor", actor);
        }
        Ok(caller)
    }
}

fn unknown() -> Problem {
    Problem::of(kinds::UNKNOWN_CALLER)
}

/// The caller whom a header names.
fn named(request: &Request) -> Result<Caller, Problem> {
    let (client, operator) = (
        Header::of(request, CLIENT_HEADER),
        Header::of(request, OPERATOR_HEADER),
    );
    match (client, operator) {
        (Header::Absent, Header::Absent) => Ok(Caller::Anyone),
        (Header::Text(id), Header::Absent) if is_client(id) => Ok(Caller::Cliente(id.to_owned())),
        (Header::Absent, Header::Text(name)) if is_name(name) => {
            Ok(Caller::Operador(name.to_owned()))
        }
        (Header::Absent, _) => Err(malformed("X-Operador", "Debe ser un nombre, una sola vez")),
        (_, Header::Absent) => Err(malformed(
            "X-Cliente",
            "Debe ser un id de 1 a 64 letras, dígitos, '.', '_' o '-', una sola vez",
        )),
        _ => Err(malformed(
            "X-Cliente",
            "No puede venir junto con X-Operador",
        )),
    }
}

fn malformed(header: &str, rule: &str) -> Problem {
    parse::invalid(vec![Violation::new(header, "formato", rule)])
}

/// The caller who signed the request.
fn signed(request: &Request, operators: &[String]) -> Option<Caller> {
    let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() else {
        return None;
    };
    let arn = context.identity.user_arn.as_deref()?;
    if operators.iter().any(|pattern| matches(pattern, arn)) {
        return Some(Caller::Operador(arn.to_owned()));
    }
    // The unique id of the principal; of an assumed role, also the name of the session.
    let name = context.identity.user.as_deref()?;
    Some(Caller::Cliente(client_id(&name.replace(':', "."))))
}

/// The `id_cliente` of the client with this name: the name itself, or letters that follow from it where the name cannot be
/// an `id_cliente`. Some issuers' names have other characters, as `auth0|5f7c`, and some could be the number of a card.
#[must_use]
pub fn client_id(name: &str) -> String {
    if is_client(name) && parse::hidden(name) == name {
        return name.to_owned();
    }
    let digest = Sha256::digest(name);
    let part = digest.get(..20).unwrap_or_default();
    format!("sub.{}", letters(part))
}

/// The caller whom the authorizer has named. The gateway keeps the authorizer's answer for a while, so the token may have
/// expired since.
fn with_token(request: &Request, now: i64) -> Option<Caller> {
    let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() else {
        return None;
    };
    let told = &context.authorizer.fields;
    let text = |name: &str| told.get(name).and_then(Value::as_str);
    // API Gateway makes texts of all values.
    let expires: i64 = text("exp")?.parse().ok()?;
    if expires <= now {
        return None;
    }
    let name = text("principalId")?;
    match text("rol")? {
        "cliente" if is_client(name) => Some(Caller::Cliente(name.to_owned())),
        "operador" if is_name(name) => Some(Caller::Operador(name.to_owned())),
        _ => None,
    }
}

/// True for a name that an operator may have: visible characters of ASCII, at most [`MAX_NAME`].
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// True if a pattern, in which `*` stands for any text, is of this text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            let ends = text.char_indices().map(|(place, _)| place);
            let mut ends = ends.chain([text.len()]);
            ends.any(|place| text.get(place..).is_some_and(|text| matches(rest, text)))
        }),
    }
}

impl Caller {
    /// True if the caller may see what belongs to this client. Only operators see what has no client.
    #[must_use]
    pub fn sees(&self, id_cliente: Option<&str>) -> bool {
        match self {
            Self::Anyone | Self::Operador(_) => true,
            Self::Cliente(own) => id_cliente == Some(own),
        }
    }

    /// The client whom the caller is, if they are a client.
    #[must_use]
    pub fn cliente(&self) -> Option<&str> {
        match self {
            Self::Cliente(id) => Some(id),
            Self::Anyone | Self::Operador(_) => None,
        }
    }

    /// Refuses a caller who is a client.
    ///
    /// # Errors
    ///
    /// A 403 [`Problem`].
    pub fn must_be_operator(&self) -> Result<(), Problem> {
        match self {
            Self::Anyone | Self::Operador(_) => Ok(()),
            Self::Cliente(_) => Err(Problem::of(kinds::FORBIDDEN)),
        }
    }

    /// The caller as events, entries of sagas and logs name them: `cliente:ID` or `operador:NAME`; `None` for anyone.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        match self {
            Self::Anyone => None,
            Self::Cliente(id) => Some(format!("cliente:{id}")),
            Self::Operador(name) => Some(format!("operador:{name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_gives_an_id_of_a_client_and_different_names_different_ids() {
        for same in [
            "ana",
            "6f0a6a57-6d0e-5c52-9c5e-0d5f5b3c2a11",
            "AROA.session",
        ] {
            assert_eq!(client_id(same), same);
        }
        // Characters that no `id_cliente` has, the number of a card, and a long name.
        let others = [
            "auth0|5f7c",
            "ana@x.example",
            "4111111111111111",
            &"a".repeat(65),
        ];
        let ids = others.map(client_id);
        for id in &ids {
            assert!(is_client(id) && parse::hidden(id) == *id, "{id}");
        }
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), others.len());
    }

    #[test]
    fn an_asterisk_in_a_pattern_stands_for_any_text() {
        let arn = "arn:aws:sts::123456789012:assumed-role/operators/marta";
        for pattern in [
            arn,
            "*",
            "arn:*:assumed-role/operators/*",
            "*marta",
            "arn:*",
        ] {
            assert!(matches(pattern, arn), "{pattern}");
        }
        for pattern in [
            "",
            "arn",
            "*/admins/*",
            "arn:aws:sts::*:assumed-role/operators",
            "*luis",
        ] {
            assert!(!matches(pattern, arn), "{pattern}");
        }
    }
}
