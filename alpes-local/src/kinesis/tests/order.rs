//! The order of records, whatever happens to the shards.

use std::collections::{BTreeMap, BTreeSet};

use source_mapping::ShardId;

use super::*;

/// A small generator of pseudo-random numbers, so that each seed is the same run each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// The open shards by their first hashes.
fn open(rig: &Rig) -> Vec<ShardInfo> {
    let mut shards = rig.kinesis.topology("s").unwrap();
    shards.retain(|shard| !shard.closed);
    shards.sort_by_key(|shard| shard.hashes.0);
    shards
}

fn split(rig: &Rig, dice: &mut Dice) {
    let shards = open(rig);
    let shard = &shards[dice.below(shards.len())];
    let (first, last) = shard.hashes;
    let at = first + (last - first) / 16 * u128::try_from(1 + dice.below(15)).unwrap();
    let (id, at) = (shard.id.to_string(), at.to_string());
    let input = json!({ "StreamName": "s", "ShardToSplit": id, "NewStartingHashKey": at });
    // A shard may be too small to split.
    let _ = rig.kinesis.call("SplitShard", input);
}

fn merge(rig: &Rig, dice: &mut Dice) {
    let shards = open(rig);
    if shards.len() < 2 {
        return;
    }
    let left = dice.below(shards.len() - 1);
    let ids = [&shards[left], &shards[left + 1]].map(|shard| shard.id.to_string());
    rig.ok(
        "MergeShards",
        json!({ "StreamName": "s", "ShardToMerge": ids[0], "AdjacentShardToMerge": ids[1] }),
    );
}

fn scale(rig: &Rig, dice: &mut Dice) {
    let now = open(rig).len();
    let target = now.div_ceil(2) + dice.below(now * 2 - now.div_ceil(2) + 1);
    rig.ok(
        "UpdateShardCount",
        json!({ "StreamName": "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING" }),
    );
}

/// Reads each shard to its end in small steps, parents before children, and collects the data of each key.
fn read_all(rig: &Rig, dice: &mut Dice) -> BTreeMap<String, Vec<String>> {
    let mut read = BTreeMap::<_, Vec<_>>::new();
    let mut done = BTreeSet::<ShardId>::new();
    for shard in rig.kinesis.topology("s").unwrap() {
        assert!(shard.parents.iter().all(|parent| done.contains(parent)));
        let mut after = None;
        loop {
            let most = 1 + dice.below(5);
            let records = rig
                .kinesis
                .read_after("s", &shard.id, after.as_ref(), most, 1000)
                .unwrap();
            for record in &records {
                assert!(Some(&record.sequence) > after.as_ref(), "numbers ascend");
                after = Some(record.sequence.clone());
                let data = String::from_utf8(record.data.to_vec()).unwrap();
                read.entry(record.partition_key.to_string())
                    .or_default()
                    .push(data);
            }
            if records.is_empty() {
                break;
            }
        }
        done.insert(shard.id);
    }
    read
}

#[test]
fn each_keys_records_stay_in_order_over_any_resharding() {
    for seed in 1..=40 {
        let (rig, mut dice) = (Rig::new(), Dice(0x9e37_79b9_7f4a_7c15 + seed));
        rig.stream(u32::try_from(1 + dice.below(3)).unwrap());
        let mut put = BTreeMap::<_, Vec<_>>::new();
        for number in 0..200 {
            match dice.below(20) {
                0 => split(&rig, &mut dice),
                1 => merge(&rig, &mut dice),
                2 => scale(&rig, &mut dice),
                3 => rig.pass(1),
                _ => {
                    let key = format!("key {}", dice.below(8));
                    rig.put(&key, &number.to_string());
                    put.entry(key).or_default().push(number.to_string());
                }
            }
        }
        assert_eq!(read_all(&rig, &mut dice), put, "seed {seed}");
    }
}

#[test]
fn each_keys_records_stay_in_order_while_shards_change() {
    const WRITERS: usize = 3;
    const RECORDS: usize = 100;
    let (rig, mut dice) = (Rig::new(), Dice(7));
    rig.stream(2);
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            let rig = &rig;
            threads.spawn(move || {
                for number in 0..RECORDS {
                    rig.put(&format!("key {writer}"), &number.to_string());
                }
            });
        }
        for _ in 0..20 {
            scale(&rig, &mut dice);
        }
    });
    let wanted: Vec<_> = (0..RECORDS).map(|number| number.to_string()).collect();
    let read = read_all(&rig, &mut dice);
    assert_eq!(read.len(), WRITERS);
    assert!(read.values().all(|data| *data == wanted));
}
