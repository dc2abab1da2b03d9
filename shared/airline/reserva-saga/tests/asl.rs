//! Compares the generated state machine of the saga with the deployed file, `infra/saga-reserva.asl.json`.
//!
//! `ALPES_BLESS=1 cargo test -p reserva-saga --test asl` rewrites the file.

#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path};

use alpes_saga::{Definition, Definitions, Step};
use reserva_saga::{current, definitions, state_machine};

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../infra/saga-reserva.asl.json")
}

fn text(definitions: &Definitions) -> String {
    serde_json::to_string_pretty(&state_machine(definitions)).unwrap() + "\n"
}

#[test]
fn the_file_is_what_the_definition_says() {
    if std::env::var("ALPES_BLESS").as_deref() == Ok("1") {
        fs::write(file(), text(&definitions())).unwrap();
    }
    let found = fs::read_to_string(file()).unwrap_or_default();
    assert!(
        found == text(&definitions()),
        "infra/saga-reserva.asl.json is not what the definition says: run `ALPES_BLESS=1 cargo test -p reserva-saga --test asl`, \
         and give the definition a new version if sagas may be in flight"
    );
}

/// Every change of the saga's definition changes the generated file.
#[test]
fn no_change_of_the_definition_leaves_the_file_as_it_is() {
    type Change = fn(&mut Definition);
    let changes: [(&str, Change); 8] = [
        ("version", |it| it.version += 1),
        ("success", |it| it.steps[1].success = "Otro"),
        ("failure", |it| it.steps[1].failure = Some("Otro")),
        ("no compensation", |it| it.steps[2].compensation = None),
        ("command", |it| it.steps[3].command = "Otro"),
        ("participant", |it| {
            call(&mut it.steps[1]).participant = "otro";
        }),
        ("attempts", |it| call(&mut it.steps[1]).retry.attempts += 1),
        ("data", |it| {
            let call = call(&mut it.steps[1]);
            call.data = call.data.clone().text("campo", "x");
        }),
    ];
    for (what, change) in changes {
        let mut definition = current();
        change(&mut definition);
        let text_then = text(&Definitions::new(vec![definition]));
        assert_ne!(text_then, text(&definitions()), "{what}");
    }
}

fn call(step: &mut Step) -> &mut alpes_saga::Call {
    step.call.as_mut().unwrap()
}

/// The interpreter of the states language accepts the file, and its tasks call the three participants.
#[test]
fn the_machine_that_is_deployed_is_understood() {
    let definition = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    let machine = states_language::Machine::parse("saga", &definition).unwrap();
    let called: BTreeSet<_> = machine.functions().collect();
    let participants = ["Gds", "Pagos", "Vuelos"];
    let names = participants.map(|name| format!("${{Participant{name}}}"));
    assert_eq!(called, names.iter().map(String::as_str).collect());
}
