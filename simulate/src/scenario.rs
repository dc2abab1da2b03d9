//! The scenarios that the simulation plays. `docs/simulation.md` lists them by the faults that they have.

use alpes_messages::SagaMode;
use simulation::{Fate, Weather};

/// A world: its size, its clients and its faults. Fields named `…_one_in` give the frequency of something as one in
/// this many; 0 means never.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The scenario's name.
    pub name: &'static str,
    /// The scenario in one line of text.
    pub about: &'static str,
    /// The faults of effects.
    pub weather: Weather,
    /// The faults of functions.
    pub fate: Fate,
    /// The number of clients.
    pub clients: u64,
    /// The number of reservations of each client.
    pub bookings: u64,
    /// The modes of the sagas.
    pub modes: &'static [SagaMode],
    /// On average one reservation in `cancel_one_in` is cancelled by its client.
    pub cancel_one_in: u64,
    /// On average one reservation in `shared_one_in` wants a seat on a flight that other clients want too.
    pub shared_one_in: u64,
    /// On average one reservation in `odd_one_in` cannot be approved, or has a payment provider that misbehaves.
    pub odd_one_in: u64,
    /// On average one request in `repeat_one_in` is sent twice at once, or its key is used for another request.
    pub repeat_one_in: u64,
    /// On average one run in `rebuild_one_in` rebuilds a view.
    pub rebuild_one_in: u64,
    /// The average seconds between splits or merges of shards.
    pub reshard_one_in: u64,
    /// The average seconds between losses of a shard's lease by a mapping.
    pub lease_one_in: u64,
    /// The average seconds between jumps of the clocks.
    pub clocks_one_in: u64,
    /// The average minutes between troubles of the schedule: it runs late, twice, or not at all for minutes.
    pub schedule_one_in: u64,
    /// The average seconds between deployments of all functions.
    pub deploy_one_in: u64,
    /// The average seconds between deployments of a function in an older or newer build.
    pub versions_one_in: u64,
    /// True if the tables have reservations of the first builds, whose events have another form.
    pub old_reservations: bool,
    /// True if the newest build has a definition of the saga that older builds do not know.
    pub new_definition: bool,
    /// The average seconds between deployments of a consumer with a mistake that makes it fail on some records.
    pub mistake_one_in: u64,
    /// The average seconds between unreadable records in the log.
    pub poison_one_in: u64,
    /// The average seconds between troubles of participants: some commands fail, or all commands fail until an operator
    /// acts.
    pub misbehave_one_in: u64,
    /// The average seconds between bursts of throttling for one kind of call.
    pub bursts_one_in: u64,
    /// On average one write in `conflict_one_in` meets an item that another transaction is changing.
    pub conflict_one_in: u64,
    /// On average one eventually consistent read in `stale_one_in` returns an older state.
    pub stale_one_in: u64,
    /// On average one record in `gap_one_in` becomes visible after later records of the log.
    pub gap_one_in: u64,
    /// On average one reservation in `large_one_in` is near the size limit.
    pub large_one_in: u64,
    /// The retention of the Kinesis stream in hours. The retention passes at the end of the run. 0 means a retention of
    /// a year, which does not pass.
    pub retention: u64,
    /// The least number of seconds with faults; the most is three times as many.
    pub lasts: u64,
    /// The number of readers for every 6 clients.
    pub readers: u64,
    /// On average one run in `few_at_once_one_in` has timers that handle only a few items at a time.
    pub few_at_once_one_in: u64,
    /// The average seconds between interferences with executions: one is ended from outside, or a failed one is
    /// redriven.
    pub interfere_one_in: u64,
    /// The average seconds until Step Functions forgets an ended execution.
    pub forget_one_in: u64,
    /// The average seconds between deployments of the state machine in an older or newer build.
    pub machine_one_in: u64,
    /// The average seconds between replacements of the mappings of the orchestrator and the participants.
    pub remap_one_in: u64,
    /// The most seconds until the new mappings begin to read, as if they had a year of records to read first.
    pub remap_by: u64,
    /// The average seconds between items that other builds leave in the tables.
    pub foreign_one_in: u64,
    /// True if undoing is refused until a person has resumed a saga in vain hundreds of times.
    pub insists: bool,
}

const NO_WEATHER: Weather = Weather {
    fail_before: 0,
    fail_after: 0,
    twice: 0,
    late: 0,
    kill_before: 0,
    kill_after: 0,
    slow: 0,
    over: "",
    late_by: 20,
};

const ALL_MODES: &[SagaMode] = &[
    SagaMode::Orchestration,
    SagaMode::Choreography,
    SagaMode::StepFunctions,
];

/// No fault happens, and every client makes a few reservations.
const CALM: Scenario = Scenario {
    name: "calm",
    about: "nothing fails",
    weather: NO_WEATHER,
    fate: Fate::CALM,
    clients: 3,
    bookings: 2,
    modes: ALL_MODES,
    cancel_one_in: 0,
    shared_one_in: 0,
    odd_one_in: 0,
    repeat_one_in: 0,
    rebuild_one_in: 0,
    reshard_one_in: 0,
    lease_one_in: 0,
    clocks_one_in: 0,
    schedule_one_in: 0,
    deploy_one_in: 0,
    versions_one_in: 0,
    old_reservations: false,
    new_definition: false,
    mistake_one_in: 0,
    poison_one_in: 0,
    misbehave_one_in: 0,
    bursts_one_in: 0,
    conflict_one_in: 0,
    stale_one_in: 0,
    gap_one_in: 0,
    large_one_in: 0,
    retention: 0,
    lasts: 40,
    readers: 1,
    few_at_once_one_in: 2,
    interfere_one_in: 0,
    forget_one_in: 0,
    machine_one_in: 0,
    remap_one_in: 0,
    remap_by: 20,
    foreign_one_in: 0,
    insists: false,
};

/// Clients do everything that they may do, and no fault happens.
const BUSY: Scenario = Scenario {
    name: "clients",
    about: "cancellations, last seats, repeated and contradictory requests, payments that fail; no faults",
    cancel_one_in: 3,
    shared_one_in: 3,
    odd_one_in: 3,
    repeat_one_in: 3,
    ..CALM
};

/// Every kind of fault happens in one run.
const STORM: Scenario = Scenario {
    name: "everything",
    about: "every kind of fault, seldom enough for the system to make progress",
    weather: Weather {
        fail_before: 150,
        fail_after: 150,
        twice: 150,
        late: 200,
        kill_before: 200,
        kill_after: 200,
        slow: 100,
        ..NO_WEATHER
    },
    fate: Fate {
        throttle_one_in: 30,
        forget_one_in: 20,
        twice_one_in: 5,
        skew: 50,
    },
    rebuild_one_in: 3,
    reshard_one_in: 30,
    lease_one_in: 20,
    clocks_one_in: 40,
    schedule_one_in: 4,
    deploy_one_in: 60,
    versions_one_in: 60,
    old_reservations: true,
    mistake_one_in: 90,
    poison_one_in: 60,
    misbehave_one_in: 60,
    bursts_one_in: 40,
    conflict_one_in: 100,
    stale_one_in: 5,
    gap_one_in: 100,
    large_one_in: 20,
    interfere_one_in: 60,
    remap_one_in: 120,
    foreign_one_in: 90,
    ..BUSY
};

const fn fault(name: &'static str, about: &'static str, weather: Weather) -> Scenario {
    Scenario {
        name,
        about,
        weather,
        ..BUSY
    }
}

/// All scenarios. The first one is the default.
pub const SCENARIOS: &[Scenario] = &[
    STORM,
    CALM,
    BUSY,
    Scenario {
        name: "executions",
        about: "executions are stopped, run out of time, fail where no state catches it, and are forgotten; a person resumes or undoes them",
        interfere_one_in: 3,
        forget_one_in: 12,
        weather: Weather {
            slow: 3,
            over: "call participant",
            ..NO_WEATHER
        },
        modes: &[SagaMode::StepFunctions],
        cancel_one_in: 2,
        lasts: 200,
        ..BUSY
    },
    Scenario {
        name: "other-version",
        about: "the state machine lacks the version of the sagas that begin",
        versions_one_in: 12,
        new_definition: true,
        machine_one_in: 10,
        modes: &[SagaMode::StepFunctions],
        ..BUSY
    },
    Scenario {
        name: "foreign",
        about: "other builds leave parked records, sagas and reactions in forms of their own, all of them due",
        foreign_one_in: 8,
        few_at_once_one_in: 1,
        misbehave_one_in: 40,
        ..BUSY
    },
    Scenario {
        name: "given-up",
        about: "throttling makes the runtime give up batches; their records are handled without a person",
        bursts_one_in: 3,
        lasts: 150,
        ..BUSY
    },
    Scenario {
        name: "mappings",
        about: "mappings are replaced, and read the whole log again with sagas in flight",
        remap_one_in: 40,
        remap_by: 1_200,
        few_at_once_one_in: 1,
        bookings: 4,
        ..CALM
    },
    Scenario {
        name: "insistence",
        about: "a person resumes sagas in vain, hundreds of times and with long notes, before the cause is mended",
        insists: true,
        cancel_one_in: 2,
        modes: &[SagaMode::Orchestration],
        ..CALM
    },
    fault(
        "fails-before",
        "effects fail and do not happen",
        Weather {
            fail_before: 30,
            ..NO_WEATHER
        },
    ),
    fault(
        "lost-answer",
        "effects happen and their answers are lost",
        Weather {
            fail_after: 30,
            ..NO_WEATHER
        },
    ),
    fault(
        "twice",
        "effects happen twice: the condition that fails is our own success",
        Weather {
            twice: 20,
            ..NO_WEATHER
        },
    ),
    fault(
        "late",
        "effects that were answered with an error happen later: a slow PutRecord lands after its successors",
        Weather {
            late: 30,
            ..NO_WEATHER
        },
    ),
    fault(
        "deaths",
        "functions die between any two effects",
        Weather {
            kill_before: 40,
            kill_after: 40,
            ..NO_WEATHER
        },
    ),
    fault(
        "slow",
        "effects take seconds, and invocations reach their timeouts",
        Weather {
            slow: 10,
            ..NO_WEATHER
        },
    ),
    Scenario {
        name: "throttled",
        about: "functions are throttled, start cold and run twice",
        fate: Fate {
            throttle_one_in: 6,
            forget_one_in: 3,
            twice_one_in: 2,
            skew: 0,
        },
        ..BUSY
    },
    Scenario {
        name: "shards",
        about: "shards are split and merged, and mappings lose their leases, with sagas in flight",
        reshard_one_in: 6,
        lease_one_in: 5,
        ..BUSY
    },
    Scenario {
        name: "clocks",
        about: "clocks are off, and jump back and forth",
        fate: Fate {
            skew: 500,
            ..Fate::CALM
        },
        clocks_one_in: 8,
        ..BUSY
    },
    Scenario {
        name: "schedule",
        about: "timers run late, twice, or not for minutes; some commits wait for the sweeper",
        weather: Weather {
            kill_before: 60,
            ..NO_WEATHER
        },
        schedule_one_in: 2,
        ..BUSY
    },
    Scenario {
        name: "rebuild",
        about: "views are rebuilt while they serve, and the rebuilder dies on the way",
        weather: Weather {
            kill_before: 150,
            ..NO_WEATHER
        },
        rebuild_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "last-seat",
        about: "every client wants the last seats of the same flights",
        shared_one_in: 1,
        clients: 6,
        ..BUSY
    },
    Scenario {
        name: "cancellation",
        about: "every client cancels, at any moment",
        cancel_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "deployment",
        about: "every function is redeployed again and again, with sagas in flight",
        deploy_one_in: 5,
        ..BUSY
    },
    Scenario {
        name: "two-orchestrators",
        about: "the mapping, the timers and the nudge of a request run one saga at the same time",
        fate: Fate {
            twice_one_in: 1,
            ..Fate::CALM
        },
        weather: Weather {
            slow: 8,
            over: "call participant",
            ..NO_WEATHER
        },
        lease_one_in: 3,
        schedule_one_in: 2,
        cancel_one_in: 2,
        modes: &[SagaMode::Orchestration],
        ..BUSY
    },
    fault(
        "replies",
        "replies of participants are lost, late or doubled",
        Weather {
            fail_after: 5,
            twice: 5,
            late: 8,
            slow: 8,
            over: "call participant",
            ..NO_WEATHER
        },
    ),
    Scenario {
        name: "undone-first",
        about: "a step is undone before it is done: commands come a minute late, and every client cancels",
        weather: Weather {
            late: 3,
            over: "call participant",
            late_by: 60,
            ..NO_WEATHER
        },
        cancel_one_in: 1,
        lasts: 80,
        ..BUSY
    },
    Scenario {
        name: "deadline",
        about: "a choreography that takes about as long as its deadline",
        modes: &[SagaMode::Choreography],
        misbehave_one_in: 15,
        schedule_one_in: 3,
        lasts: 250,
        ..BUSY
    },
    Scenario {
        name: "repetitions",
        about: "every request comes twice at once, or together with another request under its key",
        repeat_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "poison",
        about: "records that nobody can read, among good ones: parked with their bytes, and discarded",
        poison_one_in: 5,
        ..BUSY
    },
    Scenario {
        name: "allergy",
        about: "builds that fail or die of some records each time, until a good one is deployed: given up, parked, redriven",
        mistake_one_in: 20,
        poison_one_in: 60,
        lasts: 200,
        ..BUSY
    },
    Scenario {
        name: "versions",
        about: "older and newer builds together, some of which do not know an event type or a definition of the saga",
        versions_one_in: 3,
        old_reservations: true,
        new_definition: true,
        ..BUSY
    },
    Scenario {
        name: "retention",
        about: "the stream drops records that some mappings have not read; views are rebuilt from archive and log",
        retention: 24,
        old_reservations: true,
        ..BUSY
    },
    Scenario {
        name: "too-large",
        about: "reservations as large as one may be, and larger",
        large_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "compensation",
        about: "undoing fails, for a while or until a person acts",
        misbehave_one_in: 12,
        lasts: 150,
        ..BUSY
    },
    Scenario {
        name: "resources",
        about: "transactions in conflict, some of whose conditions fail too; bursts of throttling at every kind of call",
        conflict_one_in: 6,
        bursts_one_in: 8,
        shared_one_in: 2,
        clients: 5,
        ..BUSY
    },
    Scenario {
        name: "gap",
        about: "the log has version n+1 before n, by seconds or minutes",
        gap_one_in: 4,
        lasts: 80,
        ..BUSY
    },
    fault(
        "publication",
        "PutRecord with an unknown outcome: lost, doubled, minutes late, or left to the sweeper",
        Weather {
            fail_before: 6,
            fail_after: 6,
            twice: 6,
            late: 6,
            kill_before: 8,
            kill_after: 8,
            over: "append ",
            late_by: 180,
            ..NO_WEATHER
        },
    ),
    Scenario {
        name: "stale-reads",
        about: "eventually consistent reads and queries that return a state of seconds ago",
        stale_one_in: 2,
        ..BUSY
    },
    Scenario {
        name: "lists",
        about: "many readers page through lists whose rows change meanwhile: queries of views take seconds",
        weather: Weather {
            slow: 2,
            over: "query views",
            ..NO_WEATHER
        },
        cancel_one_in: 2,
        readers: 5,
        ..BUSY
    },
];

impl Scenario {
    /// The scenario of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// True if parked records may need a person. If only calls fail, and no process dies and no build has a mistake,
    /// the system handles parked records without a person.
    #[must_use]
    pub fn may_need_redrive(&self) -> bool {
        let Weather {
            kill_before,
            kill_after,
            // A process that waits for seconds again and again exceeds its timeout.
            slow,
            ..
        } = self.weather;
        let reasons = [
            kill_before,
            kill_after,
            slow,
            self.mistake_one_in,
            self.versions_one_in,
        ];
        reasons.iter().any(|reason| *reason > 0)
    }

    /// True if a saga may need a person, because undoing is refused, or fails 8 times in minutes. Calls that fail now
    /// and then do not cause this need.
    #[must_use]
    pub fn may_need_a_person(&self) -> bool {
        let reasons = [
            self.bursts_one_in,
            self.interfere_one_in,
            self.machine_one_in,
            self.misbehave_one_in,
            u64::from(self.insists),
            u64::from(!self.weather.over.is_empty()),
        ];
        self.may_need_redrive() || reasons.iter().any(|reason| *reason > 0)
    }

    /// True if nothing fails except requests of clients.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        let Fate {
            throttle_one_in,
            forget_one_in: _,
            twice_one_in: _,
            skew,
        } = self.fate;
        self.weather == NO_WEATHER
            && [
                throttle_one_in,
                skew,
                self.rebuild_one_in,
                self.reshard_one_in,
                self.lease_one_in,
                self.clocks_one_in,
                self.schedule_one_in,
                self.deploy_one_in,
                self.versions_one_in,
                self.mistake_one_in,
                self.misbehave_one_in,
                self.bursts_one_in,
                self.conflict_one_in,
                self.gap_one_in,
                self.retention,
                self.interfere_one_in,
                self.machine_one_in,
            ]
            .iter()
            .all(|never| *never == 0)
    }
}
