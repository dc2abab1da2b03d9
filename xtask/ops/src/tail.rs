//! The command `tail`: prints the event log.

use std::{io::Write, time::Duration};

use alpes_messages::Moment;
use alpes_ports::Platform;
use alpes_ports::{LogError, LogReader, LogRecord, Position};
use command_line::{Words, shown};
use parse::text::visible;
use serde_json::Value;

use crate::{Deployed, Outcome, asked};

/// The pause between reads. Kinesis allows 5 reads a second on a shard, for all of its readers together.
const PAUSE: Duration = Duration::from_secs(1);

struct Options {
    from_start: bool,
    once: bool,
    json: bool,
    limit: Option<usize>,
    subject: Option<String>,
}

impl Options {
    fn of(words: &Words) -> Self {
        let limit = words.number("--limit");
        Self {
            from_start: words.flag("--from-start"),
            once: words.flag("--once"),
            json: words.flag("--json"),
            limit: limit.map(|limit| limit.try_into().unwrap_or(usize::MAX)),
            subject: words.value("--subject").map(str::to_owned),
        }
    }
}

/// The shards of a log, each with the position up to which it was read.
struct Reading<'a> {
    log: &'a dyn LogReader,
    /// The position at which reading of a shard begins.
    start: Position,
    /// The shards, parents before children, each with the position to read from; `None` once a closed shard was read to
    /// its end.
    shards: Vec<(String, Option<Position>)>,
}

impl<'a> Reading<'a> {
    fn from(log: &'a dyn LogReader, start: Position) -> Self {
        Self {
            log,
            start,
            shards: vec![],
        }
    }

    /// Adds the log's new shards; true if there were any. If a shard is split or merged while the log is read, its
    /// child shards are read from their beginning.
    async fn look(&mut self) -> Result<bool, LogError> {
        let known = self.shards.len();
        for shard in self.log.shards().await? {
            if self.shards.iter().all(|(known, _)| *known != shard) {
                self.shards.push((shard, Some(self.start.clone())));
            }
        }
        self.start = Position::Oldest;
        Ok(self.shards.len() > known)
    }

    /// Reads each shard to its tip, one after the other. Returns false once `take` has returned false.
    ///
    /// A shard that [`Self::look`] adds has closed parents, which come before it in the list and are read to their ends
    /// first. So the records of a key come in the order of their appends.
    async fn go_on(&mut self, take: &mut impl FnMut(&LogRecord) -> bool) -> Result<bool, LogError> {
        for (shard, place) in &mut self.shards {
            let (begun, mut last) = (place.clone(), None);
            while let Some(from) = place.take() {
                let batch = self.log.read(shard, &from).await?;
                *place = batch.next;
                if !batch.records.iter().all(&mut *take) {
                    return Ok(false);
                }
                last = batch.records.into_iter().next_back().or(last);
                if batch.at_tip {
                    break;
                }
            }
            // A cursor expires after minutes, and reading the other shards may take longer.
            *place = match (place.take(), last, begun) {
                (None, ..) => None,
                (_, Some(last), _) => Some(Position::After(last.sequence)),
                (_, None, Some(begun @ (Position::Oldest | Position::After(_)))) => Some(begun),
                (cursor, ..) => cursor,
            };
        }
        Ok(true)
    }
}

pub(crate) async fn run(deployed: &Deployed, words: &Words) -> Outcome {
    let options = Options::of(words);
    let log = deployed.platform.log_reader()?;
    let start = if options.from_start {
        Position::Oldest
    } else {
        Position::Newest
    };
    let most = options.limit.unwrap_or(usize::MAX);
    let mut left = most;
    let mut take = |record: &LogRecord| {
        let subject = options.subject.as_ref();
        if left > 0 && subject.is_none_or(|subject| *subject == record.partition_key) {
            left -= 1;
            print(record, options.json);
        }
        left > 0
    };
    let mut reading = Reading::from(&*log, start);
    loop {
        let found = reading.look().await?;
        if options.once && !found {
            break;
        }
        if !reading.go_on(&mut take).await? {
            return Ok(true);
        }
        if !options.once {
            tokio::time::sleep(PAUSE).await;
        }
    }
    // A program may read the events on stdout, so this message goes to stderr.
    if left == most {
        eprintln!("{}", none(&options, &asked()));
    }
    Ok(true)
}

/// The message that the log had no event to print.
fn none(options: &Options, asked: &str) -> String {
    if options.from_start {
        format!("The log at {asked} has no such event.")
    } else {
        format!("No such event came at {asked}. What is there already: --from-start")
    }
}

fn print(record: &LogRecord, json: bool) {
    let text = String::from_utf8_lossy(&record.data);
    let mut out = std::io::stdout().lock();
    shown(if json {
        writeln!(out, "{text}")
    } else {
        let pretty = serde_json::from_str::<Value>(&text)
            .and_then(|value| serde_json::to_string_pretty(&value));
        let LogRecord {
            shard,
            sequence,
            partition_key,
            arrived,
            ..
        } = record;
        let body = pretty.unwrap_or_else(|_| text.into_owned());
        let body: Vec<_> = body.lines().map(visible).collect();
        let (body, partition_key) = (body.join("\n"), visible(partition_key));
        writeln!(
            out,
            "── {shard} {}\n   key {partition_key}, arrived {}\n{body}",
            sequence.0,
            Moment::from(*arrived)
        )
    });
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex};

    use alpes_ports::{Log, LogBatch, NewRecord};
    use async_trait::async_trait;
    use futures::executor::block_on;
    use twins::{MemoryLog, world};

    use super::*;

    const KEYS: u8 = 40;

    /// Appends one record for each key.
    fn append(log: &MemoryLog, round: u8) {
        for key in 0..KEYS {
            let key = format!("key-{key}");
            block_on(log.append(NewRecord::new(&key, &[round]))).unwrap();
        }
    }

    fn split(log: &MemoryLog) {
        let open = log.open_shards();
        log.split(&open[0]).unwrap();
    }

    fn merge(log: &MemoryLog) {
        let open = log.open_shards();
        log.merge([&open[0], open.last().unwrap()]).unwrap();
    }

    /// The records read, by key.
    type Read = BTreeMap<String, Vec<u8>>;

    fn go_on(reading: &mut Reading<'_>, read: &mut Read) {
        block_on(reading.look()).unwrap();
        let went_on = block_on(reading.go_on(&mut |record| {
            let of_key = read.entry(record.partition_key.clone()).or_default();
            of_key.extend(&record.data);
            true
        }));
        assert_eq!(went_on, Ok(true));
    }

    fn rounds(first: u8, last: u8) -> Read {
        let keys = (0..KEYS).map(|key| format!("key-{key}"));
        keys.map(|key| (key, (first..=last).collect())).collect()
    }

    /// Splits and merges happen between any two reads, or all before the next one. Each record must be read once, and
    /// the records of a key in order.
    #[test]
    fn shards_that_come_of_splits_and_merges_are_read_in_order_while_it_runs() {
        let changes = [split, merge, split, split, merge];
        for from_start in [true, false] {
            for looks in 0..1_u32 << changes.len() {
                let log = MemoryLog::new(2, world(1).0.clock);
                append(&log, 1);
                let start = if from_start {
                    Position::Oldest
                } else {
                    Position::Newest
                };
                let (mut reading, mut read) = (Reading::from(&log, start), Read::new());
                go_on(&mut reading, &mut read);
                let mut last = 1;
                for (place, change) in changes.iter().enumerate() {
                    append(&log, last + 1);
                    change(&log);
                    append(&log, last + 2);
                    last += 2;
                    if (looks >> place) & 1 == 1 {
                        go_on(&mut reading, &mut read);
                    }
                }
                go_on(&mut reading, &mut read);
                let first = if from_start { 1 } else { 2 };
                assert_eq!(read, rounds(first, last), "looks {looks:b}");
                assert!(!block_on(reading.look()).unwrap());
            }
        }
    }

    #[test]
    fn a_log_that_was_split_before_is_read_in_order() {
        let log = MemoryLog::new(1, world(1).0.clock);
        append(&log, 1);
        split(&log);
        append(&log, 2);
        merge(&log);
        append(&log, 3);
        let mut read = Read::new();
        go_on(&mut Reading::from(&log, Position::Oldest), &mut read);
        assert_eq!(read, rounds(1, 3));
    }

    /// A log whose cursors expire after the next read.
    struct Fleeting<'a> {
        log: &'a MemoryLog,
        cursor: Mutex<Option<Position>>,
    }

    #[async_trait]
    impl LogReader for Fleeting<'_> {
        async fn shards(&self) -> Result<Vec<String>, LogError> {
            self.log.shards().await
        }

        async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
            let good = self.cursor.lock().unwrap().take();
            if matches!(from, Position::Cursor(_)) && good.as_ref() != Some(from) {
                return Err(LogError::Unavailable("the iterator has expired".to_owned()));
            }
            let batch = self.log.read(shard, from).await?;
            (*self.cursor.lock().unwrap()).clone_from(&batch.next);
            Ok(batch)
        }
    }

    #[test]
    fn a_shard_is_gone_on_with_however_long_the_others_take() {
        let log = MemoryLog::new(4, world(1).0.clock);
        let fleeting = Fleeting {
            log: &log,
            cursor: Mutex::default(),
        };
        let (mut reading, mut read) = (Reading::from(&fleeting, Position::Oldest), Read::new());
        for round in 0..4 {
            go_on(&mut reading, &mut read);
            assert_eq!(read.values().flatten().count(), usize::from(round * KEYS));
            append(&log, round + 1);
        }
    }

    #[test]
    fn it_stops_where_no_more_is_wanted() {
        let log = MemoryLog::new(2, world(1).0.clock);
        append(&log, 1);
        let mut reading = Reading::from(&log, Position::Oldest);
        block_on(reading.look()).unwrap();
        let mut left = 3;
        let went_on = block_on(reading.go_on(&mut |_| {
            left -= 1;
            left > 0
        }));
        assert_eq!((went_on, left), (Ok(false), 0));
    }
}
