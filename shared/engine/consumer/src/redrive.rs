//! Redrives parked entries: the consumer that parked an entry retries it.

use alpes_ports::{TableError, World};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Parked, Parking};

/// The outcome of a redrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// The entry was handled, and was removed from the parking lot.
    Done,
    /// The entry stays parked, since this build cannot handle it.
    StillParked(String),
    /// The entry stays parked, since the attempt failed or got no answer. A later attempt may succeed.
    NotNow(String),
}

/// The result of a redrive of several entries, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriving {
    /// The number of entries that stay parked.
    pub parked: usize,
    /// The number of entries that were handled and removed from the parking lot.
    pub redriven: usize,
    /// True if the time ended before all due entries were tried.
    pub more: bool,
}

/// The result of a pass through the parking lot, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The number of entries that stay parked.
    pub parked: usize,
    /// The number of entries that this build cannot read. These entries stay unchanged.
    pub unreadable: usize,
    /// The number of entries that were handled and removed from the parking lot.
    pub redriven: usize,
    /// True if the time ended before the end of the lot. The numbers then cover only a part of the lot, and the next
    /// pass continues after that part.
    pub more: bool,
}

/// A consumer that can retry its parked entries.
#[async_trait]
pub trait Redrive: Send + Sync {
    /// True if this consumer parked the entry.
    fn owns(&self, parked: &Parked) -> bool;

    /// Retries an entry, and removes it from the parking lot if it was handled.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the parking lot cannot be read or changed; the entry stays parked.
    async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError>;
}

/// Retries parked entries, each with the consumer that parked it.
pub struct Redriver<'a> {
    /// The parking lot.
    pub parking: &'a Parking,
    /// The source of the present time.
    pub world: &'a World,
    /// The consumers of this function.
    pub consumers: &'a [&'a dyn Redrive],
}

impl Redriver<'_> {
    /// Retries an entry. The attempt is stored before it begins. Only a verdict ends the attempts: the entry was
    /// handled, or this build cannot handle it. If an attempt fails or the process dies, the next attempt is due at the
    /// stored time.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the attempt could not be stored. In this case no attempt was made, and the entry stays parked.
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
            // This build will retry the entry once more, in vain.
            tracing::warn!(owner = parked.owner, place = parked.place, %error, "the verdict was not stored");
        }
        Ok(redriven)
    }

    /// Retries the entries that are due: events of a type that an older build did not know, and records that the
    /// runtime stopped delivering. From `until` on, no further attempt is begun. Entries that are not due are skipped.
    pub async fn redrive_due(&self, parked: &[Parked], until: Timestamp) -> Redriving {
        let waiting = parked.iter().filter(|thing| thing.discarded.is_none());
        let mut found = Redriving {
            parked: waiting.count(),
            ..Redriving::default()
        };
        let due = parked.iter().filter(|thing| self.parking.is_due(thing));
        let mut due: Vec<_> = due.collect();
        // Entries with few attempts come first, so that an entry that hangs does not delay the others.
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
                    tracing::warn!(owner = thing.owner, place = thing.place, %error, "the attempt was not begun");
                }
            }
        }
        found.parked -= found.redriven;
        found
    }

    /// Goes through the whole lot, a page at a time, and retries the entries that are due. If the previous pass stopped
    /// before the end of the lot, this pass continues from there. From `until` on, the pass begins no further attempt,
    /// but it always reads at least one page.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the lot cannot be read; the next call continues the pass.
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
            // Entries of this page that were not tried get their turn in the next pass.
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
