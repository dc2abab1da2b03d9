//! The commands for one function: `deploy`, `invoke` and `tick`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use command_line::Words;
use serde_json::Value;

use crate::deploy::build_of;
use crate::failure::{Explain, Result, fail, wrong};
use crate::http::request_within;
use crate::local_runtime::deploy_changes;
use crate::package::{for_local_runtime, package, replace_code};
use crate::progress::step;
use crate::runtime_env::Target;
use crate::workspace::{Workspace, children};

/// The longest time that a function may run.
const LONGEST: Duration = Duration::from_mins(15);

/// The name of a function on a runtime.
fn deployed_name(target: &Target, function: &str) -> Result<String> {
    Ok(format!("{}-{function}", target.get("ALPES_STACK")?))
}

/// Builds one function, and replaces its deployed code.
pub fn deploy(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let function = words.required("FUNCTION").to_owned();
    let functions = std::slice::from_ref(&function);
    let label = format!("deploy {function}");
    if target.get("ALPES_ENDED_BY")? == "process" {
        for_local_runtime(workspace, functions)?;
        return step(&label, || deploy_changes(&target.endpoint()?));
    }
    let zips = package(workspace, build_of(&target)?, functions)?;
    step(&label, || {
        let name = deployed_name(&target, &function)?;
        let zip = zips.join(format!("{function}.zip"));
        replace_code(workspace, &name, &zip, &target.variables)
            .explain(format!("At {}", target.get("AWS_ENDPOINT_URL")?))
    })
}

/// Invokes a function with one of its sample events, and prints the answer.
pub fn invoke(workspace: &Workspace, words: &Words) -> Result<()> {
    let function = words.required("FUNCTION");
    let event = event_file(workspace, function, words.argument("EVENT"))?;
    let target = Target::select(workspace, words)?;
    let event = fs::read_to_string(&event).explain(format!("Cannot read {}", event.display()))?;
    call(&target, function, &event)
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
        call(&target, "timers", task)?;
    }
    Ok(())
}

fn call(target: &Target, function: &str, event: &str) -> Result<()> {
    let endpoint = target.get("AWS_ENDPOINT_URL")?;
    let name = deployed_name(target, function)?;
    let url = format!("{endpoint}/2015-03-31/functions/{name}/invocations");
    let answer =
        request_within(LONGEST, "POST", &url, Some(event)).explain(format!("At {endpoint}"))?;
    if answer.status != 200 {
        return fail(format!(
            "At {endpoint}: {name} was not invoked ({}): {}",
            answer.status,
            answer.body.trim()
        ));
    }
    println!("{}", pretty(&answer.body));
    match answer.header("x-amz-function-error") {
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
