//! One function at a time: `deploy`, `invoke`, `tick`, `logs`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use command_line::Words;
use serde_json::Value;

use crate::deploy::build_of;
use crate::failure::{Explain, Result, fail, wrong};
use crate::package::{package, replace_code};
use crate::progress::{note, step};
use crate::runtime_env::Target;
use crate::shell::{capture, command};
use crate::workspace::{Workspace, children};

/// The AWS CLI of the project, aimed at a runtime.
fn aws(workspace: &Workspace, target: &Target, arguments: &[&str]) -> Command {
    let mut aws = command(workspace.tool("aws"), arguments);
    aws.envs(target.variables.iter().cloned())
        .env("AWS_PAGER", "");
    aws
}

/// The name that a function has on a runtime.
fn deployed_name(target: &Target, function: &str) -> Result<String> {
    Ok(format!("{}-{function}", target.get("AEROALPES_STACK")?))
}

/// Builds one function and puts it in place of the one that runs.
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
        // What was deployed whole is no longer what runs.
        let record = target.folder.join("deployed");
        if record.is_file() {
            fs::remove_file(&record).explain(format!("Cannot delete {}", record.display()))?;
        }
        Ok(())
    })
}

/// Invokes one function with one of its sample events, and prints what it answers.
pub fn invoke(workspace: &Workspace, words: &Words) -> Result<()> {
    let function = words.required("FUNCTION");
    let event = event_file(workspace, function, words.argument("EVENT"))?;
    let target = Target::select(workspace, words)?;
    call(workspace, &target, function, &event)
}

/// Runs the timers now.
pub fn tick(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let tasks = [
        r#"{"tarea":"barrido","antiguedad_segundos":0}"#,
        r#"{"tarea":"estacionados"}"#,
        r#"{"tarea":"despertar"}"#,
        r#"{"tarea":"reacciones"}"#,
        r#"{"tarea":"reconstruir"}"#,
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

/// JSON on several lines; anything else as it is.
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

/// A path, or the name of a sample with or without `.json`. It may be left out where there is one sample: of several, the first would be
/// any of them, one that takes something back perhaps.
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

/// Prints what functions logged, oldest first: all of it, one function's, or what names a correlation id.
pub fn logs(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let about = words.value("--correlacion");
    let functions = match words.argument("FUNCTION") {
        Some(name) => vec![name.to_owned()],
        None => workspace.functions()?,
    };
    let mut calls = Vec::new();
    for function in functions {
        let group = format!("/aws/lambda/{}", deployed_name(&target, &function)?);
        let mut filter = aws(
            workspace,
            &target,
            &["logs", "filter-log-events", "--output", "json"],
        );
        filter
            .args(["--log-group-name", &group])
            .stdin(Stdio::null());
        let child = filter.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        calls.push((function, child.explain("Cannot start the AWS CLI")?));
    }
    let mut lines = Vec::new();
    for (function, child) in calls {
        let output = child
            .wait_with_output()
            .explain("The AWS CLI ended oddly")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("ResourceNotFound") {
                continue; // it has not run yet
            }
            return fail(format!(
                "The logs of {function} at {} cannot be read: {}",
                target.get("AWS_ENDPOINT_URL")?,
                said.trim()
            ));
        }
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        lines.extend(log_lines(&function, &answer, about));
    }
    if lines.is_empty() {
        note(&format!(
            "no function has logged anything of the kind yet at {}",
            target.get("AWS_ENDPOINT_URL")?
        ));
    }
    lines.sort_by_key(|(time, _)| *time); // stable: lines of one moment stay in order
    for (_, line) in lines {
        println!("{line}");
    }
    Ok(())
}

/// The lines that a function itself wrote, with their time in milliseconds.
fn log_lines(function: &str, answer: &Value, about: Option<&str>) -> Vec<(i64, String)> {
    let events = answer.get("events").and_then(Value::as_array);
    events
        .into_iter()
        .flatten()
        .filter_map(|event| {
            let message = event.get("message")?.as_str()?.trim_end();
            let platform = [
                "START RequestId",
                "END RequestId",
                "REPORT RequestId",
                "INIT_START",
            ];
            let wanted = about.is_none_or(|id| message.contains(id));
            if !wanted
                || message.is_empty()
                || platform.iter().any(|start| message.starts_with(start))
            {
                return None;
            }
            Some((
                event.get("timestamp")?.as_i64()?,
                format!("{function:<14} {message}"),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_keep_what_the_function_wrote_about_one_correlation() {
        let answer = serde_json::json!({ "events": [
            { "timestamp": 1, "message": "START RequestId: a Version: 1" },
            { "timestamp": 2, "message": "{\"correlacion\":\"c-1\"}\n" },
            { "timestamp": 3, "message": "{\"correlacion\":\"c-2\"}" },
        ]});
        let lines = log_lines("timers", &answer, Some("c-1"));
        assert_eq!(
            lines,
            [(2, "timers         {\"correlacion\":\"c-1\"}".to_owned())]
        );
        assert_eq!(log_lines("timers", &answer, None).len(), 2);
    }

    #[test]
    fn what_is_not_json_is_shown_as_it_is() {
        assert_eq!(pretty("hola\n"), "hola");
        assert_eq!(pretty("{\"a\":1}"), "{\n  \"a\": 1\n}");
    }
}
