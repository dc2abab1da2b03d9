//! Refusals, in the form of RFC 9457.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A refusal with its reason, sent as `application/problem+json`. The domain supplies the texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The kind of the problem: a stable URI that clients can test for.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// A title, the same for every problem of this kind.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The fault of this request, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every field that is at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errores: Vec<Violation>,
}

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// The path of the field, as in `lines[0].quantity`; the name of a query parameter or header.
    pub campo: String,
    /// The name of the rule that the field breaks, which is stable.
    pub regla: Cow<'static, str>,
    /// The rule in words.
    pub detalle: String,
}

impl Violation {
    /// A field at fault, the name of the rule that it breaks, and the rule in words.
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
    /// A stable URI that clients can test for.
    pub uri: &'static str,
    /// The title of the kind, for users.
    pub title: &'static str,
    /// The HTTP status of the kind.
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
