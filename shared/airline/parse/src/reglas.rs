//! The rules of every context, by name.

/// A rule that input can break. Its [`name`](Self::name) is what a `Violation` carries as `regla`: clients program against it,
/// so it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regla {
    /// The field must be there, and not null.
    Requerido,
    /// The field has another JSON type.
    Tipo,
    /// No such field is known here.
    CampoDesconocido,
    /// The field is there more than once.
    Repetido,
    /// The list or text must hold something.
    Vacio,
    /// The list or text is too long.
    Limite,
    /// All together is too large.
    Tamano,
    /// The text has characters that no text may have.
    Caracteres,
    /// The text has another form.
    Formato,
    /// The text is none of the known choices.
    Opcion,
    /// The word is kept for another use.
    Reservado,
    /// Not a date of RFC 3339 with an offset.
    Fecha,
    /// A date outside the years that are accepted.
    FechaFueraDeRango,
    /// The first of two that bound something comes after the last.
    Orden,
    /// No airport has this IATA code.
    AeropuertoDesconocido,
    /// The airport is closed, or not yet open.
    AeropuertoCerrado,
    /// A leg ends where it begins.
    MismoAeropuerto,
    /// A leg does not arrive after it departs.
    LlegadaAntesDeSalida,
    /// A leg departs from another airport than where the one before it arrived.
    ConexionLugar,
    /// A leg departs before the one before it has arrived.
    ConexionTiempo,
    /// The amount must be more than zero.
    MontoPositivo,
    /// The amount has more decimals than its currency.
    Decimales,
    /// No active currency has this ISO 4217 code.
    MonedaDesconocida,
    /// No command has this type.
    ComandoDesconocido,
}

impl Regla {
    /// The stable word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requerido => "requerido",
            Self::Tipo => "tipo",
            Self::CampoDesconocido => "campo-desconocido",
            Self::Repetido => "repetido",
            Self::Vacio => "vacio",
            Self::Limite => "limite",
            Self::Tamano => "tamano",
            Self::Caracteres => "caracteres",
            Self::Formato => "formato",
            Self::Opcion => "opcion",
            Self::Reservado => "reservado",
            Self::Fecha => "fecha",
            Self::FechaFueraDeRango => "fecha-fuera-de-rango",
            Self::Orden => "orden",
            Self::AeropuertoDesconocido => "aeropuerto-desconocido",
            Self::AeropuertoCerrado => "aeropuerto-cerrado",
            Self::MismoAeropuerto => "mismo-aeropuerto",
            Self::LlegadaAntesDeSalida => "llegada-antes-de-salida",
            Self::ConexionLugar => "conexion-lugar",
            Self::ConexionTiempo => "conexion-tiempo",
            Self::MontoPositivo => "monto-positivo",
            Self::Decimales => "decimales",
            Self::MonedaDesconocida => "moneda-desconocida",
            Self::ComandoDesconocido => "comando-desconocido",
        }
    }
}
