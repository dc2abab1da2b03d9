//! Generations of a view: the one that answers questions, and the one under construction.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use ports::{Clock, Consistency, Item, Key, TableError, Tables};
use serde_json::Value;

use crate::TABLE;

/// How long readers may go on with the generation they know. Whoever drops an old generation waits longer.
const CACHED: Duration = Duration::from_secs(5);

/// One generation of one view. Begins all its keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation {
    /// The view.
    pub view: &'static str,
    /// Which, from 1.
    pub number: u32,
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.view, self.number)
    }
}

impl Generation {
    /// A partition of an index, within this generation.
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

/// The generations that the projector writes, for each of `views`, the newest first: the live one, and beside it the one under
/// construction, or the one before it while readers may still know that. Read once a batch, strongly consistent: a rebuild counts
/// on it. A view without alias lives in generation 1.
pub(crate) async fn written(
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
            let mut written = vec![live];
            written.extend(number(&alias, "building"));
            written.extend(number(&alias, "retiring"));
            written.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
            written
                .into_iter()
                .map(|number| Generation { view, number })
                .collect()
        })
        .collect())
}

/// Tells readers which generation of a view lives, remembering it for a few seconds.
pub struct Generations {
    tables: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
    known: Mutex<Vec<(Generation, Timestamp)>>,
}

impl Generations {
    /// The generations named in `tables`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, clock: Arc<dyn Clock>) -> Self {
        Self {
            tables,
            clock,
            known: Mutex::default(),
        }
    }

    /// The live generation of `view`.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn live(&self, view: &'static str) -> Result<Generation, TableError> {
        let now = self.clock.now();
        let fresh = |since: Timestamp| {
            let age = now.duration_since(since);
            !age.is_negative() && age <= SignedDuration::try_from(CACHED).unwrap_or_default()
        };
        if let Some((generation, _)) = self
            .known()
            .iter()
            .find(|(known, since)| known.view == view && fresh(*since))
        {
            return Ok(generation.clone());
        }
        let alias = self
            .tables
            .get_one(&alias_key(view), Consistency::Eventual)
            .await?
            .unwrap_or_default();
        let generation = Generation {
            view,
            number: number(&alias, "live").unwrap_or(1),
        };
        let mut known = self.known();
        known.retain(|(known, _)| known.view != view);
        known.push((generation.clone(), now));
        Ok(generation)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<(Generation, Timestamp)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
