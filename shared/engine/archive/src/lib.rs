//! The log beyond its retention: every record of it, byte for byte, in objects that are written once.
//!
//! An object holds what arrived in one shard on one day (UTC), from one sequence number to another:
//!
//! ```text
//! events/2026-01-31/shardId-000000000000/00…4967…01-00…4967…03.ndjson.gz
//! ```
//!
//! Both ends are in the key. What was stored and is delivered again, split in another way, becomes objects of its own, and never
//! takes the place of one with more in it. So a record may be in several objects, and none is lost. Sequence numbers stay
//! opaque: they are padded with zeros, so that the order of keys is day, shard (parents before their children), place.
//!
//! A line is a record:
//!
//! ```text
//! {"shard":"shardId-…","sequence":"4967…","arrived":"2026-01-31T10:00:00.012Z","key":"019c…","event":{"specversion":…}}
//! ```
//!
//! `event` is the record's text as it was appended. What is no JSON, or takes more than a line, has its bytes in `base64`
//! instead. So `zcat` and `jq` read the archive.
//!
//! # Replaying
//!
//! [`Archive::page`] gives everything, some of it more than once, and the records of one partition key not always in their order: what
//! splits shards moves a key to another one. Order each key by version, as any consumer does. To go on with the log itself, ask
//! [`Archive::coverage`] **first**, then read the pages, then the log after the record where each shard stood: what the archive takes
//! in meanwhile may lie before the page that was read last, and is still in the log. [`Archive::survey`] and [`Archive::reach`] are the
//! same in steps, for whoever may be stopped in between.

#![deny(missing_docs)]

mod archive;
mod object;

pub use archive::{Archive, ArchiveError, Coverage, Page, Reach, Survey};
