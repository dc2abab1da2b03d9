//! The number of a step, counted from 1.

use std::{fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

/// The number of a step of a definition, counted from 1. Log entries, commands and requests all use this type.
///
/// ```
/// use alpes_saga::StepNumber;
///
/// let second = StepNumber::new(2).ok_or("there is no step 0")?;
/// assert_eq!(second.to_string(), "2");
/// assert!(StepNumber::FIRST < second);
/// assert_eq!(StepNumber::new(0), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepNumber(NonZeroU32);

impl StepNumber {
    /// The step that opens a saga.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The step of this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, 1 or more.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The number of the next step.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number of the previous step; `None` for the first step.
    #[must_use]
    pub const fn before(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }

    /// All step numbers in order, without end.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::FIRST), |step| Some(step.next()))
    }

    /// The index of the step in a list, counted from 0. Convert only with this function.
    pub(crate) fn index(self) -> usize {
        usize::try_from(self.get() - 1).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for StepNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
