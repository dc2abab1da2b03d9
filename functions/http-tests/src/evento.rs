//! `POST /pruebas/{contexto}/eventos/{evento}`.

use alpes_event_store::{Case, Decider, Decision, Handled, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, Problem, StreamId, Violation};
use api::{Caller, Refusal};
use async_trait::async_trait;
use events::{Payload, kinds};
use gds::{MAX_FLIGHTS, inventory};
use lambda_http::{Body, Request, Response};
use parse::{Regla, invalid};

use crate::{
    App, contextos,
    datos::Datos,
    solicitud::{Solicitud, named},
};

/// Rules that commit exactly this event, whatever the history.
struct Exactly<'a>(Datos<'a>);

#[async_trait]
impl Decider<Payload> for Exactly<'_> {
    fn route(&self, _: &Command) -> Route {
        Route {
            stream: self.0.stream,
            opens: false,
            undoes: false,
        }
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(&self, case: &Case<'_, Payload>) -> Result<Decision, Unavailable> {
        let event = self.0.event(case.now);
        // An event that says that a reservation holds seats must also take the seats, so that a later reversal gives
        // back the right number.
        let with = inventory::moved_by(&event);
        if with.len() > MAX_FLIGHTS {
            let detalle = format!("Debe tener {MAX_FLIGHTS} vuelos distintos como máximo");
            let regla = Regla::Limite.name();
            let violation = Violation::new("data.sillas", regla, detalle);
            return Ok(Decision::Reject(invalid(vec![violation])));
        }
        let events = vec![event];
        Ok(Decision::Commit { events, with })
    }
}

impl App {
    pub(crate) async fn evento(
        &self,
        request: &Request,
        caller: &Caller,
        contexto: &str,
        evento: &str,
    ) -> Result<Response<Body>, Refusal> {
        let catalogue = self.store.reader().catalogue();
        let known = contextos::event(catalogue, contexto, evento)?;
        let asked = Solicitud::read(&api::json_body(request)?, named);
        let (key, (subject, asked)) = api::with_key(request, asked)?;
        let datos = Datos {
            known,
            stream: StreamId::new(known.context, subject),
            told: &asked.data,
        };
        let now = self.world.clock.now().into();
        datos.check(now, catalogue).map_err(invalid)?;
        let operation = format!("POST /pruebas/{contexto}/eventos/{evento}");
        let (correlationid, sagamode) = self.saga(subject, &asked).await?;
        let command = Command {
            id: self.ids.id(caller, &operation, key).await?,
            kind: known.name.to_owned(),
            subject,
            correlationid,
            causationid: None,
            actor: caller.actor(),
            prueba: true,
            sagamode,
            traceparent: api::traceparent(request),
            data: asked.data.clone().into(),
        };
        match self.store.handle(&Exactly(datos), &command).await? {
            Handled::Committed { events, appended } => {
                if !appended {
                    tracing::warn!(%subject, correlation = %command.correlationid, "the events are committed, and the sweeper will publish them");
                }
                let told = events
                    .first()
                    .map(|event| api::accepted(event.correlationid, event));
                told.ok_or_else(|| Problem::of(kinds::INTERNAL).into())
            }
            Handled::Rejected(problem) => Err(problem.into()),
        }
    }
}
