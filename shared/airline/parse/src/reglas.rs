//! The rules that input can break, in every context.

/// A rule that input can break. Its [`name`](Self::name) is the `regla` of a `Violation`. Clients depend on the name,
/// so the name never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regla {
    /// The field must be present and not null.
    Requerido,
    /// The field has the wrong JSON type.
    Tipo,
    /// The object has a field that the API does not know at this place.
    CampoDesconocido,
    /// The field occurs more than once.
    Repetido,
    /// The list or text is empty.
    Vacio,
    /// The list or text is too long.
    Limite,
    /// The whole input is too large.
    Tamano,
    /// The text has characters that are not allowed.
    Caracteres,
    /// The text has a number that may be the number of a payment card.
    NumeroDeTarjeta,
    /// The text has the wrong form.
    Formato,
    /// The text is none of the known choices.
    Opcion,
    /// The text is a word that the system reserves for its own use.
    Reservado,
    /// The text is not a date of RFC 3339 with an offset.
    Fecha,
    /// The date is outside the accepted years.
    FechaFueraDeRango,
    /// The first bound of a range is greater than the last.
    Orden,
    /// No airport has this IATA code.
    AeropuertoDesconocido,
    /// The airport is closed, or not yet open.
    AeropuertoCerrado,
    /// A leg ends where it begins.
    MismoAeropuerto,
    /// A leg does not arrive after it departs.
    LlegadaAntesDeSalida,
    /// A leg departs from another airport than the one where the leg before it arrived.
    ConexionLugar,
    /// A leg departs before the arrival of the leg before it.
    ConexionTiempo,
    /// A leg is a flight that the reservation already has.
    LegRepetido,
    /// Two legs are flown at the same time.
    LegsALaVez,
    /// A leg is faster than any aircraft.
    Velocidad,
    /// The amount must be greater than zero.
    MontoPositivo,
    /// The amount has more decimals than its currency.
    Decimales,
    /// No active currency has this ISO 4217 code.
    MonedaDesconocida,
    /// The amount is not that of the price.
    Precio,
    /// The text is no quote of this journey for this caller.
    Cotizacion,
    /// The quote has ended.
    CotizacionVencida,
    /// The client has too many unpaid reservations.
    SinPagar,
    /// No command has this type.
    ComandoDesconocido,
}

impl Regla {
    /// The stable name of the rule.
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
            Self::NumeroDeTarjeta => "numero-de-tarjeta",
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
            Self::LegRepetido => "leg-repetido",
            Self::LegsALaVez => "legs-a-la-vez",
            Self::Velocidad => "velocidad",
            Self::MontoPositivo => "monto-positivo",
            Self::Decimales => "decimales",
            Self::MonedaDesconocida => "moneda-desconocida",
            Self::Precio => "precio",
            Self::Cotizacion => "cotizacion",
            Self::CotizacionVencida => "cotizacion-vencida",
            Self::SinPagar => "sin-pagar",
            Self::ComandoDesconocido => "comando-desconocido",
        }
    }
}
