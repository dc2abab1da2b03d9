//! Random commands by concurrent writers, with faults at every effect: no event is lost, and no command takes effect
//! twice. The same test finds each planted mistake of the protocol.
#![cfg(test)]
#![allow(dead_code, reason = "each test uses a part of the bench")]

mod common;
mod planted;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alpes_event_store::{EventStore, HandleError, Handled, Stream, Sweeper};
use alpes_messages::{Command, CommandId, EventId, StreamId, SubjectId, Version};
use common::{Bench, add, open, undo};
use futures::executor::block_on;
use planted::Bug;
use proptest::prelude::*;
use simulation::{Dice, Faults, ProcessId, Scheduler, Step};
use toy::loans::Desk;
use uuid::Uuid;

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
struct Setup {
    seed: u64,
    writers: u64,
    streams: u64,
    commands: u64,
    /// One in this many effects fails; 0 for none.
    fault_one_in: u64,
    /// One in this many steps kills a process; 0 for none.
    kill_one_in: u64,
    /// After one in this many failures, a client stops retrying its command. The sweeper then publishes the command's
    /// events, if they are committed.
    give_up_one_in: u64,
}

/// A client's record of a command that it sent.
struct Sent {
    command: Command,
    /// The events of each answer that it received.
    answers: Vec<Vec<EventId>>,
    rejected: bool,
}

/// The state of a run.
struct Run {
    bench: Bench,
    dice: Dice,
    faults: Faults,
    bug: Option<Bug>,
    /// The number of streams.
    streams: u64,
    scheduler: Scheduler<Option<Answer>>,
    /// The writer and the command of each process.
    working: BTreeMap<ProcessId, (u64, CommandId)>,
    /// The number of commands that each writer has yet to send.
    left: BTreeMap<u64, u64>,
    sent: BTreeMap<CommandId, Sent>,
    /// The number of the last command.
    last: u128,
}

type Answer = (CommandId, Result<Handled, HandleError>);

impl Run {
    /// A process that handles one command under faults, with the planted bug if there is one.
    fn process(&self, command: &Command) -> futures::future::BoxFuture<'static, Option<Answer>> {
        let tables = Arc::new(self.faults.tables(self.bench.tables.clone()));
        let log = Arc::new(self.faults.log(self.bench.log.clone()));
        let (tables, log) = planted::plant(self.bug, tables, log);
        let store = EventStore::new(tables, log, self.bench.world.clone(), toy::catalogue());
        let command = command.clone();
        Box::pin(async move { Some((command.id, store.handle(&Desk, &command).await)) })
    }

    /// A random command on a random stream. Sometimes the command has the id of an earlier command, as from a client
    /// that retries.
    fn command(&self, id: u128) -> Command {
        let earlier: Vec<_> = self.sent.keys().copied().collect();
        if self.dice.one_in(6)
            && let Some(earlier) = self.dice.pick(&earlier)
        {
            return self.sent[earlier].command.clone();
        }
        let mut command = match self.dice.below(5) {
            0 | 1 => open(id),
            4 => undo(id),
            _ => add(id, u32::try_from(self.dice.below(3)).unwrap() + 1),
        };
        command.subject = subject(self.dice.below(self.streams));
        command
    }

    /// The writer sends its next command, if it has one left.
    fn start(&mut self, writer: u64) {
        let left = self.left.get_mut(&writer).unwrap();
        if *left == 0 {
            return;
        }
        *left -= 1;
        self.last += 1;
        let command = self.command(self.last);
        let id = command.id;
        self.sent.entry(id).or_insert_with(|| Sent {
            command,
            answers: vec![],
            rejected: false,
        });
        self.send(writer, id);
    }

    fn send(&mut self, writer: u64, id: CommandId) {
        let process = self.process(&self.sent[&id].command);
        self.working
            .insert(self.scheduler.spawn(process), (writer, id));
    }

    fn note(&mut self, answer: Answer) {
        let (id, Ok(handled)) = answer else { return };
        let sent = self.sent.get_mut(&id).unwrap();
        match handled {
            Handled::Committed { events, .. } => sent
                .answers
                .push(events.iter().map(|event| event.id).collect()),
            Handled::Rejected(_) => sent.rejected = true,
        }
    }
}

fn subject(stream: u64) -> SubjectId {
    SubjectId(Uuid::from_u128(1_000 + u128::from(stream)))
}

/// Runs until no process has work left, then checks the promises. An error names the broken promise.
fn run(setup: Setup, bug: Option<Bug>) -> Result<Faults, String> {
    let dice = Dice::new(setup.seed);
    let faults = Faults::by_chance(dice.clone(), setup.fault_one_in);
    let writers = 0..setup.writers;
    let mut run = Run {
        bench: Bench::new(),
        dice,
        faults,
        bug,
        streams: setup.streams,
        scheduler: Scheduler::default(),
        working: BTreeMap::new(),
        left: writers
            .clone()
            .map(|writer| (writer, setup.commands))
            .collect(),
        sent: BTreeMap::new(),
        last: 0,
    };
    for writer in writers {
        run.start(writer);
    }
    let mut steps = 0;
    loop {
        run.scheduler.spawn_late(&run.faults, || None);
        steps += 1;
        if steps > 200_000 {
            return Err("the run does not end".into());
        }
        let (ended, answer) = match run.scheduler.step(&run.dice, setup.kill_one_in) {
            Step::Progress => continue,
            Step::Idle => break,
            Step::Done(process, answer) => (process, answer),
            Step::Killed(process) => (process, None),
        };
        let Some((writer, id)) = run.working.remove(&ended) else {
            continue;
        };
        let answered = answer.as_ref().is_some_and(|(_, result)| result.is_ok());
        if let Some(answer) = answer {
            run.note(answer);
        }
        // A client without an answer retries its command or abandons it.
        if !answered && !run.dice.one_in(setup.give_up_one_in) {
            run.send(writer, id);
        } else {
            run.start(writer);
        }
    }
    check(&run)?;
    Ok(run.faults)
}

/// Checks the promises after the sweeper has run, without further commands.
fn check(run: &Run) -> Result<(), String> {
    let bench = &run.bench;
    let store = bench.store(&Faults::none());
    let sweeper = Sweeper::new(&store);
    bench.clock.advance(Duration::from_hours(1));
    block_on(sweeper.sweep()).map_err(|error| error.to_string())?;
    let found = bench.verify();
    if let Some(difference) = found.differences.first() {
        return Err(format!("the log and the streams differ: {difference}"));
    }
    if found.pending > 0 {
        return Err(format!(
            "{} committed events never reach the log",
            found.pending
        ));
    }
    if bench.listed() {
        return Err("a stream stays on the sweeper's list".into());
    }
    let mut effects: BTreeMap<CommandId, Vec<EventId>> = BTreeMap::new();
    for (key, item) in bench.tables.all(alpes_event_store::TABLE) {
        let id: StreamId = key.pk.parse().unwrap();
        let stream = Stream::from_item(id, &item).map_err(|error| error.to_string())?;
        if stream.published != stream.version() {
            return Err(format!(
                "{id}: published {} of {}",
                stream.published,
                stream.version()
            ));
        }
        let events = stream
            .decode(&toy::catalogue(), 1, Version::MAX)
            .map_err(|error| error.to_string())?;
        for (version, stored) in (1..).zip(&events) {
            if stored.event.streamversion != version {
                return Err(format!(
                    "{id}: event {} stands at {version}",
                    stored.event.streamversion
                ));
            }
            effects
                .entry(CommandId(stored.event.causationid))
                .or_default()
                .push(stored.event.id);
        }
    }
    for (id, sent) in &run.sent {
        let effect = effects.get(id).cloned().unwrap_or_default();
        let wanted = match sent.command.kind.as_str() {
            "Remind" => usize::try_from(sent.command.data["count"].as_u64().unwrap()).unwrap(),
            _ => 1,
        };
        if !effect.is_empty() && effect.len() != wanted {
            return Err(format!(
                "{:?} took effect {} times instead of {wanted}",
                sent.command.kind,
                effect.len()
            ));
        }
        let undo_of_undone = sent.command.kind == "CancelLoan" && effect.is_empty();
        for answer in &sent.answers {
            if *answer != effect && !undo_of_undone {
                return Err(format!(
                    "{:?} was answered with {answer:?}, but did {effect:?}",
                    sent.command.kind
                ));
            }
        }
        if sent.answers.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{:?} was answered in two ways", sent.command.kind));
        }
        if sent.rejected && !sent.answers.is_empty() && sent.command.kind != "Remind" {
            return Err(format!(
                "{:?} was both accepted and rejected",
                sent.command.kind
            ));
        }
    }
    Ok(())
}

fn setups() -> impl Strategy<Value = Setup> {
    let faults = prop_oneof![Just(0_u64), 4..40_u64];
    let kills = prop_oneof![Just(0_u64), 10..80_u64];
    let give_up = 1..6_u64;
    (
        any::<u64>(),
        2..=8_u64,
        1..=3_u64,
        1..=6_u64,
        faults,
        kills,
        give_up,
    )
        .prop_map(
            |(seed, writers, streams, commands, fault_one_in, kill_one_in, give_up_one_in)| Setup {
                seed,
                writers,
                streams,
                commands,
                fault_one_in,
                kill_one_in,
                give_up_one_in,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_nothing_is_lost_and_nothing_happens_twice(setup in setups()) {
        if let Err(broken) = run(setup, None) {
            prop_assert!(false, "{}", broken);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let setup = Setup {
        seed: 11,
        writers: 5,
        streams: 2,
        commands: 5,
        fault_one_in: 8,
        kill_one_in: 30,
        give_up_one_in: 4,
    };
    let trace = || run(setup, None).unwrap().trace();
    let (first, second) = (trace(), trace());
    assert!(first.len() > 50);
    assert_eq!(first, second);
}

#[test]
fn each_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..10_000).find_map(|seed| {
            let setup = Setup {
                seed,
                writers: 2 + seed % 7,
                streams: 1 + seed % 4,
                commands: 1 + seed % 4,
                fault_one_in: [0, 6, 12, 25][usize::try_from(seed % 4).unwrap()],
                kill_one_in: [8, 15, 40][usize::try_from(seed % 3).unwrap()],
                give_up_one_in: 1 + seed % 2,
            };
            run(setup, Some(bug)).err().map(|broken| (seed, broken))
        });
        let (seed, broken) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: seed {seed}: {broken}");
    }
}
