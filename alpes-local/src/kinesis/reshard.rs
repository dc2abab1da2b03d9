//! Replacing shards by others.

use super::{
    errors::invalid_argument,
    hash::{self, HashRange},
    number::{Number, Numbers},
    shard::{Shard, ShardNumber},
    stream::Stream,
};
use crate::error::AwsError;

/// Replaces shards of a stream. Each child has a greater number than its parents and all their records.
pub(super) struct Reshard<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) numbers: &'a Numbers,
    pub(super) now_millis: u64,
}

impl Reshard<'_> {
    /// Opens the first shards of a new stream.
    pub(super) fn open_first(&mut self, count: u32) {
        let opened = self.stream.id;
        for hashes in hash::evenly(count) {
            self.stream.add(Shard {
                number: self.stream.next_shard(),
                hashes,
                parent: None,
                adjacent_parent: None,
                opened,
                closed: None,
            });
        }
    }

    /// Splits an open shard into two. The second begins at `at`, which must be inside the shard's hashes.
    pub(super) fn split(&mut self, shard: &Shard, at: u128) {
        let HashRange { first, last } = shard.hashes;
        self.close(shard.number);
        let below = HashRange {
            first,
            last: at - 1,
        };
        self.open(below, shard.number, None);
        self.open(HashRange { first: at, last }, shard.number, None);
    }

    /// Merges two open shards. The hashes of `right` must follow those of `left`.
    pub(super) fn merge(&mut self, left: &Shard, right: &Shard) {
        self.close(left.number);
        self.close(right.number);
        let hashes = HashRange {
            first: left.hashes.first,
            last: right.hashes.last,
        };
        self.open(hashes, left.number, Some(right.number));
    }

    /// Splits and merges shards until there are `count` of the same size. As on AWS, some shards are replaced at once.
    pub(super) fn scale(&mut self, count: u32) -> Result<(), AwsError> {
        let wanted = hash::evenly(count);
        for range in &wanted {
            self.cut(range.first)?;
        }
        for range in wanted {
            self.join(range)?;
        }
        Ok(())
    }

    /// Makes an open shard begin at this hash.
    fn cut(&mut self, at: u128) -> Result<(), AwsError> {
        let shard = self.stream.shard_for(at)?.clone();
        if shard.hashes.first != at {
            self.split(&shard, at);
        }
        Ok(())
    }

    /// Makes one shard of the shards within this range. No shard crosses its ends.
    fn join(&mut self, range: HashRange) -> Result<(), AwsError> {
        loop {
            let left = self.stream.shard_for(range.first)?.clone();
            if left.hashes.last >= range.last {
                return Ok(());
            }
            let right = self.stream.shard_for(left.hashes.last + 1)?.clone();
            self.merge(&left, &right);
        }
    }

    fn close(&mut self, shard: ShardNumber) {
        let at = self.next_number();
        self.stream.close(shard, at);
    }

    fn open(
        &mut self,
        hashes: HashRange,
        parent: ShardNumber,
        adjacent_parent: Option<ShardNumber>,
    ) {
        let opened = self.next_number();
        self.stream.add(Shard {
            number: self.stream.next_shard(),
            hashes,
            parent: Some(parent),
            adjacent_parent,
            opened,
            closed: None,
        });
    }

    fn next_number(&self) -> Number {
        self.numbers.next(self.now_millis)
    }
}

/// AWS's error if a shard was replaced before.
pub(super) fn check_open(stream: &Stream, shard: &Shard) -> Result<(), AwsError> {
    match shard.closed {
        None => Ok(()),
        Some(_) => Err(invalid_argument(format!(
            "Shard {} in {} has already been merged or split, and thus is not eligible for merging or splitting.",
            shard.number,
            stream.in_messages()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::stream::Mode;

    #[test]
    fn scaling_gives_even_shards_whose_parents_cover_them() {
        let numbers = Numbers::after(Number::default());
        let mut stream = Stream::new(numbers.next(0), "s", Mode::Provisioned, 24);
        let mut reshard = Reshard {
            stream: &mut stream,
            numbers: &numbers,
            now_millis: 0,
        };
        reshard.open_first(3);
        for count in [3, 6, 5, 4, 7, 2, 1] {
            let before = reshard.stream.shards.len();
            reshard.scale(count).unwrap();
            let open = reshard.stream.shards.values();
            let mut open: Vec<_> = open
                .filter(|shard| shard.closed.is_none())
                .map(|shard| shard.hashes)
                .collect();
            open.sort_by_key(|range| range.first);
            assert_eq!(open, hash::evenly(count));
            if count == 3 {
                assert_eq!(reshard.stream.shards.len(), before);
            }
            if count == 6 {
                assert_eq!(reshard.stream.shards.len(), before + 6);
            }
        }
        for child in stream.shards.values() {
            for parent in child.parents() {
                let parent = &stream.shards[&parent];
                assert!(parent.closed.unwrap() < child.opened);
                assert!(child.hashes.first <= parent.hashes.last);
                assert!(child.hashes.last >= parent.hashes.first);
            }
        }
    }
}
