//! Time, as the caller sets it: this crate reads no clock.

/// A time, in milliseconds since any fixed moment. Machines expect times that do not go back. A time that does counts
/// as no time passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// The second of the clock in which this time is.
    pub(crate) fn second(self) -> u64 {
        self.0 / 1_000
    }
}
