//! The event source mapping of one Kinesis stream to one function.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use crate::{
    Change, Choice, Chooser, Input, InvalidSettings, Invocation, InvocationId, Millis, Misuse,
    Outcome, Output, Rule, Settings, ShardId, StartingPosition, State, Step,
    chooser::{choose, choose_place},
    event,
    shard::{Shard, Turn},
};

/// An event source mapping from a Kinesis stream to a function.
///
/// The same inputs and the same choices always give the same outputs.
#[derive(Clone, Debug)]
pub struct Mapping {
    settings: Settings,
    state: State,
    /// The requested change that has not taken effect yet.
    asked: Option<Change>,
    /// True while the mapping reads its shards.
    reads: bool,
    /// While a pending update pauses the reading: the number of records that each shard had when the pause began.
    paused: Option<Vec<(ShardId, usize)>>,
    /// True if the mapping has ever read.
    began: bool,
    now: Millis,
    shards: BTreeMap<ShardId, Shard>,
    /// Invocations in flight, with their shard and lane.
    out: BTreeMap<InvocationId, (ShardId, usize)>,
    /// Invocations in flight whose outcome no longer counts.
    orphans: BTreeSet<InvocationId>,
    invocations: u64,
}

impl Mapping {
    /// A mapping that is being created. The mapping begins to read at [`Input::ChangeTakesEffect`].
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] if AWS would refuse the settings.
    pub fn new(settings: Settings, now: Millis) -> Result<Self, InvalidSettings> {
        settings.check()?;
        let asked = settings.enabled.then_some(Change::Enable);
        Ok(Self {
            asked: asked.or(Some(Change::Disable)),
            settings,
            state: State::Creating,
            reads: false,
            paused: None,
            began: false,
            now,
            shards: BTreeMap::new(),
            out: BTreeMap::new(),
            orphans: BTreeSet::new(),
            invocations: 0,
        })
    }

    /// Applies an input, and returns all actions that follow at the current time.
    ///
    /// # Errors
    ///
    /// [`Misuse`] if the input is impossible; nothing has changed then.
    pub fn step(&mut self, input: Input, chooser: &mut dyn Chooser) -> Result<Step, Misuse> {
        let mut step = Step::default();
        self.take(input, chooser, &mut step)?;
        self.expire(chooser, &mut step);
        while self.read(chooser, &mut step) | self.deliver(chooser, &mut step) {}
        Ok(step)
    }

    /// The current state of the mapping.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The settings that are in effect.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The current time, as the caller last set it.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// All invocations in flight, including those whose outcome no longer counts.
    pub fn out(&self) -> impl Iterator<Item = InvocationId> {
        self.out.keys().chain(&self.orphans).copied()
    }

    /// True if the mapping has settled every record: the record is done, skipped, discarded or gone from the stream.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.shards.values().all(Shard::is_settled)
    }

    /// The next time at which the mapping acts without further input; `None` if there is no such time.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Millis> {
        let shards = self.shards.values();
        shards
            .filter_map(|shard| {
                if self.reads {
                    let may_read = || self.paused.is_none() && self.parents_are_finished(shard);
                    shard.wakes_at(may_read, &self.settings)
                } else if self.began && self.state != State::Deleted {
                    shard.expires_at(&self.settings)
                } else {
                    None
                }
            })
            .min()
    }

    /// The event of an invocation: the JSON text that Lambda sends to the function.
    #[must_use]
    pub fn event(&self, invocation: &Invocation) -> String {
        event::write(&self.settings.names, &invocation.shard, &invocation.records)
    }

    fn take(
        &mut self,
        input: Input,
        chooser: &mut dyn Chooser,
        step: &mut Step,
    ) -> Result<(), Misuse> {
        match input {
            Input::Opened(shard) => self.open(shard, vec![], chooser, step),
            Input::Split { parent, children } => self.reshard(&[parent], &children, chooser, step),
            Input::Merged { parents, child } => self.reshard(&parents, &[child], chooser, step),
            Input::Appended { shard, records } => {
                let (now, settings) = (self.now, &self.settings);
                let found = self.shards.get_mut(&shard);
                let found = found.ok_or(Misuse::UnknownShard(shard))?;
                found.append(records, now, settings)
            }
            Input::TimePassed(now) if now < self.now => Err(Misuse::TimeGoesBack(self.now)),
            Input::TimePassed(now) => {
                self.now = now;
                Ok(())
            }
            Input::ReadByOthers { shard, bytes } => {
                let now = self.now;
                let found = self.shards.get_mut(&shard);
                found
                    .ok_or(Misuse::UnknownShard(shard))?
                    .read_by_others(now, bytes);
                Ok(())
            }
            Input::Finished {
                invocation,
                outcome,
            } => self.finish(invocation, &outcome, chooser, step),
            Input::LeaseLost {
                shard,
                checkpoint_too,
            } => self.lose(shard, checkpoint_too, chooser, step),
            Input::ChangeAsked(change) => self.ask(change, chooser),
            Input::ChangeTakesEffect => self.change(chooser, step),
        }
    }

    /// Applies an action to a shard. `None` if the shard does not exist.
    fn with_shard<T>(
        &mut self,
        shard: &ShardId,
        chooser: &mut dyn Chooser,
        step: &mut Step,
        act: impl FnOnce(&mut Shard, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let mut turn = Turn {
            now: self.now,
            settings: &self.settings,
            chooser,
            step,
        };
        Some(act(self.shards.get_mut(shard)?, &mut turn))
    }

    fn with_shards(
        &mut self,
        chooser: &mut dyn Chooser,
        step: &mut Step,
        act: impl Fn(&mut Shard, &mut Turn<'_>),
    ) {
        for shard in self.shards.values_mut() {
            let mut turn = Turn {
                now: self.now,
                settings: &self.settings,
                chooser,
                step,
            };
            act(shard, &mut turn);
        }
    }

    fn open(
        &mut self,
        id: ShardId,
        parents: Vec<ShardId>,
        chooser: &mut dyn Chooser,
        step: &mut Step,
    ) -> Result<(), Misuse> {
        if self.shards.contains_key(&id) {
            return Err(Misuse::ShardExists(id));
        }
        let shard = Shard::new(id.clone(), parents, self.now);
        self.shards.insert(id.clone(), shard);
        let (began, reads) = (self.began, self.reads);
        self.with_shard(&id, chooser, step, |shard, turn| {
            if began {
                shard.begin_as_child(turn);
            }
            if reads {
                shard.lease(turn);
            }
        });
        Ok(())
    }

    fn reshard(
        &mut self,
        parents: &[ShardId],
        children: &[ShardId],
        chooser: &mut dyn Chooser,
        step: &mut Step,
    ) -> Result<(), Misuse> {
        let mut names = BTreeSet::new();
        for parent in parents {
            match self.shards.get(parent) {
                _ if !names.insert(parent) => return Err(Misuse::ShardClosed(parent.clone())),
                None => return Err(Misuse::UnknownShard(parent.clone())),
                Some(shard) if shard.closed => return Err(Misuse::ShardClosed(parent.clone())),
                Some(_) => {}
            }
        }
        for child in children {
            if self.shards.contains_key(child) || !names.insert(child) {
                return Err(Misuse::ShardExists(child.clone()));
            }
        }
        for parent in parents {
            if let Some(shard) = self.shards.get_mut(parent) {
                shard.closed = true;
            }
        }
        step.rules.push(Rule::ClosedShard);
        for child in children {
            self.open(child.clone(), parents.to_owned(), chooser, step)?;
        }
        Ok(())
    }

    fn finish(
        &mut self,
        invocation: InvocationId,
        outcome: &Outcome,
        chooser: &mut dyn Chooser,
        step: &mut Step,
    ) -> Result<(), Misuse> {
        if self.orphans.remove(&invocation) {
            step.rules.push(Rule::LateOutcome);
            return Ok(());
        }
        let found = self.out.remove(&invocation);
        let (shard, lane) = found.ok_or(Misuse::UnknownInvocation(invocation))?;
        self.with_shard(&shard, chooser, step, |shard, turn| {
            shard.finish(lane, outcome, turn);
        });
        Ok(())
    }

    fn lose(
        &mut self,
        id: ShardId,
        checkpoint_too: bool,
        chooser: &mut dyn Chooser,
        step: &mut Step,
    ) -> Result<(), Misuse> {
        if !self.shards.contains_key(&id) {
            return Err(Misuse::UnknownShard(id));
        }
        if self.reads {
            step.rules.push(Rule::AtLeastOnce);
            self.with_shard(&id, chooser, step, |shard, turn| {
                shard.give_up(checkpoint_too, turn);
                shard.lease(turn);
            });
            self.forget(&id);
        }
        Ok(())
    }

    /// From now on, the outcomes of a shard's invocations no longer count.
    fn forget(&mut self, shard: &ShardId) {
        let out = mem::take(&mut self.out);
        for (invocation, place) in out {
            if place.0 == *shard {
                self.orphans.insert(invocation);
            } else {
                self.out.insert(invocation, place);
            }
        }
    }

    fn ask(&mut self, change: Change, chooser: &mut dyn Chooser) -> Result<(), Misuse> {
        if self.asked.is_some() || self.state == State::Deleted {
            return Err(Misuse::NoChange);
        }
        if let Change::Update(settings) = &change {
            settings.check()?;
            let shards = self.shards.iter();
            let lengths = shards.map(|(id, shard)| (id.clone(), shard.records.len()));
            let pauses = choose(chooser, Choice::UpdatePauses, 2) == 1;
            self.paused = (pauses && self.reads).then(|| lengths.collect());
        }
        self.asked = Some(change);
        self.state = State::Changing;
        Ok(())
    }

    fn change(&mut self, chooser: &mut dyn Chooser, step: &mut Step) -> Result<(), Misuse> {
        let change = self.asked.take().ok_or(Misuse::NoChange)?;
        let begins = self.state == State::Creating;
        let missed = self.missed(chooser);
        if self.reads {
            self.with_shards(chooser, step, |shard, turn| shard.give_up(false, turn));
            let out = mem::take(&mut self.out);
            self.orphans.extend(out.into_keys());
        }
        step.rules.push(match change {
            _ if begins => Rule::StartEventually,
            Change::Enable | Change::Disable => Rule::Disabled,
            Change::Update(_) => Rule::Updated,
            Change::Delete => Rule::Deleted,
        });
        self.reads = match change {
            Change::Enable => true,
            Change::Disable | Change::Delete => false,
            Change::Update(_) => self.reads,
        };
        self.state = match (&change, self.reads) {
            (Change::Delete, _) => State::Deleted,
            (_, true) => State::Enabled,
            (_, false) => State::Disabled,
        };
        if let Change::Update(settings) = change {
            let starting_position = self.settings.starting_position;
            self.settings = Settings {
                starting_position,
                ..*settings
            };
        }
        if self.reads && !mem::replace(&mut self.began, true) {
            self.with_shards(chooser, step, Shard::begin);
        }
        for (shard, place) in missed {
            self.with_shard(&shard, chooser, step, |shard, turn| {
                shard.miss_from(place, turn);
            });
        }
        if self.reads {
            self.with_shards(chooser, step, Shard::lease);
        }
        Ok(())
    }

    /// Ends the pause of an update. Returns the records that the mapping misses because of the pause: all from a
    /// position of each shard on.
    fn missed(&mut self, chooser: &mut dyn Chooser) -> Vec<(ShardId, usize)> {
        let latest = self.settings.starting_position == StartingPosition::Latest;
        let paused = self.paused.take().filter(|_| latest);
        let missed = paused.filter(|_| choose(chooser, Choice::UpdateMisses, 2) == 1);
        missed.unwrap_or_default()
    }

    fn expire(&mut self, chooser: &mut dyn Chooser, step: &mut Step) {
        if self.began && self.state != State::Deleted {
            self.with_shards(chooser, step, Shard::expire);
        }
    }

    /// True if all ancestors of the shard are closed, and all their records are settled.
    fn parents_are_finished(&self, shard: &Shard) -> bool {
        let mut waiting: Vec<_> = shard.parents.iter().collect();
        // Repeated splits and merges make exponentially many paths to one ancestor, so each shard is visited once.
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            let Some(parent) = self.shards.get(id).filter(|_| seen.insert(id)) else {
                continue;
            };
            if !parent.is_finished() {
                return false;
            }
            // A parent that was closed while empty is finished, although its own parents may still have unfinished
            // records.
            waiting.extend(&parent.parents);
        }
        true
    }

    /// Reads every shard that is due. Returns true if a shard was due.
    fn read(&mut self, chooser: &mut dyn Chooser, step: &mut Step) -> bool {
        if !self.reads || self.paused.is_some() {
            return false;
        }
        let due = |(_, shard): &(&ShardId, &Shard)| shard.is_due(self.now);
        let due: Vec<_> = self.shards.iter().filter(due).collect();
        let mut readable = vec![];
        for (id, shard) in due {
            if !shard.has_room(&self.settings) {
                step.rules.push(Rule::ReadAhead);
                continue;
            }
            if !shard.parents.is_empty() {
                step.rules.push(Rule::ParentFirst);
            }
            if shard.parents.len() > 1 {
                step.rules.push(Rule::MergeWaits);
            }
            if self.parents_are_finished(shard) {
                readable.push(id.clone());
            }
        }
        for id in &readable {
            self.with_shard(id, chooser, step, Shard::read);
        }
        !readable.is_empty()
    }

    /// Invokes the function for every lane that is ready. Returns true if a lane was ready.
    fn deliver(&mut self, chooser: &mut dyn Chooser, step: &mut Step) -> bool {
        let mut ready = vec![];
        for (id, shard) in &self.shards {
            let lanes = shard.ready_lanes(self.now, &self.settings);
            ready.extend(lanes.into_iter().map(|lane| (id.clone(), lane)));
        }
        let any = !ready.is_empty();
        while !ready.is_empty() {
            let place = choose_place(chooser, Choice::NextLane, ready.len());
            let (shard, lane) = ready.remove(place);
            self.invoke(shard, lane, chooser, step);
        }
        any
    }

    fn invoke(&mut self, shard: ShardId, lane: usize, chooser: &mut dyn Chooser, step: &mut Step) {
        let id = InvocationId(self.invocations + 1);
        let delivered = self.with_shard(&shard, chooser, step, |shard, turn| {
            shard.deliver(lane, id, turn)
        });
        let Some((records, earlier)) = delivered.flatten() else {
            return;
        };
        self.invocations = id.0;
        self.out.insert(id, (shard.clone(), lane));
        if self.shards.len() > 1 {
            step.rules.push(Rule::OneShardABatch);
        }
        step.outputs.push(Output::Invoke(Invocation {
            id,
            shard,
            lane,
            earlier,
            records,
        }));
    }
}
