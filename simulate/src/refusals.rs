//! Checks refusals: a 409 must be justified by the state of the saga or the reservation at some moment between request
//! and answer.

use alpes_saga::{Saga, SagaId, SagaMode, Status};
use api::saga::estado;
use events::VUELOS;
use futures::executor::block_on;
use serde_json::Value;

use crate::{http::Answer, readers, system::System};

/// A saga as it was just before a request about it.
pub struct Bracket {
    id: SagaId,
    /// The reservation, if the request was about one.
    reservation: Option<String>,
    /// The number of entries that the saga's log had before the request.
    lines: usize,
}

fn load(system: &System, id: SagaId) -> Option<Saga> {
    let stored = block_on(system.sagas().load(id)).ok()?;
    stored.map(|stored| stored.saga)
}

/// The `detail` of a refusal.
fn detail(answer: &Answer) -> &str {
    answer.field("detail").unwrap_or_default()
}

impl Bracket {
    /// Remembers the saga before a request about it.
    pub fn open(system: &System, id: SagaId) -> Self {
        let lines = load(system, id).map_or(0, |saga| saga.log.len());
        Self {
            id,
            reservation: None,
            lines,
        }
    }

    /// Remembers the saga before a request about its reservation.
    pub fn of(system: &System, reservation: &str) -> Option<Self> {
        let id = readers::saga_of(system, reservation)?;
        Some(Self {
            reservation: Some(reservation.to_owned()),
            ..Self::open(system, id)
        })
    }

    /// The saga at each moment since the request.
    fn moments(&self, system: &System) -> Vec<Saga> {
        let Some(saga) = load(system, self.id) else {
            return vec![];
        };
        let definitions = &system.builds.newest.definitions;
        let Some(definition) = definitions.find(&saga.definition, saga.version) else {
            return vec![];
        };
        let lengths = self.lines.max(1)..=saga.log.len();
        let moments = lengths.filter_map(|length| {
            let log = saga.log.get(..length)?.to_vec();
            Saga::replay(self.id, definition, log)
        });
        moments.collect()
    }

    /// Checks a refusal to resume a saga. Returns the violation in words.
    pub fn resumption(&self, system: &System, answer: &Answer) -> Option<String> {
        let moments = self.moments(system);
        let detail = detail(answer);
        let claimed = detail.strip_suffix("; no requiere intervención");
        let claimed = claimed.map(|claimed| claimed.trim_start_matches("La saga está en "));
        // A saga that had not begun is shown as running.
        let had_not_begun = self.lines == 0 && claimed == Some(estado(Status::Running));
        let is_true = had_not_begun
            || moments.iter().any(|saga| match claimed {
                Some(claimed) => {
                    saga.status != Status::NeedsIntervention && estado(saga.status) == claimed
                }
                None => saga.status == Status::NeedsIntervention,
            });
        (!is_true).then(|| self.untrue(detail, &moments))
    }

    /// Checks a refusal to cancel a reservation. Returns the violation in words.
    pub fn cancellation(&self, system: &System, answer: &Answer) -> Option<String> {
        let moments = self.moments(system);
        let detail = detail(answer);
        let reservation = self.reservation.iter();
        let mut cancelled = reservation.map(|id| is_cancelled(system, id));
        let is_cancelled = cancelled.any(|is| is)
            || moments
                .iter()
                .any(|saga| saga.status == Status::Compensated);
        let runs = |saga: &Saga| {
            let status = saga.status;
            saga.mode == SagaMode::StepFunctions
                && (status == Status::Running || status == Status::NeedsIntervention)
        };
        let is_true = match detail {
            "La reserva ya está cancelada" => is_cancelled,
            _ => is_cancelled || moments.iter().any(runs),
        };
        (!is_true).then(|| self.untrue(detail, &moments))
    }

    fn untrue(&self, detail: &str, moments: &[Saga]) -> String {
        let states: Vec<_> = moments.iter().map(|saga| saga.status.name()).collect();
        let id = self.id;
        format!("{detail:?} was said of the saga {id}, which was {states:?} meanwhile")
    }
}

/// True if the reservation's cancellation is committed.
fn is_cancelled(system: &System, id: &str) -> bool {
    let texts = readers::texts(system, VUELOS, id);
    let mut events = texts
        .iter()
        .filter_map(|text| serde_json::from_str::<Value>(text).ok());
    events.any(|event| event.get("type").and_then(Value::as_str) == Some("ReservaCancelada"))
}
