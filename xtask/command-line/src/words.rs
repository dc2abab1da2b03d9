//! Parses a line of words, by the table of commands.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    help,
    moment::since,
    print::{err, out},
    table::{COMMANDS, Check, Command, Need, ON_RUNTIME, Opt, Rule, command, takes_value},
};

/// The exit code for words that cannot be parsed.
const WRONG: u8 = 2;

/// A command with its words, all checked against the table.
#[derive(Debug)]
pub struct Words {
    /// The command, as the table describes it.
    pub command: &'static Command,
    arguments: Vec<String>,
    /// The given options. A flag's value is empty.
    options: Vec<(&'static Opt, String)>,
}

/// The result of parsing a command line.
#[derive(Debug)]
enum Request {
    Help(Option<&'static Command>),
    Markdown,
    Run(Words),
}

/// Parses the words after the program's name. Prints help and usage errors itself.
///
/// # Errors
///
/// The exit code, if there is no command to run.
pub fn read(words: impl IntoIterator<Item = String>) -> Result<Words, ExitCode> {
    match parse(words, &functions) {
        Ok(Request::Run(words)) => return Ok(words),
        Ok(Request::Help(None)) => out(format_args!("{}", help::all())),
        Ok(Request::Help(Some(command))) => out(format_args!("{}", help::of(command))),
        Ok(Request::Markdown) => out(format_args!("{}", help::markdown())),
        Err(why) => return Err(wrong(&why)),
    }
    Err(ExitCode::SUCCESS)
}

/// Prints a usage error, and returns its exit code.
#[must_use]
pub fn wrong(why: &str) -> ExitCode {
    err(format_args!("error: {why}\n"));
    ExitCode::from(WRONG)
}

impl Words {
    /// True if the flag was given.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of an option; `None` if the option was not given.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        debug_assert!(self.command.option(name).is_some(), "{name}");
        let found = self.options.iter().find(|(option, _)| option.name == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of an option that takes a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.parse().ok()
    }

    /// The argument with this name.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        let mut named = self.command.arguments.iter().zip(&self.arguments);
        debug_assert!(
            self.command.arguments.iter().any(|one| one.name == name),
            "{name}"
        );
        let found = named.find(|(argument, _)| argument.name == name);
        found.map(|(_, word)| word.as_str())
    }

    /// The argument with this name, which the table marks as required.
    #[must_use]
    pub fn required(&self, name: &str) -> &str {
        self.argument(name).unwrap_or_default()
    }

    /// True if an option chooses a runtime.
    #[must_use]
    pub fn names_a_runtime(&self) -> bool {
        self.options.iter().any(|(option, _)| is_of_runtime(option))
    }

    /// The words after the command's name, for the program that runs the command. Options that choose a runtime are
    /// left out.
    #[must_use]
    pub fn handed_on(&self) -> Vec<String> {
        let mut words = vec![];
        for (option, value) in &self.options {
            if is_of_runtime(option) {
                continue;
            }
            words.push(match option.value {
                None => option.name.to_owned(),
                Some(_) => format!("{}={value}", option.name),
            });
        }
        if !self.arguments.is_empty() {
            words.push("--".to_owned());
            words.extend(self.arguments.iter().cloned());
        }
        words
    }
}

fn is_of_runtime(option: &Opt) -> bool {
    ON_RUNTIME.iter().any(|one| one.name == option.name)
}

/// A word of the line, or an option with its value.
enum Token {
    Word(String),
    /// An option: `--name`, `--name VALUE` or `--name=VALUE`.
    Option(String, Option<String>),
}

/// Splits the command line into words and options. The returned flag is true if the user asked for help. Options may
/// precede the command, because an option has a value in every command or in none.
fn tokens(words: impl IntoIterator<Item = String>) -> (Vec<Token>, bool) {
    let (mut tokens, mut help, mut ended) = (vec![], false, false);
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if ended || word == "-" || !word.starts_with('-') {
            tokens.push(Token::Word(word));
        } else if word == "--" {
            ended = true;
        } else if word == "--help" || word == "-h" {
            help = true;
        } else if let Some((name, value)) = word.split_once('=') {
            tokens.push(Token::Option(name.to_owned(), Some(value.to_owned())));
        } else {
            let value = if takes_value(&word) {
                words.next_if(|next| !next.starts_with("--") && next != "-h")
            } else {
                None
            };
            tokens.push(Token::Option(word, value));
        }
    }
    (tokens, help)
}

fn parse(
    words: impl IntoIterator<Item = String>,
    functions: &dyn Fn() -> Vec<String>,
) -> Result<Request, String> {
    let (tokens, help) = tokens(words);
    let (mut arguments, mut given) = (vec![], vec![]);
    for token in tokens {
        match token {
            Token::Word(word) => arguments.push(word),
            Token::Option(name, value) => given.push((name, value)),
        }
    }
    if arguments.is_empty() {
        return match given.first() {
            Some((name, _)) if !help => Err(format!(
                "{name} stands alone: which command is meant? See: cargo xtask help"
            )),
            _ => Ok(Request::Help(None)),
        };
    }
    let command = known(&arguments.remove(0))?;
    if help {
        return Ok(Request::Help(Some(command)));
    }
    let options = options(command, given)?;
    check_arguments(command, &arguments, functions)?;
    let words = Words {
        command,
        arguments,
        options,
    };
    keeps(&words)?;
    if command.name != "help" {
        return Ok(Request::Run(words));
    }
    if words.flag("--markdown") {
        return Ok(Request::Markdown);
    }
    let about = words.argument("COMMAND").map(known).transpose()?;
    Ok(Request::Help(about))
}

fn known(name: &str) -> Result<&'static Command, String> {
    command(name).ok_or_else(|| {
        let near = nearest(name, COMMANDS.iter().map(|command| command.name));
        format!("there is no command '{name}'{near}. See: cargo xtask help")
    })
}

/// The sentence that refers to the help of a command.
fn see(command: &Command) -> String {
    format!("See: cargo xtask {} --help", command.name)
}

fn options(
    command: &'static Command,
    given: Vec<(String, Option<String>)>,
) -> Result<Vec<(&'static Opt, String)>, String> {
    let mut options: Vec<(&'static Opt, String)> = vec![];
    for (name, value) in given {
        let Some(option) = command.option(&name) else {
            let near = nearest(&name, command.options().map(|option| option.name));
            return Err(format!(
                "cargo xtask {} has no option {name}{near}. {}",
                command.name,
                see(command)
            ));
        };
        if options.iter().any(|(earlier, _)| earlier.name == name) {
            return Err(format!("{name} is given twice."));
        }
        let value = match (&option.value, value) {
            (None, None) => String::new(),
            (None, Some(_)) => return Err(format!("{name} takes no value.")),
            (Some(_), Some(value)) if !value.is_empty() => {
                check(&name, option.check(), &value, &Vec::new)?;
                value
            }
            (Some(value), _) => {
                return Err(format!(
                    "{name} needs a value after it: {}. {}",
                    value.shown(),
                    see(command)
                ));
            }
        };
        options.push((option, value));
    }
    Ok(options)
}

fn check_arguments(
    command: &Command,
    words: &[String],
    functions: &dyn Fn() -> Vec<String>,
) -> Result<(), String> {
    if let Some(left) = words.get(command.arguments.len()) {
        return Err(format!(
            "'{left}' is one word too many: cargo xtask {}. {}",
            command.synopsis(),
            see(command)
        ));
    }
    let mut words = words.iter();
    let mut together = false;
    for argument in command.arguments {
        match (words.next(), argument.need) {
            (Some(word), _) => {
                check(argument.name, argument.check, word, functions)?;
                together = true;
            }
            (None, Need::Optional) => together = false,
            (None, Need::WithThePrevious) if !together => {}
            (None, Need::Required | Need::WithThePrevious) => {
                let choice = match argument.check {
                    Check::Function => format!(" There are: {}.", functions().join(", ")),
                    _ => String::new(),
                };
                return Err(format!(
                    "cargo xtask {} needs {}: {}.{choice} {}",
                    command.name,
                    argument.name,
                    argument.about,
                    see(command)
                ));
            }
        }
    }
    Ok(())
}

fn check(
    name: &str,
    check: Check,
    word: &str,
    functions: &dyn Fn() -> Vec<String>,
) -> Result<(), String> {
    let one_of = |what: &str, names: &[&str]| {
        if names.contains(&word) {
            return Ok(());
        }
        let near = nearest(word, names.iter().copied());
        let names = names.join(", ");
        Err(format!("{what} is one of {names}, not '{word}'{near}."))
    };
    match check {
        Check::Any => Ok(()),
        Check::Number { least, most } => match word.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(()),
            _ if most == u64::MAX => Err(format!(
                "{name} takes a number from {least} on, not '{word}'."
            )),
            _ => Err(format!(
                "{name} takes a number from {least} to {most}, not '{word}'."
            )),
        },
        Check::OneOf(names) => one_of(name, names),
        Check::Since if since(word, 0).is_some() => Ok(()),
        Check::Since => Err(format!(
            "{name} takes so long ago, as 30s, 5m, 1h or 2d, or a time of UTC, as 2026-11-22T19:36:14Z, not '{word}'."
        )),
        Check::Id => {
            let digits = word.bytes().filter(|byte| *byte != b'-');
            let hexadecimal = word
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            if digits.count() == 32 && hexadecimal {
                Ok(())
            } else {
                Err(format!(
                    "{name} is a UUID, as 01a204c2-545a-74bd-8111-604b204dce1d, not '{word}'."
                ))
            }
        }
        Check::Function => {
            let known = functions();
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            one_of(name, &names)
        }
    }
}

/// Checks a command's own rules.
fn keeps(words: &Words) -> Result<(), String> {
    for rule in words.command.rules {
        match *rule {
            Rule::NotBoth(one, other) if words.flag(one) && words.flag(other) => {
                return Err(format!(
                    "{one} and {other} are not given together. {}",
                    see(words.command)
                ));
            }
            Rule::Needs(one, other, value)
                if words.flag(one)
                    && (!words.flag(other) || value.is_some() && words.value(other) != value) =>
            {
                let value = value.map(|value| format!(" {value}")).unwrap_or_default();
                return Err(format!(
                    "{one} means nothing without {other}{value}. {}",
                    see(words.command)
                ));
            }
            Rule::NotBoth(..) | Rule::Needs(..) => {}
        }
    }
    Ok(())
}

/// The end of an error's sentence, which suggests the known word that is nearest to `word`.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .min();
    near.map(|(_, name)| format!(" (did you mean {name}?)"))
        .unwrap_or_default()
}

/// The number of letters to insert, remove or change to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (place, letter) in (1..).zip(one.chars()) {
        let mut next = vec![place];
        let mut left = place;
        for ((above_left, above), mine) in row.iter().zip(row.iter().skip(1)).zip(other.chars()) {
            let changed = above_left + usize::from(mine != letter);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The root of the checkout, from the environment that cargo sets, or otherwise the root at the time of compilation.
#[must_use]
pub fn root() -> Option<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let mut folders = package.ancestors();
    let root = folders.find(|folder| folder.join("infra/template.yaml").is_file());
    root.map(Path::to_owned)
}

/// The names of the functions. Each folder in `functions/` is a package, a binary and a function at once.
pub(crate) fn functions() -> Vec<String> {
    let folder = root().unwrap_or_default().join("functions");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
