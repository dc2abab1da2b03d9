//! Tests of reading the view `reservas`: filters and pages.
#![cfg(test)]
#![allow(dead_code, reason = "each test uses a part of the bench")]

mod common;

use alpes_messages::SubjectId;
use alpes_ports::{Condition, Key, Tables, Write};
use alpes_projections::Generation;
use common::{Bench, aprobada, cancelada, creada, id, pagada};
use events::{PAGOS, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
use jiff::Timestamp;
use proptest::prelude::*;
use simulation::{Kernel, Stale, Trace};
use views::reservas::{self, Filter};

const CLIENTS: [&str; 4] = ["", "ana", "luz", "ana:Pendiente"];

/// A reservation of the model: its client, its time of creation, and its state.
type Made = (usize, i64, EstadoReserva);

fn build(made: &[Made]) -> Bench {
    let bench = Bench::new();
    for (number, (client, at, estado)) in (1..).zip(made) {
        let subject = id(number);
        let mut records = bench.commit(
            subject,
            VUELOS,
            vec![(creada(subject, CLIENTS[*client], *at), *at)],
        );
        records.extend(match estado {
            EstadoReserva::Pendiente => vec![],
            EstadoReserva::Pagada => bench.commit(subject, PAGOS, vec![(pagada(subject, 1), 1)]),
            EstadoReserva::Aprobada => {
                bench.commit(subject, VUELOS, vec![(aprobada(subject, 1), 1)])
            }
            EstadoReserva::Cancelada => {
                bench.commit(subject, VUELOS, vec![(cancelada(subject, 1), 1)])
            }
        });
        bench.settle(&records);
    }
    bench
}

fn pages(bench: &Bench, filter: &Filter, size: usize) -> Vec<SubjectId> {
    let generation = Generation {
        view: reservas::NAME,
        number: 1,
    };
    let (mut found, mut after): (Vec<SubjectId>, Option<String>) = (vec![], None);
    loop {
        let listed = block_on(reservas::list(
            &*bench.tables,
            &generation,
            filter,
            size,
            after.as_deref(),
        ))
        .unwrap();
        let (page, next) = listed;
        assert!(page.len() <= size);
        assert!(
            next.is_none() || page.len() == size,
            "only the last page is short"
        );
        found.extend(page.iter().map(|fila| fila.id_reserva.unwrap()));
        if next.is_none() {
            return found;
        }
        after = next;
    }
}

fn states() -> impl Strategy<Value = EstadoReserva> {
    prop::sample::select(EstadoReserva::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_filter_lists_exactly_its_reservations_newest_first(
        made in prop::collection::vec((0..CLIENTS.len(), 0..20_i64, states()), 0..40),
        estado in prop::option::of(states()),
        client in prop::option::of(1..CLIENTS.len()),
        size in 1..9_usize,
    ) {
        let bench = build(&made);
        let filter = Filter { estado, id_cliente: client.map(|client| CLIENTS[client].to_owned()) };
        let mut expected: Vec<_> = (1..)
            .zip(&made)
            .filter(|(_, (its_client, _, its_state))| {
                estado.is_none_or(|estado| estado == *its_state) && client.is_none_or(|client| client == *its_client)
            })
            .map(|(number, (_, at, _))| (*at, id(number)))
            .collect();
        expected.sort_unstable();
        let expected: Vec<_> = expected.into_iter().rev().map(|(_, id)| id).collect();
        prop_assert_eq!(pages(&bench, &filter, size), expected);
    }
}

#[test]
fn one_is_read_as_it_is() {
    let bench = build(&[(1, 0, EstadoReserva::Pagada)]);
    let generation = Generation {
        view: reservas::NAME,
        number: 1,
    };
    let kernel = Kernel::new(1, Timestamp::UNIX_EPOCH, Trace::default());
    let stale = Stale::new(kernel.clone(), bench.tables.clone(), 1);
    kernel.run_until(10_000);
    let gone = Write::Delete {
        key: Key::new(
            alpes_projections::TABLE,
            format!("{generation}#{}", id(1)),
            "row",
        ),
        condition: Condition::Exists,
    };
    block_on(stale.write(&gone)).unwrap();
    for _ in 0..50 {
        assert_eq!(
            block_on(reservas::one(&stale, &generation, id(1))),
            Ok(None)
        );
    }
}

#[test]
fn a_reservation_is_read_once_its_making_was_heard() {
    let bench = build(&[(1, 0, EstadoReserva::Pagada)]);
    let generation = Generation {
        view: reservas::NAME,
        number: 1,
    };
    let read = |id| block_on(reservas::one(&*bench.tables, &generation, id)).unwrap();
    let fila = read(id(1)).unwrap();
    assert_eq!(
        (fila.estado, fila.id_cliente.as_deref()),
        (Some(EstadoReserva::Pagada), Some("ana"))
    );
    assert_eq!(read(id(2)), None);
    let paid_only = bench.commit(id(3), PAGOS, vec![(pagada(id(3), 1), 1)]);
    bench.settle(&paid_only);
    assert_eq!(read(id(3)), None);
}

/// An old event may have any text as its client. A text that is longer than a client id cannot be queried, and may not
/// fit into a key.
#[test]
fn a_client_that_nobody_can_ask_for_is_in_no_index() {
    let bench = Bench::new();
    let creada = creada(id(1), &"x".repeat(3_000), 1);
    let records = bench.commit(id(1), VUELOS, vec![(creada, 1)]);
    bench.settle(&records);
    let rows = bench.tables.all(alpes_projections::TABLE);
    let (_, row) = rows.iter().find(|(key, _)| key.sk == "row").unwrap();
    assert!(row.contains_key("gsi1pk") && !row.contains_key("gsi2pk"));
    assert_eq!(pages(&bench, &Filter::default(), 5), [id(1)]);
}
