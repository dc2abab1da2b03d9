//! Generations of a view: the live one, which answers queries, and the one under construction.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alpes_messages::SubjectId;
use alpes_ports::{Clock, Consistency, Item, Key, TableError, Tables};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::TABLE;

/// The time for which a reader caches the generations of a view.
const CACHED: Duration = Duration::from_secs(5);
/// The time from the write that names a new generation in the alias until all readers switch to it, at the same moment.
/// The old generation may have fewer events than the new one. If readers switched at different moments, a client that
/// asks several readers could see changes disappear again. So the delay is longer than [`CACHED`] plus the time that
/// the write of the alias may take.
pub(crate) const HANDOVER: SignedDuration = SignedDuration::from_secs(15);

/// One generation of one view. All its keys begin with the view and the number, `{view}.{number}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation {
    /// The name of the view.
    pub view: &'static str,
    /// The number of the generation, from 1.
    pub number: u32,
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.view, self.number)
    }
}

impl Generation {
    /// The key of a subject's row.
    #[must_use]
    pub fn row_key(&self, subject: SubjectId) -> Key {
        Key::new(TABLE, format!("{self}#{subject}"), "row")
    }

    /// The full name of an index partition of this generation.
    #[must_use]
    pub fn partition(&self, name: &str) -> String {
        format!("{self}#{name}")
    }
}

pub(crate) fn alias_key(view: &str) -> Key {
    Key::new(TABLE, view, "alias")
}

fn number(alias: &Item, name: &str) -> Option<u32> {
    alias
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|number| number.try_into().ok())
}

/// For each of `views`, the generations that the projector writes, the newest first: the live one, the one under
/// construction, and the previous one while readers may still use it. The projector reads these generations once for
/// each batch, with strong consistency: soon after a rebuild begins, every batch must be written to the new generation
/// too. A view without an alias has generation 1.
pub(crate) async fn fed(
    tables: &dyn Tables,
    views: &[&'static str],
) -> Result<Vec<Vec<Generation>>, TableError> {
    let keys: Vec<_> = views.iter().map(|view| alias_key(view)).collect();
    let aliases = tables.get(&keys, Consistency::Strong).await?;
    Ok(views
        .iter()
        .zip(aliases)
        .map(|(view, alias)| {
            let alias = alias.unwrap_or_default();
            let live = number(&alias, "live").unwrap_or(1);
            let mut fed = vec![live];
            fed.extend(number(&alias, "building"));
            fed.extend(number(&alias, "retiring"));
            fed.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
            fed.into_iter()
                .map(|number| Generation { view, number })
                .collect()
        })
        .collect())
}

/// The generations of a view, as a reader caches them.
#[derive(Clone, Copy)]
struct Known {
    view: &'static str,
    /// The time at which the alias of the view was read.
    at: Timestamp,
    live: u32,
    /// The previous generation, and the time until which readers still use it; `None` if there is no previous
    /// generation.
    before: Option<(u32, Timestamp)>,
}

impl Known {
    fn from_alias(view: &'static str, at: Timestamp, alias: &Item) -> Self {
        let until = alias.get("since").and_then(Value::as_str);
        let until = until.and_then(|until| until.parse().ok());
        Self {
            view,
            at,
            live: number(alias, "live").unwrap_or(1),
            before: number(alias, "retiring").zip(until),
        }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        !age.is_negative() && age <= SignedDuration::try_from(CACHED).unwrap_or_default()
    }

    fn at(&self, now: Timestamp) -> Generation {
        let before = self.before.filter(|(_, until)| now < *until);
        Generation {
            view: self.view,
            number: before.map_or(self.live, |(before, _)| before),
        }
    }
}

/// Tells readers which generation of a view to read. A reader caches the answer for 5 seconds.
pub struct Generations {
    tables: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
    known: Mutex<Vec<Known>>,
}

impl Generations {
    /// The generations that the aliases in `tables` name.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, clock: Arc<dyn Clock>) -> Self {
        Self {
            tables,
            clock,
            known: Mutex::default(),
        }
    }

    /// The generation of `view` to read now: the live one, or the previous one until the agreed moment of the switch.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn live(&self, view: &'static str) -> Result<Generation, TableError> {
        let now = self.clock.now();
        let remembered = self
            .known()
            .iter()
            .find(|known| known.view == view)
            .copied();
        if let Some(known) = remembered.filter(|known| known.is_fresh(now)) {
            return Ok(known.at(now));
        }
        let alias = self
            .tables
            .get_one(&alias_key(view), Consistency::Eventual)
            .await?
            .unwrap_or_default();
        let read = Known::from_alias(view, now, &alias);
        let mut known = self.known();
        known.retain(|known| known.view != view);
        known.push(read);
        Ok(read.at(now))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
