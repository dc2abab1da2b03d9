//! The saga kit runs the saga of an order with a fault at every effect. It also makes each step fail, be silent or lose
//! its answer, and each compensation be refused.

use std::sync::Arc;

use alpes_event_store::{EventStore, Handled, Paired, Sweeper};
use alpes_messages::{Command, Event, SubjectId};
use alpes_saga::{
    Definition, Fact, LocalParticipants, Participants, Saga, SagaId, StepNumber, fact,
};
use async_trait::async_trait;
use futures::executor::block_on;
use pedidos::{ShopEvent, catalogue, definition, rules::Rules};
use saga_kit::{Play, Setting, campaign, hunt};
use serde_json::json;
use simulation::Faults;
use uuid::Uuid;

use crate::{
    check::{Remains, SHELVED, shelve},
    planted::Planted,
    provider::{DECLINED, Ledger},
};

const ORDER: SubjectId = SubjectId(Uuid::from_u128(0x0001_7000_8000_0000_0000_0001));

#[derive(Default)]
struct Order {
    planted: Option<Planted>,
}

impl Order {
    /// The event store and the rules of a process under `faults`.
    fn process(
        &self,
        setting: &Setting,
        faults: &Faults,
    ) -> (EventStore<ShopEvent>, Arc<Paired<Rules>>) {
        let tables = faults.tables(setting.tables.clone());
        let tables = Planted::plant(self.planted, Arc::new(tables));
        let log = Arc::new(faults.log(setting.log.clone()));
        let rules = Rules(Arc::new(Ledger(tables.clone())));
        let store = EventStore::new(tables, log, setting.world.clone(), catalogue());
        (store, Arc::new(Paired(rules)))
    }
}

#[async_trait]
impl Play for Order {
    fn definition(&self) -> Definition {
        definition()
    }

    fn participants(&self, setting: &Setting, _: Option<StepNumber>) -> Arc<dyn Participants> {
        let (store, rules) = self.process(setting, &setting.faults);
        Arc::new(LocalParticipants::new(store, rules))
    }

    async fn open(&self, setting: &Setting, fails_at: Option<StepNumber>) -> (SagaId, Fact) {
        shelve(&*setting.tables, SHELVED).await;
        let data = json!({
            "lines": [
                { "product": "chair", "units": 4 },
                { "product": "lamp", "units": if fails_at == StepNumber::new(2) { SHELVED + 1 } else { SHELVED } },
            ],
            "card": if fails_at == StepNumber::new(3) { DECLINED } else { "visa" },
            "country": if fails_at == StepNumber::new(4) { "AQ" } else { "CO" },
        });
        let (store, rules) = self.process(setting, &Faults::none());
        let place = Command::opening("PlaceOrder", ORDER, data);
        match store.handle(&*rules, &place).await {
            Ok(Handled::Committed { events, .. }) => (SagaId(ORDER.0), fact(&events[0])),
            other => panic!("{other:?}"),
        }
    }

    async fn facts(&self, setting: &Setting) -> Vec<Fact> {
        let records = setting.log.records().into_iter();
        let events = records.map(|record| Event::decode(&record.data, &catalogue()).unwrap().0);
        events.map(|event| fact(&event)).collect()
    }

    async fn tick(&self, setting: &Setting) {
        let (store, _) = self.process(setting, &Faults::none());
        let sweeper = Sweeper::new(&store);
        sweeper.sweep().await.unwrap();
    }

    async fn check(&self, setting: &Setting, saga: &Saga) -> Vec<String> {
        self.tick(setting).await;
        let remains = Remains {
            tables: &setting.tables,
            log: &setting.log,
        };
        remains.broken(|_| Some(saga.clone())).await
    }
}

#[test]
fn the_definition_can_be_run() {
    assert_eq!(definition().faults(), Vec::<String>::new());
}

#[test]
#[ignore = "the gate has a step for long searches"]
fn the_saga_ends_as_it_must_whatever_happens() {
    let report = block_on(campaign(&Order::default()));
    println!("{} runs", report.runs);
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.runs > 1_000, "{report}");
}

#[test]
fn the_kit_finds_what_is_planted() {
    for planted in Planted::OF_THE_SAGA {
        let play = Order {
            planted: Some(planted),
        };
        let failures = block_on(hunt(&play)).failures;
        assert!(!failures.is_empty(), "{planted:?} was not found");
        println!("{planted:?} is found by {:?}", failures[0]);
    }
}
