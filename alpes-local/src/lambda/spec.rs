//! The definition of a function: its code, its settings, and AWS's limits on them.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    limits::{self, between},
    reference::{LATEST, PUBLISHED},
};
use crate::error::AwsError;

/// A function to be created or updated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// The name: 1 to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The code.
    pub code: Code,
    /// The handler, which a custom runtime reads from `_HANDLER`.
    pub handler: String,
    /// The runtime: `provided`, `provided.al2` or `provided.al2023`.
    pub runtime: String,
    /// The memory in MB: 128 to 10,240. It is reported, and not enforced.
    pub memory_mb: u32,
    /// The time-out in seconds: 1 to 900.
    pub timeout: u32,
    /// The function's own variables.
    pub environment: BTreeMap<String, String>,
    /// The ARN of the function's role. It is reported, and not enforced.
    pub role_arn: String,
    /// The log group; `/aws/lambda/NAME` if there is none.
    pub log_group: Option<String>,
    /// The reserved concurrency; 0 lets no invocation through.
    pub reserved_concurrency: Option<u32>,
    /// The processor. Code for another processor than this machine's fails when it starts.
    pub architecture: Architecture,
    /// The size of `/tmp` in MB: 512 to 10,240. It is reported, and not enforced.
    pub ephemeral_mb: u32,
    /// The settings of asynchronous invocations.
    pub asynchronous: Asynchronous,
    /// The aliases by name, each with its version: `1` or `$LATEST`. Both versions run the same code, since only the
    /// newest code is kept.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
}

/// The code of a function: files, among them the program `bootstrap`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Code {
    /// A folder. Its files are copied, so that the function does not change when the folder does.
    Folder(PathBuf),
    /// A zip file.
    Zip(PathBuf),
    /// The bytes of a zip file.
    ZipBytes(Vec<u8>),
}

/// A processor, by AWS's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// `x86_64`.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// `arm64`.
    #[serde(rename = "arm64")]
    Arm64,
}

/// The settings of asynchronous invocations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asynchronous {
    /// The most retries after a failed invocation: 0 to 2.
    pub max_retries: u32,
    /// The longest age of an event in seconds: 60 to 21,600.
    pub max_age_seconds: u32,
    /// The ARN of the destination of successful invocations.
    pub on_success: Option<String>,
    /// The ARN of the destination of discarded events.
    pub on_failure: Option<String>,
    /// The ARN of the dead-letter queue, or topic, which gets discarded events as they came.
    #[serde(default)]
    pub dead_letter: Option<String>,
}

impl Default for Asynchronous {
    /// AWS's defaults: 2 retries, 6 hours, no destinations, no dead-letter queue.
    fn default() -> Self {
        Self {
            max_retries: 2,
            max_age_seconds: 21_600,
            on_success: None,
            on_failure: None,
            dead_letter: None,
        }
    }
}

impl FunctionSpec {
    /// A function with AWS's defaults: 128 MB, 3 seconds, `provided.al2023`.
    #[must_use]
    pub fn new(name: impl Into<String>, code: Code) -> Self {
        Self {
            name: name.into(),
            code,
            handler: "bootstrap".to_owned(),
            runtime: "provided.al2023".to_owned(),
            memory_mb: 128,
            timeout: 3,
            environment: BTreeMap::new(),
            role_arn: "arn:aws:iam::000000000000:role/lambda".to_owned(),
            log_group: None,
            reserved_concurrency: None,
            architecture: Architecture::default(),
            ephemeral_mb: 512,
            asynchronous: Asynchronous::default(),
            aliases: BTreeMap::new(),
        }
    }

    /// The log group.
    #[must_use]
    pub fn log_group(&self) -> String {
        let own = self.log_group.clone();
        own.unwrap_or_else(|| format!("/aws/lambda/{}", self.name))
    }

    /// The version to which a qualifier leads; `None` if there is no such version or alias.
    pub(super) fn version<'a>(&'a self, qualifier: Option<&'a str>) -> Option<&'a str> {
        match qualifier {
            None => Some(LATEST),
            Some(version @ (LATEST | PUBLISHED)) => Some(version),
            Some(alias) => self.aliases.get(alias).map(String::as_str),
        }
    }

    /// Whether a sandbox of `other` can run invocations of this function, apart from the code.
    pub(super) fn runs_like(&self, other: &Self) -> bool {
        let settings = |spec: &Self| Self {
            code: Code::Folder(PathBuf::new()),
            reserved_concurrency: None,
            asynchronous: Asynchronous::default(),
            aliases: BTreeMap::new(),
            ..spec.clone()
        };
        settings(self) == settings(other)
    }

    /// Checks AWS's limits, and those of this runtime.
    pub(super) fn check(&self) -> Result<(), AwsError> {
        limits::check_name(&self.name)?;
        limits::check_runtime(&self.runtime)?;
        between("timeout", self.timeout, 1, 900)?;
        between("memorySize", self.memory_mb, 128, 10_240)?;
        between("ephemeralStorage.size", self.ephemeral_mb, 512, 10_240)?;
        limits::check_handler(&self.handler)?;
        limits::check_role(&self.role_arn)?;
        limits::check_environment(&self.environment)?;
        for (alias, version) in &self.aliases {
            limits::check_alias(alias, version)?;
        }
        self.asynchronous.check()
    }
}

impl Asynchronous {
    /// AWS's defaults, but for the dead-letter queue: it is a setting of the function and no part of what
    /// `PutFunctionEventInvokeConfig` replaces.
    pub(super) fn reset(&self) -> Self {
        Self {
            dead_letter: self.dead_letter.clone(),
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), AwsError> {
        between("maximumRetryAttempts", self.max_retries, 0, 2)?;
        between("maximumEventAgeInSeconds", self.max_age_seconds, 60, 21_600)?;
        let destinations = [&self.on_success, &self.on_failure];
        for arn in destinations.into_iter().flatten() {
            limits::check_destination(arn)?;
        }
        self.dead_letter
            .as_deref()
            .map_or(Ok(()), limits::check_dead_letter)
    }
}
