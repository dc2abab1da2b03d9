//! Lambda's concurrency.

use crate::{Machine, Millis, bucket::Bucket};

/// The invocations that an account may have at the same time.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const ACCOUNT_CONCURRENCY: u32 = 1_000;
/// The concurrency that must stay unreserved.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>
const UNRESERVED: u32 = 100;
/// New environments of one function: 1,000 every 10 seconds, refilled all the time, and never more at once.
/// <https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html>
const STARTS_A_SECOND: i64 = 100;
const STARTS_AT_ONCE: i64 = 1_000;

/// The limit that throttles an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// The reserved concurrency of the function.
    Reserved,
    /// The concurrency of the account that no function has reserved.
    Account,
}

/// The invocations in flight, as a function's next invocation meets them.
///
/// A function with reserved concurrency has this concurrency for itself, and no more. All other functions share what
/// the account has left.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>
#[derive(Clone, Copy, Debug, Default)]
pub struct Concurrency {
    /// The reserved concurrency of the function, if it has any.
    pub reserved: Option<u32>,
    /// The invocations of the function that are in flight.
    pub in_flight: u32,
    /// The sum of the reserved concurrency of all functions.
    pub reserved_by_all: u32,
    /// The invocations in flight of all functions without reserved concurrency.
    pub unreserved_in_flight: u32,
}

impl Concurrency {
    /// Whether one more invocation of the function may begin.
    ///
    /// # Errors
    ///
    /// The limit that throttles the invocation.
    pub fn admit(&self) -> Result<(), Exceeded> {
        match self.reserved {
            Some(reserved) if self.in_flight >= reserved => Err(Exceeded::Reserved),
            None if self
                .unreserved_in_flight
                .saturating_add(self.reserved_by_all)
                >= ACCOUNT_CONCURRENCY =>
            {
                Err(Exceeded::Account)
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a function may reserve this much, while the other functions have reserved `by_others`.
///
/// # Errors
///
/// The concurrency that must stay unreserved, if less would be left.
pub fn leaves_unreserved(reserved: u32, by_others: u32) -> Result<(), u32> {
    let wanted = u64::from(reserved) + u64::from(by_others) + u64::from(UNRESERVED);
    if wanted > u64::from(ACCOUNT_CONCURRENCY) {
        return Err(UNRESERVED);
    }
    Ok(())
}

/// The new environments of one function.
#[derive(Clone, Debug)]
pub struct Starts(Bucket);

impl Default for Starts {
    fn default() -> Self {
        Self(Bucket::new(STARTS_A_SECOND, STARTS_AT_ONCE))
    }
}

impl Starts {
    /// Starts an environment. False if the function has started as many as it may.
    #[must_use]
    pub fn start(&mut self, now: Millis) -> bool {
        let may = self.0.left(now) > 0;
        if may {
            self.0.charge(now, 1);
        }
        may
    }
}

impl Machine for Starts {
    fn is_idle(&mut self, now: Millis) -> bool {
        self.0.is_full(now)
    }
}
