//! The archive keeps every record of the log beyond the log's retention, byte for byte, in objects that are written
//! once.
//!
//! An object holds the records that arrived in one shard on one day (UTC), from one sequence number to another:
//!
//! ```text
//! events/2026-01-31/shardId-000000000000/00…4967…01-00…4967…03.ndjson.gz
//! ```
//!
//! The key names the first and the last sequence number. Records that are delivered again in other batches become new
//! objects, so no object replaces another one that has more records. So a record may be in several objects, and no
//! record is lost. Sequence numbers are opaque text. The keys pad them with zeros, so that keys sort by day, then shard
//! (parents before their children), then sequence number.
//!
//! Each line is a record:
//!
//! ```text
//! {"shard":"shardId-…","sequence":"4967…","arrived":"2026-01-31T10:00:00.012Z","key":"019c…","event":{"specversion":…}}
//! ```
//!
//! `event` is the record's text as it was appended. A record that is not JSON, or does not fit on one line, has its
//! bytes in `base64` instead. So `zcat` and `jq` can read the archive.
//!
//! # Replaying
//!
//! The pages of [`Archive::page`] together have every record, some records more than once. The records of one partition
//! key may be out of order, since a split of a shard moves a key to another shard. Order the events of each key by
//! version, as any consumer does.
//!
//! To continue with the log itself, ask for [`Archive::coverage`] **first**, then read the pages, then read the log
//! after the last archived record of each shard. Records archived meanwhile may sort before the last page, but the log
//! still has them. [`Archive::survey`] and [`Archive::reach`] find the coverage in steps, for a caller that may be
//! interrupted.

#![deny(missing_docs)]

mod archive;
mod object;

pub use archive::{Archive, ArchiveError, Coverage, Page, Reach, Survey};
