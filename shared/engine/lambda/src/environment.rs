//! The configuration of a function from environment variables, and the adapters built from it.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `ALPES_{TABLE}_TABLE` | the name of a table, `ALPES_STREAMS_TABLE` for the table `streams` |
//! | `ALPES_{FUNCTION}_FUNCTION` | the name of a function, `ALPES_PARTICIPANT_STOCK_FUNCTION` for the function `participant-stock` |
//! | `ALPES_EVENTS_STREAM` | the name of the Kinesis stream that is the log |
//! | `ALPES_STACK` | the name of the stack, with which the names of its functions begin |
//! | `ALPES_FAILURES_BUCKET`, `ALPES_ARCHIVE_BUCKET` | the buckets of undelivered batches and of the archive |
//! | `ALPES_NOTICES_TOPIC` | the topic of notices |
//! | `ALPES_WEB_ORIGIN` | the web origin whose pages may call the functions over HTTP; unset if no page may |
//! | `ALPES_STATE_MACHINE` | the state machine of sagas; unset if none is deployed |
//! | `ALPES_{NAME}` | a setting of the domain's own |

use std::{collections::BTreeMap, env, io::Write, sync::Arc};

use alpes_aws::{
    DynamoTables, HttpsDocuments, KinesisLog, KinesisReader, LambdaFunctions, S3Objects,
    SfnExecutions, SnsTopic,
};
use alpes_ports::{
    Documents, Executions, Functions, Lines, Log, LogReader, Objects, Platform, Tables, Topic,
    World,
};
use thiserror::Error;

/// A variable of the configuration is not set, so the function cannot start.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the environment variable {0} is not set; infra/template.yaml sets it, and `cargo xtask up` writes it to an env file"
)]
pub struct StartError(&'static str);

/// The common beginning of the names of the engine's variables.
const PREFIX: &str = "ALPES_";
const FAULTS: &str = "ALPES_FAULTS_TABLE";
const EVENTS_STREAM: &str = "ALPES_EVENTS_STREAM";
const STACK: &str = "ALPES_STACK";
const UNDELIVERED: &str = "ALPES_FAILURES_BUCKET";
const ARCHIVE: &str = "ALPES_ARCHIVE_BUCKET";
const TOPIC: &str = "ALPES_NOTICES_TOPIC";
const WEB_ORIGIN: &str = "ALPES_WEB_ORIGIN";
const STATE_MACHINE: &str = "ALPES_STATE_MACHINE";

/// A platform that a function's environment variables describe.
pub struct Environment {
    config: aws_config::SdkConfig,
}

impl Environment {
    /// For functions: region, credentials and endpoint from environment variables only.
    pub(crate) fn of_function() -> Self {
        Self {
            config: alpes_aws::function_config(),
        }
    }

    /// For tools and tests: region, credentials and endpoint from every source that the SDK knows, including profiles.
    pub async fn load() -> Self {
        Self {
            config: alpes_aws::config().await,
        }
    }

    /// The log as a Kinesis reader, which can also read and extend the log's retention.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the variable is not set.
    pub fn kinesis(&self) -> Result<Arc<KinesisReader>, StartError> {
        let stream = required(EVENTS_STREAM)?;
        Ok(Arc::new(KinesisReader::new(&self.config, stream)))
    }

    /// The documents on the web. No connection is made yet.
    #[must_use]
    pub fn documents(&self) -> Arc<dyn Documents> {
        Arc::new(HttpsDocuments::new())
    }

    fn bucket(&self, variable: &'static str) -> Result<Arc<dyn Objects>, StartError> {
        Ok(Arc::new(S3Objects::new(&self.config, &required(variable)?)))
    }
}

impl Platform for Environment {
    type Error = StartError;

    fn world(&self) -> World {
        alpes_aws::world()
    }

    /// Only the tables that are named in the environment: a function gets the variables of the tables that it may use.
    fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(DynamoTables::new(&self.config, named("_TABLE")))
    }

    /// Only the functions that are named in the environment: a function gets the variables of the functions that it may
    /// call.
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

    fn allows_tests(&self) -> bool {
        variable(FAULTS).is_some()
    }

    fn web_origin(&self) -> Option<String> {
        variable(WEB_ORIGIN)
    }

    fn setting(&self, name: &str) -> Option<String> {
        variable(&format!("{PREFIX}{name}"))
    }

    fn lines(&self) -> Lines {
        Arc::new(|line| {
            // A log line that cannot be written is no reason to fail.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        })
    }
}

/// The values of the variables with this ending, by the logical name in each variable's name.
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
    variable(name).ok_or(StartError(name))
}
