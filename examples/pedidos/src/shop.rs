//! The shop, built over the engine's ports. Functions call its methods on AWS, and a simulation calls them in tests.

use std::{sync::Arc, time::Duration};

use alpes_consumer::{Consumer, Outcome};
use alpes_event_store::{EventStore, HandleError, Handled, Paired, Sweeper};
use alpes_messages::{Command, SubjectId};
use alpes_ports::{Log, LogRecord, TableError, Tables, World};
use alpes_projections::Projector;
use alpes_saga::{
    Coordinator, Definitions, Listener, LocalParticipants, Request, Requested, SagaId, Sagas,
    Trouble,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{ShopEvent, catalogue, definition, rules::Rules, view::Orders};

/// The shop.
pub struct Shop {
    store: EventStore<ShopEvent>,
    rules: Arc<Paired<Rules>>,
    coordinator: Coordinator,
    projector: Projector<ShopEvent>,
}

impl Shop {
    pub fn new(tables: Arc<dyn Tables>, log: Arc<dyn Log>, world: World, rules: Rules) -> Self {
        let store = EventStore::new(tables.clone(), log, world.clone(), catalogue());
        let rules = Arc::new(Paired(rules));
        let contexts = LocalParticipants::new(store.clone(), rules.clone());
        let definitions = Definitions::new(vec![definition()]);
        let sagas = Sagas::new(tables.clone(), definitions, world.clone());
        let (reader, views) = (store.reader().clone(), vec![Arc::new(Orders) as _]);
        Self {
            coordinator: Coordinator::new(sagas, Arc::new(contexts)),
            projector: Projector::new(tables, reader, world, views),
            store,
            rules,
        }
    }

    /// Places an order. A repeated call with the same `order` makes no second order.
    pub async fn place(&self, order: SubjectId, data: Value) -> Result<Handled, HandleError> {
        let command = Command::opening("PlaceOrder", order, data);
        self.store.handle(&*self.rules, &command).await
    }

    /// Stores a request to an order's saga, for example to undo the order. [`Shop::tick`] executes the request.
    pub async fn ask(&self, order: SubjectId, request: &Request) -> Result<Requested, Trouble> {
        let sagas = self.coordinator.sagas();
        sagas.request(SagaId(order.0), None, request, None).await
    }

    /// Passes a batch of the log to the sagas. The sagas send no commands after the time `until`.
    pub async fn move_on(&self, batch: &[LogRecord], until: Timestamp) -> Outcome {
        let coordinator = &self.coordinator;
        let consumer = Consumer {
            name: "sagas",
            catalogue: self.store.reader().catalogue(),
            parking: self.projector.parking(),
            handler: &Listener { coordinator, until },
        };
        consumer.consume(batch).await
    }

    /// Folds a batch of the log into the view.
    pub async fn project(&self, batch: &[LogRecord]) -> Outcome {
        self.projector.consumer().consume(batch).await
    }

    /// Publishes committed events that are not in the log yet, and advances due sagas. Call this method every minute.
    pub async fn tick(&self, until: Timestamp) -> Result<(), TableError> {
        let sweeper = Sweeper {
            older_than: Duration::from_secs(10),
            budget: Duration::from_secs(20),
            ..Sweeper::new(&self.store)
        };
        sweeper.sweep().await?;
        for saga in self.coordinator.sagas().due(100).await?.sagas {
            // A saga that cannot advance now stays due.
            let _ = self.coordinator.wake(saga, until).await;
        }
        Ok(())
    }
}
