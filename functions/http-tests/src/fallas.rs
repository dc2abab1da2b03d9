//! `POST /pruebas/fallas`.

use alpes_messages::{Context, Violation};
use alpes_participant::{FaultMode, Faults};
use api::{Caller, Refusal};
use events::{COMMANDS, CONTEXTS, IdReserva};
use lambda_http::{Body, Request, Response, http::StatusCode};
use parse::{Node, Regla, Violations, invalid};
use serde_json::{Map, Value, json};

use crate::{App, solicitud::id};

/// Largest number of consecutive commands that a fault affects.
pub const MAX_VECES: u32 = 1_000;

/// The kinds of faults, by their names in requests.
pub const MODOS: [(&str, FaultMode); 3] = [
    ("silencio", FaultMode::Silence),
    ("falla", FaultMode::Failure),
    ("error", FaultMode::Error),
];

struct Falla {
    contexto: Context,
    comando: &'static str,
    id_reserva: Option<IdReserva>,
    /// The idempotency key with which the caller will make the reservation.
    clave: Option<String>,
    modo: (&'static str, FaultMode),
    veces: u32,
}

impl App {
    pub(crate) async fn fallas(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let Falla {
            contexto,
            comando,
            id_reserva,
            clave,
            modo: (word, mode),
            veces,
        } = read(&api::json_body(request)?).map_err(invalid)?;
        let id_reserva = match clave {
            Some(clave) => {
                let made_by = self.ids.id(caller, api::CREATION, Some(&clave)).await?;
                Some(api::reservation_of(made_by))
            }
            None => id_reserva,
        };
        let faults = Faults::new(self.tables.clone());
        let set = faults.set(contexto, comando, id_reserva, mode, veces);
        set.await?;
        let mut body = Map::from_iter([
            ("contexto".to_owned(), contexto.name.into()),
            ("comando".to_owned(), comando.into()),
            ("modo".to_owned(), word.into()),
            ("veces".to_owned(), veces.into()),
        ]);
        body.extend(id_reserva.map(|id| ("id_reserva".to_owned(), json!(id))));
        Ok(api::json(StatusCode::ACCEPTED, &body))
    }
}

fn clave(node: Node<'_>, violations: &mut Violations) -> Option<String> {
    let clave = node.text(violations)?;
    if api::is_key(clave) {
        return Some(clave.to_owned());
    }
    let detalle = format!(
        "Debe tener de 1 a {} caracteres ASCII imprimibles, sin comas",
        api::MAX_KEY
    );
    node.fault(violations, Regla::Formato, detalle)
}

fn read(body: &Value) -> Result<Falla, Vec<Violation>> {
    parse::read(body, |body, violations| {
        let fields = [
            "contexto",
            "comando",
            "id_reserva",
            "clave",
            "modo",
            "veces",
        ];
        let body = body.object(&fields, violations)?;
        let contexto = body.required("contexto", violations, |node, violations| {
            node.one_of(&CONTEXTS.map(|one| (one.name, one)), violations)
        });
        // If the context is invalid, the command may be of any context.
        let commands: Vec<_> = COMMANDS
            .iter()
            .filter(|known| contexto.is_none_or(|contexto| contexto == known.context))
            .map(|known| (known.name, known.name))
            .collect();
        let comando = body.required("comando", violations, |node, violations| {
            node.one_of(&commands, violations)
        });
        let id_reserva = body.optional("id_reserva", violations, id);
        let clave = body.optional("clave", violations, clave);
        if id_reserva.is_some() && clave.is_some() {
            let detalle = "No puede venir junto con id_reserva";
            violations.add(body.path.field("clave"), Regla::Opcion, detalle);
        }
        let modo = body.required("modo", violations, |node, violations| {
            node.one_of(&MODOS.map(|one| (one.0, one)), violations)
        });
        let veces = body.required("veces", violations, |node, violations| {
            node.whole(0..=MAX_VECES, violations)
        });
        Some(Falla {
            contexto: contexto?,
            comando: comando?,
            id_reserva,
            clave,
            modo: modo?,
            veces: veces?,
        })
    })
}
