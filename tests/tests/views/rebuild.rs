//! Both views are rebuilt while reservations are made, cancelled and read, and while processes die.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alpes_ports::{CallError, Consistency, Item, Key};
use alpes_projections::{Generation, REBUILDER};
use e2e::{Booked, Ending, Fate, Stack, amount, journeys, kill, processes};
use events::{IdReserva, vuelos::EstadoReserva};
use serde_json::{Value, json};
use simulation::Dice;

use crate::{VIEWS, alone, book, fold};

const CLIENTS: u64 = 2;
const READERS: u64 = 3;
/// The pause between two reservations of a client.
const THINKS: Duration = Duration::from_millis(400);
/// The pause between two reads.
const LOOKS_AGAIN: Duration = Duration::from_millis(20);
/// An index that is late is so by less than this.
const LATE: Duration = Duration::from_secs(5);
/// How long one invocation of the rebuilder works, in seconds. The invocation's caller waits for 15 seconds.
const SECONDS: u64 = 8;
/// How many answers in a row may show no progress. If a rebuilder's process dies, no other process continues the rebuild
/// for a minute, and several processes may die one after the other.
const FAILURES: usize = 300;
const PAUSE: Duration = Duration::from_secs(1);
/// The rebuilder's errors when another run took over, or a service did not answer.
const OWN_ERRORS: [&str; 2] = ["Overtaken", "RebuildFailed"];

/// The state that clients, readers and rebuilds share.
struct Play<'a> {
    stack: &'a Stack,
    clock: Instant,
    /// The reservations to read.
    made: Mutex<Vec<Booked>>,
    looks: AtomicUsize,
    /// The number of invocations that ended without an answer.
    died: AtomicUsize,
    stop: AtomicBool,
}

impl Play<'_> {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<Booked>> {
        self.made.lock().unwrap()
    }

    /// Makes reservations, and cancels some.
    fn client(&self, number: u64) {
        let _if_it_fails = Ending(&self.stop);
        let dice = Dice::new(number);
        for journey in journeys(100).into_iter().cycle() {
            if !self.goes_on() {
                return;
            }
            let fates = [Fate::Good, Fate::Good, Fate::Cancelled, Fate::Declined];
            let fate = dice.pick(&fates).copied().unwrap();
            let booked = book(self.stack, &[self.stack.order(fate, journey)]);
            self.made().extend(booked);
            self.stack.tick();
            thread::sleep(THINKS);
        }
    }

    /// Reads one reservation after the other. A reservation that was found must stay, and must not go back to an
    /// earlier state.
    fn reader(&self, number: u64) {
        let _if_it_fails = Ending(&self.stop);
        let dice = Dice::new(number);
        let mut seen: BTreeMap<IdReserva, EstadoReserva> = BTreeMap::new();
        while self.goes_on() {
            let id = dice.pick(&self.made()).unwrap().id;
            let path = format!("/vuelos/reserva/{id}");
            let reserva = self.stack.api.get(&path).expect(200);
            self.looks.fetch_add(1, Ordering::Relaxed);
            if reserva["origen"] == "comando" {
                // The event stream has the reservation before the view does, and answers only until the view has it.
                assert_eq!(seen.get(&id), None, "the view has lost {reserva}");
                continue;
            }
            let estado = serde_json::from_value(reserva["estado"].clone()).unwrap();
            if let Some(before) = seen.insert(id, estado) {
                assert!(before <= estado, "it was {before}: {reserva}");
            }
            thread::sleep(LOOKS_AGAIN);
        }
    }

    /// Reads the report. The total of a day must never fall. The report reads an index, which is a moment late on an
    /// unkind stack, and not equally late each time. There a total must not fall below those of some time ago.
    fn analyst(&self) {
        let _if_it_fails = Ending(&self.stop);
        let late = if self.stack.is_unkind() {
            LATE
        } else {
            Duration::ZERO
        };
        let mut before: VecDeque<(Instant, BTreeMap<String, u64>)> = VecDeque::new();
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        while self.goes_on() {
            let asked = Instant::now();
            while let Some((_, totals)) = before.pop_front_if(|(at, _)| at.elapsed() >= late) {
                seen = totals;
            }
            let report = self.stack.api.get("/vuelos/reportes/reservas-por-dia");
            let report = report.expect(200);
            self.looks.fetch_add(1, Ordering::Relaxed);
            let mut totals: BTreeMap<String, u64> = BTreeMap::new();
            for row in report["filas"].as_array().unwrap() {
                let day = row["dia"].as_str().unwrap().to_owned();
                totals.insert(day, row["total"].as_u64().unwrap());
            }
            for (day, before) in &seen {
                let total = totals.get(day);
                assert!(total >= Some(before), "{day} had {before}: {report}");
            }
            before.push_back((asked, totals));
            thread::sleep(LOOKS_AGAIN);
        }
    }

    /// Rebuilds a view like an operator: calls the rebuilder until the rebuild is done, and again after failures.
    fn rebuild(&self, view: &str, action: &str) {
        let mut order = json!({ "view": view, "action": action, "seconds": SECONDS });
        let (mut failures, mut last) = (0, Value::Null);
        loop {
            assert!(self.goes_on(), "a client or a reader failed");
            let payload = order.to_string();
            let call = self.stack.functions.call(REBUILDER, payload.as_bytes());
            let wait = match self.stack.wait(call) {
                Ok(answer) => {
                    let done: Value = serde_json::from_slice(&answer).unwrap();
                    println!("{:>7.1?} {done}", self.clock.elapsed());
                    if done["is_done"] == true {
                        return;
                    }
                    let wait = done["wait_seconds"].as_u64().unwrap();
                    if done != last {
                        (failures, last) = (0, done);
                    }
                    Duration::from_secs(wait)
                }
                // A schedule, if there is one, may continue the rebuild and end it first.
                Err(CallError::Failed { error_type, .. }) if error_type == "NotRebuilding" => {
                    return;
                }
                Err(CallError::Failed { error_type, .. }) if OWN_ERRORS.contains(&&*error_type) => {
                    PAUSE
                }
                Err(error) => {
                    println!("{:>7.1?} {view}: {error}", self.clock.elapsed());
                    self.died.fetch_add(1, Ordering::Relaxed);
                    Duration::ZERO
                }
            };
            failures += usize::from(wait <= PAUSE);
            assert!(failures < FAILURES, "{view} makes no progress");
            order["action"] = "resume".into();
            thread::sleep(wait);
        }
    }

    /// Kills the rebuilder half-way, when the new generation has some of these rows and no reader uses this generation
    /// yet. Repeats this until an invocation dies of it.
    fn kill_half_way(&self, of: &[Booked]) -> usize {
        let mut killed = 0;
        while self.goes_on() && (killed == 0 || self.died.load(Ordering::Relaxed) == 0) {
            let building = VIEWS.iter().filter_map(|view| building(self.stack, view));
            let begun = building
                .flat_map(|generation| of.iter().map(move |booked| (generation.clone(), booked.id)))
                .any(|(generation, id)| self.stack.row_in(&generation, id).is_some());
            if begun {
                let builders = processes().remove("rebuilder").unwrap_or_default();
                killed += builders.iter().filter(|pid| kill(pid)).count();
            }
            thread::sleep(LOOKS_AGAIN);
        }
        killed
    }
}

fn alias(stack: &Stack, view: &str) -> Item {
    let key = Key::new(alpes_projections::TABLE, view, "alias");
    let alias = stack.tables.get_one(&key, Consistency::Strong);
    stack.wait(alias).unwrap().unwrap_or_default()
}

/// The generation of the view that is being built.
fn building(stack: &Stack, view: &'static str) -> Option<Generation> {
    let number = alias(stack, view).get("building")?.as_u64()?;
    let number = number.try_into().unwrap();
    Some(Generation { view, number })
}

#[test]
fn no_read_fails_or_goes_back_while_both_views_are_rebuilt_and_their_builder_dies() {
    let _alone = alone();
    let stack = Stack::from_env();
    let play = Play {
        stack: &stack,
        clock: Instant::now(),
        made: Mutex::default(),
        looks: AtomicUsize::new(0),
        died: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    for view in VIEWS {
        // An interrupted run of this test may have left a rebuild unfinished.
        if alias(&stack, view).contains_key("rebuild") {
            play.rebuild(view, "resume");
        }
    }
    let orders = journeys(amount("ALPES_E2E_REBUILD", 60)).into_iter();
    let orders: Vec<_> = orders
        .map(|journey| stack.order(Fate::Good, journey))
        .collect();
    let first = book(&stack, &orders);
    stack.at_rest(&first);
    play.made().extend(&first);
    let before = VIEWS.map(|view| stack.live(view));
    let can_kill = !processes().is_empty();
    println!("{:>7.1?} {} made before", play.clock.elapsed(), first.len());

    thread::scope(|scope| {
        let ending = Ending(&play.stop);
        let play = &play;
        for number in 0..CLIENTS {
            scope.spawn(move || play.client(number));
        }
        for number in 0..READERS {
            scope.spawn(move || play.reader(number));
        }
        scope.spawn(|| play.analyst());
        let hunter = can_kill.then(|| scope.spawn(|| play.kill_half_way(&first[..5])));
        let rebuilds = VIEWS.map(|view| scope.spawn(move || play.rebuild(view, "rebuild")));
        for rebuild in rebuilds {
            rebuild.join().unwrap();
        }
        drop(ending);
        let Some(hunter) = hunter else {
            println!("none killed: no function of the stack runs on this machine");
            return;
        };
        let (killed, died) = (hunter.join().unwrap(), play.died.load(Ordering::Relaxed));
        println!("{killed} processes killed, {died} invocations ended without an answer");
        assert!(killed > 0 && died > 0);
    });
    let made = play.made().clone();
    println!(
        "{:>7.1?} rebuilt amid {} reservations and {} reads",
        play.clock.elapsed(),
        made.len() - first.len(),
        play.looks.load(Ordering::Relaxed)
    );
    assert!(made.len() > first.len() + 50);
    stack.must_log("rebuilder");

    stack.at_rest(&made);
    fold::agree(&stack);
    for before in before {
        let live = stack.live(before.view);
        assert!(live > before, "{live}");
        only_the_living(&stack, &live);
    }
    println!("{:>7.1?} all agrees", play.clock.elapsed());
}

/// Asserts that the view has only items of its live generation, and that its alias names no other generation.
fn only_the_living(stack: &Stack, live: &Generation) {
    let alias = alias(stack, live.view);
    for left in ["building", "retiring", "rebuild"] {
        assert!(!alias.contains_key(left), "{alias:?}");
    }
    let items = stack.every_item(alpes_projections::TABLE).into_iter();
    let generations = items.filter_map(|(key, _)| {
        let (generation, _) = key.pk.split_once('#')?;
        let (view, _) = generation.split_once('.')?;
        (view == live.view).then(|| generation.to_owned())
    });
    let generations: BTreeSet<_> = generations.collect();
    assert_eq!(generations, [live.to_string()].into());
    let parked = stack.wait(stack.parking().list()).unwrap();
    let of_the_view = |owner: &str| owner.starts_with(&format!("{}.", live.view));
    let parked = parked.iter().find(|parked| of_the_view(&parked.owner));
    assert!(parked.is_none(), "{parked:?}");
}
