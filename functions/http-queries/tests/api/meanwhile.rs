//! Tests of lists that are read while a reservation changes.

use std::{
    collections::BTreeMap,
    future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use alpes_ports::{IndexPage, IndexQuery, TableError, Tables};
use api::HttpApp;
use async_trait::async_trait;
use events::{IdReserva, vuelos::EstadoReserva};
use futures::executor::block_on;
use http_queries::App;
use http_testing::{Answer, ask};
use twins::{MemoryTables, Over, Ports, TablesOver};
use wiring::Wiring;

use crate::support::{Fixture, fixture};

/// Number of polls after which a query is answered. By then all queries of a concurrent read are pending. A sequential
/// read only waits longer.
const PATIENCE: usize = 8;

/// Tables whose content changes after a number of answered queries. Concurrent queries are answered in an order that
/// the test chooses.
struct Meanwhile {
    before: Arc<MemoryTables>,
    after: Arc<MemoryTables>,
    happens_at: usize,
    /// The states, in the order in which their queries are answered.
    order: Vec<EstadoReserva>,
    answered: AtomicUsize,
    /// The pending queries, by their places in `order`, each with its number of polls so far.
    waiting: Mutex<BTreeMap<usize, usize>>,
}

impl Meanwhile {
    fn place(&self, query: &IndexQuery) -> usize {
        let of = |estado: &EstadoReserva| query.partition.ends_with(estado.name());
        self.order.iter().position(of).unwrap()
    }

    /// Waits while a query with an earlier place in `order` is pending.
    async fn turn(&self, place: usize) {
        let waiting = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().insert(place, 0);
        future::poll_fn(|context| {
            let mut waiting = waiting();
            let polls = waiting.entry(place).or_default();
            *polls += 1;
            let all_are_asked = *polls > PATIENCE;
            let is_first = waiting.keys().next() == Some(&place);
            if all_are_asked && is_first {
                waiting.remove(&place);
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

#[async_trait]
impl TablesOver for Meanwhile {
    fn inner(&self) -> &dyn Tables {
        &*self.before
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.turn(self.place(query)).await;
        let answered = self.answered.fetch_add(1, Ordering::Relaxed);
        let tables = if answered < self.happens_at {
            &self.before
        } else {
            &self.after
        };
        tables.query(query).await
    }
}

/// A system with six reservations: three in the state `from` and three in the state `to`. If `later`, the third
/// reservation has changed to the state `to`.
fn world(from: EstadoReserva, to: EstadoReserva, later: bool) -> (Fixture, Vec<IdReserva>) {
    let fixture = fixture();
    let made = [from, to, from, to, from, to].map(|estado| {
        fixture.later();
        fixture.create_as(Some("ana"), estado)
    });
    let changed = made[2];
    if later {
        match (from, to) {
            (_, EstadoReserva::Cancelada) => fixture.cancel(changed),
            (_, EstadoReserva::Aprobada) => fixture.approve(changed),
            _ => fixture.pay(changed),
        }
    }
    fixture.project();
    (fixture, made.to_vec())
}

fn orders() -> Vec<Vec<EstadoReserva>> {
    let mut orders = vec![vec![]];
    for _ in EstadoReserva::ALL {
        let longer = orders.iter().flat_map(|order: &Vec<EstadoReserva>| {
            let rest = EstadoReserva::ALL.into_iter();
            let rest = rest.filter(|estado| !order.contains(estado));
            rest.map(|estado| [order.as_slice(), &[estado]].concat())
        });
        orders = longer.collect();
    }
    orders
}

/// The reservations of all pages, in order.
fn pages(tables: &Arc<Over<Meanwhile>>, fixture: &Fixture, filter: &str) -> Vec<String> {
    let app = App::new(&Wiring::new(Ports {
        tables: tables.clone(),
        ..fixture.ports()
    }));
    let (mut seen, mut after) = (vec![], String::new());
    loop {
        let path = format!("/vuelos/reserva?limite=3{filter}{after}");
        let body = Answer::of(block_on(app.handle(&ask("GET", &path)))).ok();
        let rows = body["reservas"].as_array().unwrap();
        let ids = rows.iter().map(|row| row["id_reserva"].as_str().unwrap());
        seen.extend(ids.map(str::to_owned));
        match body["siguiente"].as_str() {
            Some(cursor) => after = format!("&siguiente={cursor}"),
            None => return seen,
        }
    }
}

/// A reservation that changes while its list is read is on exactly one page, at any time of the change and in any order
/// of the answers.
#[test]
fn a_reservation_that_changes_is_on_a_page() {
    let all = EstadoReserva::ALL;
    let forward = all
        .into_iter()
        .flat_map(|from| all.map(|to| (from, to)))
        .filter(|(from, to)| from < to);
    for (from, to) in forward {
        let (before, made) = world(from, to, false);
        let (after, same) = world(from, to, true);
        assert_eq!(made, same, "both worlds have the same reservations");
        let mut expected: Vec<_> = made.iter().map(IdReserva::to_string).collect();
        expected.reverse();
        let filters = ["", "&id_cliente=ana"].into_iter().cycle();
        for (order, filter) in orders().into_iter().zip(filters) {
            for happens_at in 0..=8 {
                let tables = Arc::new(Over(Meanwhile {
                    before: before.tables.clone(),
                    after: after.tables.clone(),
                    happens_at,
                    order: order.clone(),
                    answered: AtomicUsize::new(0),
                    waiting: Mutex::default(),
                }));
                let seen = pages(&tables, &before, filter);
                let case = format!("{from} to {to} at {happens_at}, {order:?}, {filter}");
                assert_eq!(seen, expected, "{case}");
            }
        }
    }
}
