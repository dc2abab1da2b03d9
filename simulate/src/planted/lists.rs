//! Planted mistakes around the queries of views.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alpes_ports::{Index, IndexPage, IndexQuery, TableError, Tables};
use alpes_projections::TABLE as VIEWS;
use async_trait::async_trait;
use events::vuelos::EstadoReserva;
use twins::{Over, Ports, TablesOver};

use super::{Planted, Seed};

pub(super) fn around(ports: Ports, seed: &Seed) -> Ports {
    use Planted::{CachedLists, CachedReports, HastyLists};
    if !matches!(seed.what, CachedLists | CachedReports | HastyLists) {
        return ports;
    }
    Ports {
        tables: Arc::new(Over(BadQueries {
            inner: ports.tables.clone(),
            seed: seed.clone(),
            kept: Mutex::default(),
        })),
        ..ports
    }
}

/// A number of queries that together take about two seconds.
const LONG: usize = 150;

struct BadQueries {
    inner: Arc<dyn Tables>,
    seed: Seed,
    /// The earlier results of queries.
    kept: Mutex<BTreeMap<String, IndexPage>>,
}

impl BadQueries {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, IndexPage>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queries the states that rows move to long before the state that the rows leave.
    async fn hasty(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let name = |query: &IndexQuery| format!("{query:?}");
        if let Some(first) = query.partition.strip_suffix("Pendiente") {
            for estado in EstadoReserva::ALL {
                let other = IndexQuery {
                    partition: format!("{first}{estado}"),
                    ..query.clone()
                };
                if other.partition != query.partition {
                    let page = self.inner.query(&other).await?;
                    self.kept().insert(name(&other), page);
                }
            }
            for _ in 0..LONG {
                self.inner.query(query).await?;
            }
        }
        let kept = self.kept().remove(&name(query));
        match kept {
            Some(page) => Ok(page),
            None => self.inner.query(query).await,
        }
    }

    /// Returns an earlier result of the query: always for a report, and now and then for a list.
    async fn cached(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let of_its_beginning = query.below.is_none() || query.index == Index::Primary;
        let name = match query.index {
            Index::Primary => format!("{query:?}"),
            _ => query.partition.clone(),
        };
        let before = self.kept().get(&name).cloned();
        let again = of_its_beginning
            && (self.seed.what == Planted::CachedReports || self.seed.now_and_then());
        if let Some(mut page) = before.filter(|_| again) {
            page.more |= page.items.len() > query.limit;
            page.items.truncate(query.limit);
            return Ok(page);
        }
        let page = self.inner.query(query).await?;
        if of_its_beginning {
            self.kept().insert(name, page.clone());
        }
        Ok(page)
    }
}

#[async_trait]
impl TablesOver for BadQueries {
    fn inner(&self) -> &dyn Tables {
        &*self.inner
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let is_list = query.table == VIEWS && query.index != Index::Primary;
        let is_report = query.table == VIEWS && query.index == Index::Primary;
        match self.seed.what {
            Planted::HastyLists if is_list => self.hasty(query).await,
            Planted::CachedLists if is_list => self.cached(query).await,
            Planted::CachedReports if is_report => self.cached(query).await,
            _ => self.inner.query(query).await,
        }
    }
}
