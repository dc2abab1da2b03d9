//! `POST /pruebas/inventario`.

use alpes_event_store::HandleError;
use alpes_messages::Violation;
use alpes_ports::WriteError;
use api::Refusal;
use gds::inventory::{self, Vuelo};
use lambda_http::{Body, Request, Response, http::StatusCode};
use parse::{Node, Violations, invalid};
use serde_json::{Value, json};

use crate::App;

/// Largest number of free seats that a request can set.
pub const MAX_SILLAS: u32 = 1_000;

impl App {
    pub(crate) async fn inventario(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let asked = read(&api::json_body(request)?);
        let (vuelo, sillas) = asked.map_err(invalid)?;
        let set = inventory::set_free(&*self.tables, &vuelo, sillas).await;
        set.map_err(|error| match error {
            WriteError::Table(error) => HandleError::from(error),
            WriteError::ConditionFailed => HandleError::Broken(error.to_string()),
        })?;
        let inventory = inventory::read(&*self.tables, &vuelo).await?;
        let body = json!({
            "origen": vuelo.origen,
            "destino": vuelo.destino,
            "fecha_salida": vuelo.fecha_salida,
            "capacidad": inventory.capacity,
            "libres": inventory.free,
            "reservadas": inventory.held,
        });
        Ok(api::json(StatusCode::ACCEPTED, &body))
    }
}

fn read(body: &Value) -> Result<(Vuelo, u32), Vec<Violation>> {
    parse::read(body, |body, violations| {
        let fields = ["origen", "destino", "fecha_salida", "sillas"];
        let body = body.object(&fields, violations)?;
        let origen = body.required("origen", violations, code);
        let destino = body.required("destino", violations, code);
        let fecha_salida = body.required("fecha_salida", violations, |node, violations| {
            node.date(violations)
        });
        let sillas = body.required("sillas", violations, |node, violations| {
            node.whole(0..=MAX_SILLAS, violations)
        });
        let vuelo = Vuelo {
            origen: origen?,
            destino: destino?,
            fecha_salida: fecha_salida?,
        };
        Some((vuelo, sillas?))
    })
}

fn code(node: Node<'_>, violations: &mut Violations) -> Option<String> {
    node.code(violations).map(str::to_owned)
}
