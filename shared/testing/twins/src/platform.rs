//! A platform that is put together from any ports.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use alpes_ports::{
    Executions, Functions, Lines, Log, LogReader, Objects, Platform, Tables, Topic, World,
};

use crate::{MemoryFunctions, MemoryLog, MemoryObjects, MemoryTables, MemoryTopic};

/// A platform with a field for each part. A test or a simulation puts twins into the fields, or wrappers around twins.
#[derive(Clone)]
pub struct Ports {
    /// Time, identifiers, randomness and tasks.
    pub world: World,
    /// The tables.
    pub tables: Arc<dyn Tables>,
    /// The log for appending.
    pub log: Arc<dyn Log>,
    /// The log for reading.
    pub reader: Arc<dyn LogReader>,
    /// The functions.
    pub functions: Arc<dyn Functions>,
    /// The topic for notices.
    pub topic: Arc<dyn Topic>,
    /// The archive.
    pub archive: Arc<dyn Objects>,
    /// The bucket for batches that the runtime discarded.
    pub undelivered: Arc<dyn Objects>,
    /// Step Functions, if it runs sagas.
    pub executions: Option<Arc<dyn Executions>>,
    /// True if tests may induce failures of participants.
    pub allows_tests: bool,
    /// The web origin whose pages may call the functions over HTTP, if any.
    pub web_origin: Option<String>,
    /// The name of the stack.
    pub stack: String,
    /// The domain's own settings, by name.
    pub settings: BTreeMap<String, String>,
    /// The sink for lines that functions write to their own logs, such as metrics.
    pub lines: Lines,
}

impl Ports {
    /// Twins of all ports except Step Functions, in this world. The runtime allows tests. Lines for the functions' own
    /// logs are dropped.
    #[must_use]
    pub fn new(world: World) -> Self {
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        Self {
            world,
            tables: Arc::new(MemoryTables::new()),
            reader: log.clone(),
            log,
            functions: Arc::new(MemoryFunctions::new()),
            topic: Arc::new(MemoryTopic::new()),
            archive: Arc::new(MemoryObjects::new()),
            undelivered: Arc::new(MemoryObjects::new()),
            executions: None,
            allows_tests: true,
            web_origin: None,
            stack: "stack".to_owned(),
            settings: BTreeMap::new(),
            lines: Arc::new(|_| {}),
        }
    }
}

impl Platform for Ports {
    type Error = Infallible;

    fn world(&self) -> World {
        self.world.clone()
    }

    fn tables(&self) -> Arc<dyn Tables> {
        self.tables.clone()
    }

    fn functions(&self) -> Arc<dyn Functions> {
        self.functions.clone()
    }

    fn log(&self) -> Result<Arc<dyn Log>, Infallible> {
        Ok(self.log.clone())
    }

    fn log_reader(&self) -> Result<Arc<dyn LogReader>, Infallible> {
        Ok(self.reader.clone())
    }

    fn archive(&self) -> Result<Arc<dyn Objects>, Infallible> {
        Ok(self.archive.clone())
    }

    fn undelivered(&self) -> Result<Arc<dyn Objects>, Infallible> {
        Ok(self.undelivered.clone())
    }

    fn topic(&self) -> Result<Arc<dyn Topic>, Infallible> {
        Ok(self.topic.clone())
    }

    fn stack(&self) -> Result<String, Infallible> {
        Ok(self.stack.clone())
    }

    fn executions(&self) -> Option<Arc<dyn Executions>> {
        self.executions.clone()
    }

    fn offers_executions(&self) -> bool {
        self.executions.is_some()
    }

    fn allows_tests(&self) -> bool {
        self.allows_tests
    }

    fn web_origin(&self) -> Option<String> {
        self.web_origin.clone()
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).cloned()
    }

    fn lines(&self) -> Lines {
        self.lines.clone()
    }
}
