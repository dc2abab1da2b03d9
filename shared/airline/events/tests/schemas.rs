//! Compares the forms of the messages (events, commands and replies) with the published files in `schemas/` and
//! `samples/`.
//!
//! Stored events must stay readable for ever, so the form of an event's data never changes within a version. Three
//! checks enforce this rule. The schema of the newest version, made from the types, equals its file. The schemas and
//! samples of events equal the hashes in `versions.lock`. The golden samples of every version still decode.
//!
//! # Blessing
//!
//! `ALPES_BLESS=1 cargo test -p events` writes missing files: the schemas of new types and versions, and the lines of
//! `versions.lock` for new files. `ALPES_BLESS=1` never changes a file or line that exists, so it cannot bless a
//! change.
//!
//! The schemas of envelopes, commands and replies have no version in their names, and are not locked.
//! `ALPES_BLESS=envelopes` rewrites only these schemas. This rewriting is safe because the samples of events stay
//! locked: if a changed envelope no longer reads or admits an earlier event, a test still fails. A new field of the
//! envelope must therefore be optional, and an event without the field is written without it. Commands and replies are
//! not stored. Only a command or reply in flight during a deployment can meet code with another form.
//!
//! Samples are written by hand. The sample of an event is `Type.vN.json` or `Type.vN.anything.json`, so a version can
//! have several samples. `commands.json` lists the samples of a context's commands.

#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use alpes_messages::{Command, Context, Event, Problem, Reply};
use events::{COMMANDS, CONTEXTS, Payload, vuelos::EstadoReserva};
use jsonschema::Validator;
use schemars::{JsonSchema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

// The forms of the messages.

/// A form without a version in its name: the path of its schema, the schema, and a function that reads and writes data.
struct Unversioned {
    path: String,
    schema: Value,
    round_trip: fn(&Value) -> serde_json::Result<Value>,
}

fn unversioned<T: JsonSchema + Serialize + DeserializeOwned>(path: &str) -> Unversioned {
    Unversioned {
        path: path.to_owned(),
        schema: schema_for!(T).to_value(),
        round_trip: |value| serde_json::to_value(T::deserialize(value)?),
    }
}

/// All forms without a version: the envelopes, and the data of each command.
fn all_unversioned() -> Vec<Unversioned> {
    let envelopes = [
        unversioned::<Event>("event.json"),
        unversioned::<Command>("command.json"),
        unversioned::<Reply>("reply.json"),
        unversioned::<Problem>("problem.json"),
    ];
    let commands = COMMANDS.iter().map(|known| Unversioned {
        path: format!("{}/{}.json", known.context.name, known.name),
        schema: (known.schema)().to_value(),
        round_trip: known.round_trip,
    });
    envelopes.into_iter().chain(commands).collect()
}

/// Every schema that the Rust types of this build give, by its path.
fn generated() -> BTreeMap<String, Value> {
    let events = events::catalogue();
    let events = events.types().map(|known| {
        let path = versioned_path(known.context, known.name, known.newest());
        (path, known.schema().to_value())
    });
    let others = all_unversioned().into_iter();
    events
        .chain(others.map(|form| (form.path, form.schema)))
        .collect()
}

fn versioned_path(context: Context, name: &str, version: u32) -> String {
    format!("{}/{name}.v{version}.json", context.name)
}

/// The version in the name of a file, for example `vuelos/ReservaCreada.v2.json`.
fn version_in(path: &str) -> Option<u32> {
    let (_, name) = path.rsplit_once('/')?;
    name.split('.').nth(1)?.strip_prefix('v')?.parse().ok()
}

// The checks of the forms, as functions of data.

/// Lists the differences between two schemas that change the data that they admit. Descriptions and names of parts may
/// differ, so a better description needs no new version.
fn differences(stored: &Value, made: &Value) -> Vec<String> {
    fn walk(at: &str, stored: &Value, made: &Value, found: &mut Vec<String>) {
        match (stored, made) {
            (Value::Object(stored), Value::Object(made)) => {
                for key in stored.keys().chain(made.keys()).collect::<BTreeSet<_>>() {
                    let at = format!("{at}/{key}");
                    match (stored.get(key), made.get(key)) {
                        (Some(stored), Some(made)) => walk(&at, stored, made, found),
                        (Some(_), None) => found.push(format!("{at} is gone from the code")),
                        (None, _) => found.push(format!("{at} is new in the code")),
                    }
                }
            }
            _ if stored != made => found.push(format!("{at}: {stored} became {made}")),
            _ => {}
        }
    }
    let mut found = vec![];
    walk("", &bare(&whole(stored)), &bare(&whole(made)), &mut found);
    found
}

/// The schema, with each reference to one of its parts replaced by that part.
fn whole(schema: &Value) -> Value {
    fn put_in(schema: &Value, parts: &Value) -> Value {
        match schema {
            Value::Object(keywords) => {
                let part = keywords.get("$ref").and_then(Value::as_str);
                let part = part.and_then(|path| parts.get(path.strip_prefix("#/$defs/")?));
                let of_part = part.map(|part| put_in(part, parts));
                let mut all =
                    of_part.map_or_else(Map::new, |part| part.as_object().unwrap().clone());
                let own = keywords.iter().filter(|(name, _)| *name != "$defs");
                let own = own.filter(|(name, _)| part.is_none() || *name != "$ref");
                all.extend(own.map(|(name, value)| (name.clone(), put_in(value, parts))));
                all.into()
            }
            Value::Array(schemas) => schemas.iter().map(|schema| put_in(schema, parts)).collect(),
            other => other.clone(),
        }
    }
    put_in(schema, &schema["$defs"])
}

/// The schema without its annotations, with the required names sorted.
fn bare(schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => keywords
            .iter()
            .filter(|(keyword, _)| {
                !matches!(
                    keyword.as_str(),
                    "title" | "description" | "examples" | "$comment"
                )
            })
            .map(|(keyword, value)| {
                let value = match (keyword.as_str(), value) {
                    // The keys of these objects are names of fields or parts, which may be spelt like an annotation: a
                    // problem has a property `title`.
                    ("properties" | "patternProperties" | "$defs", Value::Object(named)) => named
                        .iter()
                        .map(|(name, schema)| (name.clone(), bare(schema)))
                        .collect::<Map<_, _>>()
                        .into(),
                    ("required", Value::Array(names)) => {
                        let mut names = names.clone();
                        names.sort_by_key(ToString::to_string);
                        names.into()
                    }
                    ("const" | "enum" | "default", value) => value.clone(),
                    (_, value) => bare(value),
                };
                (keyword.clone(), value)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(schemas) => schemas.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// The advice to a developer who changed the form with this schema.
fn advice(path: &str) -> String {
    let form = path.trim_end_matches(".json");
    match (form.rsplit_once(".v"), version_in(path)) {
        (Some((name, _)), Some(version)) => format!(
            "the schema of {name} changed: leave version {version} as it is, add version {} with an upcaster (see \
             docs/recipes.md), then run with ALPES_BLESS=1",
            version + 1
        ),
        _ => format!(
            "{form} changed: if messages of the old form can still be read, run with ALPES_BLESS=envelopes"
        ),
    }
}

/// The differences between the files (path and hash) and the lock.
fn lock_faults(
    files: &BTreeMap<String, String>,
    lock: &BTreeMap<String, String>,
) -> BTreeMap<String, &'static str> {
    let files_at_fault = files.iter().filter_map(|(path, hash)| {
        let fault = match lock.get(path) {
            None => "is not in versions.lock",
            Some(locked) if locked != hash => "differs from versions.lock",
            Some(_) => return None,
        };
        Some((path.clone(), fault))
    });
    let gone = lock.keys().filter(|path| !files.contains_key(*path));
    files_at_fault
        .chain(gone.map(|path| (path.clone(), "is in versions.lock but gone")))
        .collect()
}

/// The lines of `versions.lock` after blessing.
fn blessed(
    files: &BTreeMap<String, String>,
    lock: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut blessed = lock.clone();
    for (path, hash) in files {
        blessed.entry(path.clone()).or_insert(hash.clone());
    }
    blessed
}

// Reading and blessing the published files.

const LOCK: &str = "versions.lock";

/// The path of `schemas/`, `samples/` or [`LOCK`].
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Every file below a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.replace('\\', "/"), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}

/// The hash of each file that must never change. These files are the schemas and samples of events, which have a
/// version in their names.
fn hashes() -> BTreeMap<String, String> {
    let below = |folder: &'static str| {
        let files = files(&place(folder)).into_iter();
        let versioned = files.filter(|(path, _)| version_in(path).is_some());
        versioned.map(move |(path, bytes)| {
            let hash = alpes_messages::hex(&Sha256::digest(&bytes));
            (format!("{folder}/{path}"), hash)
        })
    };
    below("schemas").chain(below("samples")).collect()
}

/// Reads lines in the format of `sha256sum`.
fn read_lock() -> BTreeMap<String, String> {
    let text = fs::read_to_string(place(LOCK)).unwrap_or_default();
    let line = |line: &str| {
        let (hash, path) = line.split_once("  ").expect("hash, two spaces, path");
        (path.to_owned(), hash.to_owned())
    };
    text.lines().map(line).collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The schemas in the files. If blessing is asked for, it comes before the first read.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    bless_if_asked();
    parse(&files(&place("schemas")))
});

/// The samples in the files, as if each sample of a command were a file of its own. If blessing is asked for, it comes
/// before the first read.
static SAMPLES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    bless_if_asked();
    let mut samples = BTreeMap::new();
    for (path, sample) in parse(&files(&place("samples"))) {
        match (path.strip_suffix("commands.json"), sample) {
            (Some(context), Value::Array(commands)) => {
                for (index, command) in commands.into_iter().enumerate() {
                    let kind = command["type"].as_str().unwrap();
                    samples.insert(format!("{context}{kind}.{index}.json"), command);
                }
            }
            (_, sample) => drop(samples.insert(path, sample)),
        }
    }
    samples
});

fn parse(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Value> {
    let parse = |path: &str, bytes: &[u8]| {
        serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    files
        .iter()
        .map(|(path, bytes)| (path.clone(), parse(path, bytes)))
        .collect()
}

fn bless_if_asked() {
    static ONCE: LazyLock<()> = LazyLock::new(|| {
        let also_unversioned = match std::env::var("ALPES_BLESS").as_deref() {
            Ok("1") => false,
            Ok("envelopes") => true,
            Ok(other) => panic!("ALPES_BLESS is 1 or envelopes, not {other:?}"),
            Err(_) => return,
        };
        let schemas = place("schemas");
        for (path, schema) in generated() {
            let file = schemas.join(&path);
            let stored = fs::read(&file).map(|bytes| serde_json::from_slice::<Value>(&bytes));
            let write = match stored {
                Err(_) => true,
                Ok(_) if version_in(&path).is_some() || !also_unversioned => false,
                Ok(stored) => stored.map_or(true, |stored| stored != schema),
            };
            if write {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, pretty(&schema)).unwrap();
            }
        }
        let lock = blessed(&hashes(), &read_lock());
        let lines = lock.iter().map(|(path, hash)| format!("{hash}  {path}\n"));
        fs::write(place(LOCK), lines.collect::<String>()).unwrap();
    });
    LazyLock::force(&ONCE);
}

// The tests of the published files.

#[test]
fn the_types_have_the_schemas_that_were_agreed_on() {
    let mut faults = vec![];
    for (path, made) in generated() {
        match SCHEMAS.get(&path) {
            None => faults.push(format!("{path} does not exist: run with ALPES_BLESS=1")),
            Some(stored) => {
                let found = differences(stored, &made);
                if !found.is_empty() {
                    faults.push(format!("{}\n  {}", advice(&path), found.join("\n  ")));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn what_was_agreed_on_is_not_rewritten() {
    bless_if_asked();
    let mut faults = vec![];
    for (path, fault) in lock_faults(&hashes(), &read_lock()) {
        let advice = match fault {
            "is not in versions.lock" => "run with ALPES_BLESS=1".to_owned(),
            _ => advice(path.split_once('/').unwrap().1),
        };
        faults.push(format!("{path} {fault}: {advice}"));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_type_and_version_has_a_schema_and_a_sample_and_nothing_else_has() {
    let catalogue = events::catalogue();
    let versions = catalogue.types().flat_map(|known| {
        (1..=known.newest())
            .map(|version| versioned_path(known.context, known.name, version))
            .collect::<Vec<_>>()
    });
    let unversioned = all_unversioned().into_iter().map(|form| form.path);
    let expected: BTreeSet<_> = versions.chain(unversioned).collect();

    let schemas: BTreeSet<_> = SCHEMAS.keys().cloned().collect();
    assert_eq!(schemas, expected, "left: schemas/, right: the catalogue");

    // The sample of an event or a command is also a sample of its envelope.
    let mut sampled: BTreeSet<_> = SAMPLES.keys().map(|path| schema_of(path)).collect();
    sampled.extend(["event.json", "command.json"].map(String::from));
    assert_eq!(sampled, expected, "left: samples/, right: the catalogue");

    let reply = |kind: &str| SAMPLES.values().any(|sample| sample["resultado"] == kind);
    assert!(reply("eventos") && reply("rechazado"));
}

/// The schema of a sample: `vuelos/ReservaCreada.v2.sin-pago.json` belongs to version 2, and `reply.eventos.json` to
/// the reply.
fn schema_of(sample: &str) -> String {
    let (folder, name) = sample
        .rsplit_once('/')
        .map_or(("", sample), |(folder, name)| {
            (&sample[..=folder.len()], name)
        });
    let kept = if version_in(sample).is_some() { 2 } else { 1 };
    let kept: Vec<_> = name.split('.').take(kept).collect();
    format!("{folder}{}.json", kept.join("."))
}

fn assert_valid(schema: &str, value: &Value, sample: &str) {
    let faults: Vec<_> = validator(schema)
        .iter_errors(value)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{sample} is not as {schema} has it: {faults:#?}"
    );
}

fn validator(schema: &str) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&SCHEMAS[schema])
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

#[test]
fn samples_of_events_fit_their_schemas_and_decode() {
    let catalogue = events::catalogue();
    for (path, sample) in SAMPLES.iter() {
        let Some(version) = version_in(path) else {
            continue;
        };
        let schema = schema_of(path);
        assert_valid(&schema, &sample["data"], path);
        // The envelope of the tutorials' own code is older than the schemas, so it has no schema.
        if sample["specversion"] != "v1" {
            assert_valid("event.json", sample, path);
            let named = schema.trim_end_matches(".json").replace(['/', '.'], ":");
            assert_eq!(
                sample["dataschema"],
                format!("urn:aeroalpes:esquema:{named}"),
                "{path}"
            );
        }

        let (event, _) = Event::decode(sample.to_string().as_bytes(), &catalogue)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let written: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
        let mut contexts = CONTEXTS.into_iter();
        let context = contexts
            .find(|context| event.stream.is_of(*context))
            .unwrap();
        let newest = catalogue.find(context.name, &event.kind).unwrap().newest();
        if version == newest {
            assert_eq!(&written, sample, "{path}");
        }
        // The upcast data of an old version is valid data of the newest version.
        let lifted = versioned_path(context, &event.kind, newest);
        assert_valid("event.json", &written, path);
        assert_valid(&lifted, &written["data"], path);
    }
}

#[test]
fn samples_of_commands_and_replies_fit_their_schemas_and_read() {
    let forms = all_unversioned();
    let round_trip = |schema: &str, value: &Value, sample: &str| {
        assert_valid(schema, value, sample);
        let form = forms.iter().find(|form| form.path == schema).unwrap();
        let written = (form.round_trip)(value).unwrap_or_else(|error| panic!("{sample}: {error}"));
        assert_eq!(&written, value, "{sample}");
    };
    for (path, sample) in SAMPLES
        .iter()
        .filter(|(path, _)| version_in(path).is_none())
    {
        let schema = schema_of(path);
        match schema.rsplit_once('/') {
            Some((_, name)) => {
                round_trip("command.json", sample, path);
                round_trip(&schema, &sample["data"], path);
                assert_eq!(sample["type"], name.trim_end_matches(".json"), "{path}");
            }
            None => round_trip(&schema, sample, path),
        }
    }
}

#[test]
fn the_first_version_is_lifted_field_by_field() {
    let sample = &SAMPLES["vuelos/ReservaCreada.v1.json"];
    let (event, payload) =
        Event::decode(sample.to_string().as_bytes(), &events::catalogue()).unwrap();
    let reservation = "7f3b9a52-1c4d-4e8f-a6b0-9d2e5c7f1a34";
    let expected = json!({
        "specversion": "1.0",
        "id": "5f0c1b2e-8d3a-4c6f-9b1e-2a7d4e6f8a90",
        "source": "/aeroalpes/vuelos",
        "type": "ReservaCreada",
        "subject": reservation,
        "time": "2022-11-22T13:10:00.123Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:aeroalpes:esquema:vuelos:ReservaCreada:v3",
        "stream": format!("reserva-{reservation}"),
        "streamversion": 1,
        "correlationid": reservation,
        "causationid": "5f0c1b2e-8d3a-4c6f-9b1e-2a7d4e6f8a90",
        "sagamode": "orquestacion",
        "data": {
            "id_reserva": reservation,
            "id_cliente": null,
            "estado": "Pendiente",
            "fecha_creacion": "2022-11-22T13:10:00.001Z",
            "itinerarios": [],
            "pago": null,
            "pasajeros": [{}],
        },
    });
    let written: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
    assert_eq!(written, expected);

    let Payload::ReservaCreada(created) = payload else {
        panic!("{payload:?}")
    };
    assert_eq!(created.id_reserva.to_string(), reservation);
    assert_eq!(created.id_cliente, None);
    assert_eq!(created.estado, EstadoReserva::Pendiente);
    assert_eq!(
        created.fecha_creacion.to_string(),
        "2022-11-22T13:10:00.001Z"
    );
    assert_eq!(created.itinerarios, []);
    assert_eq!(created.pago, None);

    // The upcaster keeps a client other than "None".
    let mut named = sample.clone();
    named["data"]["id_cliente"] = "cliente-42".into();
    let (_, payload) = Event::decode(named.to_string().as_bytes(), &events::catalogue()).unwrap();
    let Payload::ReservaCreada(created) = payload else {
        panic!("{payload:?}")
    };
    assert_eq!(created.id_cliente.as_deref(), Some("cliente-42"));
}

// Tests that the checks can fail.

#[test]
fn a_changed_schema_is_reported() {
    let path = "vuelos/ReservaCreada.v3.json";
    let made = &generated()[path];
    assert_eq!(differences(made, made), Vec::<String>::new());
    let changed = |change: fn(&mut Value)| {
        let mut changed = made.clone();
        change(&mut changed);
        differences(made, &changed)
    };

    let found = changed(|schema| {
        schema["properties"]["canal"] = json!({ "type": "string" });
        schema["required"]
            .as_array_mut()
            .unwrap()
            .push("canal".into());
    });
    assert!(
        found.contains(&"/properties/canal is new in the code".to_owned()),
        "{found:?}"
    );
    assert!(
        found.iter().any(|fault| fault.starts_with("/required: ")),
        "{found:?}"
    );

    let breaking: [fn(&mut Value); 5] = [
        |schema| schema["properties"]["canal"] = json!({ "type": "string" }),
        |schema| drop(schema["required"].as_array_mut().unwrap().pop()),
        |schema| drop(schema["properties"].as_object_mut().unwrap().remove("pago")),
        |schema| schema["$defs"]["Monto"]["pattern"] = "^[0-9]+$".into(),
        // `title` is the name of a property here, and not an annotation.
        |schema| schema["properties"]["title"] = json!({ "type": "string" }),
    ];
    for change in breaking {
        assert!(!changed(change).is_empty());
    }
    let harmless: [fn(&mut Value); 3] = [
        |schema| schema["description"] = "Said better.".into(),
        |schema| schema["properties"]["estado"]["description"] = "Said better.".into(),
        |schema| schema["required"].as_array_mut().unwrap().reverse(),
    ];
    for change in harmless {
        assert_eq!(changed(change), Vec::<String>::new());
    }

    assert_eq!(
        advice(path),
        "the schema of vuelos/ReservaCreada changed: leave version 3 as it is, add version 4 with an upcaster (see \
         docs/recipes.md), then run with ALPES_BLESS=1"
    );
}

#[test]
fn a_rewritten_file_is_reported_and_never_blessed() {
    let of = |lines: &[(&str, &str)]| -> BTreeMap<String, String> {
        lines
            .iter()
            .map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned()))
            .collect()
    };
    let lock = of(&[("vuelos/A.v1.json", "2"), ("vuelos/B.v1.json", "3")]);
    let files = of(&[("vuelos/A.v1.json", "changed"), ("vuelos/A.v2.json", "4")]);
    assert_eq!(lock_faults(&lock, &lock), BTreeMap::new());
    let faults = BTreeMap::from([
        ("vuelos/A.v1.json".to_owned(), "differs from versions.lock"),
        ("vuelos/A.v2.json".to_owned(), "is not in versions.lock"),
        (
            "vuelos/B.v1.json".to_owned(),
            "is in versions.lock but gone",
        ),
    ]);
    assert_eq!(lock_faults(&files, &lock), faults);

    let after = lock_faults(&files, &blessed(&files, &lock));
    let after: Vec<_> = after.into_keys().collect();
    assert_eq!(after, ["vuelos/A.v1.json", "vuelos/B.v1.json"]);
}
