//! The resources of a plan, for the page at the root.

use super::{Mode, Plan};
use crate::{
    names::last_part,
    page::{Entry, Overview},
};

impl Plan {
    /// The plan's resources, for people.
    #[must_use]
    pub fn overview(&self) -> Overview {
        Overview {
            functions: self
                .functions
                .iter()
                .map(|function| entry(&function.name, format!("{} MB", function.memory_mb)))
                .collect(),
            mappings: self.mapped(),
            streams: self
                .streams
                .iter()
                .map(|stream| {
                    let detail = match stream.mode {
                        Mode::OnDemand => "on demand".to_owned(),
                        Mode::Provisioned if stream.shards == 1 => "one shard at first".to_owned(),
                        Mode::Provisioned => format!("{} shards at first", stream.shards),
                    };
                    entry(&stream.name, detail)
                })
                .collect(),
            tables: plain(self.tables.iter().map(|table| &table.name)),
            buckets: plain(self.buckets.iter().map(|bucket| &bucket.name)),
            queues: plain(self.queues.iter().map(|queue| &queue.name)),
            topics: plain(self.topics.iter().map(|topic| &topic.name)),
            machines: plain(self.state_machines.iter().map(|machine| &machine.name)),
            schedules: self
                .schedules
                .iter()
                .map(|schedule| entry(&schedule.name, schedule.expression.clone()))
                .collect(),
            ..Overview::default()
        }
    }

    fn mapped(&self) -> Vec<Entry> {
        let streams = self.stream_mappings.iter();
        let streams = streams.map(|mapping| (&mapping.function, &mapping.source_arn));
        let queues = self.queue_mappings.iter();
        let queues = queues.map(|mapping| (&mapping.function, &mapping.queue_arn));
        let all = streams.chain(queues);
        all.map(|(function, source)| entry(function, format!("from {}", source_name(source))))
            .collect()
    }
}

/// The name of the stream or queue, also of a stream that a consumer reads: `…:stream/NAME/consumer/CONSUMER:1`.
fn source_name(arn: &str) -> &str {
    last_part(arn.split("/consumer/").next().unwrap_or(arn))
}

fn entry(name: &str, detail: String) -> Entry {
    Entry {
        name: name.to_owned(),
        detail,
    }
}

fn plain<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Entry> {
    names.map(|name| entry(name, String::new())).collect()
}
