//! Reading a shard: the size of a read, the records that are skipped, and the lanes of the other records.

use std::sync::Arc;

use crate::{
    Choice, Millis, Output, Reads, Record, Rule, Settings, StartingPosition,
    chooser::{choose, choose_place},
    event, filter,
    lane::Queued,
    reads::{BYTES_A_CALL, CALLS_A_SECOND, POLL_EVERY, RECORDS_A_CALL},
    shard::{Shard, Turn},
    time::millis,
};

impl Shard {
    /// Reads the records of one call. Call this function only if the shard is due and has room.
    pub(crate) fn read(&mut self, turn: &mut Turn<'_>) {
        let shared = turn.settings.reads == Reads::Shared;
        let every = millis(POLL_EVERY);
        let delay = choose(turn.chooser, Choice::PollDelay, every);
        if shared && let Some(rule) = self.limits.broken(turn.now) {
            turn.rule(rule);
            self.next_poll = Millis(turn.now.0 + every + delay);
            return;
        }
        match turn.settings.reads {
            Reads::Shared => turn.rule(Rule::PollOnceASecond),
            Reads::FanOut => turn.rule(Rule::FanOut),
            Reads::ByCaller => {}
        }
        let (offered, bytes) = self.offered(turn);
        if shared {
            self.limits.count(turn.now, bytes);
        }
        let held_back = choose_place(turn.chooser, Choice::HeldBack, offered + 1);
        self.take_in(offered - held_back.min(offered), turn);
        // A read waits for its share of the five calls a second. With fan-out, Kinesis pushes the records without a
        // pause, unless some records were held back. A caller that reads has waited already.
        let pause = match (shared, self.next < self.records.len()) {
            (true, false) => every,
            (false, _) if held_back == 0 => 0,
            _ => every / u64::try_from(CALLS_A_SECOND).unwrap_or(1),
        };
        if shared && pause < every {
            turn.rule(Rule::CatchesUp);
        }
        self.next_poll = Millis(turn.now.0 + pause + delay);
    }

    /// The number of records that one call can return, and their size in bytes.
    fn offered(&self, turn: &mut Turn<'_>) -> (usize, u64) {
        let (mut count, mut bytes) = (0, 0);
        for record in self.records.iter().skip(self.next) {
            let size = record.size();
            if count == RECORDS_A_CALL || bytes + size > BYTES_A_CALL {
                turn.rule(Rule::ReadLimitCall);
                break;
            }
            (count, bytes) = (count + 1, bytes + size);
        }
        (count, u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Reads this many records: skips or queues each of them.
    fn take_in(&mut self, count: usize, turn: &mut Turn<'_>) {
        let (mut early, mut filtered) = (vec![], vec![]);
        for place in self.next..self.next + count {
            let Some(record) = self.record(place).cloned() else {
                break;
            };
            self.positioned = self.positioned || is_positioned(&record, turn.settings);
            if !self.positioned {
                self.first = place + 1;
                early.push(place);
            } else if filter::passes(&turn.settings.filters, &record, &mut turn.step.rules) {
                self.queue(place, &record, turn);
            } else {
                filtered.push(place);
            }
        }
        self.next += count;
        if !filtered.is_empty() {
            turn.step
                .rules
                .extend([Rule::FilterBeforeFunction, Rule::FilterAdvances]);
        }
        self.pass_over(&early, turn, |shard, records| Output::Skipped {
            shard,
            records,
        });
        self.pass_over(&filtered, turn, |shard, records| Output::Filtered {
            shard,
            records,
        });
    }

    /// Puts a record into the lane of its key.
    fn queue(&mut self, place: usize, record: &Arc<Record>, turn: &mut Turn<'_>) {
        if self.settled.get(place) != Some(&false) {
            return;
        }
        let lane = match self.lane_of.get(&record.partition_key) {
            Some(lane) => {
                if self.lanes.len() > 1 {
                    turn.rule(Rule::LanePerKey);
                }
                *lane
            }
            None => choose_place(turn.chooser, Choice::LaneOfKey, self.lanes.len()),
        };
        self.lane_of.insert(record.partition_key.clone(), lane);
        let size = event::record_size(&turn.settings.names, &self.id, record);
        let Some(lane) = self.lanes.get_mut(lane) else {
            return;
        };
        if lane.out.is_some() {
            turn.step.rules.push(Rule::OneBatchALane);
        }
        lane.enqueue(Queued { place, size }, turn.now, turn.settings);
    }
}

/// True if a mapping begins with this record, or began before it.
fn is_positioned(record: &Record, settings: &Settings) -> bool {
    match settings.starting_position {
        StartingPosition::AtTimestamp(from) => record.arrived >= from,
        StartingPosition::TrimHorizon | StartingPosition::Latest => true,
    }
}
