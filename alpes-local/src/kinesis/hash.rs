//! The hashes that choose a record's shard.

/// The hash of a partition key: its MD5 digest as a number.
pub(super) fn of_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(md5::compute(partition_key).0)
}

/// A range of hashes with both its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HashRange {
    /// The smallest hash of the range.
    pub(super) first: u128,
    /// The greatest hash of the range.
    pub(super) last: u128,
}

/// Divides all hashes into `count` ranges of the same size. Twice the count has the same bounds and one more in the
/// middle of each range, so that doubling the shards splits each of them once.
pub(super) fn evenly(count: u32) -> Vec<HashRange> {
    (0..count)
        .map(|index| HashRange {
            first: bound(index, count),
            last: bound(index + 1, count).wrapping_sub(1),
        })
        .collect()
}

/// `index` × 2^128 / `count`, rounded down; 0 stands for 2^128 itself.
fn bound(index: u32, count: u32) -> u128 {
    let (index, count) = (u128::from(index), u128::from(count));
    if index == count {
        return 0;
    }
    // 2^128 = size × count + rest, computed from 2^128 - 1, which fits.
    let (size, rest) = (u128::MAX / count, u128::MAX % count + 1);
    index * size + index * rest / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ranges_are_those_of_aws() {
        let bounds: Vec<_> = evenly(3)
            .iter()
            .map(|range| (range.first.to_string(), range.last.to_string()))
            .collect();
        let recorded = [
            ("0", "113427455640312821154458202477256070484"),
            (
                "113427455640312821154458202477256070485",
                "226854911280625642308916404954512140969",
            ),
            (
                "226854911280625642308916404954512140970",
                "340282366920938463463374607431768211455",
            ),
        ];
        let recorded: Vec<_> = recorded
            .map(|(first, last)| (first.to_owned(), last.to_owned()))
            .into();
        assert_eq!(bounds, recorded);
    }

    #[test]
    fn ranges_leave_no_gap_and_doubling_keeps_their_bounds() {
        for count in [1, 2, 3, 5, 7, 1000] {
            let (ranges, doubled) = (evenly(count), evenly(2 * count));
            assert_eq!(ranges[0].first, 0);
            assert_eq!(ranges.last().unwrap().last, u128::MAX);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].last + 1, pair[1].first);
            }
            for (range, half) in ranges.iter().zip(doubled.iter().step_by(2)) {
                assert_eq!(range.first, half.first);
            }
        }
    }

    #[test]
    fn a_keys_hash_is_its_md5_digest() {
        assert_eq!(of_key("a"), 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
    }
}
