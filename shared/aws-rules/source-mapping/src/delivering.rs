//! Delivering the batches of a lane, and applying the outcomes.

use std::sync::Arc;

use crate::{
    Choice, Condition, InvocationId, Millis, Outcome, Output, Reads, Record, Rule, SequenceNumber,
    Settings, Verdict,
    batch::{Aftermath, Batch, Response},
    chooser::choose,
    destination::GivenUp,
    judge,
    reads::POLL_EVERY,
    shard::{Shard, Turn},
};

/// The longest pause after the first of several failures, in milliseconds. The bound doubles with each further failure.
const FIRST_BACK_OFF: u64 = 500;
/// The longest pause after any failure, in milliseconds.
const LONGEST_BACK_OFF: u64 = 300_000;

impl Shard {
    /// The lanes that can deliver a batch now.
    pub(crate) fn ready_lanes(&self, now: Millis, settings: &Settings) -> Vec<usize> {
        let ready = self
            .open_lanes()
            .filter(|(_, lane)| lane.is_ready(now, settings));
        ready.map(|(at, _)| at).collect()
    }

    /// Delivers the batch of a ready lane as the invocation `id`. Returns the records of the batch, and the number of
    /// earlier invocations with these records; `None` if all records were too old.
    pub(crate) fn deliver(
        &mut self,
        at: usize,
        id: InvocationId,
        turn: &mut Turn<'_>,
    ) -> Option<(Vec<Arc<Record>>, u32)> {
        if self.retry_must_wait(at, turn) {
            return None;
        }
        let others = self.lanes.iter().filter(|lane| lane.out.is_some()).count();
        let lane = self.lanes.get_mut(at)?;
        if lane.batches.is_empty() {
            lane.gather(turn.settings, &mut turn.step.rules);
        } else if !lane.queue.is_empty() {
            turn.step.rules.push(Rule::LaneBlocked);
        }
        let mut batch = lane.batches.pop_front()?;
        let aged = self.take_aged(&mut batch, turn);
        if !aged.places.is_empty() {
            turn.rule(Rule::RecordAge);
            self.discard(at, &aged, Condition::RecordAgeExceeded, None, turn);
        }
        if batch.places.is_empty() {
            self.send_held(at, turn);
            return None;
        }
        if others > 0 {
            turn.rule(Rule::LanesConcurrent);
        }
        let delivered = (self.records_at(&batch.places), batch.invocations);
        let lane = self.lanes.get_mut(at)?;
        lane.batches.push_front(batch);
        lane.out = Some(id);
        Some(delivered)
    }

    /// With enhanced fan-out, Lambda reads the records of a retry again, by a call that counts for the limits of the
    /// shard. True if the limits allow no such call now; the lane then waits for the next poll.
    fn retry_must_wait(&mut self, at: usize, turn: &mut Turn<'_>) -> bool {
        let lane = self.lanes.get(at);
        let retried = lane
            .and_then(|lane| lane.batches.front())
            .filter(|batch| batch.invocations > 0);
        let Some(batch) = retried.filter(|_| turn.settings.reads == Reads::FanOut) else {
            return false;
        };
        let records = batch.places.iter().filter_map(|place| self.record(*place));
        let bytes: usize = records.map(|record| record.size()).sum();
        turn.rule(Rule::FanOutRetry);
        let Some(rule) = self.limits.broken(turn.now) else {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.limits.count(turn.now, bytes);
            return false;
        };
        turn.rule(rule);
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.not_before = turn.now.plus(POLL_EVERY);
        }
        true
    }

    /// Removes the records of a batch that are too old to be delivered.
    fn take_aged(&self, batch: &mut Batch, turn: &Turn<'_>) -> Batch {
        let mut aged = Batch {
            places: vec![],
            ..batch.clone()
        };
        if let Some(most) = turn.settings.maximum_record_age {
            let is_aged = |place: &mut usize| {
                let record = self.record(*place);
                record.is_some_and(|record| turn.now.since(record.arrived) > most)
            };
            aged.places = batch.places.extract_if(.., is_aged).collect();
        }
        aged
    }

    /// Applies the outcome of a lane's invocation.
    pub(crate) fn finish(&mut self, at: usize, outcome: &Outcome, turn: &mut Turn<'_>) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        let (Some(invocation), Some(mut batch)) = (lane.out.take(), lane.batches.pop_front())
        else {
            return;
        };
        lane.begin_window(turn.now);
        if !turn.settings.batching_window.is_zero() {
            turn.step.rules.push(Rule::BatchingWindowBegins);
        }
        if *outcome == Outcome::Throttled {
            turn.rule(Rule::ThrottleNoAttempt);
            self.again(at, vec![batch], turn);
            return;
        }
        self.tell_age(&batch, turn);
        batch.invocations = batch.invocations.saturating_add(1);
        batch.attempts = batch.attempts.saturating_add(1);
        let places = batch.places.clone();
        let (done, aftermath) = self.judge(batch, outcome, turn);
        let done = places.get(..done).unwrap_or(&places);
        if !done.is_empty() {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.failures_in_a_row = 0;
            }
            self.send_held(at, turn);
            self.settle(done, turn);
        }
        match aftermath {
            None => {}
            Some(Aftermath::Again(batches)) => self.again(at, batches, turn),
            Some(Aftermath::GiveUp(batch)) => {
                let condition = Condition::RetryAttemptsExhausted;
                self.discard(at, &batch, condition, Some(invocation), turn);
            }
        }
    }

    fn tell_age(&self, batch: &Batch, turn: &mut Turn<'_>) {
        let last = batch.places.last().and_then(|place| self.record(*place));
        if let Some(last) = last {
            turn.rule(Rule::IteratorAge);
            let (shard, age) = (self.id.clone(), turn.now.since(last.arrived));
            turn.step.outputs.push(Output::IteratorAge { shard, age });
        }
    }

    /// The number of records at the beginning of a batch that are done, and the action for the other records.
    fn judge(
        &self,
        mut batch: Batch,
        outcome: &Outcome,
        turn: &mut Turn<'_>,
    ) -> (usize, Option<Aftermath>) {
        let (settings, rules) = (turn.settings, &mut turn.step.rules);
        let chooser = &mut *turn.chooser;
        let Outcome::Returned(response) = outcome else {
            rules.push(match outcome {
                Outcome::TimedOut | Outcome::Killed => Rule::TimeoutIsError,
                _ => Rule::FunctionError,
            });
            if settings.report_batch_item_failures {
                rules.push(Rule::ReportException);
            }
            batch.response = Some(Response::Error);
            return (0, Some(batch.failed(settings, chooser, rules)));
        };
        let all = batch.places.len();
        let sequences: Vec<&SequenceNumber> = batch
            .places
            .iter()
            .filter_map(|place| Some(&self.records.get(*place)?.sequence))
            .collect();
        let (verdict, rule) = judge(response, &sequences);
        if !settings.report_batch_item_failures {
            if verdict != Verdict::Done {
                rules.push(Rule::ReportOff);
            }
            rules.push(Rule::WholeBatchDone);
            return (all, None);
        }
        rules.push(rule);
        batch.response = Some(Response::Report);
        match verdict {
            Verdict::Done => (all, None),
            Verdict::DoneBefore(place) => (place, Some(batch.failed_from(place, settings, rules))),
            Verdict::Failed if rule == Rule::ReportFirstRecord => {
                (0, Some(batch.failed_at_first(settings, rules)))
            }
            Verdict::Failed => (0, Some(batch.failed(settings, chooser, rules))),
        }
    }

    /// Puts these batches before all other batches of a lane.
    fn again(&mut self, at: usize, batches: Vec<Batch>, turn: &mut Turn<'_>) {
        if self.lanes.len() > 1 && choose(turn.chooser, Choice::ShardPaused, 2) == 1 {
            turn.rule(Rule::LaneBlocked);
            self.paused_by = Some(at);
        }
        turn.rule(Rule::BackOff);
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.failures_in_a_row = lane.failures_in_a_row.saturating_add(1);
            let doublings = (lane.failures_in_a_row - 1).min(10);
            let longest = LONGEST_BACK_OFF.min(FIRST_BACK_OFF << doublings);
            let wait = choose(turn.chooser, Choice::BackOff, longest + 1);
            lane.not_before = Millis(turn.now.0 + wait);
            for batch in batches.into_iter().rev() {
                lane.batches.push_front(batch);
            }
        }
    }

    fn discard(
        &mut self,
        at: usize,
        batch: &Batch,
        condition: Condition,
        invocation: Option<InvocationId>,
        turn: &mut Turn<'_>,
    ) {
        let records = self.records_at(&batch.places);
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.failures_in_a_row = 0;
        }
        turn.rule(Rule::DiscardContinues);
        turn.step.outputs.push(Output::Discarded {
            shard: self.id.clone(),
            records: records.clone(),
            condition,
        });
        self.settle(&batch.places, turn);
        let given_up = GivenUp {
            records,
            condition,
            invocation,
            attempts: batch.attempts,
            response: batch.response,
        };
        self.hold_or_send(at, given_up, turn);
    }

    /// Sends the report on discarded records, or holds the report back, to combine it with the next report of the lane.
    fn hold_or_send(&mut self, at: usize, mut given_up: GivenUp, turn: &mut Turn<'_>) {
        let Some(lane) = self.lanes.get_mut(at) else {
            return;
        };
        let parts_follow = !lane.batches.is_empty();
        if let Some(held) = lane.held.take() {
            if held.condition == given_up.condition {
                turn.step.rules.push(Rule::DestinationConsolidated);
                given_up = held.and(given_up);
            } else {
                self.send(held, turn);
            }
        }
        let may_wait = turn.settings.bisect_batch_on_function_error && parts_follow;
        if may_wait && choose(turn.chooser, Choice::Consolidate, 2) == 1 {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.held = Some(given_up);
            }
        } else {
            self.send(given_up, turn);
        }
    }

    pub(crate) fn send_held(&mut self, at: usize, turn: &mut Turn<'_>) {
        let held = self.lanes.get_mut(at).and_then(|lane| lane.held.take());
        if let Some(held) = held {
            self.send(held, turn);
        }
    }

    pub(crate) fn send(&self, given_up: GivenUp, turn: &mut Turn<'_>) {
        let (now, settings) = (turn.now, turn.settings);
        match given_up.word(&self.id, now, settings, &mut turn.step.rules) {
            Some(word) => turn.step.outputs.push(Output::Sent(word)),
            None => turn.rule(Rule::DestinationNone),
        }
    }
}
