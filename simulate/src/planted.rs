//! Planted mistakes: wrappers around ports and functions that break one promise each. A good search finds every one.
//!
//! Each planted mistake is one that a programmer could make in one place. Some plausible mistakes are missing, because
//! the system tolerates them. A log that reorders the records of a key, or puts them under another key, is harmless:
//! consumers read a missing event from its event stream in DynamoDB. A late `PutRecord` reorders records as well: see
//! the scenario `late`. A lost or doubled invocation that nudges the orchestrator to run a saga is harmless: the timers
//! wake waiting sagas. An execution that starts twice, or whose end is reported too early, is harmless: command ids
//! follow from saga and step, and the events that a saga received decide how it ends.

mod answers;
mod executions;
mod functions;
mod lines;
mod lists;
mod stores;
mod tables;

use simulation::{Dice, Runtime};
use twins::Ports;

use crate::{SCENARIOS, Scenario};

macro_rules! planted {
    ($($(#[doc = $about:literal])+ $mistake:ident = $name:literal breaks $promise:literal,)*) => {
        /// A planted mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Planted {
            $($(#[doc = $about])+ $mistake,)*
        }

        impl Planted {
            /// All mistakes.
            pub const ALL: &[Self] = &[$(Self::$mistake),*];

            /// The mistake's name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$mistake => $name,)*
                }
            }

            /// The mistake, in one sentence.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$mistake => concat!($($about),+).trim_ascii(),)*
                }
            }

            /// The promise that the mistake breaks.
            #[must_use]
            pub fn promise(self) -> &'static str {
                match self {
                    $(Self::$mistake => $promise,)*
                }
            }
        }
    };
}

planted! {
    /// Tables make a write even where its condition fails.
    BlindTables = "blind-tables" breaks "of two writers at once, one is refused",
    /// A write whose condition fails counts as made earlier.
    FailureForSuccess = "failure-for-success" breaks "a refused write does not count as done",
    /// A write whose answer is lost counts as made.
    HopefulWrites = "hopeful-writes" breaks "an acknowledged write is stored",
    /// The writes of a transaction are made one by one.
    TornTransactions = "torn-transactions" breaks "an event and what it changes are stored together",
    /// Strongly consistent reads come from a cache, now and then.
    StaleReads = "stale-reads" breaks "a strong read gives the last write",
    /// The receipt of a command is not stored with its events.
    ForgottenReceipts = "forgotten-receipts" breaks "a command takes effect once",
    /// Events are appended to the log before they are committed.
    LogFirst = "log-first" breaks "every record of the log was committed",
    /// A flight's last seat is taken without checking that it is free.
    Overbooked = "overbooked" breaks "nobody flies without a seat",
    /// Seats are reported as returned, and are not.
    KeptSeats = "kept-seats" breaks "a compensated saga holds no seat",
    /// Money is reported as refunded, and is not.
    KeptMoney = "kept-money" breaks "a compensated saga keeps no money",
    /// Charges have no idempotency key, so a repetition charges again.
    KeylessCharges = "keyless-charges" breaks "a reservation is charged once at most",
    /// Writes of views are acknowledged, and not made.
    DeafViews = "deaf-views" breaks "views equal the fold of the log",
    /// Rows of views are written, and not counted.
    UncountedRows = "uncounted-rows" breaks "reports agree with the views",
    /// The log loses records that it has acknowledged.
    LeakyLog = "leaky-log" breaks "every published event is in the log",
    /// Events are encoded anew when they are published.
    RewrittenEvents = "rewritten-events" breaks "events are published as they were committed, byte for byte",
    /// The archive loses objects that it has acknowledged.
    LeakyArchive = "leaky-archive" breaks "the archive has every record",
    /// The archive has one object for each shard and day, and overwrites it.
    CrampedArchive = "cramped-archive" breaks "archived records stay",
    /// The topic loses messages that it has acknowledged.
    LeakyTopic = "leaky-topic" breaks "approved and cancelled reservations are announced",
    /// Consumers report a failed batch as done.
    SwallowedFailures = "swallowed-failures" breaks "failed records are delivered again",
    /// Consumers skip the last record of a batch that has several.
    SkippedRecords = "skipped-records" breaks "consumers handle every record",
    /// A warm participant answers a command with its answer to the command before.
    EarlierReplies = "earlier-replies" breaks "a reply belongs to its command",
    /// The API ignores the idempotency key.
    FreshKeys = "fresh-keys" breaks "one key, one reservation",
    /// Cancellations are accepted, and never carried out.
    CancelledInVain = "cancelled-in-vain" breaks "a cancellation that was accepted happens",
    /// The sweeper never runs, so commits that were not published stay so.
    NoSweeps = "no-sweeps" breaks "every committed event is published",
    /// The timers never wake waiting sagas.
    NoWakes = "no-wakes" breaks "every saga ends",
    /// The timers never retry pending reactions.
    NoReactions = "no-reactions" breaks "reactions that were put off are done",
    /// A list of several states reads the states that rows move to long before those that rows leave.
    HastyLists = "hasty-lists" breaks "a row that stays in a list is on one of its pages",
    /// The next page of a list begins one row too late.
    LaxCursors = "lax-cursors" breaks "pages have every row between them",
    /// Lists ignore the state that was asked for.
    LaxFilters = "lax-filters" breaks "a list has the rows that were asked for, and no other",
    /// A list shows a reservation as approved before it is, now and then.
    HastyRows = "hasty-rows" breaks "a list is never ahead of the commits",
    /// Lists come from a cache, now and then.
    CachedLists = "cached-lists" breaks "a row of a list does not go back",
    /// Reports come from a cache, for ever.
    CachedReports = "cached-reports" breaks "the total of a day never falls",
    /// Reports count one reservation twice.
    DoubleCounts = "double-counts" breaks "a report counts a reservation once",
    /// Lists of sagas omit their last saga.
    LostSagas = "lost-sagas" breaks "a list of sagas has every saga in that state",
    /// The log of a saga is shown without its first line, now and then.
    ShortenedLogs = "shortened-logs" breaks "the log of a saga only grows",
    /// A compensated saga is shown as compensating, now and then.
    RevivedSagas = "revived-sagas" breaks "a compensated saga stays compensated",
    /// A saga that has not begun is answered with 404.
    UnbegunSagas = "unbegun-sagas" breaks "the saga of a reservation that was accepted is there",
    /// A saga that has begun is shown as not begun, now and then.
    ForgottenSagas = "forgotten-sagas" breaks "a saga whose log was shown is never shown without it",
    /// The events of a reservation are shown without the last one, now and then.
    LostEvents = "lost-events" breaks "events can be read as soon as they are committed",
    /// Events in the tutorials' own form cannot be shown.
    UnreadForms = "unread-forms" breaks "the events of every reservation can be read",
    /// Cancellations are refused as made already, now and then.
    FalseRefusals = "false-refusals" breaks "a reservation that is said to be cancelled is cancelled",
    /// A refusal to resume a saga names the wrong status.
    WrongReasons = "wrong-reasons" breaks "a refusal names the saga's state",
    /// A saga's log gives each event the time at which the saga received it.
    BorrowedTimes = "borrowed-times" breaks "a saga's log has each event with its own time",
    /// The times in a saga's log have as many decimals as they need.
    LooseDecimals = "loose-decimals" breaks "stored times have three decimals",
    /// Reservations are refused as conflicts, now and then.
    NeedlessConflicts = "needless-conflicts" breaks "where nothing fails, no request is refused for a conflict",
    /// Notices have their events encoded anew.
    RewrittenNotices = "rewritten-notices" breaks "events are announced as they were committed, byte for byte",
    /// Notices of cancellations have the attributes of approvals.
    MislabelledNotices = "mislabelled-notices" breaks "a notice has the attributes of its event",
    /// An event that was never committed is announced, now and then.
    InventedNotices = "invented-notices" breaks "every announced event was committed",
    /// Announced events are announced again.
    RepeatedNotices = "repeated-notices" breaks "where nothing fails, an event is announced once",
    /// The lines of a saga's log are stored twice in its item.
    KeptTwice = "kept-twice" breaks "a saga's item has room for its end",
    /// A cancellation of a saga that waits for a person is accepted, and not stored.
    DeafWhenStuck = "deaf-when-stuck" breaks "a cancellation that was accepted happens, whoever ran the saga",
    /// A retry of a parked record is noted as if it had ended.
    SpentTries = "spent-tries" breaks "a record that only failing calls held up is handled without a person",
    /// Work of another build stays first among the due work.
    StubbornForeign = "stubborn-foreign" breaks "work of another build blocks no other work",
    /// A parked item in a form that this build cannot read is deleted.
    TidiedParking = "tidied-parking" breaks "an item that another build parked stays as it is",
    /// An execution that failed is reported as running.
    EndlessExecutions = "endless-executions" breaks "a saga shows that its execution failed",
    /// Deadlines count from the time of an event, not from its arrival.
    HastyDeadlines = "hasty-deadlines" breaks "mappings that read the log again cancel nothing",
}

impl Planted {
    /// The mistake with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|planted| planted.name() == name)
    }

    /// The scenarios that show the mistake; empty if any scenario may show it.
    fn shows_in(self) -> &'static [&'static str] {
        match self {
            Self::KeptTwice => &["insistence"],
            Self::DeafWhenStuck | Self::EndlessExecutions => &["executions"],
            Self::SpentTries => &["given-up"],
            Self::StubbornForeign | Self::TidiedParking => &["foreign"],
            Self::HastyDeadlines => &["mappings"],
            Self::NeedlessConflicts => &["clients"],
            _ => &[],
        }
    }

    /// The scenarios to search for the mistake: those that show it, or all.
    #[must_use]
    pub fn scenarios(self) -> Vec<Scenario> {
        let names = self.shows_in();
        let shows = |scenario: &&Scenario| names.is_empty() || names.contains(&scenario.name);
        SCENARIOS.iter().filter(shows).copied().collect()
    }

    /// Plants the mistake in a world: wraps the ports of the functions, and the functions that are deployed from now
    /// on.
    pub(crate) fn plant(self, ports: Ports, runtime: &Runtime, dice: &Dice) -> Ports {
        let seed = Seed {
            what: self,
            dice: dice.clone(),
        };
        let ports = tables::around(stores::around(ports, &seed), &seed);
        let ports = lists::around(ports, &seed);
        let ports = lines::around(executions::around(ports, &seed), &seed);
        let around = move |name, function| functions::around(&seed, name, function);
        runtime.change_what_is_deployed(around);
        ports
    }
}

/// A mistake in a world, with dice.
#[derive(Clone)]
struct Seed {
    what: Planted,
    dice: Dice,
}

impl Seed {
    /// True now and then, for mistakes that happen occasionally.
    fn now_and_then(&self) -> bool {
        self.dice.one_in(10)
    }

    /// True more often, for data that is seldom read.
    fn often(&self) -> bool {
        self.dice.one_in(3)
    }
}
