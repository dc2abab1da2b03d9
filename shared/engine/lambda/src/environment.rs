//! Configuration, from environment variables, and the adapters built from it.

use std::{collections::BTreeMap, env, sync::Arc};

use alpes_aws::{
    DynamoTables, KinesisLog, KinesisReader, LambdaFunctions, S3Objects, SfnExecutions, SnsTopic,
};
use alpes_ports::{FunctionName, TableName, World};
use notices::NOTIFIER;
use reserva_saga::{ORCHESTRATOR, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS};
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

const FAULTS: &str = "AEROALPES_FAULTS_TABLE";
const TABLES: [(TableName, &str); 9] = [
    (alpes_event_store::TABLE, "AEROALPES_STREAMS_TABLE"),
    (alpes_projections::TABLE, "AEROALPES_VIEWS_TABLE"),
    (alpes_consumer::TABLE, "AEROALPES_PARKED_TABLE"),
    (alpes_saga::TABLE, "AEROALPES_SAGAS_TABLE"),
    (gds::TABLE, "AEROALPES_SEATS_TABLE"),
    (pagos::simulador::TABLE, "AEROALPES_LEDGER_TABLE"),
    (notices::TABLE, "AEROALPES_NOTICES_TABLE"),
    (alpes_participant::REACTIONS, "AEROALPES_REACTIONS_TABLE"),
    (alpes_participant::TABLE, FAULTS),
];
const FUNCTIONS: [(FunctionName, &str); 6] = [
    (PARTICIPANT_VUELOS, "AEROALPES_PARTICIPANT_VUELOS"),
    (PARTICIPANT_PAGOS, "AEROALPES_PARTICIPANT_PAGOS"),
    (PARTICIPANT_GDS, "AEROALPES_PARTICIPANT_GDS"),
    (ORCHESTRATOR, "AEROALPES_ORCHESTRATOR"),
    (alpes_projections::REBUILDER, "AEROALPES_REBUILDER"),
    (NOTIFIER, "AEROALPES_NOTIFIER"),
];
const EVENTS_STREAM: &str = "AEROALPES_EVENTS_STREAM";
const STACK: &str = "AEROALPES_STACK";
const UNDELIVERED: &str = "AEROALPES_FAILURES_BUCKET";
const ARCHIVE: &str = "AEROALPES_ARCHIVE_BUCKET";
const TOPIC: &str = "AEROALPES_NOTICES_TOPIC";
const STATE_MACHINE: &str = "AEROALPES_STATE_MACHINE";
const PARTIAL_BATCH: &str = "AEROALPES_PARTIAL_BATCH";

/// What a function is told by its environment. Each adapter is built when asked for, so that a function pays for those it uses.
pub struct Environment {
    config: aws_config::SdkConfig,
}

impl Environment {
    /// What a function is given: region, credentials and endpoint from variables alone.
    #[must_use]
    pub fn of_function() -> Self {
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

    /// The world as it is.
    #[must_use]
    pub fn world(&self) -> World {
        alpes_aws::world()
    }

    /// The tables that are named in the environment: a function is told of those it may use, and no others.
    #[must_use]
    pub fn tables(&self) -> Arc<DynamoTables> {
        Arc::new(DynamoTables::new(&self.config, named(&TABLES)))
    }

    /// The functions that are named in the environment, as with [`Environment::tables`].
    #[must_use]
    pub fn functions(&self) -> Arc<LambdaFunctions> {
        Arc::new(LambdaFunctions::new(&self.config, named(&FUNCTIONS)))
    }

    /// True where this stack is for tests too: a participant then misbehaves when a test has asked for it.
    #[must_use]
    pub fn allows_tests(&self) -> bool {
        variable(FAULTS).is_some()
    }

    /// The log, to append to.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn log(&self) -> Result<Arc<KinesisLog>, StartError> {
        Ok(Arc::new(KinesisLog::new(
            &self.config,
            required(EVENTS_STREAM)?,
        )))
    }

    /// The log, to read.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn log_reader(&self) -> Result<Arc<KinesisReader>, StartError> {
        Ok(Arc::new(KinesisReader::new(
            &self.config,
            required(EVENTS_STREAM)?,
        )))
    }

    /// The name of the stack, which begins the names of its functions.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn stack(&self) -> Result<String, StartError> {
        required(STACK)
    }

    /// The bucket where the runtime leaves batches that it gave up delivering.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn undelivered(&self) -> Result<Arc<S3Objects>, StartError> {
        self.bucket(UNDELIVERED)
    }

    /// The bucket of the archive.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn archive(&self) -> Result<Arc<S3Objects>, StartError> {
        self.bucket(ARCHIVE)
    }

    fn bucket(&self, variable: &'static str) -> Result<Arc<S3Objects>, StartError> {
        Ok(Arc::new(S3Objects::new(&self.config, required(variable)?)))
    }

    /// The topic where others are told what became of reservations.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is not named.
    pub fn topic(&self) -> Result<Arc<SnsTopic>, StartError> {
        Ok(Arc::new(SnsTopic::new(&self.config, required(TOPIC)?)))
    }

    /// True where Step Functions runs sagas too, for who starts none itself.
    #[must_use]
    pub fn offers_executions(&self) -> bool {
        variable(STATE_MACHINE).is_some()
    }

    /// Executions of the saga's state machine; `None` where Step Functions runs no sagas.
    #[must_use]
    pub fn executions(&self) -> Option<Arc<SfnExecutions>> {
        let machine = variable(STATE_MACHINE)?;
        Some(Arc::new(SfnExecutions::new(&self.config, machine)))
    }

    /// True where the runtime honours a partial batch response. Elsewhere it would take one as success and lose the rest, so
    /// there a failed record must fail the whole invocation.
    ///
    /// # Errors
    ///
    /// [`StartError`] if it is neither `true` nor `false`.
    pub fn partial_batch(&self) -> Result<bool, StartError> {
        let value = required(PARTIAL_BATCH)?;
        value
            .parse()
            .map_err(|_| StartError::Invalid(PARTIAL_BATCH, value, "true or false"))
    }
}

fn named<N: Copy + Ord>(all: &[(N, &str)]) -> BTreeMap<N, String> {
    all.iter()
        .filter_map(|(name, key)| Some((*name, variable(key)?)))
        .collect()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &'static str) -> Result<String, StartError> {
    variable(name).ok_or(StartError::Missing(name))
}
