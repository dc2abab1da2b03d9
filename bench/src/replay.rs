//! Measures how fast a view is rebuilt: folding alone, over twins in memory, and from the archive to tables at the
//! endpoint.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alpes_lambda::Environment;
use alpes_messages::Event;
use alpes_ports::{Item, LogRecord};
use alpes_projections::{Phase, Rebuilder, View};
use anyhow::{Result, anyhow, bail};
use events::{IdReserva, Payload};
use serde::Serialize;
use serde_json::{Value, json};
use twins::{MemoryLog, Ports};
use views::registry;
use vuelos::Vuelos;
use wiring::Wiring;

use crate::{
    commands,
    plan::Rounds,
    stats::{Samples, per_second},
};

/// The number of records in a batch, about as many as the archiver puts into one object.
const BATCH: usize = 500;

#[derive(Debug, Serialize)]
pub struct Replay {
    /// The numbers of invented reservations and of their events.
    pub reservations: usize,
    pub events: usize,
    pub views: Vec<ViewReplay>,
}

#[derive(Debug, Serialize)]
pub struct ViewReplay {
    pub view: &'static str,
    /// Events decoded and folded in a second, without storing.
    pub folded: f64,
    /// Events replayed in a second from an archive to a table, both in memory.
    pub in_memory: f64,
    /// The number of events in the local runtime's archive, and how many of them were replayed to its tables in a
    /// second.
    pub archived: u64,
    pub at_endpoint: f64,
}

impl Replay {
    /// The results, as rows of the summary.
    pub fn rows(&self) -> impl Iterator<Item = (String, String, &'static str)> {
        self.views.iter().map(|of| {
            (
                format!(
                    "events a second, rebuilding `{}`: folded alone · archive to table in memory · on the local runtime",
                    of.view
                ),
                format!("{:.0} · {:.0} · {:.0}", of.folded, of.in_memory, of.at_endpoint),
                "limited by the processor · the same · a call for each row",
            )
        })
    }
}

pub async fn measure(sample: &Value, rounds: Rounds) -> Result<Replay> {
    let log = history(sample, rounds.replayed).await?;
    let records = log.records();
    let deployed = Wiring::new(Environment::load().await);
    let mut views = vec![];
    for view in registry() {
        let mut folding = Samples::default();
        for _ in 0..5 {
            folding.push(fold(&*view, &records)?);
        }
        let folded = per_second(
            records.len(),
            Duration::from_secs_f64(folding.median() / 1_000.0),
        );
        let memory = Wiring::new(Ports {
            log: log.clone(),
            reader: log.clone(),
            ..Ports::new(twins::world(1).0)
        });
        let Ok(archive) = memory.archive();
        for batch in records.chunks(BATCH) {
            archive.store(batch).await?;
        }
        let Ok(rebuilder) = memory.rebuilder();
        let (events, elapsed) = replay(&rebuilder, view.name()).await?;
        let in_memory = per_second(usize::try_from(events)?, elapsed);

        let rebuilder = deployed.rebuilder()?;
        let (archived, elapsed) = replay(&rebuilder, view.name()).await?;
        rebuilder.abandon(view.name()).await?;
        views.push(ViewReplay {
            view: view.name(),
            folded,
            in_memory,
            archived,
            at_endpoint: per_second(usize::try_from(archived)?, elapsed),
        });
    }
    Ok(Replay {
        reservations: rounds.replayed,
        events: records.len(),
        views,
    })
}

/// Replays the archive into a view, and stops before the log is read.
async fn replay(rebuilder: &Rebuilder<Payload>, view: &str) -> Result<(u64, Duration)> {
    let start = Instant::now();
    loop {
        let progress = rebuilder.run(view, Duration::ZERO).await?;
        match progress.phase {
            Some(Phase::Survey | Phase::Archive) => {}
            Some(Phase::Log) => return Ok((progress.events, start.elapsed())),
            other => bail!("{view} is in the phase {other:?}"),
        }
    }
}

/// Decodes and folds the records, one reservation after the other.
fn fold(view: &dyn View<Payload>, records: &[LogRecord]) -> Result<Duration> {
    let catalogue = events::catalogue();
    let start = Instant::now();
    let mut rows: BTreeMap<IdReserva, Item> = BTreeMap::new();
    for record in records {
        let (event, payload): (Event, Payload) = Event::decode(&record.data, &catalogue)
            .map_err(|error| anyhow!("our own event: {error}"))?;
        let row = rows.entry(event.subject).or_default();
        view.fold(row, &event, &payload)?;
    }
    Ok(start.elapsed())
}

/// Reservations that are made, approved and cancelled, with their log.
async fn history(sample: &Value, reservations: usize) -> Result<Arc<MemoryLog>> {
    let (world, _) = twins::world(1);
    let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
    let Ok(store) = Wiring::new(Ports {
        log: log.clone(),
        ..Ports::new(world)
    })
    .store();
    for _ in 0..reservations {
        let create = commands::create(sample)?;
        let subject = create.subject;
        store.handle(&Vuelos, &create).await?;
        let approve = commands::command(vuelos::APROBAR_RESERVA, subject, json!({}));
        store.handle(&Vuelos, &approve).await?;
        let cancel = json!({ "motivo": "bench" });
        let cancel = commands::command(vuelos::CANCELAR_RESERVA, subject, cancel);
        store.handle(&Vuelos, &cancel).await?;
    }
    Ok(log)
}
