//! Trying again what is parked: each thing by the consumer it is parked for.

use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use ports::{TableError, World};

use crate::{Parked, Parking};

/// What became of a parked thing that was tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It is handled, and parked no longer.
    Done,
    /// It stays parked: this build cannot handle it.
    StillParked(String),
    /// It stays parked: something did not answer. Trying again may help.
    NotNow(String),
}

/// What is parked, and what of it has been freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriving {
    /// Things that stay parked.
    pub parked: usize,
    /// Things that were parked, and are handled now.
    pub redriven: usize,
}

/// A consumer, as what is parked for it sees it.
#[async_trait]
pub trait Redrive: Send + Sync {
    /// True of what is parked for this consumer.
    fn owns(&self, parked: &Parked) -> bool;

    /// Tries a thing again, and takes it out of the parking lot if it is handled.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the parking lot cannot be read or changed; the thing stays parked.
    async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError>;
}

/// Tries again what is parked, for whichever of its consumers.
pub struct Redriver<'a> {
    /// The parking lot.
    pub parking: &'a Parking,
    /// Time.
    pub world: &'a World,
    /// The consumers.
    pub consumers: &'a [&'a dyn Redrive],
}

impl Redriver<'_> {
    /// Tries a thing again. It is noted as tried before that, so that what kills the process is tried by itself no more; the note is
    /// taken back if something did not answer.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the tables fail; the thing stays parked.
    pub async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError> {
        let Some(consumer) = self.consumers.iter().find(|one| one.owns(parked)) else {
            let nobody = format!("this build has no consumer {}", parked.owner);
            return Ok(Redriven::StillParked(nobody));
        };
        self.parking.note_tried(parked).await?;
        let redriven = consumer.redrive(parked).await?;
        if matches!(redriven, Redriven::NotNow(_)) {
            self.parking.note_untried(parked).await?;
        }
        Ok(redriven)
    }

    /// Tries again, once a build, what may have been the trouble of another build or of a bad hour: events of a type that an older
    /// one did not know, and records that the runtime gave up delivering. Begins nothing more once `budget` is used up.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the tables fail; running it again goes on.
    pub async fn redrive_due(
        &self,
        parked: &[Parked],
        budget: Duration,
    ) -> Result<Redriving, TableError> {
        let start = self.world.clock.now();
        let budget = SignedDuration::try_from(budget).unwrap_or(SignedDuration::MAX);
        let waiting = parked.iter().filter(|thing| thing.discarded.is_none());
        let mut found = Redriving {
            parked: waiting.count(),
            redriven: 0,
        };
        for thing in parked.iter().filter(|thing| self.parking.is_due(thing)) {
            if self.world.clock.now().duration_since(start) > budget {
                break;
            }
            if self.redrive(thing).await? == Redriven::Done {
                found.redriven += 1;
            }
        }
        found.parked -= found.redriven;
        Ok(found)
    }
}
