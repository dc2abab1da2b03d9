//! The command `retention`: how long the log keeps events, and how much of it is archived.

use alpes_archive::{Coverage, Reach};
use alpes_messages::Moment;
use alpes_ports::Platform;
use alpes_ports::{LogError, LogReader, Position};
use jiff::{SignedDuration, Timestamp};

use crate::{Deployed, Outcome, asked};

/// The longest retention of Kinesis.
const MAX_HOURS: i32 = 8_760;
/// The longest backlog of an archive that keeps up. The alarm has the same limit.
const BEHIND: SignedDuration = SignedDuration::from_hours(1);

/// A shard of the log, with its archive's progress.
#[derive(Clone, Debug, PartialEq)]
struct Shard {
    name: String,
    archived: Option<Reach>,
    /// The arrival of the oldest record that is in the log and not in the archive.
    waiting: Option<Timestamp>,
}

pub(crate) async fn show(deployed: &Deployed) -> Outcome {
    let log = deployed.platform.kinesis()?;
    let hours = log.retention_hours().await?;
    println!(
        "The event log keeps events for {hours} hours ({} days).",
        hours / 24
    );
    if hours < MAX_HOURS {
        println!(
            "Kinesis keeps them for {MAX_HOURS} hours at most: cargo xtask retention --hours {MAX_HOURS}"
        );
    }
    let coverage = deployed.archive()?.coverage().await?;
    let now = deployed.platform.world().clock.now();
    let kept = SignedDuration::from_hours(i64::from(hours));
    let shards = shards(&*log, &coverage, now.checked_sub(kept)?).await?;
    println!("\n{}", holds(&coverage, &asked()));
    for shard in &shards {
        println!("  {}", standing(shard, now));
    }
    let (verdict, well) = verdict(&shards, now, kept);
    println!("{verdict}");
    Ok(well)
}

/// The shards of a log that keeps records since `kept_since`.
async fn shards(
    log: &dyn LogReader,
    coverage: &Coverage,
    kept_since: Timestamp,
) -> Result<Vec<Shard>, LogError> {
    let mut found = vec![];
    for name in log.shards().await? {
        let archived = coverage.shards.get(&name).cloned();
        // If the log has dropped the last archived record, reading cannot start after it. Every record that the log
        // still has came later, so reading starts at the oldest record.
        let start = match &archived {
            Some(reach) if reach.arrived > kept_since => Position::After(reach.sequence.clone()),
            _ => Position::Oldest,
        };
        let waiting = first(log, &name, start).await?;
        found.push(Shard {
            name,
            archived,
            waiting,
        });
    }
    Ok(found)
}

/// The arrival of the first record from this position on.
async fn first(
    log: &dyn LogReader,
    shard: &str,
    start: Position,
) -> Result<Option<Timestamp>, LogError> {
    let mut next = Some(start);
    while let Some(from) = next {
        let batch = log.read(shard, &from).await?;
        if let Some(record) = batch.records.first() {
            return Ok(Some(record.arrived));
        }
        next = if batch.at_tip { None } else { batch.next };
    }
    Ok(None)
}

fn holds(coverage: &Coverage, asked: &str) -> String {
    match coverage.days {
        None => format!("The archive at {asked} is empty."),
        Some((first, last)) => format!(
            "The archive holds {} objects, of the days {first} to {last}.",
            coverage.objects
        ),
    }
}

fn standing(shard: &Shard, now: Timestamp) -> String {
    let Shard {
        name,
        archived,
        waiting,
    } = shard;
    let archived = archived
        .as_ref()
        .map(|reach| format!("archived up to {}", Moment::from(reach.arrived)));
    match (archived, waiting) {
        (None, None) => format!("{name}  has no records"),
        (Some(archived), None) => format!("{name}  {archived}: all of it"),
        (archived, Some(since)) => format!(
            "{name}  {}: {} behind, since {}",
            archived.as_deref().unwrap_or("not archived"),
            span(now.duration_since(*since)),
            Moment::from(*since)
        ),
    }
}

/// A text about the records that may be lost; true if the archiver keeps up.
fn verdict(shards: &[Shard], now: Timestamp, kept: SignedDuration) -> (String, bool) {
    let Some(oldest) = shards.iter().filter_map(|shard| shard.waiting).min() else {
        return (
            "Every record of the log is archived: none can be lost.".into(),
            true,
        );
    };
    let behind = now.duration_since(oldest);
    let left = kept - behind;
    let told = if left.is_positive() {
        format!(
            "The records to archive are still in the log, which drops the first of them in {}.",
            span(left)
        )
    } else {
        "Records to archive are older than the log's retention: they may be DROPPED BEFORE THEY ARE ARCHIVED at any moment."
            .into()
    };
    if behind <= BEHIND {
        return (told, true);
    }
    let advice = "The archiver does not keep up: cargo xtask logs archiver tells why, and cargo xtask verify whether \
                  something is lost.";
    (format!("{told}\n{advice}"), false)
}

/// Formats a length of time in at most two units.
fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3_600);
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

pub(crate) async fn extend(deployed: &Deployed, hours: u64) -> Outcome {
    let hours = i32::try_from(hours)?;
    let log = deployed.platform.kinesis()?;
    let before = log.retention_hours().await?;
    if hours < before {
        return Err(format!(
            "the log keeps events for {before} hours; shortening that would lose events, so this command does not do it"
        )
        .into());
    }
    if hours > before {
        log.extend_retention(hours).await?;
    }
    show(deployed).await
}

#[cfg(test)]
mod tests {
    use alpes_archive::Archive;
    use std::{sync::Arc, time::Duration};

    use alpes_ports::{Log, NewRecord};
    use futures::executor::block_on;
    use twins::{MemoryLog, MemoryObjects};

    use super::*;

    const KEPT: SignedDuration = SignedDuration::from_hours(24);

    /// A log of 2 shards with 10 records, one a minute. The first `archived` records of each shard are archived. Also
    /// returns the time a minute after the last record.
    fn scene(archived: usize) -> (Vec<Shard>, Timestamp, Coverage) {
        let (world, clock) = twins::world(1);
        let log = MemoryLog::new(2, world.clock.clone());
        for number in 0..10 {
            let key = format!("key-{number}");
            block_on(log.append(NewRecord::new(&key, b"{}"))).unwrap();
            clock.advance(Duration::from_mins(1));
        }
        let now = world.clock.now();
        let archive = Archive::new(Arc::new(MemoryObjects::new()));
        let all = log.records();
        for shard in block_on(log.shards()).unwrap() {
            let of_it = all.iter().filter(|record| record.shard == shard);
            let records: Vec<_> = of_it.take(archived).cloned().collect();
            block_on(archive.store(&records)).unwrap();
        }
        let coverage = block_on(archive.coverage()).unwrap();
        let shards = block_on(shards(&log, &coverage, now - KEPT)).unwrap();
        (shards, now, coverage)
    }

    #[test]
    fn an_archive_that_has_everything_can_lose_nothing() {
        let (shards, now, coverage) = scene(10);
        assert_eq!(
            holds(&coverage, "http://h:1"),
            "The archive holds 2 objects, of the days 2026-01-31 to 2026-01-31."
        );
        assert!(shards.iter().all(|shard| shard.waiting.is_none()));
        for shard in &shards {
            let arrived = shard.archived.as_ref().unwrap().arrived;
            assert_eq!(
                standing(shard, now),
                format!("{}  archived up to {arrived:.3}: all of it", shard.name)
            );
        }
        let (told, well) = verdict(&shards, now, KEPT);
        assert_eq!(
            (&*told, well),
            (
                "Every record of the log is archived: none can be lost.",
                true
            )
        );
    }

    #[test]
    fn what_waits_is_told_with_the_time_that_is_left() {
        let (shards, now, _) = scene(1);
        for shard in &shards {
            let (reach, since) = (shard.archived.clone().unwrap(), shard.waiting.unwrap());
            assert!(reach.arrived < since, "it waits since the second record");
            let behind = now.duration_since(since).as_secs() / 60;
            assert_eq!(
                standing(shard, now),
                format!(
                    "{}  archived up to {:.3}: {behind} min 0 s behind, since {since:.3}",
                    shard.name, reach.arrived
                )
            );
        }
        let (told, well) = verdict(&shards, now, KEPT);
        let oldest = shards.iter().filter_map(|shard| shard.waiting).min();
        let left = 60 - now.duration_since(oldest.unwrap()).as_secs() / 60;
        assert_eq!(
            told,
            format!(
                "The records to archive are still in the log, which drops the first of them in 23 h {left} min."
            )
        );
        assert!(well, "it is minutes behind");
    }

    #[test]
    fn an_archive_that_does_not_keep_up_is_no_good_news() {
        let (shards, now, coverage) = scene(0);
        assert_eq!(
            holds(&coverage, "http://h:1"),
            "The archive at http://h:1 is empty."
        );
        assert!(standing(&shards[0], now).contains("  not archived: "));
        assert!(verdict(&shards, now, KEPT).1);
        let later = now + SignedDuration::from_hours(2);
        let (told, well) = verdict(&shards, later, KEPT);
        assert!(told.contains("drops the first of them in 21 h"), "{told}");
        assert!(told.contains("does not keep up") && !well, "{told}");
        let (told, well) = verdict(&shards, now + KEPT, KEPT);
        assert!(told.contains("DROPPED") && !well, "{told}");
    }

    #[test]
    fn where_the_archive_ends_before_the_log_begins_the_log_is_read_from_its_oldest() {
        let (world, clock) = twins::world(1);
        let log = MemoryLog::new(1, world.clock.clone());
        let reach = Reach {
            // A position that this log does not know.
            sequence: alpes_ports::SequenceNumber("1".into()),
            arrived: world.clock.now(),
        };
        let name = block_on(log.shards()).unwrap().remove(0);
        let coverage = Coverage {
            shards: [(name, reach)].into(),
            ..Coverage::default()
        };
        clock.advance(Duration::from_hours(30));
        let arrived = world.clock.now();
        let since = arrived - KEPT;
        let found = block_on(shards(&log, &coverage, since)).unwrap();
        assert_eq!(found[0].waiting, None);
        block_on(log.append(NewRecord::new("key", b"{}"))).unwrap();
        let found = block_on(shards(&log, &coverage, since)).unwrap();
        assert_eq!(found[0].waiting, Some(arrived));
    }

    #[test]
    fn a_shard_without_records_says_so() {
        let shard = Shard {
            name: "s".into(),
            archived: None,
            waiting: None,
        };
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(standing(&shard, now), "s  has no records");
        assert!(verdict(&[shard], now, KEPT).1);
    }

    #[test]
    fn spans_are_short() {
        for (seconds, text) in [
            (-1, "0 s"),
            (59, "59 s"),
            (200, "3 min 20 s"),
            (7_260, "2 h 1 min"),
            (31_536_000, "365 d 0 h"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
    }
}
