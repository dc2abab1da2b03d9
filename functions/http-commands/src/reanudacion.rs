//! `POST /sagas/{id}/reanudacion`.

use alpes_messages::{CorrelationId, Problem, Violation};
use alpes_saga::{Requested, SagaId, Status, StepNumber};
use api::{Caller, Refusal, saga as words};
use events::kinds;
use lambda_http::{Body, Request, Response};
use parse::{Node, Violations, invalid};
use reserva_saga::{opening, stream_of};
use serde_json::{Value, json};

use crate::App;

/// Largest `paso`. Every saga has fewer steps.
const MAX_PASO: u32 = 100;
/// Longest `nota`, in characters.
pub const MAX_NOTA: usize = 500;

/// The refusal for a saga whose item has no room for another attempt.
const TOO_OFTEN: &str = "La saga se reanudó demasiadas veces y no se reanuda más. Deshaga el paso a mano y márquelo: \
                         «hecho», con su «paso» y una «nota»";

impl App {
    pub(crate) async fn reanudacion(
        &self,
        request: &Request,
        caller: &Caller,
        id: &str,
    ) -> Result<Response<Body>, Refusal> {
        caller.must_be_operator()?;
        let id: SagaId = api::id(id)?;
        let body = api::optional_json_body(request)?;
        let asked = read(&body).map_err(invalid)?;
        let actor = caller.actor();
        let requested = self.sagas.request(id, None, &asked, actor.as_deref());
        match requested.await? {
            Requested::Taken(saga) => {
                self.nudge(id).await;
                let correlation = CorrelationId(id.0);
                let body =
                    json!({ "id_correlacion": correlation, "estado": words::estado(saga.status) });
                Ok(api::accepted(correlation, &body))
            }
            Requested::NotNow(saga) => Err(not_now(saga.status).into()),
            Requested::TooOften(_) => Err(Problem::of(kinds::STATE).because(TOO_OFTEN).into()),
            Requested::Unknown => {
                let history = self.store.reader().history(stream_of(id)).await?;
                // The reservation is made and its saga has not begun. `GET /sagas/{id}` shows this saga as running, so
                // this answer does too.
                if opening(&history, id).is_some() {
                    return Err(not_now(Status::Running).into());
                }
                let detail = format!("No hay una saga {id}");
                Err(Problem::of(kinds::NOT_FOUND).because(detail).into())
            }
        }
    }
}

/// The problem for a saga that cannot be resumed in this status.
fn not_now(status: Status) -> Problem {
    let detail = match status {
        Status::NeedsIntervention => "La saga requiere intervención en otro paso".to_owned(),
        status => {
            let estado = words::estado(status);
            format!("La saga está en {estado}; no requiere intervención")
        }
    };
    Problem::of(kinds::STATE).because(detail)
}

fn read(body: &Value) -> Result<alpes_saga::Request, Vec<Violation>> {
    parse::read(body, |body, violations| {
        let body = body.object(&["nota", "hecho", "paso"], violations)?;
        let hecho = body.optional("hecho", violations, |node, violations| {
            node.boolean(violations)
        });
        if hecho == Some(true) {
            let step = body.required("paso", violations, read_paso);
            let note = body.required("nota", violations, read_nota);
            return Some(alpes_saga::Request::MarkDone {
                step: step?,
                note: note?,
            });
        }
        body.optional("paso", violations, read_paso);
        let nota = body.optional("nota", violations, read_nota);
        Some(alpes_saga::Request::Resume(nota))
    })
}

fn read_paso(node: Node<'_>, violations: &mut Violations) -> Option<StepNumber> {
    StepNumber::new(node.whole(1..=MAX_PASO, violations)?)
}

fn read_nota(node: Node<'_>, violations: &mut Violations) -> Option<String> {
    node.words(MAX_NOTA, violations).map(str::to_owned)
}
