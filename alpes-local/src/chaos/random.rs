//! Random numbers that a seed decides.

/// The generator `SplitMix64`. It is small, and gives the same numbers for a seed on every machine.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The generator of a named place. The numbers of one place do not depend on how often other places ask.
    pub(super) fn of(seed: u64, name: &str) -> Self {
        Self(mixed(seed).wrapping_add(hash(name)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number below `options`; 0 if there is no option.
    pub(super) fn below(&mut self, options: u64) -> u64 {
        self.next() % options.max(1)
    }
}

/// Spreads a number over all 64 bits.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// FNV-1a, which is the same in every build, unlike the hashes of the standard library.
fn hash(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_the_seed_and_on_the_name() {
        let numbers = |seed, name| {
            let mut random = Random::of(seed, name);
            [random.next(), random.next(), random.next()]
        };
        assert_eq!(numbers(1, "a"), numbers(1, "a"));
        assert_ne!(numbers(1, "a"), numbers(2, "a"));
        assert_ne!(numbers(1, "a"), numbers(1, "b"));
        assert_eq!(Random::of(7, "a").below(0), 0);
    }
}
