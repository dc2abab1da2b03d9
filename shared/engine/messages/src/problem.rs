//! Refusals, in the form of RFC 9457.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something was refused. Sent as `application/problem+json`; the domain has the texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem: a stable URI to program against.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The same for every problem of this kind.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every field that is at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errores: Vec<Violation>,
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// Where, as a path: `lines[0].quantity`; a query parameter or header by its name.
    pub campo: String,
    /// The rule that it breaks: a stable word.
    pub regla: Cow<'static, str>,
    /// The rule in words.
    pub detalle: String,
}

impl Violation {
    /// A field, the rule it breaks, and the rule in words.
    pub fn new(campo: impl Into<String>, regla: &'static str, detalle: impl Into<String>) -> Self {
        Self {
            campo: campo.into(),
            regla: regla.into(),
            detalle: detalle.into(),
        }
    }
}

/// A kind of problem. A domain has a constant for each of its kinds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// A stable URI to program against.
    pub uri: &'static str,
    /// Its title, for users.
    pub title: &'static str,
    /// Its HTTP status.
    pub status: u16,
}

impl Kind {
    /// A kind with this URI, title and HTTP status.
    ///
    /// ```
    /// use alpes_messages::{Kind, Problem};
    ///
    /// const REFUSED: Kind = Kind::new("urn:shop:problem:refused", "The order is refused", 409);
    /// assert!(Problem::of(REFUSED).is(REFUSED));
    /// ```
    #[must_use]
    pub const fn new(uri: &'static str, title: &'static str, status: u16) -> Self {
        Self { uri, title, status }
    }
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind: kind.uri.into(),
            title: kind.title.into(),
            status: kind.status,
            detail: None,
            errores: vec![],
        }
    }

    /// Adds the detail: the fault of this request, in words.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the fields at fault.
    #[must_use]
    pub fn at(mut self, errores: Vec<Violation>) -> Self {
        self.errores = errores;
        self
    }

    /// True if the problem is of this kind.
    #[must_use]
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind.uri
    }
}
