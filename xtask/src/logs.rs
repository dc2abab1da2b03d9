//! The command `logs`: reads the log lines of functions from a runtime's `CloudWatch` Logs, which has a log group for
//! each function.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use command_line::{Words, colours, since};

use crate::{
    failure::Result,
    log_line::{Line, Look},
    log_service::Service,
    progress::note,
    runtime_env::Target,
    workspace::Workspace,
};

/// The most lines to show by default.
const USUAL: usize = 1_000;
/// The most earlier lines that `--follow` shows by default before it waits for new lines.
const BEFORE_FOLLOWING: usize = 10;
/// The length of the first window back from now, in milliseconds.
const WINDOW: i64 = 60_000;
/// Each further window is `LONGER` times as long as the one before it.
const LONGER: i64 = 4;
/// The time between two reads with `--follow`.
const LOOKS: Duration = Duration::from_secs(1);
/// How far back each read goes with `--follow`, in milliseconds: a line may arrive after a line with a later time.
const LATE: i64 = 10_000;

/// Shows log lines of functions.
pub fn logs(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let now = now();
    let functions = match words.argument("FUNCTION") {
        Some(name) => vec![name.to_owned()],
        None => workspace.functions()?,
    };
    let wanted = Wanted {
        about: words.value("--correlation"),
        since: words.value("--since").and_then(|when| since(when, now)),
        limit: limit(words),
    };
    let service = Service::of(&target)?;
    let sources = Source::all(&target, functions)?;
    let look = if words.flag("--json") {
        Look::Json
    } else {
        Look::lines(sources.iter().map(|source| &*source.function), colours())
    };

    let found = newest(&service, &sources, &wanted, now)?;
    let too_many = found.len().saturating_sub(wanted.limit);
    if words.flag("--follow") {
        show(found.iter().skip(too_many), &look);
        return follow(&service, &sources, &wanted, &look, &found);
    }
    if found.is_empty() {
        let url = &service.url;
        note(&format!("no function has logged such a line yet at {url}"));
    }
    if too_many > 0 && !words.flag("--limit") {
        note(&format!(
            "these are the newest {USUAL} lines: --limit N or --since WHEN shows more"
        ));
    }
    show(found.iter().skip(too_many), &look);
    Ok(())
}

fn show<'a>(lines: impl Iterator<Item = &'a Line>, look: &Look) {
    for line in lines {
        println!("{}", look.show(line));
    }
}

/// The most lines to show.
fn limit(words: &Words) -> usize {
    match words.number("--limit") {
        Some(limit) => limit.try_into().unwrap_or(usize::MAX),
        None if words.flag("--since") || words.flag("--correlation") => usize::MAX,
        None if words.flag("--follow") => BEFORE_FOLLOWING,
        None => USUAL,
    }
}

fn now() -> i64 {
    let since_then = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_then = since_then.unwrap_or_default().as_millis();
    since_then.try_into().unwrap_or(i64::MAX)
}

/// The lines that the user asked for.
struct Wanted<'a> {
    /// The id that lines must contain.
    about: Option<&'a str>,
    /// The time from which lines are shown, in milliseconds of Unix time.
    since: Option<i64>,
    /// The most lines to show. The newest are kept.
    limit: usize,
}

/// A function and its log group.
struct Source {
    function: String,
    group: String,
}

impl Source {
    fn all(target: &Target, functions: Vec<String>) -> Result<Vec<Self>> {
        let stack = target.get("ALPES_STACK")?;
        let source = |function: String| Self {
            group: format!("/aws/lambda/{stack}-{function}"),
            function,
        };
        Ok(functions.into_iter().map(source).collect())
    }
}

/// The newest selected lines, oldest first. The result may have more lines than the limit.
fn newest(
    service: &Service,
    sources: &[Source],
    wanted: &Wanted<'_>,
    now: i64,
) -> Result<Vec<Line>> {
    let made = service.groups(&sources.iter().map(|source| &*source.group).collect())?;
    let mut lines = vec![];
    for source in sources {
        // A function that never ran has no log group.
        if let Some(&made) = made.get(&source.group) {
            let first = wanted.since.unwrap_or(made.min(now));
            lines.extend(newest_of(service, source, wanted, first, now)?);
        }
    }
    in_order(&mut lines);
    Ok(lines)
}

/// Sorts lines by time. Lines with the same time keep their order.
fn in_order(lines: &mut [Line]) {
    lines.sort_by(|one, other| one.order().cmp(other.order()));
}

/// The newest lines of a function since `first`. The service answers with the oldest lines of a window first. So this
/// function asks for windows that go back from now, each longer than the one before, until there are enough lines.
/// Without a limit, the function asks once for all lines.
fn newest_of(
    service: &Service,
    source: &Source,
    wanted: &Wanted<'_>,
    first: i64,
    now: i64,
) -> Result<Vec<Line>> {
    let (mut windows, mut found) = (vec![], 0);
    let mut length = if wanted.limit == usize::MAX {
        i64::MAX
    } else {
        WINDOW
    };
    // The first window has no end, so it includes lines that are logged while this function reads.
    let (mut start, mut end) = (now, i64::MAX);
    while end >= first && found <= wanted.limit {
        start = start.saturating_sub(length).max(first);
        let events = service.events(&source.group, start, end, wanted.about)?;
        let lines = events
            .iter()
            .flat_map(|event| Line::of(&source.function, event));
        let lines: Vec<_> = lines.collect();
        found += lines.len();
        windows.push(lines);
        (end, length) = (start - 1, length.saturating_mul(LONGER));
    }
    windows.reverse();
    Ok(windows.concat())
}

/// Shows new lines as they arrive, for ever. Lines that were already shown are skipped.
fn follow(
    service: &Service,
    sources: &[Source],
    wanted: &Wanted<'_>,
    look: &Look,
    shown: &[Line],
) -> Result<()> {
    // The log events that a later read may return again: the function and id of each, with its time.
    let seen = shown.iter().map(|line| {
        let event = (line.function.clone(), line.id.clone());
        (event, line.taken_in)
    });
    let mut seen: BTreeMap<(String, String), i64> = seen.collect();
    loop {
        thread::sleep(LOOKS);
        let from = now()
            .saturating_sub(LATE)
            .max(wanted.since.unwrap_or(i64::MIN));
        let mut lines = vec![];
        for source in sources {
            for event in service.events(&source.group, from, i64::MAX, wanted.about)? {
                let named = (source.function.clone(), event.id.clone());
                if seen.insert(named, event.timestamp).is_none() {
                    lines.extend(Line::of(&source.function, &event));
                }
            }
        }
        in_order(&mut lines);
        show(lines.iter(), look);
        seen.retain(|_, time| *time >= from);
    }
}
