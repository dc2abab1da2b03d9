//! The command `verify`: compares the event streams with the log and its archive.

use alpes_archive::{Archive, ArchiveError};
use alpes_event_store::{Beyond, Readings, verify};
use alpes_ports::Platform;
use jiff::SignedDuration;

use crate::{Deployed, Outcome};

/// How many objects are read at once.
const OBJECTS: usize = 100;
/// The log may drop records while it is read, so records that are this close to the end of the log's retention are not
/// required.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

pub(crate) async fn run(deployed: &Deployed) -> Outcome {
    let (tables, log) = (deployed.platform.tables(), deployed.platform.kinesis()?);
    let (archive, reader) = (deployed.archive()?, deployed.reader());
    let kept = SignedDuration::from_hours(i64::from(log.retention_hours().await?));
    let now = deployed.platform.world().clock.now();
    let beyond = Beyond {
        kept_since: now.checked_sub(kept - MARGIN)?.into(),
        archive: readings(&archive).await?,
    };
    let found = verify(&*tables, &*log, &reader, Some(beyond)).await?;
    println!("streams                    {}", found.streams);
    println!("events committed           {}", found.committed);
    println!("  in the log               {}", found.in_log);
    println!("  in the archive           {}", found.archived);
    println!("  not published yet        {}", found.pending);
    println!("  older than the log keeps {}", found.expired);
    println!("further copies in the log  {}", found.duplicates);
    println!("records that are no events {}", found.foreign);
    for difference in &found.differences {
        println!("DIFFERENCE {difference}");
    }
    if found.differences.is_empty() {
        println!("Streams, log and archive agree.");
    } else {
        println!(
            "Streams, log and archive DO NOT agree: {} differences.",
            found.differences.len()
        );
    }
    Ok(found.differences.is_empty())
}

/// The content of the whole archive.
async fn readings(archive: &Archive) -> Result<Readings, ArchiveError> {
    let (mut readings, catalogue) = (Readings::default(), events::catalogue());
    let mut after = None;
    loop {
        let page = archive.page(after.as_deref(), OBJECTS).await?;
        readings.add(&page.records, &catalogue);
        after = page.last;
        if !page.more {
            return Ok(readings);
        }
    }
}
