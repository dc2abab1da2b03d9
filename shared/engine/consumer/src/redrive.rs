//! Trying again what is parked: each thing by the consumer it is parked for.

use alpes_ports::{TableError, World};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Parked, Parking};

/// What became of a parked thing that was tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It is handled, and parked no longer.
    Done,
    /// It stays parked: this build cannot handle it.
    StillParked(String),
    /// It stays parked: something did not answer, or failed. Trying again may help.
    NotNow(String),
}

/// What is parked, and what of it has been freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriving {
    /// Things that stay parked.
    pub parked: usize,
    /// Things that were parked, and are handled now.
    pub redriven: usize,
    /// True if time ended before all that is due was tried.
    pub more: bool,
}

/// What a look through the parking lot came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Things that stay parked.
    pub parked: usize,
    /// Things that this build cannot read, and that stay as they are.
    pub unreadable: usize,
    /// Things that were parked, and are handled now.
    pub redriven: usize,
    /// True if time ended before all of the lot was seen: the numbers are of a part of it, and the next look goes on from there.
    pub more: bool,
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
    /// Tries a thing again. The try is noted before it begins. Only a verdict ends the tries: whatever fails on the way, and whoever
    /// dies of it, leaves a note by which it is tried again later.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the try could not be noted, and was not made; the thing stays parked.
    pub async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError> {
        let Some(consumer) = self.consumers.iter().find(|one| one.owns(parked)) else {
            let nobody = format!("this build has no consumer {}", parked.owner);
            return Ok(Redriven::StillParked(nobody));
        };
        self.parking.note_tried(parked).await?;
        let redriven = consumer.redrive(parked).await;
        let redriven = redriven.unwrap_or_else(|error| Redriven::NotNow(error.to_string()));
        if matches!(redriven, Redriven::StillParked(_))
            && let Err(error) = self.parking.note_verdict(parked).await
        {
            // It will be tried once more, in vain.
            tracing::warn!(owner = parked.owner, place = parked.place, %error, "a verdict was not noted");
        }
        Ok(redriven)
    }

    /// Tries again what is due: what may have been the trouble of another build or of a bad hour, that is events of a type that an
    /// older one did not know, and records that the runtime gave up delivering. Begins nothing more from `until` on. What cannot be
    /// tried now is passed by.
    pub async fn redrive_due(&self, parked: &[Parked], until: Timestamp) -> Redriving {
        let waiting = parked.iter().filter(|thing| thing.discarded.is_none());
        let mut found = Redriving {
            parked: waiting.count(),
            ..Redriving::default()
        };
        let due = parked.iter().filter(|thing| self.parking.is_due(thing));
        let mut due: Vec<_> = due.collect();
        // What hangs keeps nothing from its turn.
        due.sort_by_key(|thing| self.parking.tries(thing));
        for thing in due {
            if self.world.clock.now() >= until {
                found.more = true;
                break;
            }
            match self.redrive(thing).await {
                Ok(Redriven::Done) => found.redriven += 1,
                Ok(Redriven::StillParked(cause) | Redriven::NotNow(cause)) => {
                    tracing::info!(
                        owner = thing.owner,
                        place = thing.place,
                        cause,
                        "still parked"
                    );
                }
                Err(error) => {
                    tracing::warn!(owner = thing.owner, place = thing.place, %error, "not tried");
                }
            }
        }
        found.parked -= found.redriven;
        found
    }

    /// Looks through the whole lot, a page at a time, and tries again what is due; from where the last look left off, if that did not
    /// come to the end. Begins nothing more from `until` on, but looks at one page at least.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the lot cannot be read; looking again goes on.
    pub async fn look_through(&self, until: Timestamp) -> Result<Look, TableError> {
        let left_off = self.parking.pass().await?;
        let is_kept = left_off.is_some();
        let mut pass = left_off.unwrap_or_default();
        let mut redriven = 0;
        let more = loop {
            let (lot, next) = self.parking.page(pass.after().as_ref()).await?;
            let redriving = self.redrive_due(&lot.parked, until).await;
            redriven += redriving.redriven;
            pass.parked += redriving.parked;
            pass.unreadable += lot.unreadable.len();
            let Some(next) = next else {
                break false;
            };
            pass.go_on_after(next);
            // What was not tried of this page has its turn when the others had theirs.
            if redriving.more || self.world.clock.now() >= until {
                break true;
            }
        };
        if more {
            self.parking.keep_pass(&pass).await?;
        } else if is_kept {
            self.parking.end_pass().await?;
        }
        Ok(Look {
            parked: pass.parked,
            unreadable: pass.unreadable,
            redriven,
            more,
        })
    }
}
