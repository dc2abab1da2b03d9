//! A row: the view's own attributes, and the projector's attributes beside them.

use std::collections::BTreeMap;

use alpes_messages::{DomainEvent, Version};
use alpes_ports::{Condition, Index, Item, Key, Path, Update};
use serde::Deserialize;
use serde_json::Value;

use crate::{Generation, View};

/// The attributes of a row that belong to the projector, not to the view.
const OWN: [&str; 9] = [
    "pk", "sk", "rev", "guard", "blocked", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk",
];

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// The number of writes; 0 if the row does not exist.
    pub(crate) rev: u64,
    /// For each stream prefix, the last version folded.
    pub(crate) guard: BTreeMap<String, Version>,
    /// For each stream prefix of a blocked event stream, the version that cannot be folded.
    pub(crate) blocked: BTreeMap<String, Version>,
    /// The view's own attributes.
    pub(crate) own: Item,
}

impl Row {
    pub(crate) fn from_item(item: Option<Item>) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Kept {
            rev: u64,
            guard: BTreeMap<String, Version>,
            #[serde(default)]
            blocked: BTreeMap<String, Version>,
        }
        let Some(mut own) = item else {
            return Ok(Self::default());
        };
        let Kept {
            rev,
            guard,
            blocked,
        } = Kept::deserialize(&own)?;
        own = own_attributes(own);
        Ok(Self {
            rev,
            guard,
            blocked,
            own,
        })
    }

    /// All attributes of the row except its keys and `rev`.
    fn attributes<P: DomainEvent>(&self, generation: &Generation, view: &dyn View<P>) -> Item {
        let mut item = self.own.clone();
        let numbers = |map: &BTreeMap<String, Version>| {
            map.iter()
                .map(|(stream, version)| (stream.clone(), Value::from(*version)))
                .collect::<Item>()
        };
        item.insert("guard".into(), numbers(&self.guard).into());
        if !self.blocked.is_empty() {
            item.insert("blocked".into(), numbers(&self.blocked).into());
        }
        for (index, place) in [Index::Gsi1, Index::Gsi2]
            .into_iter()
            .zip(view.places(&self.own))
        {
            let (partition, order) = index.attributes();
            if let Some(place) = place {
                item.insert(
                    partition.into(),
                    generation.partition(&place.partition).into(),
                );
                item.insert(order.into(), place.order.into());
            }
        }
        item
    }

    /// The write that changes the stored row from `before`, as it was read, to this row. `None` if nothing differs.
    pub(crate) fn update<P: DomainEvent>(
        &self,
        before: &Self,
        key: Key,
        generation: &Generation,
        view: &dyn View<P>,
    ) -> Option<Update> {
        let (old, new) = (
            before.attributes(generation, view),
            self.attributes(generation, view),
        );
        if before.rev > 0 && old == new {
            return None;
        }
        let unchanged = if before.rev == 0 {
            Condition::Absent
        } else {
            Condition::Equals(Path::of("rev"), before.rev.into())
        };
        let mut update = Update::of(key)
            .when(unchanged)
            .set(Path::of("rev"), before.rev + 1);
        for (name, value) in &new {
            if before.rev == 0 || old.get(name) != Some(value) {
                update = update.set(Path::of(name.clone()), value.clone());
            }
        }
        if before.rev > 0 {
            for name in old.keys().filter(|name| !new.contains_key(*name)) {
                update = update.remove(Path::of(name.clone()));
            }
        }
        Some(update)
    }
}

/// The view's own attributes, from a row's item as read from the table.
#[must_use]
pub fn own_attributes(mut item: Item) -> Item {
    item.retain(|name, _| !OWN.contains(&name.as_str()));
    item
}
