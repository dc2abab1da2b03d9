//! A local runtime that lives as long as some work on it.

use std::path::Path;

use crate::deploy::Stack;
use crate::failure::{Result, fail};
use crate::local_runtime::{self, Life, Runtime};
use crate::package::{Build, Built};
use crate::runtime_env::{Endpoint, STACK, Target};
use crate::workspace::Workspace;

/// A local runtime to start for some work, and to stop after it.
pub struct OwnRuntime<'a> {
    /// The beginning of the name of the runtime's folder.
    pub name: &'a str,
    pub port: u16,
    pub built: &'a Built,
    /// Another template than the project's own.
    pub template: Option<&'a Path>,
    /// The seed of chaos, if the runtime is to be unkind.
    pub chaos: Option<&'a str>,
    /// Parameters of the template that differ from those of every local runtime, each as `NAME=VALUE`.
    pub parameters: &'a [String],
}

impl<'a> OwnRuntime<'a> {
    /// A kind runtime with the project's template.
    pub const fn new(name: &'a str, port: u16, built: &'a Built) -> Self {
        Self {
            name,
            port,
            built,
            template: None,
            chaos: None,
            parameters: &[],
        }
    }

    /// Starts the runtime, does `work`, and stops the runtime. The runtime never outlives this process. Its folder is
    /// kept only if something fails.
    pub fn run(
        &self,
        workspace: &Workspace,
        work: impl FnOnce(&Runtime<'_>, &Target) -> Result<()>,
    ) -> Result<()> {
        let endpoint = Endpoint::local(self.port);
        let folder = format!("{}-{}", self.name, endpoint.port);
        let folder = workspace.local().join("run").join(folder);
        let runtime = Runtime {
            endpoint: &endpoint,
            folder: &folder,
            built: self.built,
            data: &folder.join("data"),
            template: self.template,
            chaos: self.chaos,
            quotas: None,
            parameters: self.parameters,
        };
        let stack = Stack {
            endpoint: &endpoint,
            folder: &folder,
            name: STACK,
            environment: "local",
            ended_by: "process",
            build: Build::Host,
        };
        let process = runtime.start(workspace, Life::WithUs)?;
        let outputs = runtime.outputs();
        let result = outputs
            .and_then(|outputs| stack.target(&outputs))
            .and_then(|target| work(&runtime, &target));
        local_runtime::stop(&folder)?;
        drop(process);
        match result {
            Ok(()) => Target {
                folder,
                variables: vec![],
            }
            .remove(workspace),
            Err(error) => fail(format!(
                "{error} The runtime's log is kept: {}/log",
                folder.display()
            )),
        }
    }
}
