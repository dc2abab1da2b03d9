//! Deployed stacks: the addresses of their parts, and the deployment with `infra/deploy.sh`.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::failure::{Explain, Result, fail};
use crate::package::Build;
use crate::progress::step;
use crate::runtime_env::{Endpoint, Target};
use crate::shell::{command, run};
use crate::workspace::Workspace;

/// A deployed stack, as an env file describes it.
#[derive(Clone, Copy)]
pub struct Stack<'a> {
    pub endpoint: &'a Endpoint,
    pub folder: &'a Path,
    pub name: &'a str,
    /// The name of the runtime in the functions' configuration: `local` or `localstack`.
    pub environment: &'a str,
    /// How `down` stops the runtime: `process`, `docker` or `endpoint`.
    pub ended_by: &'a str,
    pub build: Build,
}

/// A deployment with deploy.sh, to LocalStack.
pub struct Deployment<'a> {
    pub stack: Stack<'a>,
    pub zips: &'a Path,
}

impl Deployment<'_> {
    /// Deploys the stack.
    pub fn deploy(&self, workspace: &Workspace) -> Result<Target> {
        let Stack {
            folder,
            name,
            endpoint,
            build,
            ..
        } = self.stack;
        let outputs = folder.join("outputs");
        step(&format!("deploy stack {name} to {}", endpoint.url), || {
            fs::create_dir_all(folder).explain(format!("Cannot make {}", folder.display()))?;
            let mut script = self.script(workspace);
            script.arg("--artifacts").arg(self.zips);
            script.arg("--outputs").arg(&outputs);
            script.args(["--arch", build.arch().name()]);
            run(script.stdout(Stdio::null()))
        })?;
        let outputs =
            fs::read_to_string(&outputs).explain("Cannot read the deployment's outputs")?;
        self.stack.target(&outputs)
    }

    /// Deletes the stack and its data.
    pub fn teardown(&self, workspace: &Workspace) -> Result<()> {
        step(
            &format!(
                "remove stack {} from {}",
                self.stack.name, self.stack.endpoint.url
            ),
            || {
                run(self
                    .script(workspace)
                    .args(["--teardown", "--delete-data"])
                    .stdout(Stdio::null()))
            },
        )
    }

    fn script(&self, workspace: &Workspace) -> std::process::Command {
        let mut script = command("bash", &[]);
        script.arg(workspace.path("infra/deploy.sh"));
        let url = &self.stack.endpoint.url;
        script.args(["--stack", self.stack.name, "--endpoint", url]);
        script.args(["--environment", self.stack.environment]);
        script.env("AWS_CLI", workspace.tool("aws"));
        script.envs(credentials(url));
        script
    }
}

impl Stack<'_> {
    /// The env file of this stack, from the outputs of its template, one `NAME=VALUE` a line.
    pub fn target(&self, outputs: &str) -> Result<Target> {
        Ok(Target {
            folder: self.folder.to_owned(),
            variables: self.variables(outputs)?,
        })
    }

    fn variables(&self, outputs: &str) -> Result<Vec<(String, String)>> {
        let found = |name: &str| {
            let mut lines = outputs.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        };
        let output = |name: &str| match found(name) {
            Some(value) => Ok(value.to_owned()),
            None => fail(format!(
                "The stack has no output named {name}. Was it deployed by an older template?"
            )),
        };
        // The local runtime serves the first API at its own address. LocalStack serves each API under a path.
        let api = if self.ended_by == "process" {
            self.endpoint.url.clone()
        } else {
            let (id, stage) = (output("ApiId")?, output("ApiStage")?);
            format!("{}/_aws/execute-api/{id}/{stage}", self.endpoint.url)
        };
        let mut variables = credentials(&self.endpoint.url);
        for (name, value) in [
            ("RUST_LOG", "info".to_owned()),
            ("ALPES_ENVIRONMENT", self.environment.to_owned()),
            ("ALPES_EVENTS_STREAM", output("EventsStream")?),
            ("ALPES_STREAMS_TABLE", output("StreamsTable")?),
            ("ALPES_VIEWS_TABLE", output("ViewsTable")?),
            ("ALPES_PARKED_TABLE", output("ParkedTable")?),
            ("ALPES_SAGAS_TABLE", output("SagasTable")?),
            ("ALPES_SEATS_TABLE", output("SeatsTable")?),
            ("ALPES_SECRETS_TABLE", output("SecretsTable")?),
            ("ALPES_LEDGER_TABLE", output("LedgerTable")?),
            ("ALPES_REACTIONS_TABLE", output("ReactionsTable")?),
            ("ALPES_NOTICES_TABLE", output("NoticesTable")?),
            ("ALPES_NOTICES_TOPIC", output("NoticesTopic")?),
            // On emulators, deploy.sh deploys the table with which tests make participants fail.
            ("ALPES_FAULTS_TABLE", output("FaultsTable")?),
            (
                "ALPES_PARTICIPANT_VUELOS_FUNCTION",
                output("ParticipantVuelosFunction")?,
            ),
            (
                "ALPES_PARTICIPANT_PAGOS_FUNCTION",
                output("ParticipantPagosFunction")?,
            ),
            (
                "ALPES_PARTICIPANT_GDS_FUNCTION",
                output("ParticipantGdsFunction")?,
            ),
            (
                "ALPES_ORCHESTRATOR_FUNCTION",
                output("OrchestratorFunction")?,
            ),
            ("ALPES_NOTIFIER_FUNCTION", output("NotifierFunction")?),
            ("ALPES_REBUILDER_FUNCTION", output("RebuilderFunction")?),
            ("ALPES_FAILURES_BUCKET", output("FailuresBucket")?),
            ("ALPES_ARCHIVE_BUCKET", output("ArchiveBucket")?),
            ("ALPES_API_URL", api),
            ("ALPES_ACCESO", output("Access")?),
            ("ALPES_STACK", self.name.to_owned()),
            ("ALPES_RUN", self.folder.display().to_string()),
            ("ALPES_ENDED_BY", self.ended_by.to_owned()),
            ("ALPES_BUILD", build_name(self.build)),
        ] {
            variables.push((name.to_owned(), value));
        }
        // A runtime without Step Functions has no state machine.
        if let Some(machine) = found("StateMachine") {
            variables.push(("ALPES_STATE_MACHINE".into(), machine.to_owned()));
        }
        // With access by tokens, a command can sign tokens of the run's own.
        for (name, output) in [
            ("ALPES_EMISOR", found("TokenIssuer")),
            ("ALPES_AUDIENCIA", found("TokenAudience")),
            ("ALPES_ALCANCE_OPERADOR", found("OperatorScope")),
        ] {
            variables.extend(output.map(|value| (name.to_owned(), value.to_owned())));
        }
        Ok(variables)
    }
}

fn build_name(build: Build) -> String {
    match build {
        Build::Host => "host".into(),
        Build::Lambda(arch) => arch.name().into(),
    }
}

/// The build from which a runtime's functions were deployed.
pub fn build_of(target: &Target) -> Result<Build> {
    let name = target.get("ALPES_BUILD")?;
    Ok(match name {
        "host" => Build::Host,
        arch => Build::Lambda(crate::package::Arch::parse(Some(arch))),
    })
}

/// Emulators accept any credentials. This function sets made-up credentials, so real credentials are never sent to an
/// emulator.
fn credentials(url: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
