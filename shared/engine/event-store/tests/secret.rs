//! The secret of an installation, over tables that fail and with processes that race.
#![cfg(test)]

use std::sync::Arc;

use alpes_event_store::{SECRETS, Secret};
use alpes_ports::{Item, Key, Tables, Write};
use futures::executor::block_on;
use simulation::Fault;
use twins::{MemoryTables, world};

fn signed(secret: &Secret, text: &str) -> [u8; 32] {
    block_on(secret.signer(&["test"])).unwrap().sign(&[text])
}

#[test]
fn all_processes_of_an_installation_have_one_secret_and_others_have_another() {
    let (world, _) = world(1);
    let tables = Arc::new(MemoryTables::new());
    let process = || Secret::new(tables.clone(), world.clone());
    let first = process();
    let one = signed(&first, "a");
    assert_eq!([signed(&first, "a"), signed(&process(), "a")], [one; 2]);
    assert_ne!(signed(&first, "b"), one);
    let elsewhere = Secret::new(Arc::new(MemoryTables::new()), world.clone());
    assert_ne!(signed(&elsewhere, "a"), one);
    assert_eq!(tables.all(SECRETS).len(), 1);
}

#[test]
fn a_process_looks_the_secret_up_once() {
    let (world, _) = world(1);
    let trouble = simulation::Faults::none();
    let secret = Secret::new(
        Arc::new(trouble.tables(Arc::new(MemoryTables::new()))),
        world,
    );
    signed(&secret, "a");
    let first = trouble.count();
    assert_eq!(first, 2, "{:?}", trouble.trace());
    signed(&secret, "b");
    assert_eq!(trouble.count(), first);
}

/// A call fails, or happens twice, at every step of the first use. Another process comes just before it.
#[test]
fn one_secret_is_made_whatever_fails_and_whoever_comes_between() {
    let (world, _) = world(1);
    for place in 0..2 {
        for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Twice] {
            let tables = Arc::new(MemoryTables::new());
            let trouble = simulation::Faults::once(place, fault);
            let secret = Secret::new(Arc::new(trouble.tables(tables.clone())), world.clone());
            let first = block_on(secret.signer(&["test"]));
            assert_eq!(
                first.is_err(),
                fault != Fault::Twice,
                "{fault:?} at {place}"
            );
            let other = Secret::new(tables, world.clone());
            assert_eq!(
                signed(&secret, "a"),
                signed(&other, "a"),
                "{fault:?} at {place}"
            );
        }
        let tables = Arc::new(MemoryTables::new());
        let other = Secret::new(tables.clone(), world.clone());
        let comes = Box::pin(async move { other.signer(&["test"]).await.map(drop).unwrap() });
        let trouble = simulation::Faults::meanwhile(place, comes);
        let secret = Secret::new(Arc::new(trouble.tables(tables.clone())), world.clone());
        let after = Secret::new(tables, world.clone());
        assert_eq!(signed(&secret, "a"), signed(&after, "a"), "at {place}");
    }
}

#[test]
fn purposes_and_texts_are_kept_apart() {
    let (world, _) = world(1);
    let secret = Secret::new(Arc::new(MemoryTables::new()), world);
    let signer = |purpose: &[&str]| block_on(secret.signer(purpose)).unwrap();
    let ids = signer(&["ids"]);
    let one = ids.sign(&["ab", "c"]);
    for others in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &["c", "ab"]] {
        assert_ne!(ids.sign(others), one, "{others:?}");
        assert!(!ids.verifies(others, &one), "{others:?}");
    }
    assert!(ids.verifies(&["ab", "c"], &one));
    assert!(!ids.verifies(&["ab", "c"], &one[..31]));
    assert!(!signer(&["quotes"]).verifies(&["ab", "c"], &one));
    assert_eq!(format!("{secret:?} {ids:?}"), "Secret(..) Signer(..)");
}

#[test]
fn a_secret_that_somebody_has_changed_is_an_error_and_is_not_told() {
    let (world, _) = world(1);
    for value in ["", "AAAA", "not base64"] {
        let tables = Arc::new(MemoryTables::new());
        let write = Write::Put {
            key: Key::new(SECRETS, "secret", "ids"),
            item: Item::from_iter([("value".into(), value.into())]),
            condition: alpes_ports::Condition::Always,
        };
        block_on(tables.write(&write)).unwrap();
        let secret = Secret::new(tables, world.clone());
        let error = block_on(secret.signer(&["ids"])).unwrap_err().to_string();
        assert!(error.contains("malformed"), "{error}");
    }
}
