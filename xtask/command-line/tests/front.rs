//! `cargo xtask` as a user runs it: help and usage errors come at once, without compiling anything else.

#![cfg(test)]

use std::{
    collections::BTreeSet,
    env, fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use command_line::{COMMANDS, Check, Need};

/// A folder with a stand-in for cargo that prints how it was called.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let cargo = folder.join("cargo");
        fs::write(&cargo, "#!/bin/sh\nprintf '<%s>' \"$@\"\n").unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn front(&self, words: &[&str]) -> Command {
        let mut front = Command::new(env!("CARGO_BIN_EXE_command-line"));
        front.args(words).env("CARGO", self.folder.join("cargo"));
        front
    }

    /// The exit code, the output, and the text on stderr.
    fn says(&self, words: &[&str]) -> (i32, String, String) {
        let output = self.front(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        (output.status.code().unwrap(), out, err)
    }
}

/// Words that the command accepts.
fn words_of(command: &command_line::Command) -> Vec<&'static str> {
    let needed = command.arguments.iter();
    let needed = needed.filter(|argument| argument.need == Need::Required);
    let word = |check| match check {
        Check::Since => "5m",
        Check::Id => "01a204c2-545a-74bd-8111-604b204dce1d",
        Check::Function => "projector",
        Check::OneOf(names) => names.first().copied().unwrap(),
        Check::Any | Check::Number { .. } => "7",
    };
    needed.map(|argument| word(argument.check)).collect()
}

#[test]
fn every_command_has_help_of_its_own_with_an_example() {
    let place = Place::new("help");
    let (code, all, _) = place.says(&["help"]);
    assert_eq!(code, 0);
    for command in COMMANDS {
        assert!(
            all.contains(&format!("\n  {}", command.synopsis())),
            "{all}"
        );
        let (code, help, err) = place.says(&[command.name, "--help"]);
        assert_eq!((code, err.as_str()), (0, ""), "{}", command.name);
        let begins = format!("cargo xtask {}: {}\n", command.name, command.about);
        assert!(help.starts_with(&begins), "{help}");
        for option in command.options() {
            assert!(
                help.contains(&option.shown()) && help.contains(option.about),
                "{help}"
            );
        }
        let example = help.split("example").nth(1).unwrap();
        assert!(
            example.contains(command.examples.first().unwrap()),
            "{help}"
        );
        for other in COMMANDS.iter().filter(|other| other.name != command.name) {
            assert!(!help.contains(other.about), "{help}");
        }
        assert_eq!(place.says(&["help", command.name]).1, help);
        assert_eq!(place.says(&["-h", command.name]).1, help);
        let more = [command.name, "--no-such-option", "-h"];
        assert_eq!(place.says(&more).1, help);
    }
    assert_eq!(place.says(&[]).1, all);
    assert_eq!(place.says(&["--help"]).1, all);
}

/// The first command in a clone: cargo itself reads the alias, and nothing is compiled yet.
#[test]
fn help_compiles_nothing_but_the_table_of_commands() {
    let target = Place::new("clone").folder.join("target");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for name in [
        "demo", "up", "build", "test", "bench", "url", "tick", "tools", "logs", "deploy", "invoke",
        "simulate", "saga", "rebuild",
    ] {
        let mut xtask = Command::new(&cargo);
        xtask.args(["xtask", name, "--help"]);
        xtask.current_dir(command_line::root().unwrap());
        xtask.env("CARGO_TARGET_DIR", &target);
        xtask.env("CARGO_NET_OFFLINE", "true");
        let output = xtask.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (help, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{name}: {err}");
        assert!(
            help.starts_with(&format!("cargo xtask {name}: "))
                && help.contains(&format!("\nusage: cargo xtask {name}"))
                && help.contains("\nexample"),
            "{help}"
        );
    }
    let compiled = fs::read_dir(target.join("debug/.fingerprint")).unwrap();
    let compiled = compiled.map(|package| package.unwrap().file_name());
    let packages: BTreeSet<String> = compiled
        .filter_map(|package| Some(package.to_str()?.rsplit_once('-')?.0.to_owned()))
        .collect();
    assert_eq!(packages, ["command-line".to_owned()].into());
}

#[test]
fn a_command_is_handed_on_with_its_words() {
    let place = Place::new("handed-on");
    for command in COMMANDS.iter().filter(|command| command.name != "help") {
        let mut words = vec![command.name];
        words.extend(words_of(command));
        let (code, out, err) = place.says(&words);
        assert_eq!(code, 0, "{err}");
        let expected: Vec<_> = words.iter().map(|word| format!("<{word}>")).collect();
        let (before, handed_on) = out.split_once("<xtask><-->").unwrap();
        assert!(
            before.starts_with("<run>") && before.contains("<--package>"),
            "{out}"
        );
        assert_eq!(handed_on, expected.concat());
    }
}

#[test]
fn options_stand_on_both_sides_of_the_command() {
    let place = Place::new("sides");
    for words in [
        &["--port", "4566", "url"][..],
        &["url", "--port", "4566"],
        &["url", "--port=4566"],
        &["--port=4566", "url"],
        &["--from-start", "tail", "--limit", "3"],
        &["--limit", "3", "tail"],
        &[
            "discard",
            "vista",
            "7",
            "--",
            "--a note that begins with dashes",
        ],
    ] {
        let (code, out, err) = place.says(words);
        assert_eq!(code, 0, "{words:?}: {err}");
        assert!(out.starts_with("<run>"), "{out}");
    }
}

/// Command lines, each with the error that must be printed.
const WRONG: &[(&str, &str)] = &[
    ("nonsense", "there is no command 'nonsense'"),
    ("tial", "there is no command 'tial' (did you mean tail?)"),
    ("nonsense --help", "there is no command 'nonsense'"),
    ("help nonsense", "there is no command 'nonsense'"),
    (
        "--port 4566",
        "--port stands alone: which command is meant?",
    ),
    (
        "url --prot 4566",
        "cargo xtask url has no option --prot (did you mean --port?)",
    ),
    ("url --quick", "cargo xtask url has no option --quick"),
    ("url -p 4566", "cargo xtask url has no option -p"),
    ("url --port", "--port needs a value after it: N"),
    ("url --port=", "--port needs a value after it: N"),
    ("--port url", "which command is meant?"),
    ("up --port --on local", "--port needs a value after it: N"),
    (
        "url --port x",
        "--port takes a number from 1 to 65535, not 'x'",
    ),
    (
        "url --port 0",
        "--port takes a number from 1 to 65535, not '0'",
    ),
    (
        "url --port 65536",
        "--port takes a number from 1 to 65535, not '65536'",
    ),
    ("url --port 1 --port 2", "--port is given twice"),
    (
        "url --port 1 --endpoint http://h:1",
        "--port and --endpoint are not given together",
    ),
    (
        "url extra",
        "'extra' is one word too many: cargo xtask url.",
    ),
    ("test --quick=yes", "--quick takes no value"),
    ("up --on aws", "--on is one of local, localstack, not 'aws'"),
    (
        "demo --saga orquestasion",
        "not 'orquestasion' (did you mean orquestacion?)",
    ),
    (
        "deploy",
        "cargo xtask deploy needs FUNCTION: a function, by its folder in functions/. There are: archiver, ",
    ),
    (
        "deploy proyector",
        "not 'proyector' (did you mean projector?)",
    ),
    ("invoke", "cargo xtask invoke needs FUNCTION"),
    ("logs nobody", "FUNCTION is one of archiver, "),
    (
        "saga",
        "cargo xtask saga needs ID: the id_correlacion of a saga, or the id_reserva",
    ),
    ("saga 7", "ID is a UUID, as "),
    ("sagas Completa", "ESTADO is one of EnCurso, "),
    ("redrive vista", "cargo xtask redrive needs PLACE"),
    (
        "discard vista 7",
        "cargo xtask discard needs NOTE: why, in quotes",
    ),
    ("rebuild", "cargo xtask rebuild needs VIEW"),
    (
        "rebuild reservas --resume --abandon",
        "--resume and --abandon are not given together",
    ),
    (
        "retention --hours 23",
        "--hours takes a number from 24 to 8760, not '23'",
    ),
    (
        "simulate --seeds 0",
        "--seeds takes a number from 1 on, not '0'",
    ),
    (
        "simulate --seeds many",
        "--seeds takes a number from 1 on, not 'many'",
    ),
    (
        "test --arch arm64",
        "--arch means nothing without --build lambda",
    ),
    (
        "test --build lambda",
        "--build means nothing without --endpoint",
    ),
    (
        "tail --limit -1",
        "--limit takes a number from 0 on, not '-1'",
    ),
    (
        "logs --since ayer",
        "--since takes so long ago, as 30s, 5m, 1h or 2d, or a time of UTC, as 2026-11-22T19:36:14Z, not 'ayer'",
    ),
    (
        "logs --limit 0",
        "--limit takes a number from 1 on, not '0'",
    ),
];

#[test]
fn words_that_are_wrong_are_named_and_end_with_2() {
    let place = Place::new("wrong");
    for (line, told) in WRONG {
        let words: Vec<&str> = line.split(' ').collect();
        let (code, out, err) = place.says(&words);
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {err}");
        assert!(
            err.starts_with("error: ") && err.contains(told),
            "{line}: {err}"
        );
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_trouble() {
    let place = Place::new("reader");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut front = place.front(&["help"]);
    let mut front = front.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut err = front.stderr.take().unwrap();
    err.read_to_string(&mut said).unwrap();
    assert_eq!((front.wait().unwrap().code(), said.as_str()), (Some(0), ""));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut front = place.front(&["nonsense"]);
    assert_eq!(front.stderr(writer).status().unwrap().code(), Some(2));
}

/// Writing to `/dev/full` fails as on a full disk.
#[test]
fn what_cannot_be_written_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return }; // not Linux
    let mut front = Place::new("full").front(&["help"]);
    let output = front.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err.starts_with("error: cannot write to standard output: "),
        "{err}"
    );
}

/// A user must know how long a command takes and how much disk it uses before running the command.
#[test]
fn what_takes_long_or_much_disk_is_told_beside_the_command() {
    let place = Place::new("takes");
    let document =
        |path: &str| fs::read_to_string(command_line::root().unwrap().join(path)).unwrap();
    let (readme, operating) = (document("README.md"), document("docs/operating.md"));
    for (name, time, disk) in [
        ("demo", "5 minutes", "3 GB in target"),
        ("up", "as demo", "450 MB more in .local"),
        ("test", "--quick: 12 minutes", "8 GB in target"),
        ("simulate", "8 minutes", "1.1 GB in target"),
        (
            "build",
            "a release build",
            "450 MB in .local, 0.7 GB in target",
        ),
        ("bench", "minutes", "a release build"),
        ("tools", "", "cargo-lambda 450 MB more"),
        ("rebuild", "2 min 10 s", ""),
        ("help", "1.4 s", "18 MB in target"),
    ] {
        let (_, help, _) = place.says(&[name, "--help"]);
        let told = help
            .lines()
            .find_map(|line| line.strip_prefix("It takes: "));
        let told = told.unwrap_or_default();
        assert!(told.contains(time) && told.contains(disk), "{help}");
        let row = format!("| `cargo xtask {name}");
        let row = operating
            .lines()
            .find(|line| line.starts_with(&row))
            .unwrap();
        assert!(row.contains(time) && row.contains(disk), "{row}");
    }
    // The sizes of `.local` and `target`.
    for size in ["3 GB in `target` after `demo`", "8 GB after `test`"] {
        let text = readme.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(size), "README.md does not tell {size}");
    }
}

#[test]
fn the_operators_page_has_the_table_of_commands() {
    let root = command_line::root().unwrap();
    let page = fs::read_to_string(root.join("docs/operating.md")).unwrap();
    let (code, table, _) = Place::new("readme").says(&["help", "--markdown"]);
    assert_eq!(code, 0);
    assert!(
        page.contains(&table),
        "docs/operating.md lacks what cargo xtask help --markdown prints:\n\n{table}"
    );
}
