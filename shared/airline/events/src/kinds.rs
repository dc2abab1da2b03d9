//! Every kind of problem.

use alpes_messages::Kind;

/// Fields of the input break rules; `errores` names each.
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
/// The body is not JSON by its content type.
pub const MEDIA_TYPE: Kind = Kind {
    uri: "urn:aeroalpes:problema:tipo-de-contenido",
    title: "El tipo de contenido no se admite",
    status: 415,
};
/// The body is compressed, or says so.
pub const CODING: Kind = Kind {
    uri: "urn:aeroalpes:problema:codificacion-de-contenido",
    title: "La codificación del contenido no se admite",
    status: 415,
};
/// The key was used with another body.
pub const KEY_REUSED: Kind = Kind {
    uri: "urn:aeroalpes:problema:clave-de-idempotencia-reutilizada",
    title: "La clave de idempotencia ya se usó con otro cuerpo",
    status: 422,
};
/// There is no such thing.
pub const NOT_FOUND: Kind = Kind {
    uri: "urn:aeroalpes:problema:no-existe",
    title: "El recurso no existe",
    status: 404,
};
/// The path exists, the method does not.
pub const METHOD: Kind = Kind {
    uri: "urn:aeroalpes:problema:metodo-no-permitido",
    title: "El método no se permite en esta ruta",
    status: 405,
};
/// The state of the thing does not allow it.
pub const STATE: Kind = Kind {
    uri: "urn:aeroalpes:problema:estado-no-lo-permite",
    title: "El estado actual no lo permite",
    status: 409,
};
/// Too many at once on the same thing.
pub const CONTENTION: Kind = Kind {
    uri: "urn:aeroalpes:problema:conflicto",
    title: "Otra solicitud modificó el recurso al mismo tiempo",
    status: 409,
};
/// Not now: infrastructure did not answer. Repeating with the same key is safe.
pub const UNAVAILABLE: Kind = Kind {
    uri: "urn:aeroalpes:problema:no-disponible",
    title: "El servicio no está disponible; intente de nuevo",
    status: 503,
};
/// A defect of ours.
pub const INTERNAL: Kind = Kind {
    uri: "urn:aeroalpes:problema:error-interno",
    title: "Error interno",
    status: 500,
};
