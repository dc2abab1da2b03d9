//! Items of other builds, in forms that this build cannot read. These items must block no other work, and must stay in
//! the tables.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alpes_consumer::TABLE as PARKED;
use alpes_messages::{Context, Moment};
use alpes_participant::REACTIONS;
use alpes_ports::{Condition, Item, Key, Tables, Write};
use alpes_saga::TABLE as SAGAS;
use events::{CONTEXTS, VUELOS};
use futures::executor::block_on;
use serde_json::{Value, json};

use crate::{functions::ALL, system::System};

/// The attributes that place an item in an index of due work and count its writes. Only these attributes may change,
/// because unreadable work is put off to a later time.
const DUE: [&str; 3] = ["gsi1pk", "gsi1sk", "rev"];

/// The items that the run has written so far in the forms of other builds.
#[derive(Clone, Default)]
pub struct Foreign(Arc<Mutex<Vec<(Key, Item)>>>);

impl Foreign {
    fn lock(&self) -> MutexGuard<'_, Vec<(Key, Item)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if a foreign item has this key.
    pub fn has(&self, key: &Key) -> bool {
        self.lock().iter().any(|(known, _)| known == key)
    }
}

/// A parked record that only another build can read, with its bytes.
fn parked(owner: &str, id: &str, since: &str, kind: u64) -> [(Key, Value); 2] {
    let place = format!("record#shardId-000000000000#{id}");
    let mut item = json!({
        "what": "record", "shard": "shardId-000000000000", "sequence": id, "partition_key": id,
        "reason": "undecodable", "detail": "de otra construcción", "since": since, "pieces": 1,
        "catalogue": "", "again": 0,
    });
    let change = match kind {
        0 => json!({"reason": "quarantined"}),
        1 => json!({"what": "segment", "first": 1}),
        2 => json!({"since": 7, "discarded": "sí"}),
        _ => json!({"pieces": "una"}),
    };
    if let (Value::Object(item), Value::Object(change)) = (&mut item, change) {
        item.extend(change);
    }
    let pieces = Key::new(PARKED, format!("{owner}#pieces#{place}"), "0000");
    [
        (Key::new(PARKED, owner, place), item),
        (pieces, json!({"data": "3q2+7w=="})),
    ]
}

/// A due saga whose log has an entry of a type that this build does not know. This build may not know the saga's
/// definition either.
fn saga(id: &str, since: &str, bucket: u64, kind: u64) -> (Key, Value) {
    let version = if kind == 0 { 90 } else { 1 };
    let item = json!({
        "definition": "reserva", "version": version, "subject": id, "status": "Running",
        "log": [{"when": since, "type": "Meditated", "step": 1}], "rev": 1, "author": id,
        "due": since, "gsi1pk": format!("wake-{bucket:02}"), "gsi1sk": since,
        "gsi2pk": "status:Running", "gsi2sk": format!("{since}#{id}"),
    });
    (Key::new(SAGAS, id, "saga"), item)
}

/// A due reaction in an unknown form, or of an unknown policy.
fn reaction(context: Context, id: &str, since: &str, bucket: u64, kind: u64) -> (Key, Value) {
    let class = if kind == 0 { "undoing" } else { "news" };
    let item = json!({
        "command": if kind == 0 { json!("Meditar") } else { json!(["Meditar"]) },
        "event": {"id": id}, "plan": "b", "attempts": 0,
        "gsi1pk": format!("due-{}-{class}-{:02}", context.name, bucket % 8), "gsi1sk": since,
    });
    let owner = format!("{}-{id}", context.name);
    (Key::new(REACTIONS, owner, format!("{id}#Meditar")), item)
}

/// Writes some items in the forms of other builds into the tables. The sagas and reactions among them are due at once.
pub fn leave(system: &System) {
    let (kernel, dice) = (&system.kernel, system.kernel.dice());
    let since = Moment::from(kernel.now()).to_string();
    for _ in 0..2 + dice.below(5) {
        let id = system.world.ids.fresh().to_string();
        let (bucket, kind) = (dice.below(16), dice.below(2));
        let left = match dice.below(3) {
            0 => {
                kernel.count("other builds", "parked");
                let owner = dice.pick(&ALL).map_or("nadie", |name| name.0);
                parked(owner, &id, &since, dice.below(4)).to_vec()
            }
            1 => {
                kernel.count("other builds", "saga");
                vec![saga(&id, &since, bucket, kind)]
            }
            _ => {
                kernel.count("other builds", "reaction");
                let context = dice.pick(&CONTEXTS).copied();
                let context = context.unwrap_or(VUELOS);
                vec![reaction(context, &id, &since, bucket, kind)]
            }
        };
        for (key, item) in left {
            kernel.note(format_args!("another build leaves {} {}", key.pk, key.sk));
            let item = item.as_object().cloned().unwrap_or_default();
            system.foreign.lock().push((key.clone(), item.clone()));
            let put = Write::Put {
                key,
                item,
                condition: Condition::Absent,
            };
            let written = block_on(system.tables.write(&put));
            debug_assert!(written.is_ok(), "{written:?}");
        }
    }
}

/// A foreign item that is still first among the due work, in words. Unreadable work must be put off to make room for
/// the rest.
pub fn in_the_way(system: &System) -> Option<String> {
    let all = system.foreign.lock();
    let due = |item: &Item| item.get("gsi1sk").cloned();
    let stands = |(key, left): &&(Key, Item)| {
        let found = system.tables.item(key);
        key.table != PARKED && found.is_some_and(|found| due(&found) == due(left))
    };
    let first = all.iter().find(stands);
    first.map(|(key, _)| format!("{} {} is still first among the due work", key.pk, key.sk))
}

/// Checks that every foreign item is as it was written, except for the time at which it is due and its `rev`.
pub fn check(system: &System, broken: &mut Vec<String>) {
    for (key, left) in system.foreign.lock().iter() {
        let same = |found: &Item| {
            let mut attributes = left.iter();
            attributes.all(|(name, value)| {
                found.get(name) == Some(value)
                    || key.table != PARKED && DUE.contains(&name.as_str())
            })
        };
        let found = system.tables.item(key);
        let as_it_was = found
            .as_ref()
            .is_some_and(|found| same(found) && (key.table != PARKED || found.len() == left.len()));
        if !as_it_was {
            broken.push(format!(
                "another build left {} {} as {left:?}, and it is {found:?}",
                key.pk, key.sk
            ));
        }
    }
}
