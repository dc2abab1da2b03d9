//! Runs the commands of the README, the guides and the tutorials in order, as written, and compares their output with
//! the documents.
//!
//! Each document has a runtime of its own, which its first command starts. `cargo xtask test` runs these tests last. To
//! run them by hand, after `cargo xtask up` has installed the tools:
//!
//! ```text
//! cargo test -p xtask --test documents -- --ignored
//! ```
//!
//! The output of each command is kept in `target/tmp/documents/NAME/printed`. Use it to update a document.

#![cfg(test)]

mod document;
mod expected;
mod session;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use document::{Document, Step};
use session::{Printed, Session};
use simulation::uneven_times_in;

const README: &str = "README.md";
const USING_THE_API: &str = "docs/using-the-api.md";
const OPERATING: &str = "docs/operating.md";
const AWS: &str = "docs/aws.md";
const TUTORIAL_7: &str = "docs/tutorial-7.md";
const TUTORIAL_8: &str = "docs/tutorial-8.md";

/// The documents, each with the least number of steps that must be found in it.
const DOCUMENTS: [(&str, usize); 6] = [
    (README, 5),
    (USING_THE_API, 10),
    (OPERATING, 7),
    (AWS, 1),
    (TUTORIAL_7, 10),
    (TUTORIAL_8, 10),
];

/// Commands that no test runs: the document, the command, and the reason.
const NOT_RUN: [(&str, &str, &str); 11] = [
    (README, "cargo xtask test", "it is what runs this"),
    (
        README,
        "cargo xtask up --on localstack",
        "it needs Docker; the command after it runs on the local runtime here",
    ),
    (
        README,
        "cargo lambda invoke aeroalpes-http-queries --remote --endpoint-url $AWS_ENDPOINT_URL \\\n  --data-file \
         functions/http-queries/events/health.json",
        "it needs what `cargo xtask tools` installs",
    ),
    (OPERATING, "cargo xtask tools", "it installs 450 MB"),
    (
        OPERATING,
        "cargo lambda watch --env-file .local/env",
        "it runs for ever, and needs what `cargo xtask tools` installs",
    ),
    (
        OPERATING,
        "cargo lambda invoke http-queries --data-file functions/http-queries/events/health.json",
        "the same",
    ),
    (
        USING_THE_API,
        "curl -X POST $API/sagas/$ID/reanudacion -H 'Content-Type: application/json' -d '{\"nota\": \"el banco ya contesta\"}'",
        "the saga that it shows requires nobody; tutorial 8 has one that does, and resumes it",
    ),
    (
        USING_THE_API,
        "curl -X POST $API/sagas/$ID/reanudacion -H 'Content-Type: application/json' \\\n  -d '{\"hecho\": true, \"paso\": 2, \
         \"nota\": \"devuelto a mano, recibo 123\"}'",
        "the same",
    ),
    (
        AWS,
        "infra/deploy.sh --artifacts \"$(cargo xtask build | tail -n 1)\"",
        "it deploys to AWS",
    ),
    (
        AWS,
        "infra/deploy.sh --artifacts \"$(cargo xtask build | tail -n 1)\" --access jwt \\\n  --parameter \
         Emisor=https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE \\\n  --parameter \
         Audiencia=ID_OF_THE_APP_CLIENT --parameter AlcanceOperador=aeroalpes/operador",
        "it deploys to AWS",
    ),
    (
        TUTORIAL_7,
        "cargo xtask rebuild analitica",
        "it waits for two minutes; the end-to-end tests rebuild views",
    ),
];

/// How long the shown output may take to become true.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folder.expect("xtask lies in the root").to_owned()
}

fn read(name: &str) -> Document {
    let text = fs::read_to_string(root().join(name)).unwrap();
    Document::parse(&text).unwrap_or_else(|fault| panic!("{name}:{fault}"))
}

/// The commands of a step that are run.
fn to_run<'a>(name: &str, step: &'a Step) -> Vec<&'a str> {
    let commands = step.commands.iter().map(|command| command.text.as_str());
    let is_run = |text: &&str| {
        !NOT_RUN
            .iter()
            .any(|(document, command, _)| *document == name && command == text)
    };
    commands.filter(is_run).collect()
}

/// The commands outside of `NOT_RUN` are all run, because the parser finds them in the document.
#[test]
fn what_is_not_run_stands_in_its_document_and_nothing_is_shown_beneath_it() {
    for (name, command, _) in NOT_RUN {
        let steps = read(name).steps;
        let mut commands = steps.iter().flat_map(|step| &step.commands);
        let found = commands.any(|one| one.text == command);
        assert!(found, "{name} does not have this any more: {command}");
    }
    for (name, at_least) in DOCUMENTS {
        let document = read(name);
        for step in &document.steps {
            assert!(
                step.shown.is_none() || !to_run(name, step).is_empty(),
                "{name}:{}: nobody looks whether this prints what is shown",
                step.line()
            );
        }
        let found = document.steps.len();
        assert!(found >= at_least, "{name} has {found} steps alone");
    }
}

/// Documents that set the seats of a flight use another flight than the samples, which would otherwise find no seat.
#[test]
fn no_sample_takes_the_seats_of_the_flight_that_samples_book() {
    let file = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let departures = |text: &str| -> BTreeSet<String> {
        let parts = text.split("fecha_salida").skip(1);
        let values = parts.filter_map(|part| part.split_once("20")?.1.get(..14).map(str::to_owned));
        values.collect()
    };
    let booked = departures(&file("docs/samples/crear_reserva.json"));
    assert_eq!(booked.len(), 1);
    let description: serde_json::Value = serde_json::from_str(&file("infra/openapi.json")).unwrap();
    let mut samples = vec![
        file("functions/http-tests/events/inventario.json"),
        file("functions/http-tests/events/inventario_v2.json"),
        description["paths"]["/pruebas/inventario"].to_string(),
    ];
    for (name, _) in DOCUMENTS {
        let steps = read(name).steps.into_iter();
        let commands = steps.flat_map(|step| step.commands);
        let seats = commands.filter(|command| command.text.contains("/pruebas/inventario"));
        samples.extend(seats.map(|command| command.text));
    }
    assert!(samples.len() > 3, "tutorial 8 sets the seats of a flight");
    for sample in samples {
        let set = departures(&sample);
        assert!(!set.is_empty() && set.is_disjoint(&booked), "{sample}");
    }
}

/// A payment that waits for the timers seems stuck, so the document must say at once that `tick` runs the timers.
#[test]
fn where_a_payment_waits_it_is_told_how_to_go_on_at_once() {
    for (name, token) in [(USING_THE_API, "`tok_timeout`"), (TUTORIAL_8, "`silencio`")] {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let paragraphs = text.split("\n\n").filter(|text| text.contains(token));
        let told = paragraphs.filter(|text| text.contains("cargo xtask tick"));
        assert!(told.count() > 0, "{name} does not say how {token} goes on");
    }
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn the_readme_shows_what_its_commands_print() {
    holds(README);
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn using_the_api_shows_what_its_commands_print() {
    holds(USING_THE_API);
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn operating_shows_what_its_commands_print() {
    holds(OPERATING);
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn tutorial_7_shows_what_its_commands_print() {
    holds(TUTORIAL_7);
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn tutorial_8_shows_what_its_commands_print() {
    holds(TUTORIAL_8);
}

/// Runs all commands of a document, and panics with a list of all differences from the document.
fn holds(name: &str) {
    let document = read(name);
    let file = Path::new(name).file_stem().unwrap().to_str().unwrap();
    let mut session = Session::new(&root(), file);
    let mut record = File::create(session.folder().join("printed")).unwrap();
    let mut faults = vec![];
    for step in &document.steps {
        let printed = run(&mut session, &to_run(name, step), step.shown.as_deref());
        for (text, printed) in &printed {
            writeln!(record, "$ {text}\n{}[{}]\n", printed.text, printed.status).unwrap();
        }
        let fault = fault(step.shown.as_deref(), &printed);
        faults.extend(fault.map(|fault| format!("{name}:{}: {fault}", step.line())));
        for (text, one) in &printed {
            let uneven = uneven_times_in(&without_flights(&one.text));
            let told = uneven.iter().map(|time| {
                let line = step.line();
                format!("{name}:{line}: {text}\nprints a time that has not three decimals: {time}")
            });
            faults.extend(told);
        }
    }
    assert!(
        faults.is_empty(),
        "\n{}\nAll that was printed: {}\n",
        faults.join("\n"),
        session.folder().join("printed").display()
    );
}

/// The printed text without the times of flights, which are kept as clients send them.
fn without_flights(printed: &str) -> String {
    const BEFORE: [&str; 3] = ["fecha_salida", "fecha_llegada", "BOG-JFK#"];
    BEFORE.iter().fold(printed.to_owned(), |text, before| {
        let mut parts = text.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let rest = part.split_once('Z').filter(|(time, _)| time.len() < 30);
            text + rest.map_or(part, |(_, rest)| rest)
        })
    })
}

#[test]
fn times_of_flights_alone_are_left_out() {
    let printed =
        r#"{"fecha_salida":"2022-11-22T13:10:00Z","fecha_creacion":"2026-01-31T10:00:00Z"}"#;
    let uneven = |text: &str| uneven_times_in(&without_flights(text));
    assert_eq!(uneven(printed), ["2026-01-31T10:00:00"]);
    assert_eq!(
        uneven(&printed.replace("10:00:00Z", "10:00:00.120Z")),
        [""; 0]
    );
}

/// The output of a step's commands. If the last command only reads, it is repeated until the shown output appears,
/// because a person takes longer between two commands than this test does.
fn run<'a>(
    session: &mut Session,
    commands: &[&'a str],
    shown: Option<&str>,
) -> Vec<(&'a str, Printed)> {
    let run = |text: &&'a str| (*text, session.run(text));
    let mut printed: Vec<_> = commands.iter().map(run).collect();
    let start = Instant::now();
    while fault(shown, &printed).is_some() && start.elapsed() < PATIENCE {
        let Some((text, last)) = printed.last_mut().filter(|(text, _)| only_reads(text)) else {
            break;
        };
        std::thread::sleep(PAUSE);
        *last = session.run(text);
    }
    printed
}

/// True if a command changes nothing, so that it may be repeated.
fn only_reads(command: &str) -> bool {
    const READING: [&str; 6] = [
        "curl ",
        "cargo xtask parked",
        "cargo xtask retention",
        "cargo xtask saga",
        "cargo xtask verify",
        "sqs receive-message ",
    ];
    READING.iter().any(|start| command.starts_with(start)) && !command.contains(" -X ")
}

/// The difference between shown and printed output. A command that fails must be shown with its failure.
fn fault(shown: Option<&str>, printed: &[(&str, Printed)]) -> Option<String> {
    let all: String = printed.iter().map(|(_, one)| one.text.as_str()).collect();
    let failed = printed.iter().find(|(_, one)| one.status != 0);
    match (shown, failed) {
        (None, None) => None,
        (Some(shown), _) if expected::is_shown(shown, &all) => None,
        (Some(shown), _) => Some(format!("it shows\n{shown}\nand this is printed:\n{all}")),
        (None, Some((text, one))) => Some(format!("{text}\nends with {}:\n{all}", one.status)),
    }
}
