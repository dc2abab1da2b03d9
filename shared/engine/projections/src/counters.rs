//! Counters of a view: the number of rows in each group and state.
//!
//! | attribute | content |
//! | --- | --- |
//! | `pk`, `sk` | `{view}.{generation}#counts`; `{group}#{lane}` |
//! | each [`Count`]'s name | a number; the sum over all lanes is the count |
//!
//! Two concurrent transactions that add to one item conflict, and all events of a day may be counted in one group. So
//! the counters of each group are spread over several items, called lanes.

use std::collections::BTreeMap;

use alpes_messages::{DomainEvent, SubjectId};
use alpes_ports::{
    Direction, Index, IndexQuery, Item, Key, Path, TableError, Tables, Update, Write,
};

use serde_json::Value;

use crate::{Count, Generation, TABLE, View};

/// The number of items over which a group's numbers are spread.
const LANES: u128 = 8;
/// The number of counters that are read at once.
const PAGE: usize = 1_000;

/// The change of each count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(BTreeMap<Count, i64>);

impl Changes {
    /// The changes of the counters when the row `before` becomes `after`; `None` if the view does not count rows.
    pub(crate) fn of<P: DomainEvent>(
        view: &dyn View<P>,
        before: &Item,
        after: &Item,
    ) -> Option<Self> {
        let mut changes = Self::default();
        for count in view.counts(before)? {
            *changes.0.entry(count).or_default() -= 1;
        }
        for count in view.counts(after)? {
            *changes.0.entry(count).or_default() += 1;
        }
        changes.0.retain(|_, change| *change != 0);
        Some(changes)
    }

    /// The groups that change.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|count| count.group.as_str())
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, change) in &other.0 {
            *self.0.entry(count.clone()).or_default() += change;
        }
    }

    /// The writes of these changes, one item for each group. The lane is chosen by `first`, the subject of one of the
    /// rows.
    pub(crate) fn writes(&self, generation: &Generation, first: SubjectId) -> Vec<Write> {
        let lane = first.0.as_u128() % LANES;
        let mut updates: BTreeMap<&str, Update> = BTreeMap::new();
        for (Count { group, name }, change) in &self.0 {
            if *change == 0 {
                continue;
            }
            let key = Key::new(TABLE, partition(generation), format!("{group}#{lane}"));
            let update = updates.remove(group.as_str());
            let update = update.unwrap_or_else(|| Update::of(key));
            updates.insert(group, update.add(Path::of(name), *change));
        }
        updates.into_values().map(Write::from).collect()
    }
}

fn partition(generation: &Generation) -> String {
    generation.partition("counts")
}

/// The counts of each group from `from` (inclusive) to `below` (exclusive), in the order of the groups.
///
/// # Errors
///
/// See [`TableError`].
pub async fn read(
    tables: &dyn Tables,
    generation: &Generation,
    from: &str,
    below: &str,
) -> Result<BTreeMap<String, BTreeMap<String, i64>>, TableError> {
    let mut query = IndexQuery {
        table: TABLE,
        index: Index::Primary,
        partition: partition(generation),
        from: Some(from.to_owned()),
        below: Some(below.to_owned()),
        direction: Direction::Ascending,
        limit: PAGE,
    };
    let mut groups: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    loop {
        let page = tables.query(&query).await?;
        for item in &page.items {
            let sk = item.get("sk").and_then(Value::as_str).unwrap_or_default();
            let Some((group, _)) = sk.rsplit_once('#') else {
                continue;
            };
            // The next page begins at the smallest key above `sk`.
            query.from = Some(format!("{sk}\0"));
            let numbers = groups.entry(group.to_owned()).or_default();
            for (name, number) in item {
                if let Some(number) = number.as_i64() {
                    *numbers.entry(name.clone()).or_default() += number;
                }
            }
        }
        if !page.more || page.items.is_empty() {
            return Ok(groups);
        }
    }
}
