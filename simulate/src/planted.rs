//! Mistakes that are put around what the system stands on: a search that is any good finds each of them.
//!
//! Each is one that somebody could make, in one place, and breaks one promise. Some that one would think of are not here, since the
//! system is made so that they break nothing: a log that turns the records of one key around, or has them under another key
//! (consumers read the stream where one is missing, and a late `PutRecord` does as much, see the scenario `late`); a nudge of the
//! orchestrator that is lost, or comes twice (timers wake what waits); an execution that is started twice, and one whose end is told
//! too early (commands have their identity of the saga and the step, and a saga ends by what it has heard).

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
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Planted {
            $($(#[doc = $about])+ $mistake,)*
        }

        impl Planted {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$mistake),*];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$mistake => $name,)*
                }
            }

            /// What is done wrong.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$mistake => concat!($($about),+).trim_ascii(),)*
                }
            }

            /// The promise that it breaks.
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
    /// Tables write whatever the condition says.
    BlindTables = "blind-tables" breaks "of two who write at once, one is told",
    /// A condition that fails is taken for a write that was made before.
    FailureForSuccess = "failure-for-success" breaks "what was refused is not taken for done",
    /// A write whose answer is lost is taken for made.
    HopefulWrites = "hopeful-writes" breaks "what was acknowledged is stored",
    /// A transaction is made write by write.
    TornTransactions = "torn-transactions" breaks "an event and what it changes are stored together",
    /// Reads that must be fresh come out of a cache, now and then.
    StaleReads = "stale-reads" breaks "a strong read tells what was written",
    /// The receipt of a command is not kept with its events.
    ForgottenReceipts = "forgotten-receipts" breaks "a command takes effect once",
    /// Events are appended to the log before they are committed.
    LogFirst = "log-first" breaks "what is in the log was committed",
    /// A flight's last seat is taken without a look whether it is free.
    Overbooked = "overbooked" breaks "nobody flies without a seat",
    /// Seats are said to be given back, and are not.
    KeptSeats = "kept-seats" breaks "what is compensated is undone: seats",
    /// Money is said to be given back, and is not.
    KeptMoney = "kept-money" breaks "what is compensated is undone: money",
    /// Charges are made without the key that tells one from its repetition.
    KeylessCharges = "keyless-charges" breaks "a reservation is charged once at most",
    /// Views are not written, and said to be.
    DeafViews = "deaf-views" breaks "views show what the log says",
    /// Rows of views are written, and not counted.
    UncountedRows = "uncounted-rows" breaks "reports count what views show",
    /// The log loses records that it has acknowledged.
    LeakyLog = "leaky-log" breaks "what was published is in the log",
    /// Events are written anew when they are published.
    RewrittenEvents = "rewritten-events" breaks "events are published as they were committed, byte for byte",
    /// The archive loses objects that it has acknowledged.
    LeakyArchive = "leaky-archive" breaks "the archive has every record",
    /// The archive has one object for each shard and day, and writes over it.
    CrampedArchive = "cramped-archive" breaks "what is archived stays",
    /// The topic loses messages that it has acknowledged.
    LeakyTopic = "leaky-topic" breaks "approved and cancelled reservations are announced",
    /// Consumers say of a batch that failed that it is done.
    SwallowedFailures = "swallowed-failures" breaks "what failed is delivered again",
    /// Consumers pass by the last record of a batch of several.
    SkippedRecords = "skipped-records" breaks "consumers handle every record",
    /// A warm participant answers a command as it answered the one before.
    EarlierReplies = "earlier-replies" breaks "a reply is of its command",
    /// The API does not look at the idempotency key.
    FreshKeys = "fresh-keys" breaks "one key, one reservation",
    /// Cancellations are accepted, and nothing more.
    CancelledInVain = "cancelled-in-vain" breaks "a cancellation that was accepted happens",
    /// Nobody sweeps for commits that were not published.
    NoSweeps = "no-sweeps" breaks "what was committed is published",
    /// Nobody wakes sagas that wait.
    NoWakes = "no-wakes" breaks "every saga ends",
    /// Nobody does what contexts put off.
    NoReactions = "no-reactions" breaks "what was put off is done",
    /// A list reads the states that rows come to long before those that they come out of.
    HastyLists = "hasty-lists" breaks "what was in a list is on some page of it",
    /// The next page of a list begins a row too late.
    LaxCursors = "lax-cursors" breaks "pages have every row between them",
    /// Lists pay no heed to the state that is asked for.
    LaxFilters = "lax-filters" breaks "a list has what was asked for, and nothing else",
    /// Rows of lists are told as approved, now and then, before they are.
    HastyRows = "hasty-rows" breaks "a list is never ahead of what was committed",
    /// Lists come out of a cache, now and then.
    CachedLists = "cached-lists" breaks "a row of a list does not go back",
    /// Reports come out of a cache, for ever.
    CachedReports = "cached-reports" breaks "the total of a day never falls",
    /// Reports count one reservation twice.
    DoubleCounts = "double-counts" breaks "a report counts a reservation once",
    /// Lists of sagas end before their last one.
    LostSagas = "lost-sagas" breaks "a list of sagas has each that stands so",
    /// The log of a saga is told without its first line, now and then.
    ShortenedLogs = "shortened-logs" breaks "the log of a saga only grows",
    /// A saga that is compensated is said to be still at it, now and then.
    RevivedSagas = "revived-sagas" breaks "what is compensated stays so",
    /// A saga that has not begun is said not to be there.
    UnbegunSagas = "unbegun-sagas" breaks "the saga of a reservation that was accepted is there",
    /// A saga that has begun is told as its reservation was made, now and then.
    ForgottenSagas = "forgotten-sagas" breaks "a saga that was told by its log is not told by less",
    /// The events of a reservation are told without their last one, now and then.
    LostEvents = "lost-events" breaks "events are told as soon as they are committed",
    /// Events in the tutorials' own form cannot be told.
    UnreadForms = "unread-forms" breaks "the events of every reservation can be read",
    /// Cancellations are refused as made already, now and then.
    FalseRefusals = "false-refusals" breaks "what is said to be cancelled is",
    /// A saga that needs nobody is said to stand otherwise than it does.
    WrongReasons = "wrong-reasons" breaks "a refusal says how a saga stands",
    /// Events are logged by a saga as if they had happened when they were heard.
    BorrowedTimes = "borrowed-times" breaks "a saga's log has each event with its own time",
    /// The lines of a saga's log have their times with as many decimals as need be.
    LooseDecimals = "loose-decimals" breaks "what is stored has its times with three decimals",
    /// Reservations are refused as if others had been quicker, now and then.
    NeedlessConflicts = "needless-conflicts" breaks "where nothing fails, nobody is quicker",
    /// Notices have their events written anew.
    RewrittenNotices = "rewritten-notices" breaks "events are announced as they were committed, byte for byte",
    /// Notices of cancellations say that a reservation is approved.
    MislabelledNotices = "mislabelled-notices" breaks "a notice has the attributes of its event",
    /// Something is announced that nobody committed, now and then.
    InventedNotices = "invented-notices" breaks "what is announced was committed",
    /// What is announced is announced again.
    RepeatedNotices = "repeated-notices" breaks "where nothing fails, an event is announced once",
    /// The lines of a saga's log are kept twice in its item.
    KeptTwice = "kept-twice" breaks "a saga's item has room for what ends it",
    /// A cancellation of a saga that waits for a person is accepted, and not written.
    DeafWhenStuck = "deaf-when-stuck" breaks "a cancellation that was accepted happens, whoever ran the saga",
    /// A try of what is parked is noted as if it had come to an end.
    SpentTries = "spent-tries" breaks "what calls alone kept from being handled is handled without a person",
    /// What is not for this build to do stays first of what is due.
    StubbornForeign = "stubborn-foreign" breaks "what nobody here can do is in nobody's way",
    /// What is parked in a form that this build cannot read is taken out.
    TidiedParking = "tidied-parking" breaks "what another build parked stays as it is",
    /// An execution that has failed is said to run.
    EndlessExecutions = "endless-executions" breaks "who looks at a saga is told that its execution failed",
    /// Deadlines are counted from when an event happened, not from when it was heard.
    HastyDeadlines = "hasty-deadlines" breaks "mappings that read the log again cancel nothing",
}

impl Planted {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|planted| planted.name() == name)
    }

    /// The scenarios that it shows in; none where that may be any.
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

    /// What is played to find it: every scenario, or those that it shows in, where most have nothing to do with it.
    #[must_use]
    pub fn scenarios(self) -> Vec<Scenario> {
        let names = self.shows_in();
        let shows = |scenario: &&Scenario| names.is_empty() || names.contains(&scenario.name);
        SCENARIOS.iter().filter(shows).copied().collect()
    }

    /// Puts it into a world: the ports as functions have them, and functions as they are deployed from now on.
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

/// A mistake in a world.
#[derive(Clone)]
struct Seed {
    what: Planted,
    dice: Dice,
}

impl Seed {
    /// True where something that happens now and then happens.
    fn now_and_then(&self) -> bool {
        self.dice.one_in(10)
    }

    /// The same of what is seldom looked at.
    fn often(&self) -> bool {
        self.dice.one_in(3)
    }
}
