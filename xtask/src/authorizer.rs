//! The authorizer on a runtime whose API runs no authorizers: it is invoked there with the events that a gateway sends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::access;
use crate::failure::{Explain, Result, fail};
use crate::package::{OPS, program};
use crate::runtime_env::Target;
use crate::shell::{capture, command};
use crate::workspace::{Workspace, write};

/// The function, which is made for this check alone.
const FUNCTION: &str = "aeroalpes-test-authorizer";
/// The scope of operators' tokens.
const SCOPE: &str = "aeroalpes/operador";
/// An event that a gateway sent, with a token that nobody signed.
const RECORDED: &str = "functions/authorizer/events/token_malo.json";

/// Makes the function, invokes it with good tokens and a bad one, and deletes it.
pub fn invoked(workspace: &Workspace, target: &Target, zips: &Path) -> Result<()> {
    let check = Check {
        workspace,
        target,
        settings: settings(workspace, target)?,
    };
    check.make(&zips.join("authorizer.zip"))?;
    let seen = check.all();
    let deleted = capture(&mut check.aws("delete-function")).map(drop);
    seen.and(deleted)
}

/// The function's environment variables. The keys are those of the run in the target's folder.
fn settings(workspace: &Workspace, target: &Target) -> Result<Vec<(String, String)>> {
    let mut settings = vec![
        ("ALPES_STACK".to_owned(), "aeroalpes-test".to_owned()),
        ("ALPES_ALCANCE_OPERADOR".to_owned(), SCOPE.to_owned()),
    ];
    for parameter in access::parameters(workspace, "jwt", &target.folder)? {
        if let Some((name, value)) = parameter.split_once('=') {
            let name = format!("ALPES_{}", name.to_uppercase());
            settings.push((name, value.to_owned()));
        }
    }
    Ok(settings)
}

fn says(answer: &Value, pointer: &str, text: &str) -> bool {
    answer.pointer(pointer).and_then(Value::as_str) == Some(text)
}

struct Check<'a> {
    workspace: &'a Workspace,
    target: &'a Target,
    settings: Vec<(String, String)>,
}

impl Check<'_> {
    fn aws(&self, action: &str) -> Command {
        let mut aws = command(self.workspace.tool("aws"), &["lambda", action]);
        aws.args(["--function-name", FUNCTION]);
        aws.envs(self.target.variables.iter().cloned());
        aws
    }

    fn file(&self, name: &str) -> PathBuf {
        self.target.folder.join(name)
    }

    fn make(&self, zip: &Path) -> Result<()> {
        let variables: serde_json::Map<_, _> = (self.settings.iter())
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let environment = self.file("authorizer-environment.json");
        write(&environment, json!({ "Variables": variables }).to_string())?;
        let mut make = self.aws("create-function");
        make.args(["--runtime", "provided.al2023", "--handler", "bootstrap"]);
        make.args(["--timeout", "10"]);
        make.args(["--role", "arn:aws:iam::000000000000:role/authorizer"]);
        make.arg("--zip-file")
            .arg(format!("fileb://{}", zip.display()));
        make.arg("--environment")
            .arg(format!("file://{}", environment.display()));
        capture(&mut make)?;
        let mut wait = command(
            self.workspace.tool("aws"),
            &["lambda", "wait", "function-active-v2"],
        );
        wait.args(["--function-name", FUNCTION]);
        capture(wait.envs(self.target.variables.iter().cloned())).map(drop)
    }

    fn all(&self) -> Result<()> {
        let recorded = self.workspace.path(RECORDED);
        let text =
            fs::read_to_string(&recorded).explain(format!("Cannot read {}", recorded.display()))?;
        let recorded: Value = serde_json::from_str(&text).explain(RECORDED.to_owned())?;
        let refused = self.invoke(&recorded)?;
        if !says(&refused, "/errorMessage", "Unauthorized") {
            return fail(format!("A token that nobody signed was answered {refused}"));
        }
        for (option, name, rol) in [
            ("--cliente", "ana", "cliente"),
            ("--operador", "marta", "operador"),
        ] {
            let mut event = recorded.clone();
            let token = format!("Bearer {}", self.token(option, name)?);
            if let Value::Object(fields) = &mut event {
                fields.insert("authorizationToken".to_owned(), token.into());
            }
            let answer = self.invoke(&event)?;
            if !says(&answer, "/principalId", name) || !says(&answer, "/context/rol", rol) {
                return fail(format!(
                    "A token for the {rol} {name} was answered {answer}"
                ));
            }
        }
        Ok(())
    }

    fn token(&self, option: &str, name: &str) -> Result<String> {
        let mut ops = command(program(self.workspace, OPS, &[])?, &["token", option, name]);
        ops.env("ALPES_RUN", &self.target.folder);
        let token = capture(ops.envs(self.settings.iter().cloned()))?;
        Ok(token.trim().to_owned())
    }

    fn invoke(&self, event: &Value) -> Result<Value> {
        let (payload, answer) = (self.file("event.json"), self.file("answer.json"));
        write(&payload, event.to_string())?;
        let mut invoke = self.aws("invoke");
        invoke.arg("--payload");
        invoke.arg(format!("fileb://{}", payload.display()));
        capture(invoke.arg(&answer))?;
        let text =
            fs::read_to_string(&answer).explain(format!("Cannot read {}", answer.display()))?;
        serde_json::from_str(&text).explain(format!("The answer {text} is no JSON"))
    }
}
