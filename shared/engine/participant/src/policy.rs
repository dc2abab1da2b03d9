//! Policies: the rules by which a context reacts to the events of others in a choreography, as data.

use std::time::Duration;

use alpes_messages::mapping::Mapping;

/// A policy: after this event, send this command.
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
    /// The type of the event.
    pub event: &'static str,
    /// The type of the command, which belongs to the reacting context.
    pub command: &'static str,
    /// The command's data, copied from this event or from earlier events. The reactor keeps the fields of earlier
    /// events that this field mapping reads.
    pub data: Mapping,
    /// The time of the reaction.
    pub when: When,
    /// The event types that cancel the deadline of this policy; empty for a policy without a deadline.
    pub unless: &'static [&'static str],
}

/// The time at which a command follows its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The command follows at once. It does something new, so it is skipped if the event is more than 24 hours old.
    News,
    /// The command follows at once, however old the event is, since the command undoes something.
    Always,
    /// A deadline: the command follows this long after the reactor receives the event. So a reactor that receives
    /// events late cancels nothing too early. If the event is more than 24 hours old, the command follows at once,
    /// since no client waits for the outcome any more. A subject has one deadline for each policy.
    After(Duration),
}

impl Policy {
    /// A policy that does something new, at once. The command is skipped if the event is more than 24 hours old.
    #[must_use]
    pub fn does(event: &'static str, command: &'static str, data: Mapping) -> Self {
        Self::at(When::News, event, command, data)
    }

    /// A policy that undoes something, at once and however old the event is.
    #[must_use]
    pub fn undoes(event: &'static str, command: &'static str, data: Mapping) -> Self {
        Self::at(When::Always, event, command, data)
    }

    /// A policy with a deadline: the command follows `delay` after the event, unless one of the events in `unless`
    /// arrives first.
    #[must_use]
    pub fn later(
        event: &'static str,
        delay: Duration,
        command: &'static str,
        data: Mapping,
        unless: &'static [&'static str],
    ) -> Self {
        Self {
            unless,
            ..Self::at(When::After(delay), event, command, data)
        }
    }

    fn at(when: When, event: &'static str, command: &'static str, data: Mapping) -> Self {
        Self {
            event,
            command,
            data,
            when,
            unless: &[],
        }
    }
}
