//! The one table of all commands. The help texts, the table of `docs/operating.md` and the parser are made from it.

/// A command: its words, and its help.
#[derive(Debug)]
pub struct Command {
    /// The word after `cargo xtask`.
    pub name: &'static str,
    /// The group under which help lists the command.
    pub group: &'static str,
    /// The program that runs the command.
    pub runner: Runner,
    /// The description of the command, one line without a full stop.
    pub about: &'static str,
    /// The command's arguments, in order.
    pub arguments: &'static [Argument],
    /// The command's options, in lists that commands may share.
    pub options: &'static [&'static [Opt]],
    /// Further rules about the command's options.
    pub rules: &'static [Rule],
    /// The paragraphs of the command's help that follow the options.
    pub details: &'static str,
    /// Command lines to try, which the command's help shows.
    pub examples: &'static [&'static str],
    /// How long the command takes and how much disk it uses; empty if both are small.
    pub takes: &'static str,
}

/// The program that runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// `xtask`, the developer's commands.
    Xtask,
    /// `ops`, which reads and changes the system's data.
    Ops,
    /// `simulate`, which runs the whole system in a simulated world.
    Simulate,
}

/// An argument of a command.
#[derive(Debug)]
pub struct Argument {
    /// The argument's name in help.
    pub name: &'static str,
    /// The argument's description.
    pub about: &'static str,
    /// Whether the argument may be omitted.
    pub need: Need,
    /// The words that the argument accepts.
    pub check: Check,
}

/// Whether an argument may be omitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The argument is required.
    Required,
    /// The argument may be omitted, together with all arguments after it.
    Optional,
    /// The argument is required if the one before it is given.
    WithThePrevious,
}

/// An option.
#[derive(Debug)]
pub struct Opt {
    /// The option's name, with dashes.
    pub name: &'static str,
    /// The option's value; `None` for a flag.
    pub value: Option<Value>,
    /// The option's description.
    pub about: &'static str,
    /// The option's default in words; empty if there is none.
    pub default: &'static str,
}

/// The value of an option.
#[derive(Debug)]
pub struct Value {
    /// The value's name in help. If the value has a list of choices, help shows the choices instead.
    pub name: &'static str,
    /// The words that are accepted as the value.
    pub check: Check,
}

/// The words that an argument or a value accepts.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Any word is accepted here, and the command itself checks it.
    Any,
    /// A number within these limits.
    Number {
        /// The least number.
        least: u64,
        /// The greatest number.
        most: u64,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A UUID.
    Id,
    /// A length of time before now, or a time: see [`since`](crate::since).
    Since,
    /// The name of a folder in `functions/`.
    Function,
}

/// A rule about the options of a command.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// At most one of the two options may be given.
    NotBoth(&'static str, &'static str),
    /// The first option requires the second option and, if a value is given here, requires that value of the second
    /// option.
    Needs(&'static str, &'static str, Option<&'static str>),
}

impl Command {
    /// All options of the command.
    pub fn options(&self) -> impl Iterator<Item = &'static Opt> + use<> {
        self.options.iter().copied().flatten()
    }

    /// The command's option with this name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&'static Opt> {
        self.options().find(|option| option.name == name)
    }

    /// The command's name with its arguments, as in help.
    #[must_use]
    pub fn synopsis(&self) -> String {
        let mut text = self.name.to_owned();
        let mut open = false;
        for argument in self.arguments {
            text.push(' ');
            if argument.need == Need::Optional {
                text.push('[');
                open = true;
            }
            text.push_str(argument.name);
        }
        if open {
            text.push(']');
        }
        text
    }
}

impl Opt {
    /// The option with its value, as in help.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.value {
            None => self.name.to_owned(),
            Some(value) => format!("{} {}", self.name, value.shown()),
        }
    }

    pub(crate) fn check(&self) -> Check {
        self.value.as_ref().map_or(Check::Any, |value| value.check)
    }
}

impl Value {
    /// The argument as in help.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.check {
            Check::OneOf(names) => names.join("|"),
            _ => self.name.to_owned(),
        }
    }
}

/// The command with this name.
#[must_use]
pub fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// True if this option has a value. An option has a value in every command or in none.
pub(crate) fn takes_value(name: &str) -> bool {
    let mut options = COMMANDS.iter().flat_map(Command::options);
    options.any(|option| option.name == name && option.value.is_some())
}

const fn argument(name: &'static str, need: Need, check: Check, about: &'static str) -> Argument {
    Argument {
        name,
        about,
        need,
        check,
    }
}

const fn flag(name: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        value: None,
        about,
        default: "",
    }
}

const fn option(
    name: &'static str,
    value: &'static str,
    check: Check,
    about: &'static str,
    default: &'static str,
) -> Opt {
    Opt {
        name,
        value: Some(Value { name: value, check }),
        about,
        default,
    }
}

const fn from(least: u64) -> Check {
    Check::Number {
        least,
        most: u64::MAX,
    }
}

const PORTS: Check = Check::Number {
    least: 1,
    most: 65_535,
};

const ARCHITECTURES: Check = Check::OneOf(&["x86_64", "arm64"]);
const BUILDS: Check = Check::OneOf(&["host", "lambda"]);

/// The options that choose a runtime.
pub(crate) const ON_RUNTIME: &[Opt] = &[
    option(
        "--port",
        "N",
        PORTS,
        "the runtime on this port of this machine",
        "the runtime that was brought up last",
    ),
    option(
        "--endpoint",
        "URL",
        Check::Any,
        "the runtime at this address",
        "",
    ),
];

const NOT_BOTH_RUNTIMES: Rule = Rule::NotBoth("--port", "--endpoint");

const OF_UP: &[Opt] = &[
    option(
        "--on",
        "",
        Check::OneOf(&["local", "localstack"]),
        "which runtime; localstack needs Docker",
        "local",
    ),
    option(
        "--port",
        "N",
        PORTS,
        "where it listens; several can run side by side",
        "4566",
    ),
    option(
        "--endpoint",
        "URL",
        Check::Any,
        "deploy to a LocalStack that runs already",
        "",
    ),
    option(
        "--build",
        "",
        BUILDS,
        "for this machine, or for Amazon Linux",
        "host on local, otherwise lambda",
    ),
    option(
        "--arch",
        "",
        ARCHITECTURES,
        "of a build for Amazon Linux",
        "this machine's",
    ),
    option(
        "--chaos",
        "SEED",
        Check::Number {
            least: 0,
            most: u64::MAX,
        },
        "start the local runtime unkind: redeliveries, throttles, crashes",
        "kind",
    ),
    option(
        "--quotas",
        "",
        Check::OneOf(&["aws", "none"]),
        "start the local runtime with AWS's quotas on partitions and shards",
        "none",
    ),
];

const RULES_OF_UP: &[Rule] = &[
    NOT_BOTH_RUNTIMES,
    Rule::NotBoth("--on", "--endpoint"),
    Rule::NotBoth("--chaos", "--endpoint"),
    Rule::NotBoth("--chaos", "--on"),
    Rule::NotBoth("--quotas", "--endpoint"),
    Rule::NotBoth("--quotas", "--on"),
];

/// The modes of sagas, as the API names them.
const SAGAS: Check = Check::OneOf(&["orquestacion", "coreografia", "stepfunctions"]);

/// The states of a saga, as the API names them: `api::saga::estado`.
const ESTADOS: Check = Check::OneOf(&[
    "EnCurso",
    "Compensando",
    "Completada",
    "Compensada",
    "RequiereIntervencion",
]);

const FUNCTION: Argument = argument(
    "FUNCTION",
    Need::Required,
    Check::Function,
    "a function, by its folder in functions/",
);

const BEGIN: &str = "To begin";
const WORK: &str = "Working on the functions";
const OPERATE: &str = "Operating the system";
const TEST: &str = "Testing and measuring";
const BUILD: &str = "Building for AWS";

/// All commands, in the order of help.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        group: BEGIN,
        runner: Runner::Xtask,
        about: "from nothing to three reservations, booked and shown",
        arguments: &[],
        options: &[
            &[option(
                "--saga",
                "",
                SAGAS,
                "how its sagas run",
                "orquestacion",
            )],
            OF_UP,
        ],
        rules: RULES_OF_UP,
        details: "\
The command builds the functions and the local runtime, starts it and deploys. Then it books a reservation that is approved,
one that the bank declines, and one that is paid and finds no seat. The runtime runs until cargo xtask down.",
        examples: &["cargo xtask demo", "cargo xtask demo --saga coreografia"],
        takes: "first time: 5 minutes of processor time, 3 GB in target; then 4 s",
    },
    Command {
        name: "up",
        group: BEGIN,
        runner: Runner::Xtask,
        about: "start the local runtime, or LocalStack, and deploy to it",
        arguments: &[],
        options: &[
            OF_UP,
            &[option(
                "--access",
                "",
                Check::OneOf(&["abierto", "iam", "jwt"]),
                "how the API knows its callers; with jwt by tokens of the run's own, see token",
                "abierto",
            )],
        ],
        rules: &[
            NOT_BOTH_RUNTIMES,
            Rule::NotBoth("--on", "--endpoint"),
            Rule::NotBoth("--access", "--endpoint"),
            Rule::NotBoth("--access", "--on"),
            Rule::NotBoth("--chaos", "--endpoint"),
            Rule::NotBoth("--chaos", "--on"),
            Rule::NotBoth("--quotas", "--endpoint"),
            Rule::NotBoth("--quotas", "--on"),
        ],
        details: "\
The command prints the API's base URL. Commands use the runtime that was brought up last, unless --port N or --endpoint URL names
another. If the local runtime is up already, the command only deploys to it, and the runtime keeps its data: to change --access, --chaos
or --quotas, take it down first.",
        examples: &[
            "cargo xtask up --port 4570",
            "cargo xtask up --port 4570 --chaos 7",
            "cargo xtask up --endpoint http://127.0.0.1:4577",
        ],
        takes: "as demo; for Amazon Linux, 450 MB more in .local and a build of its own",
    },
    Command {
        name: "down",
        group: BEGIN,
        runner: Runner::Xtask,
        about: "stop a runtime",
        arguments: &[],
        options: &[
            ON_RUNTIME,
            &[
                flag("--all", "every runtime of this checkout"),
                flag("--forget", "delete the local runtime's data too"),
            ],
        ],
        rules: &[
            NOT_BOTH_RUNTIMES,
            Rule::NotBoth("--all", "--port"),
            Rule::NotBoth("--all", "--endpoint"),
        ],
        details: "The local runtime's data stays in .local/data, and the next up continues with it. LocalStack keeps no data. If commands used this runtime by default, they now use the runtime brought up before it, and the command says so.",
        examples: &["cargo xtask down", "cargo xtask down --port 4570"],
        takes: "",
    },
    Command {
        name: "url",
        group: BEGIN,
        runner: Runner::Xtask,
        about: "print the API's base URL, alone",
        arguments: &[],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["API=$(cargo xtask url)"],
        takes: "",
    },
    Command {
        name: "token",
        group: BEGIN,
        runner: Runner::Ops,
        about: "print a token for the API of a runtime with --access jwt",
        arguments: &[],
        options: &[
            ON_RUNTIME,
            &[
                option("--cliente", "ID", Check::Any, "a token of this client", ""),
                option("--operador", "NAME", Check::Any, "a token of this operator", ""),
                option("--minutes", "N", from(1), "how long the token is valid", "60"),
                flag("--keys", "print the run's public keys instead, as the parameter Llaves has them"),
            ],
        ],
        rules: &[
            NOT_BOTH_RUNTIMES,
            Rule::NotBoth("--cliente", "--operador"),
            Rule::NotBoth("--keys", "--cliente"),
            Rule::NotBoth("--keys", "--operador"),
        ],
        details: "\
The key that signs is made with the run, in its folder under .local/run, and deleted with it, so a token is good for that run alone. The
command prints the token alone: curl -H \"Authorization: Bearer $(cargo xtask token --cliente ana)\" …",
        examples: &["cargo xtask token --cliente ana", "cargo xtask token --operador marta --minutes 5"],
        takes: "",
    },
    Command {
        name: "help",
        group: BEGIN,
        runner: Runner::Xtask,
        about: "this list, or the help of one command",
        arguments: &[argument(
            "COMMAND",
            Need::Optional,
            Check::Any,
            "one of the commands",
        )],
        options: &[&[flag("--markdown", "the table of commands of docs/operating.md")]],
        rules: &[],
        details: "Each command has --help too.",
        examples: &["cargo xtask help up"],
        takes: "the first time 1.4 s of processor time, 18 MB in target",
    },
    Command {
        name: "deploy",
        group: WORK,
        runner: Runner::Xtask,
        about: "build one function and replace the deployed one",
        arguments: &[FUNCTION],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["cargo xtask deploy projector"],
        takes: "",
    },
    Command {
        name: "invoke",
        group: WORK,
        runner: Runner::Xtask,
        about: "call one function with an event, and print its answer",
        arguments: &[
            FUNCTION,
            argument(
                "EVENT",
                Need::Optional,
                Check::Any,
                "a sample of functions/FUNCTION/events, or a file; may be left out where there is one sample",
            ),
        ],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["cargo xtask invoke http-queries health"],
        takes: "",
    },
    Command {
        name: "tick",
        group: WORK,
        runner: Runner::Xtask,
        about: "run the timers now; they also run once a minute",
        arguments: &[],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "\
The timers publish pending events, retry parked records, wake due sagas, retry pending reactions and continue rebuilds.",
        examples: &["cargo xtask tick"],
        takes: "",
    },
    Command {
        name: "logs",
        group: WORK,
        runner: Runner::Xtask,
        about: "the log lines of all functions, or of one, newest last",
        arguments: &[argument(
            "FUNCTION",
            Need::Optional,
            Check::Function,
            "a function, by its folder in functions/; all without it",
        )],
        options: &[
            ON_RUNTIME,
            &[option(
                "--correlation",
                "ID",
                Check::Any,
                "only lines with this id_correlacion, which is that of a saga",
                "",
            )],
            &[
                option(
                    "--since",
                    "WHEN",
                    Check::Since,
                    "only lines from then on: 5m, 1h, or a time as 2026-11-22T19:36 (UTC)",
                    "",
                ),
                option(
                    "--limit",
                    "N",
                    from(1),
                    "only the newest N lines",
                    "1000; 10 with --follow; all with --since or --correlation",
                ),
                flag("--follow", "show new lines as they come, until Ctrl-C"),
                flag("--json", "one JSON object a line, as it was logged"),
            ],
        ],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "\
A line has its time (UTC), function, level, message and fields; --json has the request's id too. Lines have colours on a terminal,
unless NO_COLOR is set. The local runtime has the lines of an invocation once the invocation has ended.",
        examples: &[
            "cargo xtask logs orchestrator",
            "cargo xtask logs --since 5m --follow",
            "cargo xtask logs --correlation 01a204c2-545a-74bd-8111-604b204dce1d",
        ],
        takes: "under a second",
    },
    Command {
        name: "saga",
        group: OPERATE,
        runner: Runner::Ops,
        about: "the log of a saga, with the money and the seats that it moved",
        arguments: &[argument(
            "ID",
            Need::Required,
            Check::Id,
            "the id_correlacion of a saga, or the id_reserva of its reservation",
        )],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["cargo xtask saga 01a204c2-545a-74bd-8111-604b204dce1d"],
        takes: "without a local runtime, the first operating command compiles for minutes",
    },
    Command {
        name: "sagas",
        group: OPERATE,
        runner: Runner::Ops,
        about: "the sagas of a state, newest first",
        arguments: &[argument(
            "ESTADO",
            Need::Optional,
            ESTADOS,
            "EnCurso, Compensando, Completada, Compensada or RequiereIntervencion; the last without it",
        )],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["cargo xtask sagas Completada"],
        takes: "",
    },
    Command {
        name: "tail",
        group: OPERATE,
        runner: Runner::Ops,
        about: "the event log as it grows",
        arguments: &[],
        options: &[
            ON_RUNTIME,
            &[
                flag("--from-start", "from the oldest event that the log has"),
                flag("--once", "end at the tip of the log"),
                option("--limit", "N", from(0), "end after N events", ""),
                option(
                    "--subject",
                    "ID",
                    Check::Any,
                    "only events of this id_reserva",
                    "",
                ),
                flag("--json", "one line an event, as it was committed"),
            ],
        ],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["cargo xtask tail --from-start --once"],
        takes: "",
    },
    Command {
        name: "parked",
        group: OPERATE,
        runner: Runner::Ops,
        about: "parked records, and why they could not be handled",
        arguments: &[],
        options: &[
            ON_RUNTIME,
            &[flag("--discarded", "discarded records instead")],
        ],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "",
        examples: &["cargo xtask parked"],
        takes: "",
    },
    Command {
        name: "redrive",
        group: OPERATE,
        runner: Runner::Ops,
        about: "retry parked records: all, or one",
        arguments: &[
            argument(
                "OWNER",
                Need::Optional,
                Check::Any,
                "its owner, as cargo xtask parked shows it",
            ),
            argument(
                "PLACE",
                Need::WithThePrevious,
                Check::Any,
                "its place, as cargo xtask parked shows it",
            ),
        ],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "The exit code is 1 if a record is still parked.",
        examples: &["cargo xtask redrive"],
        takes: "",
    },
    Command {
        name: "discard",
        group: OPERATE,
        runner: Runner::Ops,
        about: "mark a parked record as never to be handled; it stays on record",
        arguments: &[
            argument(
                "OWNER",
                Need::Required,
                Check::Any,
                "its owner, as cargo xtask parked shows it",
            ),
            argument(
                "PLACE",
                Need::Required,
                Check::Any,
                "its place, as cargo xtask parked shows it",
            ),
            argument("NOTE", Need::Required, Check::Any, "why, in quotes"),
        ],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "After -- a note may begin with a dash.",
        examples: &["cargo xtask discard OWNER PLACE 'a test of 3 May'"],
        takes: "",
    },
    Command {
        name: "rebuild",
        group: OPERATE,
        runner: Runner::Ops,
        about: "rebuild a view from archive and log, while it serves",
        arguments: &[argument(
            "VIEW",
            Need::Required,
            Check::Any,
            "reservas, analitica, or one of yours",
        )],
        options: &[
            ON_RUNTIME,
            &[
                flag("--resume", "continue a rebuild, and do not begin one"),
                flag("--abandon", "abandon a rebuild"),
            ],
        ],
        rules: &[NOT_BOTH_RUNTIMES, Rule::NotBoth("--resume", "--abandon")],
        details: "The command continues a rebuild that was begun, and otherwise begins one.",
        examples: &["cargo xtask rebuild analitica"],
        takes: "2 min 10 s of waiting for readers and writers of the old view, and the replay",
    },
    Command {
        name: "verify",
        group: OPERATE,
        runner: Runner::Ops,
        about: "prove that streams, log and archive agree",
        arguments: &[],
        options: &[ON_RUNTIME],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "The exit code is 1 if streams, log and archive do not agree.",
        examples: &["cargo xtask verify"],
        takes: "",
    },
    Command {
        name: "retention",
        group: OPERATE,
        runner: Runner::Ops,
        about: "how long the log keeps events, up to when they are archived, and whether any can be lost",
        arguments: &[],
        options: &[
            ON_RUNTIME,
            &[option(
                "--hours",
                "N",
                Check::Number {
                    least: 24,
                    most: 8_760,
                },
                "keep events for N hours; the retention is never shortened",
                "",
            )],
        ],
        rules: &[NOT_BOTH_RUNTIMES],
        details: "The exit code is 1 if the archive does not keep up.",
        examples: &["cargo xtask retention --hours 8760"],
        takes: "",
    },
    Command {
        name: "test",
        group: TEST,
        runner: Runner::Xtask,
        about: "all that CI runs",
        arguments: &[],
        options: &[&[
            flag("--quick", "format, lints and tests that need no runtime"),
            flag("--all", "also what takes too long for CI: a long search, the crash test, chaos, the benchmark's lints"),
            flag("--crash", "only the test that kills the local runtime and functions, many times"),
            flag("--callers", "only every route by every caller, on a local runtime with access by tokens"),
            option(
                "--chaos",
                "SEED",
                from(0),
                "only the end-to-end tests, on a local runtime with chaos",
                "",
            ),
            flag("--permissions", "only the end-to-end tests, which must fail without a permission, one after the other"),
            option("--seeds", "N", from(1), "with --chaos: how many seeds from that one on", "1"),
            option("--draw", "S", from(0), "with --permissions: the seed that draws them", "1"),
            option("--count", "N", from(1), "with --permissions: how many", "10"),
            option(
                "--endpoint",
                "URL",
                Check::Any,
                "only the end-to-end tests, on a LocalStack that runs already",
                "",
            ),
            option(
                "--build",
                "",
                BUILDS,
                "with --endpoint: the build that is deployed there",
                "host",
            ),
            option(
                "--arch",
                "",
                ARCHITECTURES,
                "of --build lambda",
                "this machine's",
            ),
        ]],
        rules: &[
            Rule::NotBoth("--quick", "--endpoint"),
            Rule::NotBoth("--all", "--quick"),
            Rule::NotBoth("--all", "--endpoint"),
            Rule::NotBoth("--crash", "--quick"),
            Rule::NotBoth("--crash", "--all"),
            Rule::NotBoth("--crash", "--endpoint"),
            Rule::NotBoth("--callers", "--quick"),
            Rule::NotBoth("--callers", "--all"),
            Rule::NotBoth("--callers", "--crash"),
            Rule::NotBoth("--callers", "--chaos"),
            Rule::NotBoth("--callers", "--permissions"),
            Rule::NotBoth("--callers", "--endpoint"),
            Rule::NotBoth("--chaos", "--quick"),
            Rule::NotBoth("--chaos", "--all"),
            Rule::NotBoth("--chaos", "--crash"),
            Rule::NotBoth("--chaos", "--endpoint"),
            Rule::Needs("--seeds", "--chaos", None),
            Rule::NotBoth("--permissions", "--quick"),
            Rule::NotBoth("--permissions", "--all"),
            Rule::NotBoth("--permissions", "--crash"),
            Rule::NotBoth("--permissions", "--chaos"),
            Rule::NotBoth("--permissions", "--endpoint"),
            Rule::Needs("--draw", "--permissions", None),
            Rule::Needs("--count", "--permissions", None),
            Rule::Needs("--build", "--endpoint", None),
            Rule::Needs("--arch", "--build", Some("lambda")),
        ],
        details: "",
        examples: &["cargo xtask test --quick", "cargo xtask test --chaos 1 --seeds 20"],
        takes: "--quick: 12 minutes the first time on two cores; all of it: 25 minutes, 8 GB in target, 470 MB in .local",
    },
    Command {
        name: "simulate",
        group: TEST,
        runner: Runner::Simulate,
        about: "the whole system in a world that fails on purpose, seed after seed",
        arguments: &[],
        options: &[&[
            option("--seeds", "N", from(1), "how many", "1000"),
            option(
                "--seed",
                "S",
                from(0),
                "the first; alone, its trace is written too",
                "0",
            ),
            option(
                "--scenario",
                "NAME",
                Check::Any,
                "one kind of trouble; a name that is none lists them",
                "all in turn",
            ),
            option(
                "--clients",
                "N",
                from(1),
                "a larger world with N clients",
                "",
            ),
            option(
                "--bookings",
                "M",
                from(1),
                "a larger world with N reservations of each client",
                "",
            ),
            option(
                "--planted",
                "NAME",
                Check::Any,
                "a mistake to be found; a name that is none lists them",
                "",
            ),
            option(
                "--digests",
                "N",
                from(1),
                "a line for the trace of each of N seeds, to compare builds",
                "",
            ),
            option(
                "--trace",
                "FILE",
                Check::Any,
                "the file for the trace",
                "in target",
            ),
            flag("--counts", "the occurrences in the search, and their numbers"),
        ]],
        rules: &[
            Rule::NotBoth("--digests", "--seeds"),
            Rule::NotBoth("--digests", "--trace"),
            Rule::NotBoth("--digests", "--counts"),
        ],
        details: "docs/simulation.md tells what is modelled, and what to do with a seed that fails.",
        examples: &[
            "cargo xtask simulate",
            "cargo xtask simulate --scenario everything --seed 7",
        ],
        takes: "8 minutes of compiling the first time on two busy cores, 1.1 GB in target; then 20 s for 1,000 seeds",
    },
    Command {
        name: "bench",
        group: TEST,
        runner: Runner::Xtask,
        about: "measure the functions and their peers, and write docs/benchmarks.md",
        arguments: &[],
        options: &[&[
            flag("--quick", "fewer rounds"),
            option(
                "--soak",
                "MINUTES",
                from(1),
                "only a steady load, and the plot of memory, latency and disk in docs/soak.svg",
                "",
            ),
            option(
                "--port",
                "N",
                PORTS,
                "where its own runtime listens",
                "a free one",
            ),
        ]],
        rules: &[Rule::NotBoth("--quick", "--soak")],
        details: "",
        examples: &["cargo xtask bench --quick"],
        takes: "minutes, after a release build of everything",
    },
    Command {
        name: "build",
        group: BUILD,
        runner: Runner::Xtask,
        about: "zips of all functions for Amazon Linux, for infra/deploy.sh",
        arguments: &[],
        options: &[&[option(
            "--arch",
            "",
            ARCHITECTURES,
            "the processor",
            "this machine's",
        )]],
        rules: &[],
        details: "The last line that it prints is the folder of the zips. infra/deploy.sh --help has the rest.",
        examples: &["infra/deploy.sh --artifacts \"$(cargo xtask build | tail -n 1)\""],
        takes: "450 MB in .local, 0.7 GB in target, and a release build of everything",
    },
    Command {
        name: "tools",
        group: BUILD,
        runner: Runner::Xtask,
        about: "install the AWS CLI, and cargo-lambda with zig, and print the PATH to set",
        arguments: &[argument(
            "TOOL",
            Need::Optional,
            Check::OneOf(&["aws", "lambda"]),
            "only the AWS CLI, or only cargo-lambda with zig",
        )],
        options: &[],
        rules: &[],
        details: "\
They go to .local/venv, and need Python. With cargo-lambda: cargo lambda watch --env-file .local/env",
        examples: &["cargo xtask tools", "eval \"$(cargo xtask tools aws)\""],
        takes: "210 MB in .local; cargo-lambda 450 MB more",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for command in COMMANDS {
            let names: BTreeSet<_> = command.options().map(|option| option.name).collect();
            assert_eq!(names.len(), command.options().count(), "{}", command.name);
        }
    }

    /// An option has a value in every command or in none, so it can be parsed before the command is known.
    #[test]
    fn an_option_has_a_value_for_every_command_or_for_none() {
        let mut known = BTreeMap::new();
        for option in COMMANDS.iter().flat_map(Command::options) {
            let valued = option.value.is_some();
            assert_eq!(
                *known.entry(option.name).or_insert(valued),
                valued,
                "{}",
                option.name
            );
        }
    }

    #[test]
    fn rules_name_options_of_their_command_and_examples_begin_with_it() {
        for command in COMMANDS {
            for rule in command.rules {
                let (Rule::NotBoth(one, other) | Rule::Needs(one, other, _)) = rule;
                assert!(command.option(one).is_some(), "{} {one}", command.name);
                assert!(command.option(other).is_some(), "{} {other}", command.name);
            }
            let words = format!("cargo xtask {}", command.name);
            assert!(!command.examples.is_empty(), "{}", command.name);
            assert!(
                command
                    .examples
                    .iter()
                    .all(|example| example.contains(&words))
            );
        }
    }

    #[test]
    fn a_synopsis_shows_what_may_be_left_out() {
        let synopsis = |name| command(name).unwrap().synopsis();
        assert_eq!(synopsis("tail"), "tail");
        assert_eq!(synopsis("redrive"), "redrive [OWNER PLACE]");
        assert_eq!(synopsis("invoke"), "invoke FUNCTION [EVENT]");
        assert_eq!(synopsis("discard"), "discard OWNER PLACE NOTE");
    }
}
