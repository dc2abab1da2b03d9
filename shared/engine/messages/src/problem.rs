//! Refusals, as RFC 9457 has them.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something was refused. Sent as `application/problem+json`; its texts are Spanish, for the users of the API.
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
    /// Where, as a path: `itinerarios[0].odos[1].segmentos[0].legs[0].origen.codigo`; a query parameter or header by its name;
    /// `cuerpo` for the body as a whole.
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

/// A kind of problem: its URI's last part, its title and its status.
#[derive(Clone, Copy, Debug)]
pub struct Kind(&'static str, &'static str, u16);

/// Every kind of problem.
pub mod kinds {
    use super::Kind;

    /// Fields of the input break rules; `errores` names each.
    pub const INVALID: Kind = Kind("solicitud-invalida", "La solicitud no es válida", 400);
    /// The body is larger than allowed.
    pub const TOO_LARGE: Kind = Kind(
        "cuerpo-demasiado-grande",
        "El cuerpo de la solicitud es demasiado grande",
        413,
    );
    /// The body is not JSON by its content type.
    pub const MEDIA_TYPE: Kind = Kind(
        "tipo-de-contenido",
        "El tipo de contenido no se admite",
        415,
    );
    /// The body is compressed, or says so.
    pub const CODING: Kind = Kind(
        "codificacion-de-contenido",
        "La codificación del contenido no se admite",
        415,
    );
    /// The key was used with another body.
    pub const KEY_REUSED: Kind = Kind(
        "clave-de-idempotencia-reutilizada",
        "La clave de idempotencia ya se usó con otro cuerpo",
        422,
    );
    /// There is no such thing.
    pub const NOT_FOUND: Kind = Kind("no-existe", "El recurso no existe", 404);
    /// The path exists, the method does not.
    pub const METHOD: Kind = Kind(
        "metodo-no-permitido",
        "El método no se permite en esta ruta",
        405,
    );
    /// The state of the thing does not allow it.
    pub const STATE: Kind = Kind(
        "estado-no-lo-permite",
        "El estado actual no lo permite",
        409,
    );
    /// Too many at once on the same thing.
    pub const CONTENTION: Kind = Kind(
        "conflicto",
        "Otra solicitud modificó el recurso al mismo tiempo",
        409,
    );
    /// Not now: infrastructure did not answer. Repeating with the same key is safe.
    pub const UNAVAILABLE: Kind = Kind(
        "no-disponible",
        "El servicio no está disponible; intente de nuevo",
        503,
    );
    /// A defect of ours.
    pub const INTERNAL: Kind = Kind("error-interno", "Error interno", 500);
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let Kind(name, title, status) = kind;
        let kind = format!("urn:aeroalpes:problema:{name}").into();
        Self {
            kind,
            title: title.into(),
            status,
            detail: None,
            errores: vec![],
        }
    }

    /// What is wrong this time.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The fields at fault.
    #[must_use]
    pub fn at(mut self, errores: Vec<Violation>) -> Self {
        self.errores = errores;
        self
    }

    /// True if it is of this kind.
    #[must_use]
    pub fn is(&self, kind: Kind) -> bool {
        self.kind.strip_prefix("urn:aeroalpes:problema:") == Some(kind.0)
    }
}
