//! The reader of a shard: a machine of `source-mapping`, with its records, its clock and its invocations.

mod poll;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use source_mapping::{
    Change, Input, Invocation, InvocationId, Mapping, Millis, Outcome, Output, Reads, Record,
    SequenceNumber, Step,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    effects::{Effects, ids, number},
    invocation::{counts, invoke, outcome, result, told},
    machine::{Begins, Start},
    report::{LastRun, written},
    status::{Act, BatchView, Counts},
    stream::Era,
    unkind::Choosing,
    window::Window,
};
use crate::{chaos::Kind, error::AwsError, invoke::Invoked, names};

/// Between two reads of the store so much time passes, so that one read takes many records of a busy stream.
const READ_EVERY: Duration = Duration::from_millis(2);
/// The same for a shard that is polled. Its machine looks for records five times a second at most.
const READ_EVERY_POLLED: Duration = Duration::from_millis(20);
/// A reader looks at the clock at least so often, since somebody may set the clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An invocation that ended.
pub(super) struct Ended {
    id: InvocationId,
    run: Result<Invoked, AwsError>,
}

/// A batch in flight.
struct Batch {
    view: BatchView,
    sequences: Vec<SequenceNumber>,
}

/// The reader of a shard.
pub(super) struct Reader {
    era: Arc<Era>,
    start: Start,
    /// The shard's id as a text.
    name: String,
    machine: Mapping,
    choosing: Choosing,
    window: Window,
    in_flight: BTreeMap<InvocationId, Batch>,
    pub(super) endings: mpsc::UnboundedReceiver<Ended>,
    /// Given to each invocation, for its end.
    sender: mpsc::UnboundedSender<Ended>,
    last_run: Option<LastRun>,
    /// True if the shard may have more records than the machine.
    pub(super) behind: bool,
    /// True if the shard is closed, and the machine has had all its records.
    exhausted: bool,
    next_read: Instant,
    /// True if the last poll found no further records. Only a reader that polls within quotas knows.
    caught_up: bool,
}

impl Reader {
    pub(super) fn new(era: Arc<Era>, start: Start) -> Result<Self, AwsError> {
        let now = Millis(names::now_millis());
        let name = start.shard.to_string();
        let mut choosing = era.core.choosing(&era.live.config(), &name);
        let (machine, steps) = start.machine(&era.settings, now, &mut choosing)?;
        let (sender, endings) = mpsc::unbounded_channel();
        if start.begins != Begins::Again {
            let rules: Vec<_> = steps.into_iter().flat_map(|step| step.rules).collect();
            era.core.tell(&era.live, Some(&name), ids(&rules), vec![]);
        }
        Ok(Self {
            window: Window::new(start.after.clone(), &era.settings),
            era,
            start,
            name,
            machine,
            choosing,
            in_flight: BTreeMap::new(),
            endings,
            sender,
            last_run: None,
            behind: true,
            exhausted: false,
            next_read: Instant::now(),
            caught_up: false,
        })
    }

    /// Gives the machine the records of the shard, as far as memory allows.
    pub(super) fn read(&mut self) -> Result<(), AwsError> {
        if !self.behind || Instant::now() < self.next_read {
            return Ok(());
        }
        if self.era.settings.reads == Reads::ByCaller {
            return self.poll();
        }
        let mut closed = false;
        while let Some((records, bytes)) = self.window.room() {
            let (streams, stream) = (&self.era.core.streams, &self.era.stream);
            let (shard, last) = (&self.start.shard, self.window.last());
            let records = streams.read_after(stream, shard, last, records, bytes)?;
            if !records.is_empty() {
                self.append(records)?;
            } else if closed || !self.era.is_closed(shard)? {
                (self.behind, self.exhausted) = (false, closed);
                break;
            } else {
                // The last records may have arrived between the read and the closing, so one more read follows.
                closed = true;
            }
        }
        self.next_read = Instant::now() + self.read_every();
        Ok(())
    }

    fn read_every(&self) -> Duration {
        match self.era.settings.reads {
            Reads::Shared => READ_EVERY_POLLED,
            Reads::FanOut | Reads::ByCaller => READ_EVERY,
        }
    }

    fn append(&mut self, mut records: Vec<Record>) -> Result<(), AwsError> {
        for record in &mut records {
            let sequence = record.sequence.to_string();
            record.arrived = Millis(self.choosing.arrival(&sequence, record.arrived.0));
        }
        self.window.add(&records);
        self.era.live.status.count(Counts {
            polled: number(records.len()),
            ..Counts::default()
        });
        let shard = self.start.shard.clone();
        self.take(Some(Input::Appended { shard, records }))
    }

    /// Sets the machine's clock, gives it an input, and carries out what follows.
    pub(super) fn take(&mut self, input: Option<Input>) -> Result<(), AwsError> {
        let inputs = [Some(Input::TimePassed(self.now())), input];
        for input in inputs.into_iter().flatten() {
            let step = self.step(input)?;
            for invocation in self.settle(step)? {
                self.invoke(&invocation);
            }
        }
        Ok(())
    }

    fn step(&mut self, input: Input) -> Result<Step, AwsError> {
        self.machine
            .step(input, &mut self.choosing)
            .map_err(AwsError::internal)
    }

    /// The time, which never goes back.
    fn now(&self) -> Millis {
        self.machine.now().max(Millis(names::now_millis()))
    }

    /// Stores what a step settles, and tells of it. Returns the invocations that follow.
    fn settle(&mut self, step: Step) -> Result<Vec<Invocation>, AwsError> {
        let era = &self.era;
        let mut effects = Effects::of(step, era.destination.is_some());
        if effects.through.is_some() || !effects.reports.is_empty() {
            self.store(&mut effects)?;
        }
        let Effects {
            discarded,
            bisections,
            ..
        } = effects;
        if discarded + bisections > 0 {
            self.era.live.status.shard(&self.name, |view| {
                view.discarded += discarded;
                view.bisections += bisections;
            });
        }
        self.era.live.status.count(effects.counts);
        let invoked = effects.invocations.iter().map(|it| Act::Invoked(view(it)));
        effects.acts.extend(invoked);
        let (core, live) = (&self.era.core, &self.era.live);
        core.tell(live, Some(&self.name), effects.rules, effects.acts);
        Ok(effects.invocations)
    }

    /// Stores reports and checkpoint in one transaction, so that no discarded record is without report after a crash.
    fn store(&mut self, effects: &mut Effects) -> Result<(), AwsError> {
        let (era, last) = (&self.era, self.last_run.as_ref());
        let destination = era.destination.as_deref().unwrap_or_default();
        let reports: Vec<_> = std::mem::take(&mut effects.reports)
            .into_iter()
            .map(|report| written(era.live.uuid, destination, report, last))
            .collect();
        let (journal, through) = (&era.core.journal, effects.through.take());
        journal.settle(era.live.uuid, &self.start.shard, through.as_ref(), &reports)?;
        if let Some(through) = through {
            self.window.settle(through);
        }
        for report in reports {
            let destination = report.destination;
            era.core.postman.wake(&era.core, &destination);
            effects.acts.push(Act::Reported { destination });
        }
        Ok(())
    }

    fn invoke(&mut self, invocation: &Invocation) {
        let event = self.machine.event(invocation);
        let (era, sender, id) = (self.era.clone(), self.sender.clone(), invocation.id);
        if invocation.earlier > 0 {
            era.live.status.shard(&self.name, |view| view.retries += 1);
        }
        let view = view(invocation);
        let sequences = invocation
            .records
            .iter()
            .map(|record| record.sequence.clone());
        let sequences = sequences.collect();
        let (choosing, told) = (self.choosing.clone(), batch_name(&view));
        self.in_flight.insert(id, Batch { view, sequences });
        tokio::spawn(async move {
            choosing.wait(Kind::BatchDelayed, &told).await;
            let function = &era.settings.names.function_arn;
            let run = invoke(&era.core, function, event).await;
            // An error is a reader that has stopped: the outcome no longer counts.
            let _ = sender.send(Ended { id, run });
        });
    }

    pub(super) fn finish(&mut self, Ended { id, run }: Ended) -> Result<(), AwsError> {
        let outcome = outcome(&run);
        let live = &self.era.live;
        live.status.set_result(&result(&run));
        if let Some(batch) = self.in_flight.remove(&id) {
            let sequences: Vec<_> = batch.sequences.iter().collect();
            let reports = self.era.settings.report_batch_item_failures;
            live.status.count(counts(&outcome, &sequences, reports));
            let acts = vec![told(&run, sequences.len())];
            self.era.core.tell(live, Some(&self.name), vec![], acts);
            if matches!(outcome, Outcome::Returned(_)) {
                self.lose_lease(&batch)?;
            }
        }
        if let Ok(run) = run {
            self.last_run = Some(LastRun {
                invocation: id,
                request_id: run.request_id,
                executed_version: run.executed_version,
            });
        }
        let invocation = id;
        self.take(Some(Input::Finished {
            invocation,
            outcome,
        }))
    }

    /// Now and then, chaos has another reader take the shard before the success of a batch is noted.
    fn lose_lease(&mut self, batch: &Batch) -> Result<(), AwsError> {
        if !self
            .choosing
            .repeats(Kind::BatchAgain, &batch_name(&batch.view))
        {
            return Ok(());
        }
        let checkpoint_too = self.choosing.coin();
        let shard = self.start.shard.clone();
        self.take(Some(Input::LeaseLost {
            shard,
            checkpoint_too,
        }))
    }

    /// Takes a new machine if the old one has had many records, and all are settled.
    pub(super) fn renew(&mut self) -> Result<(), AwsError> {
        let idle = self.in_flight.is_empty() && self.machine.is_settled();
        if idle && self.window.wants_new_machine() {
            self.start.begins = Begins::Again;
            let now = self.now();
            (self.machine, _) = self
                .start
                .machine(&self.era.settings, now, &mut self.choosing)?;
            self.window.renew();
            // The new machine counts its invocations from 1 again.
            self.last_run = None;
        }
        Ok(())
    }

    /// Shows the shard to people.
    pub(super) fn show(&self) {
        self.era.live.status.shard(&self.name, |view| {
            view.position = self.window.settled().map(ToString::to_string);
            view.waiting = self.window.len();
            view.more = self.behind && !self.caught_up;
            view.finished = self.is_finished();
            view.oldest = self.window.oldest().map(|arrived| arrived.0);
            view.in_flight = self
                .in_flight
                .values()
                .map(|batch| batch.view.clone())
                .collect();
        });
    }

    pub(super) fn is_finished(&self) -> bool {
        self.exhausted && self.window.len() == 0 && self.in_flight.is_empty()
    }

    /// The time until the reader acts without an event.
    pub(super) fn pause(&self) -> Duration {
        // An overdue machine waits for an event, not for time, so at least 1 ms passes.
        let least = Duration::from_millis(1);
        let wakes = self
            .machine
            .wakes_at()
            .map(|at| at.since(self.now()).max(least));
        let may_read = self.behind && self.window.room().is_some();
        let reads = may_read.then(|| self.next_read.saturating_duration_since(Instant::now()));
        [wakes, reads]
            .into_iter()
            .flatten()
            .fold(LONGEST_PAUSE, Duration::min)
    }

    /// Stops reading because of a change. The outcomes of batches in flight no longer count: their records are after
    /// the checkpoint, and the next reader delivers them again.
    pub(super) fn stop(&mut self, change: Change) -> Result<(), AwsError> {
        let now = self.now();
        for input in [
            Input::TimePassed(now),
            Input::ChangeAsked(change),
            Input::ChangeTakesEffect,
        ] {
            let mut step = self.step(input)?;
            // The next reader, if there is one, delivers.
            let delivers = |output: &Output| matches!(output, Output::Invoke(_));
            step.outputs.retain(|output| !delivers(output));
            self.settle(step)?;
        }
        self.in_flight.clear();
        self.show();
        Ok(())
    }
}

/// A batch, as the log of chaos names it.
fn batch_name(view: &BatchView) -> String {
    format!("{} records from {}", view.size, view.first)
}

fn view(invocation: &Invocation) -> BatchView {
    let records = &invocation.records;
    let sequence = |record: Option<&Arc<Record>>| {
        record.map_or(String::new(), |record| record.sequence.to_string())
    };
    BatchView {
        number: invocation.id.0,
        lane: invocation.lane,
        first: sequence(records.first()),
        last: sequence(records.last()),
        size: records.len(),
        attempt: invocation.earlier.saturating_add(1),
    }
}
