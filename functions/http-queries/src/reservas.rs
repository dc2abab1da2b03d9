//! `GET /vuelos/reserva`.

use events::{Problem, Violation, kinds, vuelos::EstadoReserva};
use lambda_http::{Body, Request, Response, http::StatusCode};
use lambda_kit::http;
use projections::views::reservas::{self, Cursor, Filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{App, Refusal, ReservaDto, parameters};

/// Reservations of one page, when nothing else is asked.
pub const DEFAULT_LIMIT: usize = 20;
/// Reservations of one page at most.
pub const MAX_LIMIT: usize = 100;

/// A page of reservations, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lista {
    /// The reservations.
    pub reservas: Vec<ReservaDto>,
    /// Where the next page begins, for the parameter of this name; null at the end.
    pub siguiente: Option<String>,
}

impl App {
    pub(crate) async fn reservas(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let (filter, limit, after) = parse(request)?;
        let generation = self.generations.live(reservas::NAME).await?;
        let (filas, next) =
            reservas::list(&*self.tables, &generation, &filter, limit, after.as_ref()).await?;
        let reservas = filas
            .into_iter()
            .filter_map(ReservaDto::from_view)
            .collect();
        Ok(http::json(
            StatusCode::OK,
            &Lista {
                reservas,
                siguiente: next.map(|cursor| cursor.encode()),
            },
        ))
    }
}

fn parse(request: &Request) -> Result<(Filter, usize, Option<Cursor>), Refusal> {
    let ([estado, id_cliente, limite, siguiente], mut violations) =
        parameters::read(request, ["estado", "id_cliente", "limite", "siguiente"]);
    let mut check =
        |campo: &str, rule: &'static str, text: String, value: Option<String>, valid: bool| {
            if value.is_some() && !valid {
                violations.push(Violation::new(campo, rule, text));
            }
        };
    let state = EstadoReserva::ALL
        .into_iter()
        .find(|known| Some(known.name()) == estado.as_deref());
    let states = EstadoReserva::ALL.map(EstadoReserva::name).join(", ");
    check(
        "estado",
        "opcion",
        format!("Debe ser uno de {states}"),
        estado,
        state.is_some(),
    );
    let client = id_cliente
        .clone()
        .filter(|client| vuelos::crear_reserva::is_client(client));
    let rule = "Debe tener de 1 a 64 letras, dígitos, '.', '_' o '-'".to_owned();
    check("id_cliente", "formato", rule, id_cliente, client.is_some());
    let limit = limite
        .as_deref()
        .and_then(|text| text.parse().ok())
        .filter(|limit| (1..=MAX_LIMIT).contains(limit));
    check(
        "limite",
        "limite",
        format!("Debe ser un entero de 1 a {MAX_LIMIT}"),
        limite,
        limit.is_some(),
    );
    let cursor = siguiente.as_deref().and_then(Cursor::decode);
    check(
        "siguiente",
        "formato",
        "Debe ser el de una respuesta anterior".into(),
        siguiente,
        cursor.is_some(),
    );
    if !violations.is_empty() {
        return Err(Refusal::Problem(Problem::of(kinds::INVALID).at(violations)));
    }
    Ok((
        Filter {
            estado: state,
            id_cliente: client,
        },
        limit.unwrap_or(DEFAULT_LIMIT),
        cursor,
    ))
}
