//! What is refused since something else stands: it does.

use alpes_saga::{Saga, SagaId, SagaMode, Status};
use api::saga::estado;
use events::VUELOS;
use futures::executor::block_on;
use serde_json::Value;

use crate::{http::Answer, readers, system::System};

/// A saga from just before something was asked of it.
pub struct Bracket {
    id: SagaId,
    /// Its reservation, where that is what was asked for.
    reservation: Option<String>,
    /// How many lines its log had.
    lines: usize,
}

fn load(system: &System, id: SagaId) -> Option<Saga> {
    let stored = block_on(system.sagas().load(id)).ok()?;
    stored.map(|stored| stored.saga)
}

/// What a refusal says.
fn detail(answer: &Answer) -> &str {
    answer.field("detail").unwrap_or_default()
}

impl Bracket {
    /// Before anything is asked.
    pub fn open(system: &System, id: SagaId) -> Self {
        let lines = load(system, id).map_or(0, |saga| saga.log.len());
        Self {
            id,
            reservation: None,
            lines,
        }
    }

    /// Before anything is asked of a reservation.
    pub fn of(system: &System, reservation: &str) -> Option<Self> {
        let id = readers::saga_of(system, reservation)?;
        Some(Self {
            reservation: Some(reservation.to_owned()),
            ..Self::open(system, id)
        })
    }

    /// The saga as it was at each moment since then.
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

    /// Looks whether it is true that a saga cannot go on; what is not, in words.
    pub fn resumption(&self, system: &System, answer: &Answer) -> Option<String> {
        let moments = self.moments(system);
        let detail = detail(answer);
        let claimed = detail.strip_suffix("; no requiere intervención");
        let claimed = claimed.map(|claimed| claimed.trim_start_matches("La saga está en "));
        // One that had not begun is told as under way.
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

    /// Looks whether it is true that a reservation cannot be cancelled; what is not, in words.
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

/// True if it is committed that a reservation is cancelled.
fn is_cancelled(system: &System, id: &str) -> bool {
    let texts = readers::texts(system, VUELOS, id);
    let mut events = texts
        .iter()
        .filter_map(|text| serde_json::from_str::<Value>(text).ok());
    events.any(|event| event.get("type").and_then(Value::as_str) == Some("ReservaCancelada"))
}
