//! `GET /vuelos/reserva`.

use alpes_messages::Problem;
use api::{Caller, Refusal};
use events::{
    kinds,
    vuelos::{EstadoReserva, is_client},
};
use lambda_http::{Body, Request, Response, http::StatusCode};
use parse::Regla;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use views::reservas::{self, Fila, Filter};

use crate::{
    App, Cursor, ResumenReserva,
    parameters::{Page, Parameters},
    size::{MAX_PAGE, fitting},
};

/// A page of reservations, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lista {
    /// The reservations. A page can have fewer rows than `limite` although more rows follow, because an answer has a
    /// largest size. Rows of the API's own reservations are too small for this; an event of a test may have longer
    /// texts than the API accepts.
    pub reservas: Vec<ResumenReserva>,
    /// The value of the parameter `siguiente` for the next page; null at the end.
    pub siguiente: Option<String>,
}

impl App {
    pub(crate) async fn reservas(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let (mut filter, Page { limit, after }) = parse(request)?;
        if let Some(own) = caller.cliente() {
            let named = filter.id_cliente.get_or_insert_with(|| own.to_owned());
            if !caller.sees(Some(named)) {
                let detail = format!("No hay reservas de {named}");
                return Err(Problem::of(kinds::NOT_FOUND).because(detail).into());
            }
        }
        let generation = self.generations.live(reservas::NAME).await?;
        let after = after.as_ref().map(|cursor| cursor.0.as_str());
        let (filas, next) =
            reservas::list(&*self.tables, &generation, &filter, limit, after).await?;
        Ok(api::json(StatusCode::OK, &Lista::of(filas, next)))
    }
}

impl Lista {
    /// Makes a page of the first rows that fit into one answer. The next page begins with the first row that does not
    /// fit.
    fn of(filas: Vec<Fila>, next: Option<String>) -> Self {
        let rows = filas.into_iter().filter_map(|fila| {
            let order = fila.order()?;
            Some((order, ResumenReserva::of(fila)?))
        });
        let (orders, mut reservas): (Vec<_>, Vec<_>) = rows.unzip();
        let fit = fitting(&reservas, MAX_PAGE);
        let next = if fit < reservas.len() {
            orders.into_iter().take(fit).next_back()
        } else {
            next
        };
        reservas.truncate(fit);
        Self {
            reservas,
            siguiente: next.map(|order| Cursor(order).encode()),
        }
    }
}

fn parse(request: &Request) -> Result<(Filter, Page), Problem> {
    let names = ["estado", "id_cliente", "limite", "siguiente"];
    let mut parameters = Parameters::of(request, &names);
    let states = EstadoReserva::ALL.map(EstadoReserva::name).join(", ");
    let text = format!("Debe ser uno de {states}");
    let estado = parameters.optional("estado", Regla::Opcion, text, |text| {
        let mut known = EstadoReserva::ALL.into_iter();
        known.find(|known| known.name() == text)
    });
    let text = "Debe tener de 1 a 64 letras, dígitos, '.', '_' o '-'";
    let id_cliente = parameters.optional("id_cliente", Regla::Formato, text, |text| {
        is_client(text).then(|| text.to_owned())
    });
    let page = parameters.page();
    parameters.check(Some((Filter { estado, id_cliente }, page)))
}
