//! What is played.

use events::SagaMode;
use simulation::{Fate, Weather};

/// A world, and what goes on in it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// How effects fail.
    pub weather: Weather,
    /// How functions fare.
    pub fate: Fate,
    /// How many clients there are.
    pub clients: u64,
    /// How many reservations each makes.
    pub bookings: u64,
    /// Who moves their sagas on.
    pub modes: &'static [SagaMode],
    /// A client asks for a reservation to be cancelled, once in so many; 0 is never.
    pub cancel_one_in: u64,
    /// A reservation wants the last seat of a flight that others want too, once in so many.
    pub shared_one_in: u64,
    /// A reservation cannot stand, or its provider behaves badly, once in so many.
    pub odd_one_in: u64,
    /// A request is sent twice at once, or its key is used for another, once in so many.
    pub repeat_one_in: u64,
    /// A view is rebuilt meanwhile, once in so many runs.
    pub rebuild_one_in: u64,
    /// Shards are split and merged, once in so many seconds.
    pub reshard_one_in: u64,
    /// A mapping loses a shard, once in so many seconds.
    pub lease_one_in: u64,
    /// Clocks jump, once in so many seconds.
    pub clocks_one_in: u64,
    /// The schedule is late, doubled or silent for minutes, once in so many minutes.
    pub schedule_one_in: u64,
    /// The runtime ignores partial batch responses, and is told so, once in so many runs.
    pub whole_batches_one_in: u64,
    /// Every function is deployed anew, once in so many seconds.
    pub deploy_one_in: u64,
}

const NO_WEATHER: Weather = Weather {
    fail_before: 0,
    fail_after: 0,
    twice: 0,
    late: 0,
    kill_before: 0,
    kill_after: 0,
    slow: 0,
};

const ALL_MODES: &[SagaMode] = &[
    SagaMode::Orquestacion,
    SagaMode::Coreografia,
    SagaMode::StepFunctions,
];

/// Nothing goes wrong, and everybody books once.
const CALM: Scenario = Scenario {
    name: "calma",
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
    whole_batches_one_in: 0,
    deploy_one_in: 0,
};

/// Clients do all that they may, and nothing fails.
const BUSY: Scenario = Scenario {
    name: "clientes",
    about: "cancellations, last seats, repeated and contradictory requests, payments that fail; no faults",
    cancel_one_in: 3,
    shared_one_in: 3,
    odd_one_in: 3,
    repeat_one_in: 3,
    ..CALM
};

/// Everything at once.
const STORM: Scenario = Scenario {
    name: "todo",
    about: "every kind of fault, seldom enough for the system to get on",
    weather: Weather {
        fail_before: 150,
        fail_after: 150,
        twice: 150,
        late: 200,
        kill_before: 200,
        kill_after: 200,
        slow: 100,
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
    whole_batches_one_in: 4,
    deploy_one_in: 60,
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

/// All scenarios; the first is played where none is named.
pub const SCENARIOS: &[Scenario] = &[
    STORM,
    CALM,
    BUSY,
    fault(
        "falla-antes",
        "effects fail, and have not happened",
        Weather {
            fail_before: 30,
            ..NO_WEATHER
        },
    ),
    fault(
        "respuesta-perdida",
        "effects happen, and their answers are lost",
        Weather {
            fail_after: 30,
            ..NO_WEATHER
        },
    ),
    fault(
        "dos-veces",
        "effects happen twice: the condition that fails is our own success",
        Weather {
            twice: 20,
            ..NO_WEATHER
        },
    ),
    fault(
        "tarde",
        "effects that were given up happen later: a slow PutRecord lands after its successors",
        Weather {
            late: 30,
            ..NO_WEATHER
        },
    ),
    fault(
        "muerte",
        "functions die between any two effects",
        Weather {
            kill_before: 40,
            kill_after: 40,
            ..NO_WEATHER
        },
    ),
    fault(
        "lento",
        "effects take seconds, and invocations their whole time",
        Weather {
            slow: 10,
            ..NO_WEATHER
        },
    ),
    Scenario {
        name: "freno",
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
        name: "fragmentos",
        about: "shards are split and merged, and mappings lose them, with sagas under way",
        reshard_one_in: 6,
        lease_one_in: 5,
        ..BUSY
    },
    Scenario {
        name: "relojes",
        about: "clocks are off, and jump back and forth",
        fate: Fate {
            skew: 500,
            ..Fate::CALM
        },
        clocks_one_in: 8,
        ..BUSY
    },
    Scenario {
        name: "agenda",
        about: "timers come late, twice, or not for long; some commits wait for the sweep",
        weather: Weather {
            kill_before: 60,
            ..NO_WEATHER
        },
        schedule_one_in: 2,
        ..BUSY
    },
    Scenario {
        name: "reconstruir",
        about: "views are rebuilt while they serve, and the rebuilder dies on the way",
        weather: Weather {
            kill_before: 150,
            ..NO_WEATHER
        },
        rebuild_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "lotes-enteros",
        about: "a runtime that ignores partial batch responses",
        weather: Weather {
            fail_before: 40,
            ..NO_WEATHER
        },
        whole_batches_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "ultima-silla",
        about: "everybody wants the last seats of the same flights",
        shared_one_in: 1,
        clients: 6,
        ..BUSY
    },
    Scenario {
        name: "cancelacion",
        about: "every client cancels, at any moment",
        cancel_one_in: 1,
        ..BUSY
    },
    Scenario {
        name: "despliegue",
        about: "every function is deployed anew again and again, with sagas under way",
        deploy_one_in: 5,
        ..BUSY
    },
];

impl Scenario {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// True if nothing can go wrong but what clients do.
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
            ]
            .iter()
            .all(|never| *never == 0)
    }
}
