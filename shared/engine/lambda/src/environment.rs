//! Configuration, from environment variables, and the adapters built from it.
//!
//! | variable | what |
//! | --- | --- |
//! | `ALPES_{TABLE}_TABLE` | the name of a table, `ALPES_STREAMS_TABLE` for the table `streams` |
//! | `ALPES_{FUNCTION}_FUNCTION` | the name of a function, `ALPES_PARTICIPANT_STOCK_FUNCTION` for the function `participant-stock` |
//! | `ALPES_EVENTS_STREAM` | the log |
//! | `ALPES_STACK` | the stack, which begins the names of its functions |
//! | `ALPES_FAILURES_BUCKET`, `ALPES_ARCHIVE_BUCKET` | buckets |
//! | `ALPES_NOTICES_TOPIC` | the topic |
//! | `ALPES_STATE_MACHINE` | the state machine of sagas; not set where none is deployed |
//! | `ALPES_PARTIAL_BATCH` | `true` where the runtime honours a partial batch response |

use std::{collections::BTreeMap, env, io::Write, sync::Arc};

use alpes_aws::{
    DynamoTables, KinesisLog, KinesisReader, LambdaFunctions, S3Objects, SfnExecutions, SnsTopic,
};
use alpes_ports::{
    Executions, Functions, Lines, Log, LogReader, Objects, Platform, Tables, Topic, World,
};
use thiserror::Error;

/// A function that cannot start as it is configured.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StartError {
    /// A variable is not set.
    #[error(
        "the environment variable {0} is not set; infra/template.yaml sets it, and `cargo xtask up` writes it to an env file"
    )]
    Missing(&'static str),
    /// A variable has a value that means nothing.
    #[error("the environment variable {0} is {1:?}; it must be {2}")]
    Invalid(&'static str, String, &'static str),
}

/// What the variables of this engine begin with.
const PREFIX: &str = "ALPES_";
const FAULTS: &str = "ALPES_FAULTS_TABLE";
const EVENTS_STREAM: &str = "ALPES_EVENTS_STREAM";
const STACK: &str = "ALPES_STACK";
const UNDELIVERED: &str = "ALPES_FAILURES_BUCKET";
const ARCHIVE: &str = "ALPES_ARCHIVE_BUCKET";
const TOPIC: &str = "ALPES_NOTICES_TOPIC";
const STATE_MACHINE: &str = "ALPES_STATE_MACHINE";
const PARTIAL_BATCH: &str = "ALPES_PARTIAL_BATCH";

/// The platform that a function's environment names.
pub struct Environment {
    config: aws_config::SdkConfig,
}

impl Environment {
    /// What a function is given: region, credentials and endpoint from variables alone.
    pub(crate) fn of_function() -> Self {
        Self {
            config: alpes_aws::function_config(),
        }
    }

    /// For tools and tests: region, credentials and endpoint from wherever the SDK finds them, profiles included.
    pub async fn load() -> Self {
        Self {
            config: alpes_aws::config().await,
        }
    }

    /// The log with what only Kinesis has: how long it keeps records.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn kinesis(&self) -> Result<Arc<KinesisReader>, StartError> {
        let stream = required(EVENTS_STREAM)?;
        Ok(Arc::new(KinesisReader::new(&self.config, stream)))
    }

    fn bucket(&self, variable: &'static str) -> Result<Arc<dyn Objects>, StartError> {
        Ok(Arc::new(S3Objects::new(&self.config, required(variable)?)))
    }
}

impl Platform for Environment {
    type Error = StartError;

    fn world(&self) -> World {
        alpes_aws::world()
    }

    /// Those that are named in the environment: a function is told of the tables that it may use, and of no others.
    fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(DynamoTables::new(&self.config, named("_TABLE")))
    }

    /// Those that are named in the environment, as with the tables.
    fn functions(&self) -> Arc<dyn Functions> {
        Arc::new(LambdaFunctions::new(&self.config, named("_FUNCTION")))
    }

    fn log(&self) -> Result<Arc<dyn Log>, StartError> {
        let stream = required(EVENTS_STREAM)?;
        Ok(Arc::new(KinesisLog::new(&self.config, stream)))
    }

    fn log_reader(&self) -> Result<Arc<dyn LogReader>, StartError> {
        Ok(self.kinesis()?)
    }

    fn archive(&self) -> Result<Arc<dyn Objects>, StartError> {
        self.bucket(ARCHIVE)
    }

    fn undelivered(&self) -> Result<Arc<dyn Objects>, StartError> {
        self.bucket(UNDELIVERED)
    }

    fn topic(&self) -> Result<Arc<dyn Topic>, StartError> {
        Ok(Arc::new(SnsTopic::new(&self.config, required(TOPIC)?)))
    }

    fn stack(&self) -> Result<String, StartError> {
        required(STACK)
    }

    fn executions(&self) -> Option<Arc<dyn Executions>> {
        let machine = variable(STATE_MACHINE)?;
        Some(Arc::new(SfnExecutions::new(&self.config, machine)))
    }

    fn offers_executions(&self) -> bool {
        variable(STATE_MACHINE).is_some()
    }

    fn partial_batch(&self) -> Result<bool, StartError> {
        let value = required(PARTIAL_BATCH)?;
        value
            .parse()
            .map_err(|_| StartError::Invalid(PARTIAL_BATCH, value, "true or false"))
    }

    fn allows_tests(&self) -> bool {
        variable(FAULTS).is_some()
    }

    fn lines(&self) -> Lines {
        Arc::new(|line| {
            // A log that cannot be written is no reason to fail.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        })
    }
}

/// What variables of this ending name, each by the name in the code that its variable is made of.
fn named(ending: &str) -> BTreeMap<String, String> {
    let set = env::vars().filter(|(_, value)| !value.is_empty());
    set.filter_map(|(variable, value)| {
        let name = variable.strip_prefix(PREFIX)?.strip_suffix(ending)?;
        Some((name.to_ascii_lowercase().replace('_', "-"), value))
    })
    .collect()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &'static str) -> Result<String, StartError> {
    variable(name).ok_or(StartError::Missing(name))
}
