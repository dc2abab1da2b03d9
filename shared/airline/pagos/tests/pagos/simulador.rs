//! Tests of the simulated provider: its tokens, and its promises under faults.

use std::{sync::Arc, time::Duration};

use alpes_ports::{Key, Path, Tables, Update};
use futures::executor::block_on;
use pagos::{
    Gateway,
    gateway::{Anulacion, Cobro, NoAnswer},
    simulador::{TABLE, Tipo, WAIT, balance, ledger},
};
use simulation::{Dice, Faults, Scheduler, Step};

use crate::{
    bench::Bench,
    escenario::{RESERVA, pago},
};

fn cobrar(bench: &Bench, medio: &str) -> Result<Cobro, NoAnswer> {
    let provider = bench.provider(&Faults::none());
    block_on(provider.cobrar(&pagos::key(RESERVA), &pago("100.00", medio)))
}

fn anular(bench: &Bench) -> Anulacion {
    let provider = bench.provider(&Faults::none());
    block_on(provider.anular(&pagos::key(RESERVA))).unwrap()
}

fn rechazado(motivo: &str) -> Cobro {
    let motivo = motivo.into();
    Cobro::Rechazado { motivo }
}

fn movements(bench: &Bench) -> Vec<Tipo> {
    let moved = bench.ledger(RESERVA);
    moved.into_iter().map(|movement| movement.tipo).collect()
}

#[test]
fn a_card_is_charged_once_however_often_it_is_asked() {
    let bench = Bench::new();
    let first = pago("100.00", "tok_visa");
    assert_eq!(
        cobrar(&bench, "tok_visa"),
        Ok(Cobro::Cobrado(first.clone()))
    );
    // A later call with another payment gets the first outcome.
    for medio in [
        "tok_visa",
        "tok_rechazada",
        "tok_timeout",
        "tok_intermitente",
    ] {
        assert_eq!(cobrar(&bench, medio), Ok(Cobro::Cobrado(first.clone())));
    }
    let movements = bench.ledger(RESERVA);
    assert_eq!(movements.len(), 1);
    assert_eq!(movements[0].tipo, Tipo::Cargo);
    assert_eq!(movements[0].pago, first);
    assert_eq!(movements[0].cuando, bench.world.clock.now().into());
    assert_eq!(balance(&movements).to_string(), "119.00");
}

#[test]
fn a_decline_is_remembered() {
    for (medio, motivo) in [
        ("tok_rechazada", "tarjeta rechazada"),
        ("tok_fondos_insuficientes", "fondos insuficientes"),
        ("tok_de_nadie", "medio desconocido"),
    ] {
        let bench = Bench::new();
        assert_eq!(cobrar(&bench, medio), Ok(rechazado(motivo)));
        assert_eq!(cobrar(&bench, "tok_visa"), Ok(rechazado(motivo)));
        assert_eq!(anular(&bench), Anulacion::SinCargo);
        assert_eq!(movements(&bench), []);
    }
}

#[test]
fn a_timeout_charges_and_is_silent_each_time() {
    let bench = Bench::new();
    for times in 1..=3 {
        let start = bench.world.clock.now();
        assert!(cobrar(&bench, "tok_timeout").is_err());
        let waited = bench.world.clock.now().duration_since(start);
        assert_eq!(Duration::try_from(waited).unwrap(), WAIT);
        assert_eq!(movements(&bench), [Tipo::Cargo], "{times}");
    }
    assert_eq!(anular(&bench), Anulacion::Devuelto);
    assert_eq!(movements(&bench), [Tipo::Cargo, Tipo::Devolucion]);
}

#[test]
fn an_intermittent_card_pays_at_the_third_try() {
    let bench = Bench::new();
    for _ in 0..2 {
        assert!(cobrar(&bench, "tok_intermitente").is_err());
        assert_eq!(movements(&bench), []);
    }
    let paid = Cobro::Cobrado(pago("100.00", "tok_intermitente"));
    assert_eq!(cobrar(&bench, "tok_intermitente"), Ok(paid));
    assert_eq!(movements(&bench), [Tipo::Cargo]);
}

#[test]
fn what_is_void_stays_void() {
    let bench = Bench::new();
    assert_eq!(anular(&bench), Anulacion::SinCargo);
    for medio in [
        "tok_visa",
        "tok_timeout",
        "tok_intermitente",
        "tok_rechazada",
    ] {
        assert_eq!(cobrar(&bench, medio), Ok(rechazado("cobro anulado")));
    }
    assert_eq!(anular(&bench), Anulacion::SinCargo);
    assert_eq!(movements(&bench), []);

    let bench = Bench::new();
    cobrar(&bench, "tok_visa").unwrap();
    for _ in 0..2 {
        assert_eq!(anular(&bench), Anulacion::Devuelto);
        assert_eq!(cobrar(&bench, "tok_visa"), Ok(rechazado("cobro anulado")));
        assert_eq!(movements(&bench), [Tipo::Cargo, Tipo::Devolucion]);
    }
    let back = bench.ledger(RESERVA);
    assert_eq!(back[0].pago, back[1].pago);
    assert_eq!(balance(&back).to_string(), "0.00");
}

#[test]
fn keys_do_not_know_one_another() {
    let bench = Bench::new();
    let provider = bench.provider(&Faults::none());
    let visa = pago("100.00", "tok_visa");
    block_on(provider.cobrar("pago-1", &visa)).unwrap();
    block_on(provider.anular("pago-2")).unwrap();
    let moved = |key| block_on(ledger(&*bench.tables, key)).unwrap().len();
    assert_eq!(
        (moved("pago-1"), moved("pago-2"), moved("pago-3")),
        (1, 0, 0)
    );
}

#[test]
fn a_ledger_that_cannot_be_read_is_no_answer() {
    let bench = Bench::new();
    let key = Key::new(TABLE, pagos::key(RESERVA), "cargo");
    let broken = Update::of(key).set(Path::of("movimientos"), "?");
    block_on(bench.tables.write(&broken.into())).unwrap();
    let error = cobrar(&bench, "tok_visa").unwrap_err();
    assert!(error.0.contains("cannot be read"), "{error}");
}

/// The answer to one of many concurrent callers.
#[derive(Debug)]
enum Heard {
    Cobro(Result<Cobro, NoAnswer>),
    Anulacion(Result<Anulacion, NoAnswer>),
    Late,
}

#[test]
fn of_charges_and_voids_at_once_and_whatever_fails_one_charge_is_made_at_most() {
    let mut voided_in_time = 0;
    for seed in 0..2_000 {
        let dice = Dice::new(seed);
        let bench = Bench::new();
        let faults = Faults::by_chance(dice.clone(), [0, 4, 9][usize::try_from(seed % 3).unwrap()]);
        let mut scheduler = Scheduler::default();
        for caller in 0..2 + dice.below(5) {
            let provider = Arc::new(bench.provider(&faults));
            let medio = *dice
                .pick(&["tok_visa", "tok_timeout", "tok_intermitente"])
                .unwrap();
            let (voids, key) = (caller > 0 && dice.one_in(2), pagos::key(RESERVA));
            scheduler.spawn(Box::pin(async move {
                if voids {
                    Heard::Anulacion(provider.anular(&key).await)
                } else {
                    Heard::Cobro(provider.cobrar(&key, &pago("100.00", medio)).await)
                }
            }));
        }
        let mut told = None;
        loop {
            scheduler.spawn_late(&faults, || Heard::Late);
            match scheduler.step(&dice, 60) {
                Step::Done(_, Heard::Anulacion(Ok(anulacion))) => {
                    let expected = match anulacion {
                        Anulacion::Devuelto => vec![Tipo::Cargo, Tipo::Devolucion],
                        Anulacion::SinCargo => vec![],
                    };
                    assert_eq!(movements(&bench), expected, "seed {seed}");
                    told = Some(expected);
                }
                Step::Done(_, Heard::Cobro(Ok(Cobro::Rechazado { motivo }))) => {
                    assert_eq!(motivo, "cobro anulado", "seed {seed}");
                }
                Step::Done(_, Heard::Cobro(Ok(Cobro::Cobrado(_)))) => {
                    let moved = movements(&bench);
                    assert_eq!(moved.first(), Some(&Tipo::Cargo), "seed {seed}");
                }
                Step::Done(..) | Step::Progress | Step::Killed(_) => {}
                Step::Idle => break,
            }
            // After the answer to a void, no money moves any more.
            if let Some(told) = &told {
                assert_eq!(movements(&bench), *told, "seed {seed}");
                voided_in_time += u64::from(told.is_empty());
            }
            assert!(movements(&bench).len() <= 2, "seed {seed}");
        }
    }
    assert!(voided_in_time > 100, "{voided_in_time}");
}
