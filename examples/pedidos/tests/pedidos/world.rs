//! The shop as functions on Lambda, with a Kinesis stream, a schedule and customers, in a simulated world with faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_event_store::{Handled, TABLE as STREAMS};
use alpes_messages::{Event, SubjectId};
use alpes_ports::{FunctionName, Functions, World};
use alpes_saga::{Request, Requested, Saga, SagaId, Status};
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use pedidos::{Shop, catalogue, orders::PRICES, rules::Rules};
use serde_json::{Value, json};
use simulation::{
    Answer, Contended, Dice, Fate, Faults, Function, Kernel, Runtime, Sky, Stale, Stream, Trace,
    Weather, function,
};
use source_mapping::{Settings, StartingPosition};
use twins::{MemoryLog, MemoryObjects, MemoryTables};
use uuid::Uuid;

use crate::{
    check::{Remains, SHELVED, sagas, shelve},
    planted::Planted,
    provider::{DECLINED, Ledger},
};

const CUSTOMERS: FunctionName = FunctionName("customers");
const SAGAS: FunctionName = FunctionName("sagas");
const VIEW: FunctionName = FunctionName("view");
const TIMERS: FunctionName = FunctionName("timers");

const WEATHER: Weather = Weather {
    fail_before: 40,
    fail_after: 40,
    twice: 60,
    late: 60,
    kill_before: 80,
    kill_after: 80,
    slow: 60,
    over: "",
    late_by: 30,
};
const FATE: Fate = Fate {
    throttle_one_in: 20,
    forget_one_in: 10,
    twice_one_in: 10,
    skew: 500,
};
/// The longest time for which one invocation works on sagas.
const BUDGET: SignedDuration = SignedDuration::from_secs(5);

/// The result of one seed.
pub struct Report {
    pub seed: u64,
    pub broken: Vec<String>,
    pub counts: BTreeMap<(&'static str, std::borrow::Cow<'static, str>), u64>,
    pub digest: u64,
}

/// A function that was started, with its shop.
struct App {
    shop: Shop,
    stream: Stream,
    world: World,
}

impl App {
    fn until(&self) -> Timestamp {
        self.world.clock.now() + BUDGET
    }

    /// A customer's request: `{"order": …, "place": …}` or `{"order": …, "cancel": …}`.
    async fn serve(&self, payload: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(payload).unwrap();
        let order: SubjectId = asked["order"].as_str().unwrap().parse().unwrap();
        let done = if let Some(reason) = asked["cancel"].as_str() {
            let cancel = Request::Cancel(reason.to_owned());
            let asked = self.shop.ask(order, &cancel).await;
            asked
                .map(|asked| !matches!(asked, Requested::Unknown))
                .map_err(|error| error.to_string())
        } else {
            let handled = self.shop.place(order, asked["place"].clone()).await;
            handled
                .map(|handled| matches!(handled, Handled::Committed { .. }))
                .map_err(|error| error.to_string())
        };
        match done {
            Ok(done) => Ok(json!(done).to_string().into_bytes()),
            Err(words) => Err(("NotNow".to_owned(), words)),
        }
    }

    async fn consume(&self, name: FunctionName, payload: &[u8]) -> Answer {
        let batch = self.stream.records(payload);
        let outcome = if name == SAGAS {
            self.shop.move_on(&batch, self.until()).await
        } else {
            self.shop.project(&batch).await
        };
        assert_eq!(outcome.parked, 0, "nothing here is bad for good");
        let failed = outcome.failed.map(|(number, _)| number);
        Ok(Stream::report(failed.as_ref()))
    }

    async fn tick(&self) -> Answer {
        let ticked = self.shop.tick(self.until()).await;
        ticked
            .map(|()| vec![])
            .map_err(|error| ("NotNow".to_owned(), error.to_string()))
    }
}

#[derive(Clone)]
struct System {
    kernel: Kernel,
    runtime: Runtime,
    stream: Stream,
    sky: Sky,
    conflicts: Arc<AtomicU64>,
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    /// The functions that customers call.
    functions: Arc<dyn Functions>,
    deployed: Vec<(FunctionName, Function)>,
    /// The number of customers that wait for an answer.
    busy: Arc<AtomicUsize>,
    /// Orders that were accepted. `refused` has the orders that were refused.
    accepted: Arc<Mutex<BTreeSet<SubjectId>>>,
    refused: Arc<Mutex<BTreeSet<SubjectId>>>,
    calm: Arc<AtomicBool>,
}

impl System {
    fn new(kernel: &Kernel, planted: Option<Planted>) -> Self {
        let world = kernel.world(SignedDuration::ZERO);
        let tables = Arc::new(MemoryTables::new());
        block_on(shelve(&*tables, SHELVED));
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let runtime = Runtime::new(kernel.clone());
        let nowhere = Arc::new(MemoryObjects::new());
        let stream = Stream::new(kernel.clone(), log.clone(), runtime.clone(), nowhere);
        let sky = Sky::new(kernel.clone(), WEATHER);
        let faults = Faults::by(Arc::new(sky.clone()));
        let conflicts = Arc::new(AtomicU64::new(30));
        let stale = Arc::new(Stale::new(kernel.clone(), tables.clone(), 8));
        let stored = Contended::new(kernel.clone(), tables.clone(), stale, conflicts.clone());
        let seen = Planted::plant(planted, Arc::new(faults.tables(Arc::new(stored))));
        let appended = Arc::new(faults.log(Arc::new(stream.clone())));
        let app = {
            let stream = stream.clone();
            move |world: World| {
                let rules = Rules(Arc::new(Ledger(seen.clone())));
                App {
                    shop: Shop::new(seen.clone(), appended.clone(), world.clone(), rules),
                    stream: stream.clone(),
                    world,
                }
            }
        };
        let deployed = vec![
            (
                CUSTOMERS,
                function(Duration::from_secs(10), app.clone(), |app, payload, _| {
                    Box::pin(async move { app.serve(&payload).await })
                }),
            ),
            (
                SAGAS,
                function(Duration::from_mins(1), app.clone(), |app, payload, _| {
                    Box::pin(async move { app.consume(SAGAS, &payload).await })
                }),
            ),
            (
                VIEW,
                function(Duration::from_mins(1), app.clone(), |app, payload, _| {
                    Box::pin(async move { app.consume(VIEW, &payload).await })
                }),
            ),
            (
                TIMERS,
                function(Duration::from_mins(1), app, |app, _, _| {
                    Box::pin(async move { app.tick().await })
                }),
            ),
        ];
        let system = Self {
            kernel: kernel.clone(),
            functions: Arc::new(faults.functions(Arc::new(runtime.clone()))),
            runtime,
            stream,
            sky,
            conflicts,
            tables,
            log,
            deployed,
            busy: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
            calm: Arc::default(),
        };
        system.deploy();
        system.runtime.set_fate(FATE);
        for name in [SAGAS, VIEW] {
            let mut settings = Settings::new(StartingPosition::TrimHorizon);
            settings.report_batch_item_failures = true;
            system.stream.map(name, settings).unwrap();
        }
        system
    }

    fn deploy(&self) {
        for (name, function) in &self.deployed {
            self.runtime.deploy(*name, function.clone());
        }
    }

    /// Repeats a customer's request until it is answered.
    async fn ask(&self, payload: &Value) -> bool {
        loop {
            let payload = payload.to_string();
            match self.functions.call(CUSTOMERS, payload.as_bytes()).await {
                Ok(answer) => return answer == b"true",
                Err(_) => self.kernel.sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// A customer places an order, and may cancel the order a while later.
    async fn shop(self, order: SubjectId) {
        let (kernel, dice) = (&self.kernel, self.kernel.dice());
        let pause = || Duration::from_millis(dice.below(30_000));
        kernel.sleep(pause()).await;
        let placed = self
            .ask(&json!({ "order": order, "place": wishes(dice) }))
            .await;
        let answers = if placed {
            &self.accepted
        } else {
            &self.refused
        };
        answers.lock().unwrap().insert(order);
        if placed && dice.one_in(4) {
            kernel.sleep(pause()).await;
            let cancel = json!({ "order": order, "cancel": "I want it no more" });
            // A saga that has not begun cannot be cancelled yet.
            while !self.ask(&cancel).await {
                kernel.sleep(Duration::from_secs(5)).await;
            }
            kernel.count("customer", "cancelled");
        }
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    fn begin(&self, planted: Option<Planted>) {
        let kernel = &self.kernel;
        for _ in 0..3 + kernel.dice().below(4) {
            let bits = kernel.dice().below(u64::MAX);
            let order = SubjectId(Uuid::from_u64_pair(bits, bits));
            self.busy.fetch_add(1, Ordering::SeqCst);
            kernel.spawn("customer", self.clone().shop(order));
        }
        if planted != Some(Planted::NobodyWakes) {
            let (runtime, kernel) = (self.runtime.clone(), self.kernel.clone());
            self.kernel.spawn("schedule", async move {
                loop {
                    kernel.sleep(Duration::from_mins(1)).await;
                    runtime.start(TIMERS, b"{}").await.unwrap();
                }
            });
        }
        let own = self.clone();
        self.kernel.spawn("trouble", async move {
            while !own.calm.load(Ordering::SeqCst) {
                own.trouble();
                own.kernel.sleep(Duration::from_secs(1)).await;
            }
        });
    }

    /// Causes faults of the world, besides the faults at effects and invocations.
    fn trouble(&self) {
        let dice = self.kernel.dice();
        if dice.one_in(60) {
            self.stream.reshard();
        }
        if dice.one_in(40) {
            self.stream.lose_a_lease();
        }
        if dice.one_in(40) {
            let by = i64::try_from(dice.below(3_000)).unwrap();
            self.kernel
                .shift_clocks(if dice.one_in(2) { by } else { -by });
        }
        if dice.one_in(60) {
            self.deploy();
        }
        if dice.one_in(200) {
            // The provider is down for longer than a saga waits for a compensation.
            self.kernel.note("the payment provider is down");
            self.sky.throttle(Some("write charges"));
        }
    }

    fn cease(&self) {
        self.kernel.note("faults cease");
        self.calm.store(true, Ordering::SeqCst);
        self.sky.set(Weather::default());
        self.sky.throttle(None);
        self.conflicts.store(0, Ordering::SeqCst);
        self.runtime.set_fate(Fate::CALM);
        self.deploy();
    }

    fn remains(&self) -> Remains<'_> {
        Remains {
            tables: &self.tables,
            log: &self.log,
        }
    }

    fn sagas(&self) -> alpes_saga::Sagas {
        sagas(&self.tables, self.kernel.world(SignedDuration::ZERO))
    }

    fn saga(&self, id: SagaId) -> Option<Saga> {
        let stored = block_on(self.sagas().load(id)).unwrap();
        stored.map(|stored| stored.saga)
    }

    fn orders(&self) -> BTreeSet<SubjectId> {
        block_on(self.remains().orders()).into_keys().collect()
    }

    fn restless(&self) -> Option<String> {
        if self.busy.load(Ordering::SeqCst) > 0 {
            return Some("customers wait".to_owned());
        }
        if !self.stream.is_settled() {
            return Some(format!("{:?} are behind", self.stream.unsettled()));
        }
        let unpublished = self.tables.find(STREAMS, |key, item| {
            let waits = item.get("published") != item.get("version");
            waits.then(|| format!("{} is not published", key.pk))
        });
        let mut orders = self.orders().into_iter();
        let under_way = orders.find(|order| {
            let saga = self.saga(SagaId(order.0));
            saga.is_none_or(|saga| !saga.status.has_ended())
        });
        let under_way = under_way.map(|order| format!("{order} is under way"));
        unpublished.into_iter().next().or(under_way)
    }

    /// Resumes the sagas that wait for a person.
    fn operate(&self) {
        for order in self.orders() {
            let id = SagaId(order.0);
            let stuck = |saga: &Saga| saga.status == Status::NeedsIntervention;
            if self.saga(id).as_ref().is_some_and(stuck) {
                self.kernel.count("operator", "had a saga go on");
                let resume = Request::Resume(None);
                block_on(self.sagas().request(id, None, &resume, None)).unwrap();
            }
        }
    }

    /// Lists the broken promises in words.
    fn broken(&self) -> Vec<String> {
        let sagas = self.orders().into_iter().map(|order| SagaId(order.0));
        let sagas: BTreeMap<_, _> = sagas.map(|id| (id, self.saga(id))).collect();
        let saga = |id| sagas.get(&id).cloned().flatten();
        let mut broken = block_on(self.remains().broken(saga));
        broken.extend(self.remains().views());
        let orders = self.orders();
        if orders != *self.accepted.lock().unwrap() {
            let accepted = self.accepted.lock().unwrap();
            broken.push(format!(
                "{accepted:?} are accepted, and {orders:?} are there"
            ));
        }
        for record in self.log.records() {
            let (event, _) = Event::decode(&record.data, &catalogue()).unwrap();
            self.kernel.count("event", event.kind);
        }
        broken
    }
}

/// A customer's order. The order often asks for more units than are left, a country without shipping, or a card that is
/// declined.
fn wishes(dice: &Dice) -> Value {
    let mut products = PRICES.map(|(product, _)| product);
    dice.shuffle(&mut products);
    let count = 1 + usize::try_from(dice.below(3)).unwrap();
    let lines = products.iter().take(count);
    let mut lines: Vec<_> = lines
        .map(|product| json!({ "product": product, "units": 1 + dice.below(8) }))
        .collect();
    if dice.one_in(12) {
        // The rules refuse a line with an unknown product.
        lines.push(json!({ "product": "unicorn", "units": 1 }));
    }
    json!({
        "lines": lines,
        "card": if dice.one_in(5) { DECLINED } else { "visa" },
        "country": if dice.one_in(5) { "AQ" } else { "PE" },
    })
}

/// Runs one seed. Customers use the shop under faults. Then the faults end, the shop finishes its pending work, and its
/// promises are checked.
pub fn play(seed: u64, planted: Option<Planted>) -> Report {
    let kernel = Kernel::of_seed(seed, Trace::default());
    let system = System::new(&kernel, planted);
    system.begin(planted);
    kernel.run_until(60_000 + kernel.dice().below(120_000));
    system.cease();
    let settled = kernel.settle(|| system.restless(), || system.operate());
    let broken = settled.map_or_else(|why| vec![why], |()| system.broken());
    // The deployed functions and the runtime refer to each other, so the runtime must be shut down to free them.
    system.runtime.shut_down();
    kernel.shut_down();
    Report {
        seed,
        broken,
        counts: kernel.counts(),
        digest: kernel.trace().digest(),
    }
}
