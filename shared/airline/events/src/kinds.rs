//! Every kind of problem, with its HTTP status.

use alpes_messages::Kind;

/// Fields of the input break rules. The problem's `errores` lists these fields.
pub const INVALID: Kind = Kind {
    uri: "urn:aeroalpes:problema:solicitud-invalida",
    title: "La solicitud no es válida",
    status: 400,
};
/// The body is larger than allowed.
pub const TOO_LARGE: Kind = Kind {
    uri: "urn:aeroalpes:problema:cuerpo-demasiado-grande",
    title: "El cuerpo de la solicitud es demasiado grande",
    status: 413,
};
/// The content type of the body is not JSON.
pub const MEDIA_TYPE: Kind = Kind {
    uri: "urn:aeroalpes:problema:tipo-de-contenido",
    title: "El tipo de contenido no se admite",
    status: 415,
};
/// The body has a content coding, for example gzip.
pub const CODING: Kind = Kind {
    uri: "urn:aeroalpes:problema:codificacion-de-contenido",
    title: "La codificación del contenido no se admite",
    status: 415,
};
/// The idempotency key was used before with another body.
pub const KEY_REUSED: Kind = Kind {
    uri: "urn:aeroalpes:problema:clave-de-idempotencia-reutilizada",
    title: "La clave de idempotencia ya se usó con otro cuerpo",
    status: 422,
};
/// An amount of the request is not that of the price. The problem's `errores` tell the price.
pub const PRICE: Kind = Kind {
    uri: "urn:aeroalpes:problema:precio-distinto",
    title: "El precio es otro",
    status: 422,
};
/// The quote has ended, or is not one of this journey for this caller.
pub const QUOTE: Kind = Kind {
    uri: "urn:aeroalpes:problema:cotizacion-no-vale",
    title: "La cotización no vale",
    status: 422,
};
/// The caller is not known: the token is missing, expired or not valid.
pub const UNKNOWN_CALLER: Kind = Kind {
    uri: "urn:aeroalpes:problema:sin-identidad",
    title: "No se sabe quién llama",
    status: 401,
};
/// The caller is known, and may not do this.
pub const FORBIDDEN: Kind = Kind {
    uri: "urn:aeroalpes:problema:sin-permiso",
    title: "Solo un operador puede hacerlo",
    status: 403,
};
/// The resource does not exist.
pub const NOT_FOUND: Kind = Kind {
    uri: "urn:aeroalpes:problema:no-existe",
    title: "El recurso no existe",
    status: 404,
};
/// The path exists, but not with this method.
pub const METHOD: Kind = Kind {
    uri: "urn:aeroalpes:problema:metodo-no-permitido",
    title: "El método no se permite en esta ruta",
    status: 405,
};
/// The state of the resource does not allow the request.
pub const STATE: Kind = Kind {
    uri: "urn:aeroalpes:problema:estado-no-lo-permite",
    title: "El estado actual no lo permite",
    status: 409,
};
/// The client has too many unpaid reservations.
pub const UNPAID: Kind = Kind {
    uri: "urn:aeroalpes:problema:reservas-sin-pagar",
    title: "El cliente tiene demasiadas reservas sin pagar",
    status: 409,
};
/// Too many requests changed the same resource at once.
pub const CONTENTION: Kind = Kind {
    uri: "urn:aeroalpes:problema:conflicto",
    title: "Otra solicitud modificó el recurso al mismo tiempo",
    status: 409,
};
/// The infrastructure did not answer. Repeating the request with the same key is safe.
pub const UNAVAILABLE: Kind = Kind {
    uri: "urn:aeroalpes:problema:no-disponible",
    title: "El servicio no está disponible; intente de nuevo",
    status: 503,
};
/// A defect of this system.
pub const INTERNAL: Kind = Kind {
    uri: "urn:aeroalpes:problema:error-interno",
    title: "Error interno",
    status: 500,
};
