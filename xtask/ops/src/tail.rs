//! `tail`: the event log.

use std::{io::Write, time::Duration};

use command_line::{Words, shown};
use lambda_kit::Environment;
use ports::{LogReader, LogRecord, Position};
use serde_json::Value;

use crate::Outcome;

/// Kinesis lets a shard be read five times a second, by all its readers together.
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

pub(crate) async fn run(environment: &Environment, words: &Words) -> Outcome {
    let options = Options::of(words);
    let log = environment.log_reader()?;
    let start = if options.from_start {
        Position::Oldest
    } else {
        Position::Newest
    };
    let mut shards: Vec<_> = log
        .shards()
        .await?
        .into_iter()
        .map(|shard| (shard, start.clone()))
        .collect();
    let mut left = options.limit.unwrap_or(usize::MAX);
    loop {
        let mut at_tip = true;
        for (shard, position) in std::mem::take(&mut shards) {
            let batch = log.read(&shard, &position).await?;
            for record in &batch.records {
                if options
                    .subject
                    .as_ref()
                    .is_some_and(|subject| *subject != record.partition_key)
                {
                    continue;
                }
                if left == 0 {
                    return Ok(true);
                }
                left -= 1;
                print(record, options.json);
            }
            at_tip &= batch.at_tip;
            shards.extend(batch.next.map(|next| (shard, next)));
        }
        if left == 0 || shards.is_empty() || (options.once && at_tip) {
            return Ok(true);
        }
        if at_tip {
            tokio::time::sleep(PAUSE).await;
        }
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
        writeln!(
            out,
            "── {shard} {}\n   key {partition_key}, arrived {arrived}\n{body}",
            sequence.0
        )
    });
}
