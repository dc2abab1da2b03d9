//! Checkers of the API's description: redocly and spectral read it, and schemathesis asks a running API by it.
//!
//! Each checker must also find a mistake that is planted in a copy of the description, so a checker that finds nothing
//! is noticed.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Explain, Result, fail};
use crate::npm;
use crate::progress::note;
use crate::runtime_env::Target;
use crate::shell::{command, output};
use crate::workspace::{Workspace, write};

/// The description, and the one of an API without test endpoints.
const DESCRIPTIONS: [&str; 2] = ["infra/openapi.json", "infra/openapi-sin-pruebas.json"];

/// A mistake to plant in a copy of the description.
struct Mistake {
    /// A text that the description has once.
    right: &'static str,
    wrong: &'static str,
    /// A text by which a checker's output names the mistake.
    found: &'static str,
}

/// Two operations have one id.
const SAME_ID: Mistake = Mistake {
    right: "\"operationId\": \"salud\"",
    wrong: "\"operationId\": \"openapi\"",
    found: "operation-operationId-unique",
};

/// The API does not answer so.
const OTHER_ANSWER: Mistake = Mistake {
    right: "\"const\": \"ok\"",
    wrong: "\"const\": \"bien\"",
    found: "Response violates schema",
};

/// Checks the form of the descriptions with redocly.
pub fn redocly(workspace: &Workspace) -> Result<()> {
    lint(workspace, || {
        let config = workspace.path("infra/redocly.yaml");
        let mut lint = command(npm::tool(workspace, "redocly"), &["lint"]);
        lint.args(["--format", "stylish", "--config"]).arg(config);
        // The program asks its makers for newer versions, and tells them about its use.
        lint.env("REDOCLY_TELEMETRY", "off");
        lint.env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        lint
    })
}

/// Checks the form of the descriptions with spectral.
pub fn spectral(workspace: &Workspace) -> Result<()> {
    lint(workspace, || {
        let rules = workspace.path("infra/spectral.yaml");
        let mut lint = command(npm::tool(workspace, "spectral"), &["lint"]);
        lint.args(["--fail-severity", "hint", "--ruleset"])
            .arg(rules);
        lint
    })
}

fn lint(workspace: &Workspace, linter: impl Fn() -> Command) -> Result<()> {
    let descriptions = DESCRIPTIONS.map(|description| workspace.path(description));
    must_pass(linter().args(descriptions))?;
    let planted = plant(workspace, &SAME_ID)?;
    must_find(linter().arg(planted), &SAME_ID)
}

/// The seed of the requests. It is fixed, so that a change fails only by its own fault.
const SEED: &str = "1";

/// The runs of schemathesis: everything as anybody, then as a client, then the faults of participants, which would make
/// the others fail.
const RUNS: [&[&str]; 3] = [
    &["--exclude-operation-id", "fallas"],
    &[
        "--exclude-operation-id",
        "fallas",
        "--phases",
        "examples,fuzzing",
        "--header",
        "X-Cliente: cliente-42",
    ],
    &[
        "--include-operation-id",
        "fallas",
        "--phases",
        "examples,coverage,fuzzing",
    ],
];

/// Sends requests to an API, good and bad ones, and compares the answers with the description that the API serves.
pub fn schemathesis(workspace: &Workspace, target: &Target) -> Result<()> {
    let program = workspace.tool("schemathesis");
    if !program.is_file() {
        note("NOT CHECKED: schemathesis needs Python 3.11 or later");
        return Ok(());
    }
    let api = target.get("ALPES_API_URL")?;
    let run = |description: &OsStr, options: &[&str]| {
        let config = workspace.path("infra/schemathesis.toml");
        let mut run = command(&program, &["--config-file"]);
        run.arg(config).args(["--no-color", "run", "--seed", SEED]);
        run.arg(description).args(["--url", api]).args(options);
        // The program leaves files where it runs.
        run.current_dir(&target.folder);
        run
    };
    let served = format!("{api}/openapi.json");
    for options in RUNS {
        must_pass(&mut run(served.as_ref(), options))?;
    }
    let planted = plant(workspace, &OTHER_ANSWER)?;
    let only = ["--include-operation-id", "salud", "--phases", "fuzzing"];
    must_find(&mut run(planted.as_ref(), &only), &OTHER_ANSWER)
}

/// Writes a copy of the description with a mistake.
fn plant(workspace: &Workspace, mistake: &Mistake) -> Result<PathBuf> {
    let description = workspace.path("infra/openapi.json");
    let text = fs::read_to_string(&description)
        .explain(format!("Cannot read {}", description.display()))?;
    if text.matches(mistake.right).count() != 1 {
        return fail(format!(
            "{} does not have once {}, which a planted mistake replaces.",
            description.display(),
            mistake.right
        ));
    }
    let planted = workspace.local().join("planted/openapi.json");
    write(&planted, text.replace(mistake.right, mistake.wrong))?;
    Ok(planted)
}

fn must_pass(checker: &mut Command) -> Result<()> {
    let (passed, said) = hear(checker)?;
    if passed {
        return Ok(());
    }
    fail(format!("{said}\n{checker:?} found the above."))
}

fn must_find(checker: &mut Command, mistake: &Mistake) -> Result<()> {
    let (passed, said) = hear(checker)?;
    if !passed && said.contains(mistake.found) {
        return Ok(());
    }
    fail(format!(
        "{said}\n{checker:?} did not find the planted mistake {}.",
        mistake.wrong
    ))
}

/// Runs a checker. Returns whether it is content, and all that it printed.
fn hear(checker: &mut Command) -> Result<(bool, String)> {
    let output = output(checker)?;
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    Ok((output.status.success(), said.concat()))
}
