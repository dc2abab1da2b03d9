//! Tests of batches: which events are announced, skipped or redelivered.

use std::{collections::BTreeMap, fs, sync::atomic::Ordering, time::Duration};

use alpes_consumer::{Reason, Redriven};
use alpes_ports::Notice;
use futures::executor::block_on;
use jiff::SignedDuration;
use notices::{NEWS, NOTIFIER};
use serde_json::json;
use simulation::{Fault, Faults};

use crate::bench::{
    Bench,
    Tipo::{self, Aprobada, Cancelada, Creada},
    expected, id, log, record, reserva, text, value,
};

/// Every sample event of the system.
fn samples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/samples");
    let mut texts = vec![];
    for context in ["vuelos", "pagos", "gds"] {
        let files = fs::read_dir(format!("{folder}/{context}")).unwrap();
        for file in files.map(|file| file.unwrap().path()) {
            if file.to_string_lossy().contains(".v") {
                texts.push(fs::read_to_string(file).unwrap());
            }
        }
    }
    texts
}

#[test]
fn of_all_events_those_that_tell_an_end_are_announced() {
    let bench = Bench::new();
    let samples = samples();
    assert!(samples.len() > 10, "the samples were not found");
    let places = samples.iter().enumerate();
    let batch: Vec<_> = places.map(|(at, text)| record(at, "x", text)).collect();
    let outcome = bench.deliver(&batch);
    assert_eq!(outcome.parked, 0);
    let mut kinds: Vec<_> = bench
        .published()
        .iter()
        .map(|notice| notice.attributes["type"].clone())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ReservaAprobada", "ReservaCancelada"]);
}

#[test]
fn a_notice_is_the_text_as_committed_with_attributes_to_choose_by() {
    let bench = Bench::new();
    bench.deliver(&log(&[(1, Creada), (1, Aprobada), (2, Cancelada)]));
    let notice = |number, tipo, kind: &str, estado: &str| Notice {
        id: id(number, tipo),
        group: reserva(number),
        attributes: BTreeMap::from([
            ("type".to_owned(), kind.to_owned()),
            ("id".to_owned(), id(number, tipo)),
            ("subject".to_owned(), reserva(number)),
            ("estado".to_owned(), estado.to_owned()),
        ]),
        body: text(number, tipo, SignedDuration::ZERO),
    };
    let expected = [
        notice(1, Aprobada, "ReservaAprobada", "Aprobada"),
        notice(2, Cancelada, "ReservaCancelada", "Cancelada"),
    ];
    assert_eq!(bench.published(), expected);
    let noted = bench.tables.all(notices::TABLE).into_iter();
    let noted: Vec<_> = noted
        .map(|(key, item)| (key.pk, key.sk, json!(item)))
        .collect();
    let note = |number, tipo| {
        let enviado = json!({ "enviado": "2026-01-31T10:00:00.000Z" });
        (reserva(number), id(number, tipo), enviado)
    };
    assert_eq!(noted, [note(1, Aprobada), note(2, Cancelada)]);
}

/// An event that was committed before the rule for the characters of texts is announced too. Characters that a topic
/// refuses are escaped, so the event reads as committed.
#[test]
fn what_a_topic_does_not_carry_is_escaped() {
    let bench = Bench::new();
    let committed = text(2, Cancelada, SignedDuration::ZERO);
    let motivo = value(&committed, "motivo");
    let committed = committed.replace(motivo, "a\u{ffff}b\u{fffe}ñ\u{1fffe}");
    let record = record(0, &reserva(2), &committed);
    let outcome = bench.deliver(std::slice::from_ref(&record));
    assert_eq!((outcome.parked, bench.parked().len()), (0, 0));
    let [notice] = bench.published().try_into().unwrap();
    assert_eq!(
        notice.body,
        committed
            .replace('\u{ffff}', "\\uffff")
            .replace('\u{fffe}', "\\ufffe")
    );
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(&notice.body), read(&committed));
}

#[test]
fn copies_are_announced_once_however_the_log_is_cut() {
    let events = [
        (1, Aprobada),
        (2, Cancelada),
        (1, Aprobada),
        (1, Cancelada),
        (2, Cancelada),
        (1, Aprobada),
    ];
    let log = log(&events);
    for length in 1..=log.len() {
        let bench = Bench::new();
        for batch in log.chunks(length) {
            bench.deliver(batch);
        }
        bench.deliver(&log);
        assert_eq!(bench.heard(), expected(&log), "in batches of {length}");
    }
}

#[test]
fn a_batch_is_one_read_and_one_note_an_event() {
    let trace = |events: &[(u64, Tipo)]| {
        let (bench, faults) = (Bench::new(), Faults::none());
        block_on(bench.announcer(&faults).consumer().consume(&log(events)));
        let trace = faults.trace().into_iter();
        let kinds = trace.map(|what| what.split(' ').next().unwrap().to_owned());
        kinds.collect::<Vec<_>>()
    };
    let three = [(1, Aprobada), (2, Creada), (2, Cancelada), (3, Aprobada)];
    let expected = [
        "get", "publish", "publish", "publish", "write", "write", "write",
    ];
    assert_eq!(trace(&three), expected);
    assert_eq!(trace(&[(1, Creada), (2, Creada)]), [""; 0]);
}

#[test]
fn what_is_no_news_is_passed_by() {
    let millisecond = SignedDuration::from_millis(1);
    for (age, announced) in [(NEWS, 1), (NEWS + millisecond, 0), (-NEWS, 1)] {
        let (bench, faults) = (Bench::new(), Faults::none());
        let old = record(0, &reserva(1), &text(1, Aprobada, age));
        let outcome = block_on(bench.announcer(&faults).consumer().consume(&[old]));
        assert_eq!((outcome.failed, outcome.parked), (None, 0));
        assert_eq!(bench.published().len(), announced, "{age}");
        assert_eq!(faults.count() > 0, announced > 0, "it costs nothing");
    }
}

#[test]
fn a_failure_stops_its_reservation_and_no_other() {
    let log = log(&[
        (1, Creada),
        (1, Aprobada),
        (2, Aprobada),
        (2, Cancelada),
        (3, Cancelada),
    ]);
    // Effect 0 reads the table. The effects 2 and 3 publish the two notices of reservation 2.
    for (at, failed) in [(2, 2), (3, 3)] {
        let (bench, faults) = (Bench::new(), Faults::once(at, Fault::FailBefore));
        let outcome = block_on(bench.announcer(&faults).consumer().consume(&log));
        let (sequence, cause) = outcome.failed.unwrap();
        assert_eq!(sequence, log[failed].sequence);
        assert!(cause.contains("did not answer"), "{cause}");
        assert_eq!(bench.published().len(), 3);
        bench.deliver(&log[failed..]);
        assert_eq!(bench.heard(), expected(&log));
    }
}

#[test]
fn without_its_memory_it_announces_nothing() {
    let log = log(&[(1, Creada), (2, Aprobada), (1, Aprobada)]);
    let (bench, faults) = (Bench::new(), Faults::once(0, Fault::FailBefore));
    let outcome = block_on(bench.announcer(&faults).consumer().consume(&log));
    assert_eq!(outcome.failed.unwrap().0, log[1].sequence);
    assert_eq!(bench.published(), []);
}

#[test]
fn an_announcement_that_could_not_be_noted_is_not_made_again_for_that() {
    let log = log(&[(1, Aprobada)]);
    let (bench, faults) = (Bench::new(), Faults::once(2, Fault::FailBefore));
    let outcome = block_on(bench.announcer(&faults).consumer().consume(&log));
    assert_eq!(outcome.failed, None);
    assert_eq!(bench.heard(), expected(&log));
    // A redelivered record may announce the event once more.
    bench.deliver(&log);
    bench.deliver(&log);
    assert_eq!(bench.published().len(), 2);
}

#[test]
fn what_is_refused_for_good_is_parked_and_the_rest_is_announced() {
    let bench = Bench::new();
    let mut log = log(&[(1, Aprobada), (2, Cancelada), (3, Aprobada)]);
    let motivo = "x".repeat(Notice::LIMIT);
    let large = text(2, Cancelada, SignedDuration::ZERO).replace("plazo", &motivo);
    log[1].data = large.clone().into_bytes();
    // The batch may be redelivered, and the record still delays no other record.
    for _ in 0..2 {
        bench.deliver(&log);
    }
    let parked = bench.parked();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (&*parked[0].owner, parked[0].reason),
        (NOTIFIER.0, Reason::Permanent)
    );
    let whole = block_on(bench.parking().record(&parked[0]))
        .unwrap()
        .unwrap();
    assert_eq!(
        (&whole.sequence, whole.data),
        (&log[1].sequence, large.into_bytes())
    );
    let others = [log[0].clone(), log[2].clone()];
    assert_eq!(bench.heard(), expected(&others));
}

#[test]
fn what_cannot_be_parked_is_delivered_again() {
    let log = log(&[(1, Aprobada), (2, Aprobada)]);
    let bench = Bench::new();
    bench.topic.refuses.store(true, Ordering::SeqCst);
    // Effect 0 reads the table, the effects 1 and 2 publish two messages, and effect 3 parks the first record.
    let faults = Faults::once(3, Fault::FailBefore);
    let outcome = block_on(bench.announcer(&faults).consumer().consume(&log));
    assert_eq!(outcome.failed.unwrap().0, log[0].sequence);
    bench.deliver(&log);
    assert_eq!(bench.parked().len(), 2);
}

#[test]
fn what_was_refused_is_announced_once_it_can_be() {
    let (bench, log) = (Bench::new(), log(&[(1, Aprobada)]));
    bench.topic.refuses.store(true, Ordering::SeqCst);
    bench.deliver(&log);
    let redrive = || {
        let announcer = bench.announcer(&Faults::none());
        let parked = bench.parked();
        block_on(announcer.consumer().redrive(&parked[0])).unwrap()
    };
    let still = redrive();
    assert!(matches!(still, Redriven::StillParked(_)), "{still:?}");
    bench.topic.refuses.store(false, Ordering::SeqCst);
    assert_eq!(redrive(), Redriven::Done);
    assert_eq!((bench.parked(), bench.heard()), (vec![], expected(&log)));
}

#[test]
fn what_is_redriven_too_late_is_passed_by() {
    let (bench, log) = (Bench::new(), log(&[(1, Aprobada)]));
    bench.topic.refuses.store(true, Ordering::SeqCst);
    bench.deliver(&log);
    bench.topic.refuses.store(false, Ordering::SeqCst);
    bench.clock.advance(Duration::from_hours(25));
    let announcer = bench.announcer(&Faults::none());
    let redriven = block_on(announcer.consumer().redrive(&bench.parked()[0]));
    assert_eq!(redriven.unwrap(), Redriven::Done);
    assert_eq!((bench.parked(), bench.published()), (vec![], vec![]));
}

#[test]
fn what_is_no_event_or_of_an_unknown_type_is_parked() {
    let bench = Bench::new();
    let unknown = text(1, Aprobada, SignedDuration::ZERO).replace("ReservaAprobada", "Otra");
    let mut log = log(&[(2, Aprobada)]);
    log.push(record(1, "x", "no"));
    log.push(record(2, "x", &unknown));
    assert_eq!(bench.deliver(&log).parked, 2);
    let parked = bench.parked().into_iter();
    let parked: Vec<_> = parked.map(|one| (one.owner, one.reason)).collect();
    let by_us = |reason| (NOTIFIER.0.to_owned(), reason);
    assert_eq!(
        parked,
        [by_us(Reason::Undecodable), by_us(Reason::UnknownType)]
    );
    assert_eq!(bench.published().len(), 1);
}
