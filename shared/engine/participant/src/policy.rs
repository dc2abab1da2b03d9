//! What a context does by itself when it hears of the others: the rules of a choreography, as data.

use std::time::Duration;

use alpes_messages::mapping::Mapping;

/// When one of these events is heard, this command follows.
///
/// ```
/// use std::time::Duration;
///
/// use alpes_messages::mapping::Mapping;
/// use alpes_participant::{Policy, When};
///
/// let reason = Mapping::empty().field("reason", "DepositRefused.reason");
/// let cancels = Policy::undoes("DepositRefused", "CancelLoan", reason);
/// assert_eq!(cancels.when, When::Always);
///
/// // A loan that is not paid for within three days is cancelled.
/// let days = Duration::from_hours(72);
/// let late = Policy::later("LoanOpened", days, "CancelLoan", Mapping::empty().text("reason", "late"), &["DepositPaid"]);
/// assert_eq!(late.unless, ["DepositPaid"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The type of event.
    pub event: &'static str,
    /// The command, one of the context's own.
    pub command: &'static str,
    /// Its data: from the event itself, or from an earlier one, of which then what is needed is kept.
    pub data: Mapping,
    /// When.
    pub when: When,
    /// Of a deadline: the types of event that make it void.
    pub unless: &'static [&'static str],
}

/// When a command follows its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once, to do something new; of an event that is news no more, not at all.
    News,
    /// At once, however old the event is: to undo.
    Always,
    /// So long after the event is heard: a deadline. A context that is behind cancels nothing by that. Of an event that is news no more, at
    /// once: nobody does anything more for it. A subject has one of each policy.
    After(Duration),
}

impl Policy {
    /// At once, as long as the event is news.
    #[must_use]
    pub fn does(event: &'static str, command: &'static str, data: Mapping) -> Self {
        let when = When::News;
        Self {
            event,
            command,
            data,
            when,
            unless: &[],
        }
    }

    /// At once, always.
    #[must_use]
    pub fn undoes(event: &'static str, command: &'static str, data: Mapping) -> Self {
        let when = When::Always;
        Self {
            event,
            command,
            data,
            when,
            unless: &[],
        }
    }

    /// So long after the event, unless one of these is heard.
    #[must_use]
    pub fn later(
        event: &'static str,
        delay: Duration,
        command: &'static str,
        data: Mapping,
        unless: &'static [&'static str],
    ) -> Self {
        let when = When::After(delay);
        Self {
            event,
            command,
            data,
            when,
            unless,
        }
    }
}
