//! The rules of ARCHITECTURE.md that a compiler does not check: which crates may depend on which, where time and chance
//! come from, and that names in the documents exist.
//!
//! Each rule is a function of data that returns violations, so the last tests can plant some and check that they are
//! found.

#![cfg(test)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use common::{files, root};
use serde_json::Value;

// The rules, as data.

/// The bounded contexts. None depends on another's crate: they share only events.
const CONTEXTS: [&str; 3] = ["vuelos", "pagos", "gds"];

/// A folder of the workspace, with the folders whose crates it may depend on.
struct Wing {
    folder: &'static str,
    knows: &'static [&'static str],
    /// Further folders whose crates its tests may use.
    tests_know: &'static [&'static str],
}

const ENGINE: &str = "shared/engine/";
const AWS_RULES: &str = "shared/aws-rules/";
const TESTING: &str = "shared/testing/";
const AIRLINE: &str = "shared/airline/";
/// The crates that only tests of the functions may use.
const AIRLINE_TESTING: &str = "shared/airline/http-testing";
const FUNCTIONS: &str = "functions/";
const EXAMPLES: &str = "examples/";
const LOCAL_RUNTIME: &str = "alpes-local";

/// The wings of the workspace, and the allowed directions of dependencies between them. A crate belongs to the first
/// wing whose folder contains it. Folders without a wing, such as `simulate`, may depend on all wings.
const WINGS: [Wing; 8] = [
    Wing {
        folder: ENGINE,
        knows: &[ENGINE],
        tests_know: &[AWS_RULES, TESTING],
    },
    Wing {
        folder: AWS_RULES,
        knows: &[AWS_RULES],
        tests_know: &[],
    },
    Wing {
        folder: TESTING,
        knows: &[ENGINE, AWS_RULES, TESTING],
        tests_know: &[],
    },
    Wing {
        folder: AIRLINE_TESTING,
        knows: &[ENGINE, AWS_RULES, TESTING, AIRLINE],
        tests_know: &[],
    },
    Wing {
        folder: AIRLINE,
        knows: &[ENGINE, AIRLINE],
        tests_know: &[AWS_RULES, TESTING],
    },
    Wing {
        folder: FUNCTIONS,
        knows: &[ENGINE, AIRLINE],
        tests_know: &[TESTING],
    },
    Wing {
        folder: EXAMPLES,
        knows: &[ENGINE],
        tests_know: &[AWS_RULES, TESTING, LOCAL_RUNTIME],
    },
    Wing {
        folder: LOCAL_RUNTIME,
        knows: &[AWS_RULES],
        tests_know: &[],
    },
];

/// The only crates of `shared/` that may know AWS, Lambda or tokio.
const AT_THE_EDGE: [&str; 5] = ["alpes-aws", "alpes-lambda", "api", "http-testing", "wiring"];

/// The package with the table of commands. Only the programs that run commands depend on it.
const COMMANDS: &str = "command-line";

/// The programs that run commands, with the files that print.
const PROGRAMS: [&str; 4] = [
    "bench/src/main.rs",
    "xtask/src/main.rs",
    "xtask/ops/src/main.rs",
    "simulate/src/main.rs",
];

/// Dependencies that only the crates in [`AT_THE_EDGE`] may have.
const EDGE_DEPENDENCIES: [&str; 6] = [
    "aws-*",
    "aws_*",
    "lambda_*",
    "alpes-aws",
    "alpes-lambda",
    "tokio*",
];

/// A library without I/O, of which AWS is only the maker.
const CRYPTOGRAPHY: &str = "aws-lc-rs";

/// Names that code must not use directly, each with the port to use instead. A path is found by its last two parts, so
/// a `use` of the type does not hide it.
const AMBIENT: [(&str, &str); 11] = [
    ("SystemTime::now", "Clock"),
    ("Timestamp::now", "Clock"),
    ("Zoned::now", "Clock"),
    ("Instant::now", "Clock"),
    ("Uuid::new_v4", "Ids"),
    ("Uuid::now_v7", "Ids"),
    ("rand::", "Randomness"),
    ("thread::sleep", "Tasks"),
    ("tokio::time", "Tasks"),
    ("tokio::spawn", "Tasks"),
    ("thread::spawn", "Tasks"),
];

/// Exceptions: a file or folder, and the name; `""` stands for every name.
const AMBIENT_ALLOWED: [(&str, &str); 2] = [
    // The adapters implement time, ids, chance and tasks.
    ("shared/engine/aws/", ""),
    // This file measures the duration of an answer for its log line.
    ("shared/airline/api/src/lib.rs", "Instant::now"),
];

/// Names that turn a time into text without `alpes_messages::moment`, which gives every time 3 decimals.
const TIMES_AS_TEXT: [&str; 4] = ["strftime", "to_rfc3339", "Rfc3339", "DateTimePrinter"];

/// The files that may contain the names in `TIMES_AS_TEXT`.
const TIMES_ALLOWED: [&str; 3] = [
    "shared/engine/messages/src/moment.rs",
    // This crate formats times as AWS does, with 3 decimals too. It depends on nothing of the workspace.
    "shared/aws-rules/source-mapping/",
    "shared/testing/simulation/src/stream.rs",
];

/// Fields with dates from clients. They are stored in UTC, with the decimals that the client sent.
const DATES_OF_CLIENTS: [&str; 2] = ["fecha_salida", "fecha_llegada"];

/// The folders that serve any domain and must not name the airline, with the endings of their files.
const OF_NO_DOMAIN: [(&str, &str); 8] = [
    (ENGINE, ".rs"),
    (AWS_RULES, ""),
    ("alpes-local/", ""),
    ("shared/testing/domain-kit/", ".rs"),
    ("shared/testing/toy/", ".rs"),
    ("shared/testing/twins/", ".rs"),
    ("shared/testing/simulation/", ".rs"),
    ("shared/testing/saga-kit/", ".rs"),
];

/// The crate that builds the parts of all functions. Each function's `App` is in the function's own crate.
const WIRING: &str = "shared/airline/wiring/";

/// Code that must get the airline's parts from the wiring.
const WIRED: [&str; 5] = [
    "functions",
    "shared/airline",
    "simulate/src",
    "tests/src",
    "xtask/ops/src",
];

/// The constructors of the airline's parts, which only the wiring and tests may call.
const PARTS: [&str; 10] = [
    "Announcer::new(",
    "Coordinator::new(",
    "EventStore::new(",
    "Generations::new(",
    "Projector::new(",
    "Reactions::new(",
    "Rebuilder {",
    "RemoteConsumer::of(",
    "Sagas::new(",
    "StreamReader::new(",
];

/// The template, the only place that sets up event source mappings.
const TEMPLATE: &str = "infra/template.yaml";

/// The settings of event source mappings, in the names of the template and of `shared/aws-rules`.
const SETTINGS: [&str; 12] = [
    "BatchSize",
    "BisectBatchOnFunctionError",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "batch_size =",
    "batching_window =",
    "bisect_batch_on_function_error =",
    "maximum_record_age =",
    "maximum_retry_attempts =",
    "parallelization_factor =",
];

/// The published messages of the airline: a folder for each context, and a file for each version of a message.
const CATALOGUE: &str = "shared/airline/events/schemas/";

/// Words of the airline that are not in its catalogue.
const AIRLINE_WORDS: [&str; 11] = [
    "reserva",
    "reservas",
    "reservation",
    "reservations",
    "vuelo",
    "vuelos",
    "aeroalpes",
    "asiento",
    "asientos",
    "itinerario",
    "itinerarios",
];

/// Fields of the airline's messages that are also words of the engine.
const FIELDS_OF_BOTH: [&str; 2] = ["legs", "saga"];

// The workspace, as data.

/// A package, from `cargo metadata`.
struct Package {
    name: String,
    /// The package's folder relative to the root, such as `shared/airline/events`.
    folder: String,
    /// The package's dependencies outside of tests.
    dependencies: BTreeSet<String>,
    /// The package's additional dependencies in tests.
    dev_dependencies: BTreeSet<String>,
    /// The text of its Cargo.toml.
    manifest: String,
}

impl Package {
    fn is_shared(&self) -> bool {
        self.folder.starts_with("shared/")
    }

    fn is_function(&self) -> bool {
        self.folder.starts_with("functions/")
    }

    fn all_dependencies(&self) -> impl Iterator<Item = &String> {
        self.dependencies.iter().chain(&self.dev_dependencies)
    }
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = metadata.get("packages").and_then(Value::as_array);
    found.unwrap().iter().map(package).collect()
}

fn package(package: &Value) -> Package {
    let text = |name: &str| package.get(name).and_then(Value::as_str).unwrap();
    let manifest = Path::new(text("manifest_path"));
    let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap();
    let dependencies = |dev: bool| {
        let all = package.get("dependencies").and_then(Value::as_array);
        let wanted = all.unwrap().iter().filter(|dependency| {
            (dependency.get("kind").and_then(Value::as_str) == Some("dev")) == dev
        });
        wanted
            .filter_map(|dependency| dependency.get("name")?.as_str().map(str::to_owned))
            .collect()
    };
    Package {
        name: text("name").to_owned(),
        folder: folder.to_str().unwrap().replace('\\', "/"),
        dependencies: dependencies(false),
        dev_dependencies: dependencies(true),
        manifest: fs::read_to_string(manifest).unwrap(),
    }
}

// The rules, as functions of data.

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Dependencies that cross a border of the wings, each as package and dependency.
fn crossings(packages: &[Package]) -> BTreeSet<(&str, &str)> {
    let of_workspace = by_name(packages);
    let mut found = BTreeSet::new();
    for package in packages {
        let others = package.all_dependencies();
        for other in others.filter_map(|name| of_workspace.get(name.as_str())) {
            if crosses(package, other) {
                found.insert((package.name.as_str(), other.name.as_str()));
            }
        }
    }
    found
}

fn by_name(packages: &[Package]) -> BTreeMap<&str, &Package> {
    let named = packages.iter();
    named
        .map(|package| (package.name.as_str(), package))
        .collect()
}

/// True if `package` depends on `other` and may not, or may only in tests.
fn crosses(package: &Package, other: &Package) -> bool {
    let Some(wing) = WINGS
        .iter()
        .find(|wing| package.folder.starts_with(wing.folder))
    else {
        return false;
    };
    let is_among = |folders: &[&str]| folders.iter().any(|it| other.folder.starts_with(it));
    let of_tests_alone = !package.dependencies.contains(&other.name);
    let is_for_tests = other.folder.starts_with(AIRLINE_TESTING);
    is_for_tests && !of_tests_alone
        || !(is_among(wing.knows) || of_tests_alone && is_among(wing.tests_know))
}

/// Dependencies in a forbidden direction.
fn wrong_dependencies(packages: &[Package]) -> Vec<String> {
    let of_workspace = by_name(packages);
    let mut found = vec![];
    for package in packages {
        let mut fault = |name: &str, why: &str| {
            found.push(format!("{} depends on {name}: {why}", package.folder));
        };
        for name in package.all_dependencies() {
            let context = CONTEXTS.contains(&package.name.as_str());
            if context && CONTEXTS.contains(&name.as_str()) && *name != package.name {
                fault(name, "contexts meet in events alone");
            }
            if package.is_shared()
                && !AT_THE_EDGE.contains(&package.name.as_str())
                && EDGE_DEPENDENCIES
                    .iter()
                    .any(|pattern| matches(pattern, name))
                && name != CRYPTOGRAPHY
            {
                fault(name, "only what is at the edge knows AWS, Lambda and tokio");
            }
        }
        // Functions reach AWS through ports. `alpes-lambda` gives them the adapters.
        if package.is_function() {
            for name in &package.dependencies {
                if name == "alpes-aws" || name.starts_with("aws-") {
                    fault(name, "a function gets its adapters from alpes-lambda");
                }
            }
        }
        if package.name == COMMANDS {
            for name in package.all_dependencies() {
                fault(name, "help is compiled in a second");
            }
        }
        if package.name == "xtask" {
            let dependencies = package.dependencies.iter();
            for name in dependencies
                .filter(|name| *name != COMMANDS)
                .filter(|name| {
                    of_workspace.contains_key(name.as_str())
                        || EDGE_DEPENDENCIES
                            .iter()
                            .any(|pattern| matches(pattern, name))
                })
            {
                fault(name, "xtask hands on to ops, and stays quick to compile");
            }
        }
    }
    found
}

/// Packages that do not use the workspace's lints.
fn without_lints(packages: &[Package]) -> Vec<String> {
    let inherits = |manifest: &str| {
        let mut lines = manifest
            .lines()
            .map(str::trim)
            .skip_while(|line| *line != "[lints]");
        lines.next();
        lines
            .take_while(|line| !line.starts_with('['))
            .any(|line| line == "workspace = true")
    };
    let without = packages
        .iter()
        .filter(|package| !inherits(&package.manifest));
    without.map(|package| package.folder.clone()).collect()
}

/// The lines of a source with their numbers, without comments and without the module of unit tests.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = source.find("#[cfg(test)]\nmod tests {");
    let code = source.get(..tests.unwrap_or(source.len()));
    let lines = (1..).zip(code.unwrap_or_default().lines());
    lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

/// Places that use time, ids, chance or tasks without a port.
fn ambient(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = vec![];
    for (path, source) in sources {
        for (number, line) in code(source) {
            for (word, port) in AMBIENT {
                let allowed = AMBIENT_ALLOWED.iter().any(|(place, what)| {
                    path.starts_with(place) && (what.is_empty() || what == &word)
                });
                if has_word(line, word) && !allowed {
                    found.push(format!("{path}:{number} {word}: use the port {port}"));
                }
            }
        }
    }
    found
}

/// Places in `sources` that use one of `names`. `belongs` says where the names may be used.
fn misplaced(sources: &BTreeMap<String, String>, names: &[&str], belongs: &str) -> Vec<String> {
    let mut found = vec![];
    for (path, source) in sources {
        for (number, line) in code(source) {
            for name in names.iter().filter(|name| line.contains(**name)) {
                found.push(format!("{path}:{number} {name} belongs into {belongs}"));
            }
        }
    }
    found
}

/// The sources that must get the airline's parts from the wiring. Tests are left out, because they may build parts that
/// are broken on purpose.
fn wired() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for folder in WIRED {
        sources.extend(files(folder, ".rs"));
    }
    sources.retain(|path, _| path.contains("/src/") && !path.starts_with(WIRING));
    sources
}

/// The sources that run, deploy or simulate functions, and so could set up an event source mapping. The simulation's
/// probe is left out: its random mappings invoke no function of the system.
fn set_up() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for folder in ["functions", "simulate", "tests", "xtask/src", "xtask/ops"] {
        sources.extend(files(folder, ".rs"));
    }
    for ending in [".json", ".sh", ".yaml"] {
        sources.extend(files("infra", ending));
    }
    sources.retain(|path, _| path != TEMPLATE && !path.starts_with("simulate/src/probe"));
    sources
}

/// Places that turn a time into text without `alpes_messages::moment`.
fn other_times(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = vec![];
    for (path, source) in sources {
        let is_allowed = TIMES_ALLOWED.iter().any(|place| path.starts_with(place));
        let (mut derives, mut is_written, mut before) = (false, false, "");
        for (number, line) in code(source) {
            for word in TIMES_AS_TEXT {
                if has_word(line, word) && !is_allowed {
                    found.push(format!(
                        "{path}:{number} {word}: use alpes_messages::moment::Moment"
                    ));
                }
            }
            derives |= line.trim_start().starts_with("#[derive(");
            let mut words = line.split(|letter: char| !letter.is_alphanumeric());
            is_written |= derives && words.any(|word| word == "Serialize");
            derives &= !line.contains(")]");
            let field = line.trim().trim_start_matches("pub ");
            let (name, kind) = field.split_once(": ").unwrap_or_default();
            let kind = kind.trim_end_matches(',');
            let is_time = ["Timestamp", "Option<Timestamp>"].contains(&kind);
            let is_clients = DATES_OF_CLIENTS.contains(&name);
            if is_written
                && is_time
                && !is_clients
                && !before.contains("\"alpes_messages::moment::text\"")
            {
                found.push(format!(
                    "{path}:{number} {name} is written as jiff does: use alpes_messages::moment::Moment"
                ));
            }
            is_written &= line != "}" && (line.starts_with(' ') || !line.ends_with(';'));
            before = line;
        }
    }
    found
}

/// True if the line has `word`, and not only as the end of a longer name: `rand::` is not in `operand::`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// The airline's vocabulary.
struct Airline {
    /// Words, contexts and message types, each split into its parts.
    names: BTreeSet<Vec<String>>,
    /// Fields of messages, which are compared with whole identifiers.
    fields: BTreeSet<String>,
}

impl Airline {
    /// Builds the vocabulary from the schemas of messages, by their paths below [`CATALOGUE`].
    fn of(schemas: &BTreeMap<String, String>) -> Self {
        let mut names: BTreeSet<_> = AIRLINE_WORDS.map(parts).into();
        let mut fields = BTreeSet::new();
        for (path, schema) in schemas {
            let inner = path.strip_prefix(CATALOGUE).unwrap_or(path);
            // The envelopes' schemas are next to the folders of contexts, and belong to the engine.
            let Some((context, file)) = inner.split_once('/') else {
                continue;
            };
            let message = file.split('.').next().unwrap_or_default();
            names.extend([parts(context), parts(message)]);
            fields_of(&serde_json::from_str(schema).unwrap(), &mut fields);
        }
        fields.retain(|field| !FIELDS_OF_BOTH.contains(&field.as_str()));
        Self { names, fields }
    }

    /// The first airline word in an identifier.
    fn word_in(&self, identifier: &str, is_engine: bool) -> Option<String> {
        let own = parts(identifier);
        let named = |name: &&Vec<String>| own.windows(name.len()).any(|some| some == &name[..]);
        if let Some(name) = self.names.iter().find(named) {
            return Some(name.concat());
        }
        let field = identifier.trim_matches('_');
        (is_engine && self.fields.contains(field)).then(|| field.to_owned())
    }

    /// Places in these sources that use the vocabulary: in code, comments and strings.
    fn words_in(&self, sources: &BTreeMap<String, String>) -> Vec<String> {
        let mut found = vec![];
        for (path, source) in sources {
            for (number, line) in (1..).zip(source.lines()) {
                let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                let words = words.filter_map(|word| self.word_in(word, path.starts_with(ENGINE)));
                found.extend(words.map(|word| {
                    format!("{path}:{number} {word}: what is of no domain names nothing of one")
                }));
            }
        }
        found
    }
}

/// The words of an identifier in lower case. `ReservaGDSConfirmada` and `reserva_gds_confirmada` give the same three
/// words.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let letters: Vec<char> = identifier.chars().collect();
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(place + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase())
                || after.is_some_and(|after| after.is_lowercase()));
        if begins || !letter.is_alphabetic() {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| letter.is_alphabetic()) {
            part.extend(letter.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The names of all fields in a schema, at any depth.
fn fields_of(schema: &Value, fields: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (name, inner) in object {
                if let Some(properties) = inner.as_object().filter(|_| name == "properties") {
                    fields.extend(properties.keys().cloned());
                }
                fields_of(inner, fields);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| fields_of(inner, fields)),
        _ => {}
    }
}

/// Log lines that name a subject without its correlation, so that `logs --correlation` would miss them.
fn without_correlation(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = vec![];
    for (path, source) in sources {
        let code: Vec<_> = code(source).collect();
        let begins = |line: &str| {
            ["info!(", "warn!(", "error!(", "debug!("]
                .iter()
                .any(|macro_name| has_word(line, macro_name))
        };
        for (place, (number, line)) in code.iter().enumerate() {
            if !begins(line) {
                continue;
            }
            let rest = code.iter().skip(place).map(|(_, line)| *line);
            let mut told = String::new();
            for line in rest {
                told += line;
                if line.trim_end().ends_with(");") {
                    break;
                }
            }
            if has_word(&told, "subject") && !has_word(&told, "correlation") {
                found.push(format!(
                    "{path}:{number} names a subject without its correlation"
                ));
            }
        }
    }
    found
}

/// Libraries that do not deny missing documentation.
fn undocumented(libraries: &BTreeMap<String, String>) -> Vec<String> {
    let without = libraries.iter().filter(|(_, source)| {
        !source
            .lines()
            .any(|line| line.trim() == "#![deny(missing_docs)]")
    });
    without.map(|(path, _)| path.clone()).collect()
}

/// The commands in a text: the words after `cargo xtask`.
fn commands(text: &str) -> BTreeSet<String> {
    let word = |part: &str| -> String {
        part.chars()
            .take_while(|letter| letter.is_ascii_lowercase() || *letter == '-')
            .collect()
    };
    let named = text.split("cargo xtask ").skip(1).map(word);
    // An option such as in `cargo xtask --port 1` is not a command.
    let is_name = |name: &String| name.starts_with(|letter: char| letter.is_ascii_lowercase());
    named.filter(is_name).collect()
}

fn known_commands() -> BTreeSet<String> {
    let names = command_line::COMMANDS.iter();
    names.map(|command| command.name.to_owned()).collect()
}

/// Programs that use std's `println!`, which panics when the reader has closed the pipe.
fn loud(programs: &BTreeMap<String, String>) -> Vec<String> {
    let quiet = "#[macro_use]\nextern crate command_line;\n";
    let loud = programs.iter().filter(|(_, main)| !main.contains(quiet));
    loud.map(|(path, _)| format!("{path} prints by std's macros"))
        .collect()
}

/// Paths in backticks that begin with a folder of the project, such as `shared/airline/events/src/lib.rs`. Paths with a
/// variable part, such as `functions/FUNCTION/events`, are left out.
fn named_paths(markdown: &str) -> BTreeSet<String> {
    const FOLDERS: [&str; 6] = [
        "functions/",
        "shared/",
        "infra/",
        "docs/",
        "xtask/",
        "tests/",
    ];
    let spoken = markdown.split('`').skip(1).step_by(2);
    spoken
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
                && !word.split('/').any(|part| {
                    part.len() > 1
                        && part
                            .bytes()
                            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
                })
        })
        .map(|word| word.trim_end_matches('/').to_owned())
        .collect()
}

/// Names of tests in backticks: lower case, with three underscores or more.
fn named_tests(markdown: &str) -> BTreeSet<String> {
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let spoken = markdown.split('`').skip(1).step_by(2);
    spoken.filter(is_test).map(str::to_owned).collect()
}

fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

// The project keeps the rules.

#[test]
fn dependencies_point_inwards() {
    none(&wrong_dependencies(&packages()));
}

#[test]
fn wings_know_one_another_as_they_may() {
    assert_eq!(crossings(&packages()), BTreeSet::new());
}

#[test]
fn every_package_has_the_lints_of_the_workspace() {
    none(&without_lints(&packages()));
}

#[test]
fn times_become_texts_in_one_way() {
    let mut sources = BTreeMap::new();
    let folders = [
        "shared",
        "functions",
        "examples",
        "simulate",
        "xtask",
        "bench",
        "tests",
    ];
    for folder in folders {
        sources.extend(files(folder, ".rs"));
    }
    // This test's own file contains the names.
    sources.remove("xtask/tests/architecture.rs");
    none(&other_times(&sources));
}

#[test]
fn time_identity_chance_and_tasks_come_through_ports() {
    let mut sources = files("shared", ".rs");
    sources.extend(files("examples", ".rs"));
    sources.retain(|path, _| path.contains("/src/"));
    assert!(sources.len() > 30, "the sources were not found");
    none(&ambient(&sources));
}

#[test]
fn what_is_of_no_domain_names_nothing_of_the_airline() {
    let airline = Airline::of(&files(CATALOGUE, ".json"));
    let mut sources = BTreeMap::new();
    for (folder, ending) in OF_NO_DOMAIN {
        let found = files(folder, ending);
        assert!(found.len() > 5, "the sources of {folder} were not found");
        sources.extend(found);
    }
    none(&airline.words_in(&sources));
}

#[test]
fn each_function_is_put_together_in_one_place() {
    none(&misplaced(&wired(), &PARTS, WIRING));
}

#[test]
fn a_second_wiring_is_found() {
    let mut sources = wired();
    assert!(sources.len() > 50, "the sources were not found");
    let line = "    let sagas = Sagas::new(tables.clone(), definitions(), world.clone());\n";
    let main = sources.get_mut("functions/timers/src/main.rs").unwrap();
    main.push_str(line);
    let found = misplaced(&sources, &PARTS, WIRING);
    let place = "functions/timers/src/main.rs:";
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with(place)),
        "{found:?}"
    );
}

#[test]
fn mappings_are_set_up_in_the_template_alone() {
    none(&misplaced(&set_up(), &SETTINGS, TEMPLATE));
}

#[test]
fn a_mapping_that_is_set_up_elsewhere_is_found() {
    let mut sources = set_up();
    for (place, line) in [
        (
            "simulate/src/system.rs",
            "        settings.batch_size = 500;\n",
        ),
        (
            "infra/deploy.sh",
            "aws lambda update-event-source-mapping MaximumRetryAttempts=3\n",
        ),
    ] {
        let source = sources.get_mut(place).unwrap();
        source.push_str(line);
        let found = misplaced(&sources, &SETTINGS, TEMPLATE);
        assert!(
            matches!(found.as_slice(), [one] if one.starts_with(place)),
            "{found:?}"
        );
        let source = sources.get_mut(place).unwrap();
        source.truncate(source.len() - line.len());
    }
}

#[test]
fn log_lines_about_a_subject_carry_its_correlation() {
    for folder in ["shared", "functions"] {
        none(&without_correlation(&files(folder, ".rs")));
    }
}

#[test]
fn a_log_line_without_its_correlation_is_found() {
    let sources = [
        ("a.rs", "tracing::warn!(subject = %a, \"x\");"),
        (
            "b.rs",
            "tracing::info!(\n    %subject,\n    %correlation,\n    \"x\"\n);",
        ),
        (
            "c.rs",
            "    info!(\n    %subject,\n    \"x\"\n);\nlet correlation = 1;",
        ),
        ("d.rs", "let subject = 1;\nerror!(\"x\");"),
    ];
    let sources = sources.map(|(path, source)| (path.to_owned(), source.to_owned()));
    assert_eq!(
        without_correlation(&BTreeMap::from(sources)),
        [
            "a.rs:1 names a subject without its correlation",
            "c.rs:1 names a subject without its correlation"
        ]
    );
}

#[test]
fn what_shared_crates_make_public_is_documented() {
    let mut libraries = files("shared", "lib.rs");
    libraries.retain(|path, _| path.ends_with("/src/lib.rs"));
    assert!(libraries.len() > 5, "the libraries were not found");
    none(&undocumented(&libraries));
}

#[test]
fn what_the_documents_name_exists() {
    let exists = |path: &str| root().join(path).exists();
    let mut violations = vec![];
    for (path, text) in files("", ".md") {
        let paths = named_paths(&text)
            .into_iter()
            .filter(|named| !exists(named));
        violations.extend(paths.map(|named| format!("{path} names {named}, which is not there")));
    }
    none(&violations);
}

#[test]
fn the_tests_that_the_documents_name_exist() {
    let sources: String = files("", ".rs").into_values().collect();
    let mut violations = vec![];
    for (path, text) in files("", ".md") {
        let gone = named_tests(&text)
            .into_iter()
            .filter(|name| !sources.contains(&format!("fn {name}(")));
        violations.extend(gone.map(|name| format!("{path} names the test {name}")));
    }
    none(&violations);
}

#[test]
fn the_commands_that_the_documents_name_exist() {
    let known = known_commands();
    let mut violations = vec![];
    for (path, text) in files("", ".md") {
        let unknown = commands(&text)
            .into_iter()
            .filter(|name| !known.contains(name));
        violations.extend(unknown.map(|name| format!("{path} names cargo xtask {name}")));
    }
    none(&violations);
}

#[test]
fn what_commands_print_may_stay_unread() {
    let main = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let programs = PROGRAMS.map(|path| (path.to_owned(), main(path)));
    none(&loud(&programs.into()));
}

// The rules find planted violations.

#[test]
fn a_program_that_prints_by_the_macros_of_std_is_found() {
    let program = BTreeMap::from([("a/src/main.rs".to_owned(), "fn main() {}".to_owned())]);
    assert_eq!(loud(&program), ["a/src/main.rs prints by std's macros"]);
}

fn planted(folder: &str, dependencies: &[&str]) -> Package {
    Package {
        name: folder.rsplit('/').next().unwrap().to_owned(),
        folder: folder.to_owned(),
        dependencies: dependencies.iter().map(ToString::to_string).collect(),
        dev_dependencies: BTreeSet::new(),
        manifest: "[package]\n\n[lints]\nworkspace = true\n".to_owned(),
    }
}

#[test]
fn a_dependency_that_points_the_wrong_way_is_found() {
    let good = || {
        vec![
            planted("shared/airline/events", &["serde"]),
            planted("shared/airline/vuelos", &["events"]),
            planted("shared/airline/pagos", &["events"]),
            planted("shared/engine/alpes-aws", &["aws-sdk-kinesis", "tokio"]),
            planted(
                "shared/engine/alpes-lambda",
                &["alpes-aws", "lambda_runtime"],
            ),
            planted("functions/timers", &["events", "alpes-lambda", "tokio"]),
            planted(
                "functions/projector",
                &["alpes-lambda", "aws_lambda_events"],
            ),
            planted("xtask/command-line", &[]),
            planted("xtask", &["command-line", "serde_json"]),
            planted("xtask/ops", &["alpes-lambda", "tokio"]),
        ]
    };
    none(&wrong_dependencies(&good()));
    for (package, dependency) in [
        ("shared/airline/events", "aws-sdk-kinesis"),
        ("shared/airline/events", "alpes-aws"),
        ("shared/airline/events", "aws_lambda_events"),
        ("shared/airline/events", "tokio"),
        ("shared/airline/events", "lambda_runtime"),
        ("shared/airline/events", "alpes-lambda"),
        ("shared/airline/vuelos", "pagos"),
        ("shared/airline/pagos", "vuelos"),
        ("functions/timers", "alpes-aws"),
        ("functions/timers", "aws-sdk-dynamodb"),
        ("xtask", "events"),
        ("xtask/command-line", "serde_json"),
        ("xtask", "aws-config"),
    ] {
        let mut packages = good();
        let broken = packages.iter_mut().find(|one| one.folder == package);
        broken.unwrap().dependencies.insert(dependency.to_owned());
        let found = wrong_dependencies(&packages);
        assert!(
            found
                .iter()
                .any(|fault| fault.starts_with(&format!("{package} depends on {dependency}:"))),
            "{package} -> {dependency}: {found:?}"
        );
    }
    // The tests of a context do not depend on another context either.
    let mut packages = good();
    let context = packages.iter_mut().find(|one| one.name == "pagos").unwrap();
    context.dev_dependencies.insert("vuelos".to_owned());
    assert_eq!(wrong_dependencies(&packages).len(), 1);
}

#[test]
fn a_border_that_is_crossed_is_found() {
    let good = || {
        vec![
            planted("shared/engine/ports", &["serde"]),
            planted("shared/aws-rules/quotas", &["serde"]),
            planted("shared/testing/twins", &["ports", "quotas"]),
            planted("shared/airline/vuelos", &["ports"]),
            planted("shared/airline/http-testing", &["twins", "vuelos"]),
            planted("functions/timers", &["ports", "vuelos"]),
            planted("functions/projector", &[]),
            planted("examples/shop", &["ports"]),
            planted("examples/library", &[]),
            planted(
                "simulate",
                &["ports", "quotas", "timers", "twins", "vuelos"],
            ),
            planted("xtask", &[]),
        ]
    };
    let crossed = |package: &str, dependency: &str, of_tests: bool| {
        let mut packages = good();
        let found = packages.iter_mut().find(|one| one.name == package).unwrap();
        let place = if of_tests {
            &mut found.dev_dependencies
        } else {
            &mut found.dependencies
        };
        place.insert(dependency.to_owned());
        crossings(&packages).contains(&(package, dependency))
    };
    assert!(crossings(&good()).is_empty());
    for (package, dependency) in [
        ("ports", "vuelos"),
        ("ports", "timers"),
        ("quotas", "ports"),
        ("quotas", "twins"),
        ("twins", "vuelos"),
        ("vuelos", "timers"),
        ("vuelos", "xtask"),
        ("timers", "projector"),
        ("timers", "quotas"),
        ("shop", "vuelos"),
        ("shop", "timers"),
        ("shop", "library"),
        ("ports", "shop"),
        ("vuelos", "shop"),
    ] {
        assert!(
            crossed(package, dependency, false),
            "{package} -> {dependency}"
        );
        assert!(
            crossed(package, dependency, true),
            "{package} -> {dependency}"
        );
    }
    for (package, dependency) in [
        ("ports", "twins"),
        ("vuelos", "twins"),
        ("timers", "twins"),
        ("shop", "twins"),
        ("shop", "quotas"),
        ("vuelos", "http-testing"),
        ("timers", "http-testing"),
    ] {
        assert!(
            crossed(package, dependency, false),
            "{package} -> {dependency}"
        );
        assert!(
            !crossed(package, dependency, true),
            "{package} -> {dependency}"
        );
    }
}

#[test]
fn a_word_of_the_airline_is_found_wherever_it_is_said() {
    let schemas = files(CATALOGUE, ".json");
    let airline = Airline::of(&schemas);
    let at = |folder: &str, line: &str| {
        let source = (format!("{folder}src/lib.rs"), format!("\n{line}"));
        airline.words_in(&BTreeMap::from([source]))
    };
    for (line, word) in [
        // The word is in code, as a part of an identifier in either case style.
        ("struct Reserva;", "reserva"),
        ("use events::IdReserva;", "reserva"),
        ("let id_reserva = 1;", "reserva"),
        ("fn of_reservation() {}", "reservation"),
        ("const VUELOS2: u8 = 1;", "vuelos"),
        // The word is in a comment, in any case, in a string or in a stored name.
        ("/// Reservations side by side.", "reservations"),
        ("//! A seat: `asiento`.", "asiento"),
        ("let urn = \"urn:aeroalpes:esquema\";", "aeroalpes"),
        ("Key::new(TABLE, \"itinerario#1\", \"row\")", "itinerario"),
        // The word is the name of a context.
        ("call(\"participant-pagos\")", "pagos"),
        ("fn is_gds() {}", "gds"),
        // The word is a message type in either case style, also within a longer name.
        ("\"PagoFallido\" => {}", "pagofallido"),
        ("fn pago_fallido() {}", "pagofallido"),
        ("struct OldRevertirConfirmacion;", "revertirconfirmacion"),
        // The word is a field of messages.
        (
            "set(Path::of(\"fecha_actualizacion\"), 1)",
            "fecha_actualizacion",
        ),
        ("let Self { monto, .. } = self;", "monto"),
    ] {
        let told =
            format!("{ENGINE}src/lib.rs:2 {word}: what is of no domain names nothing of one");
        assert_eq!(at(ENGINE, line), [told], "{line}");
    }
    // In a Spanish test domain, a field may be an ordinary word.
    assert_eq!(at("shared/testing/saga-kit/", "let monto = 1;"), [""; 0]);
    assert_eq!(at("shared/testing/saga-kit/", "let vuelo = 1;").len(), 1);
    for fine in [
        "/// An event of a client that is in flight, reserved or booked; reserves and a reservoir.",
        "let saga = legs(reserve, gdsx, vuelosity);",
        "fn pago() -> Confirmacion {}",
    ] {
        assert_eq!(at("shared/aws-rules/", fine), [""; 0], "{fine}");
    }
    // Each context and each message of the catalogue is part of the vocabulary.
    assert!(schemas.len() > 15, "the catalogue was not found");
    for path in schemas
        .keys()
        .filter_map(|path| path.strip_prefix(CATALOGUE))
    {
        for name in path
            .split_once('/')
            .into_iter()
            .flat_map(|(one, other)| [one, other])
        {
            let name = name.split('.').next().unwrap();
            assert_eq!(at(ENGINE, &format!("\"{name}\"")).len(), 1, "{name}");
        }
    }
}

#[test]
fn a_package_without_lints_is_found() {
    let mut package = planted("shared/airline/events", &[]);
    none(&without_lints(std::slice::from_ref(&package)));
    for manifest in [
        "[package]\n",
        "[lints]\n[x]\nworkspace = true\n",
        "[lints.rust]\nunsafe_code = \"deny\"\n",
    ] {
        package.manifest = manifest.to_owned();
        assert_eq!(
            without_lints(std::slice::from_ref(&package)),
            ["shared/airline/events"],
            "{manifest}"
        );
    }
}

#[test]
fn what_goes_around_a_port_is_found() {
    let at =
        |path: &str, line: &str| ambient(&BTreeMap::from([(path.to_owned(), line.to_owned())]));
    for (word, _) in AMBIENT {
        let line = format!("    let _ = {word}();");
        assert_eq!(
            at("shared/airline/events/src/lib.rs", &line).len(),
            1,
            "{word}"
        );
        assert_eq!(
            at("shared/engine/aws/src/system.rs", &line),
            [""; 0],
            "{word}"
        );
    }
    assert_eq!(
        at(
            "shared/airline/events/src/lib.rs",
            "\nlet now = jiff::Timestamp::now();"
        ),
        ["shared/airline/events/src/lib.rs:2 Timestamp::now: use the port Clock"]
    );
    assert_eq!(
        at("shared/airline/api/src/lib.rs", "Instant::now()"),
        [""; 0]
    );
    assert_eq!(
        at("shared/airline/api/src/lib.rs", "Timestamp::now()").len(),
        1
    );
    for fine in [
        "// Timestamp::now()",
        "operand::value()",
        "#[cfg(test)]\nmod tests {\nTimestamp::now()",
        "self.clock.now()",
    ] {
        assert_eq!(
            at("shared/airline/events/src/lib.rs", fine),
            [""; 0],
            "{fine}"
        );
    }
}

#[test]
fn what_writes_times_in_its_own_way_is_found() {
    let at = |path: &str, text: &str| {
        other_times(&BTreeMap::from([(path.to_owned(), text.to_owned())])).len()
    };
    assert_eq!(at("a/src/lib.rs", "time.strftime(\"%Y\")"), 1);
    assert_eq!(
        at(
            "shared/engine/messages/src/moment.rs",
            "time.strftime(\"%Y\")"
        ),
        0
    );
    for (derived, field, places) in [
        ("Debug, Serialize", "pub cuando: Timestamp,", 1),
        ("Debug, Serialize", "cuando: Option<Timestamp>,", 1),
        ("Debug, Deserialize", "cuando: Timestamp,", 0),
        ("Debug, Serialize", "pub fecha_salida: Timestamp,", 0),
        (
            "Debug, Serialize",
            "#[serde(with = \"alpes_messages::moment::text\")]\n    cuando: Timestamp,",
            0,
        ),
    ] {
        let text = format!("#[derive({derived})]\npub struct A {{\n    {field}\n}}\n");
        assert_eq!(at("a/src/lib.rs", &text), places, "{text}");
        let text = format!("#[derive(\n    {derived},\n)]\npub struct A {{\n    {field}\n}}\n");
        assert_eq!(at("a/src/lib.rs", &text), places, "{text}");
    }
    let outside =
        "#[derive(Serialize)]\nstruct A;\n\n#[derive(Debug)]\nstruct C {\n    due: Timestamp,\n}";
    assert_eq!(at("a/src/lib.rs", outside), 0);
}

#[test]
fn a_library_that_does_not_ask_for_documentation_is_found() {
    let library = |text: &str| {
        undocumented(&BTreeMap::from([(
            "a/src/lib.rs".to_owned(),
            text.to_owned(),
        )]))
    };
    assert_eq!(library("//! A.\n\n#![deny(missing_docs)]\n"), [""; 0]);
    assert_eq!(library("//! #![deny(missing_docs)]\n"), ["a/src/lib.rs"]);
}

#[test]
fn what_a_document_names_and_is_not_there_is_found() {
    let text = "`shared/airline/events/src/lib.rs`, `functions/FUNCTION/events`, `infra/deploy.sh --help`, `docs/`";
    assert_eq!(
        named_paths(text).into_iter().collect::<Vec<_>>(),
        ["docs", "shared/airline/events/src/lib.rs"]
    );
    let text = "`a_gap_is_healed` and `id_reserva`, `ALPES_A_B_C` and a_b_c_d";
    assert_eq!(
        named_tests(text).into_iter().collect::<Vec<_>>(),
        ["a_gap_is_healed"]
    );
}

#[test]
fn a_command_that_is_not_there_is_found() {
    let known = known_commands();
    let named =
        commands("Run `cargo xtask up --port 1`, then cargo xtask rebiuld, or cargo xtask tail.");
    let unknown: Vec<_> = named.difference(&known).collect();
    assert_eq!(unknown, ["rebiuld"]);
}
