//! The commands for one function: `deploy`, `invoke` and `tick`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use command_line::Words;
use serde_json::Value;

use crate::deploy::build_of;
use crate::failure::{Explain, Result, fail, wrong};
use crate::package::{package, replace_code};
use crate::progress::step;
use crate::runtime_env::Target;
use crate::shell::{capture, command};
use crate::workspace::{Workspace, children};

/// The project's AWS CLI, with the address and credentials of a runtime.
fn aws(workspace: &Workspace, target: &Target, arguments: &[&str]) -> Command {
    let mut aws = command(workspace.tool("aws"), arguments);
    aws.envs(target.variables.iter().cloned())
        .env("AWS_PAGER", "");
    aws
}

/// The name of a function on a runtime.
fn deployed_name(target: &Target, function: &str) -> Result<String> {
    Ok(format!("{}-{function}", target.get("ALPES_STACK")?))
}

/// Builds one function, and replaces its deployed code.
pub fn deploy(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let function = words.required("FUNCTION").to_owned();
    let zips = package(
        workspace,
        build_of(&target)?,
        std::slice::from_ref(&function),
    )?;
    step(&format!("deploy {function}"), || {
        let name = deployed_name(&target, &function)?;
        replace_code(
            workspace,
            &name,
            &zips.join(format!("{function}.zip")),
            &target.variables,
        )
        .explain(format!("At {}", target.get("AWS_ENDPOINT_URL")?))?;
        // The last full deployment no longer describes the running functions.
        let record = target.folder.join("deployed");
        if record.is_file() {
            fs::remove_file(&record).explain(format!("Cannot delete {}", record.display()))?;
        }
        Ok(())
    })
}

/// Invokes a function with one of its sample events, and prints the answer.
pub fn invoke(workspace: &Workspace, words: &Words) -> Result<()> {
    let function = words.required("FUNCTION");
    let event = event_file(workspace, function, words.argument("EVENT"))?;
    let target = Target::select(workspace, words)?;
    call(workspace, &target, function, &event)
}

/// Invokes the timers now.
pub fn tick(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let tasks = [
        r#"{"task":"sweep","age_seconds":0}"#,
        r#"{"task":"parked"}"#,
        r#"{"task":"wake"}"#,
        r#"{"task":"reactions"}"#,
        r#"{"task":"rebuilds"}"#,
    ];
    for task in tasks {
        let event = target.folder.join("tick.json");
        crate::workspace::write(&event, task)?;
        call(workspace, &target, "timers", &event)?;
    }
    Ok(())
}

fn call(
    workspace: &Workspace,
    target: &Target,
    function: &str,
    event: &std::path::Path,
) -> Result<()> {
    let answer = target.folder.join("answer.json");
    let mut invoke = aws(workspace, target, &["lambda", "invoke", "--function-name"]);
    invoke.arg(deployed_name(target, function)?);
    invoke
        .arg("--payload")
        .arg(format!("fileb://{}", event.display()))
        .arg(&answer);
    let asked = target.get("AWS_ENDPOINT_URL")?;
    let outcome = capture(&mut invoke).explain(format!("At {asked}"))?;
    let text = fs::read_to_string(&answer).explain("Cannot read the function's answer")?;
    println!("{}", pretty(&text));
    let outcome: Value = serde_json::from_str(&outcome).unwrap_or_default();
    match outcome.get("FunctionError") {
        None => Ok(()),
        Some(kind) => fail(format!(
            "{function} failed ({kind}); its answer is above. See also: cargo xtask logs"
        )),
    }
}

/// Formats JSON on several lines; leaves other text as it is.
pub fn pretty(text: &str) -> String {
    serde_json::from_str::<Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.trim_end().to_owned())
}

/// The sample events of a function, sorted.
pub fn samples(workspace: &Workspace, function: &str) -> Result<Vec<PathBuf>> {
    let mut samples = children(&workspace.path("functions").join(function).join("events"))?;
    samples.retain(|path| path.extension().is_some_and(|end| end == "json"));
    Ok(samples)
}

/// The path of an event file, from a path or from the name of a sample, with or without `.json`. The name may be
/// omitted only if the function has one sample: among several samples, a default could pick one that cancels a
/// reservation.
fn event_file(workspace: &Workspace, function: &str, wanted: Option<&str>) -> Result<PathBuf> {
    let samples = samples(workspace, function)?;
    let known: Vec<_> = samples
        .iter()
        .filter_map(|path| path.file_stem()?.to_str())
        .collect();
    let Some(wanted) = wanted else {
        return match samples.as_slice() {
            [only] => Ok(only.clone()),
            [] => fail(format!(
                "functions/{function}/events has no sample. Give a file: cargo xtask invoke {function} FILE"
            )),
            _ => wrong(format!(
                "Which event? {function} has several samples: {}.",
                known.join(", ")
            )),
        };
    };
    let named = samples.iter().find(|path| {
        let names = [path.file_name(), path.file_stem()];
        names.into_iter().flatten().any(|name| name == wanted)
    });
    match named {
        Some(sample) => Ok(sample.clone()),
        None if PathBuf::from(wanted).is_file() => {
            fs::canonicalize(wanted).explain(format!("Cannot find {wanted}"))
        }
        None => wrong(format!(
            "'{wanted}' is neither a file nor a sample of {function}: {}.",
            known.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_json_is_shown_as_it_is() {
        assert_eq!(pretty("hola\n"), "hola");
        assert_eq!(pretty("{\"a\":1}"), "{\n  \"a\": 1\n}");
    }
}
