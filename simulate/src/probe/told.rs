//! The history of each record of the probe, and the check that every promised record was handled.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alpes_ports::{KeyRange, Objects};
use futures::executor::block_on;
use jiff::Timestamp;
use serde::Deserialize;
use source_mapping::{PAYLOAD_LIMIT, Settings, StartingPosition};
use twins::MemoryObjects;

/// The longest time, in milliseconds, from the beginning of an invocation until its function sees the payload.
const ON_ITS_WAY: u64 = 1_000;

/// A record that was appended.
#[derive(Clone, Debug)]
pub struct Appended {
    pub key: String,
    /// True if the filters let the record through.
    pub passes: bool,
    /// True if the function cannot handle the record.
    pub poisonous: bool,
    pub arrived: Timestamp,
    pub shard: String,
    pub number: String,
}

/// The state of the probe's mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The mapping has not begun to read.
    #[default]
    Creating,
    Begun,
    /// An update is pending.
    Updating,
}

#[derive(Debug)]
struct Fate {
    record: Appended,
    /// The state of the mapping when the record was appended.
    state: State,
    /// The record's place in the order of first deliveries; `None` if it was not delivered.
    given: Option<u64>,
    done: bool,
    /// True if the record's batch was answered in a way that counts as success without partial batch responses.
    passed_by: bool,
}

/// The settings that the mapping has had, combined: the largest batch size, and the options that were on at any time.
#[derive(Debug, Default)]
struct Allowed {
    batch_size: usize,
    /// True if the mapping may discard batches after a number of attempts or at an age.
    ends: bool,
    unreported: bool,
    nowhere: bool,
}

#[derive(Default)]
struct Known {
    start: Option<StartingPosition>,
    allowed: Allowed,
    /// How often the mapping was given settings: more than once if the settings were changed.
    set_ups: usize,
    state: State,
    deleted: bool,
    /// The time since which no record may be delivered; `None` if the mapping has not stopped.
    stopped: Option<u64>,
    order: Vec<Fate>,
    /// The index of each record, by the event id that AWS gives it.
    places: BTreeMap<String, usize>,
    given: u64,
    complaints: Vec<String>,
}

/// The history of the records. All clones share one history.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Known>>);

/// The part of a message to a failure destination that the check reads.
#[derive(Deserialize)]
struct Word {
    #[serde(rename = "KinesisBatchInfo")]
    batch: Batch,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    shard_id: String,
    start_sequence_number: String,
    end_sequence_number: String,
}

impl Told {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn complain(&self, complaint: Option<String>) {
        self.known().complaints.extend(complaint);
    }

    /// The starting position of the mapping. Only the first call chooses the position.
    pub fn start(&self, choose: impl FnOnce() -> StartingPosition) -> StartingPosition {
        *self.known().start.get_or_insert_with(choose)
    }

    pub fn is_set_up(&self, settings: &Settings) {
        let mut known = self.known();
        known.set_ups += 1;
        let allowed = &mut known.allowed;
        allowed.batch_size = allowed.batch_size.max(settings.batch_size);
        allowed.ends |= settings.maximum_retry_attempts.is_some();
        allowed.ends |= settings.maximum_record_age.is_some();
        allowed.unreported |= !settings.report_batch_item_failures;
        allowed.nowhere |= settings.on_failure.is_none();
    }

    pub fn begins(&self) {
        self.known().state = State::Begun;
    }

    /// Notes that an update of the mapping is pending, or has taken effect.
    pub fn updates(&self, pending: bool) {
        self.known().state = if pending {
            State::Updating
        } else {
            State::Begun
        };
    }

    pub fn stops(&self, now: u64, for_good: bool) {
        let mut known = self.known();
        known.stopped = Some(now);
        known.deleted |= for_good;
    }

    pub fn goes_on(&self) {
        self.known().stopped = None;
    }

    pub fn is_deleted(&self) -> bool {
        self.known().deleted
    }

    pub fn is_appended(&self, record: Appended) {
        let mut known = self.known();
        let id = format!("{}:{}", record.shard, record.number);
        let place = known.order.len();
        known.places.insert(id, place);
        let state = known.state;
        known.order.push(Fate {
            record,
            state,
            given: None,
            done: false,
            passed_by: false,
        });
    }

    /// Notes a batch that the function was given in an event of `bytes` bytes.
    pub fn are_given(&self, ids: &[&str], bytes: usize, now: u64) {
        let mut known = self.known();
        if bytes > PAYLOAD_LIMIT {
            let complaint = format!("the probe was given {bytes} bytes at once");
            known.complaints.push(complaint);
        }
        if ids.is_empty() || ids.len() > known.allowed.batch_size {
            let complaint = format!("the probe was given {} records at once", ids.len());
            known.complaints.push(complaint);
        }
        if known.stopped.is_some_and(|since| now > since + ON_ITS_WAY) {
            let complaint = "the probe was given records of a mapping that had stopped";
            known.complaints.push(complaint.to_owned());
        }
        // The records of a batch must be of one shard and in the shard's order, which is the order of their ids.
        let shard = |id: &str| id.split_once(':').map(|(shard, _)| shard.to_owned());
        if !ids.is_sorted()
            || ids
                .iter()
                .any(|id| shard(id) != ids.first().and_then(|id| shard(id)))
        {
            let complaint = format!("the probe was given a batch out of order: {ids:?}");
            known.complaints.push(complaint);
        }
        for id in ids {
            known.given += 1;
            let given = known.given;
            match known.places.get(*id).copied() {
                Some(place) => {
                    if let Some(fate) = known.order.get_mut(place) {
                        fate.given.get_or_insert(given);
                    }
                }
                None => known.complaints.push(format!("the probe was given {id}")),
            }
        }
    }

    /// The position of the first of these records that the function cannot handle while faults last.
    pub fn poisoned(&self, ids: &[&str]) -> Option<usize> {
        let known = self.known();
        ids.iter().position(|id| {
            let place = known.places.get(*id);
            let fate = place.and_then(|place| known.order.get(*place));
            fate.is_some_and(|fate| fate.record.poisonous)
        })
    }

    /// Notes that the function reported the first `done` records of a batch as done.
    pub fn are_done(&self, ids: &[&str], done: usize) {
        let mut known = self.known();
        for (at, id) in ids.iter().enumerate() {
            let place = known.places.get(*id).copied();
            if let Some(fate) = place.and_then(|place| known.order.get_mut(place)) {
                fate.done |= at < done;
                fate.passed_by = true;
            }
        }
    }

    /// The violations. `lost_before`: records that arrived earlier have expired in the stream.
    pub fn check(&self, words: &MemoryObjects, lost_before: Option<Timestamp>) -> Vec<String> {
        let known = self.known();
        let mut broken = known.complaints.clone();
        let words = match read(words) {
            Ok(words) => words,
            Err(error) => return vec![error],
        };
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for fate in &known.order {
            let promised = fate.record.passes && known.is_begun_with(fate);
            if let Some(given) = fate.given {
                if !promised {
                    broken.push(format!(
                        "the probe was given a record that its filters exclude: {fate:?}"
                    ));
                }
                let before = last.get(fate.record.key.as_str());
                if before.is_some_and(|before| *before > given) {
                    broken.push(format!(
                        "the probe was given this record before an earlier one of its key: {fate:?}"
                    ));
                }
                // A record that was discarded before the function received it may be delivered later than its
                // successors, if the shard was read again with other settings.
                if !(known.set_ups > 1 && known.is_given_up(fate, &words)) {
                    last.insert(&fate.record.key, given);
                }
            }
            // With LATEST, a mapping may miss the records that arrive during an update.
            let missed =
                fate.state == State::Updating && known.start == Some(StartingPosition::Latest);
            let excused = known.deleted
                || missed
                || lost_before.is_some_and(|before| fate.record.arrived < before)
                || known.allowed.unreported && fate.passed_by
                || known.is_given_up(fate, &words);
            if promised && !fate.done && !excused {
                broken.push(format!(
                    "the probe never handled {fate:?} of {:?}",
                    known.allowed
                ));
            }
        }
        broken
    }
}

impl Known {
    fn is_begun_with(&self, fate: &Fate) -> bool {
        match self.start {
            Some(StartingPosition::Latest) => fate.state != State::Creating,
            Some(StartingPosition::AtTimestamp(from)) => {
                let arrived = fate.record.arrived.as_millisecond();
                u64::try_from(arrived).is_ok_and(|arrived| arrived >= from.0)
            }
            Some(StartingPosition::TrimHorizon) => true,
            None => false,
        }
    }

    /// True if the mapping may have discarded the record, and sent the message that it must send about the discarded
    /// record.
    fn is_given_up(&self, fate: &Fate, words: &[Batch]) -> bool {
        let Allowed { ends, nowhere, .. } = self.allowed;
        let record = &fate.record;
        let told = |word: &Batch| {
            let numbers = &word.start_sequence_number..=&word.end_sequence_number;
            word.shard_id == record.shard && numbers.contains(&&record.number)
        };
        ends && (nowhere || words.iter().any(told))
    }
}

fn read(words: &MemoryObjects) -> Result<Vec<Batch>, String> {
    let mut read = vec![];
    let mut after: Option<String> = None;
    loop {
        let range = KeyRange {
            after: after.as_deref(),
            ..KeyRange::new("", 1_000)
        };
        let keys = block_on(words.list(range));
        let keys = keys.map_err(|error| error.to_string())?;
        let Some(last) = keys.last() else {
            return Ok(read);
        };
        after = Some(last.clone());
        for key in keys {
            let object = block_on(words.get(&key)).map_err(|error| error.to_string())?;
            let word: Word = serde_json::from_slice(&object.unwrap_or_default())
                .map_err(|error| format!("{key}: {error}"))?;
            read.push(word.batch);
        }
    }
}
