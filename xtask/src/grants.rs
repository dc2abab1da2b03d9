//! Permissions of the functions' roles, and the end-to-end tests: every permission is needed by some test, or explained.
//!
//! The local runtime tells which permissions of each role were used. After the end-to-end tests, [`all_accounted_for`]
//! compares that with `infra/unused-permissions.txt`. [`taken_out`] shows that the tests would see a missing permission: it
//! takes single permissions out of copies of the template, and the tests must fail on each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use command_line::Words;
use serde_json::{Value, json};

use crate::failure::{Explain, Result, fail};
use crate::gate::{THREADS_HERE, e2e_command};
use crate::http::request;
use crate::local_runtime::free_port;
use crate::own_runtime::OwnRuntime;
use crate::package::{Built, for_local_runtime};
use crate::progress::{note, step};
use crate::runtime_env::{Endpoint, STACK};
use crate::shell::{capture, command, fails_or_says};
use crate::workspace::{Workspace, write};

/// The permissions that no end-to-end test uses, each with its reason.
const UNUSED: &str = "infra/unused-permissions.txt";
/// How many permissions are taken out, one after the other, if the options do not say.
const DRAWN: u64 = 10;

/// A permission of a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    /// The role's logical id.
    role: String,
    action: String,
    /// A pattern of ARNs.
    resource: String,
}

impl fmt::Display for Permission {
    /// As in [`UNUSED`]: the resource without the part of its ARN that is the same for all of them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = self.resource.splitn(6, ':').last().unwrap_or_default();
        write!(formatter, "{} {} {resource}", self.role, self.action)
    }
}

/// A permission, and whether it was used.
struct Told {
    permission: Permission,
    used: bool,
}

/// The local runtime's report on its roles.
struct Report {
    permissions: Vec<Told>,
    /// The actions that were refused, as `ROLE ACTION`.
    refused: BTreeSet<String>,
}

impl Report {
    fn of(endpoint: &Endpoint) -> Result<Self> {
        let url = format!("{}/_alpes/permissions", endpoint.url);
        let answer = request("GET", &url, None)?;
        let report: Value = serde_json::from_str(&answer.body)
            .explain(format!("{url} answered {} {}", answer.status, answer.body))?;
        Ok(Self::read(&report))
    }

    fn read(report: &Value) -> Self {
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let list = |value: &Value, name: &str| {
            let list = value.get(name).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let roles = list(report, "roles").into_iter();
        let permissions = roles.flat_map(|of| {
            let role = logical_id(&text(&of, "role"));
            let permissions = list(&of, "permissions").into_iter();
            permissions.map(move |one| Told {
                permission: Permission {
                    role: role.clone(),
                    action: text(&one, "action"),
                    resource: text(&one, "resource"),
                },
                used: one.get("used") == Some(&true.into()),
            })
        });
        let refused = list(report, "refused").into_iter();
        let refused = refused.map(|one| {
            format!(
                "{} {}",
                logical_id(&text(&one, "who")),
                text(&one, "action")
            )
        });
        Self {
            permissions: permissions.collect(),
            refused: refused.collect(),
        }
    }
}

/// The logical id of a role, whose name `CloudFormation` made: `STACK-ID-RANDOM`. `name` is the name or an ARN with it.
fn logical_id(name: &str) -> String {
    let own = |part: &&str| part.starts_with(STACK);
    let role = name.split('/').find(own).unwrap_or(name);
    let id = role.strip_prefix(STACK).unwrap_or(role).split('-').nth(1);
    id.unwrap_or(role).to_owned()
}

/// The explained permissions. True for one that a run uses by chance.
type Explained = BTreeMap<String, bool>;

/// The beginning of the reason of a permission that a run of the tests may use and may leave unused.
const BY_CHANCE: &str = "by chance,";

/// The permissions in the text of [`UNUSED`].
fn explained(text: &str) -> Result<Explained> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line.split_once(": ") {
            Some((permission, reason)) if !reason.trim().is_empty() => {
                Ok((permission.to_owned(), reason.starts_with(BY_CHANCE)))
            }
            _ => fail(format!(
                "{UNUSED}: '{line}' must be ROLE ACTION RESOURCE: and a reason."
            )),
        })
        .collect()
}

fn read_explained(workspace: &Workspace) -> Result<Explained> {
    let text =
        fs::read_to_string(workspace.path(UNUSED)).explain(format!("Cannot read {UNUSED}"))?;
    explained(&text)
}

/// Tells which permissions the end-to-end tests have left unused that are not explained, and which explained ones are
/// used or gone. If `strict`, fails if there are any. Some permissions are used by chance only, when a test kills a
/// function at the right moment, so a single run proves nothing.
pub fn all_accounted_for(workspace: &Workspace, endpoint: &Endpoint, strict: bool) -> Result<()> {
    let report = Report::of(endpoint)?;
    let wrong = differences(&report, &read_explained(workspace)?);
    if !strict || wrong.is_empty() {
        for line in &wrong {
            note(line);
        }
        return Ok(());
    }
    fail(format!(
        "The end-to-end tests and {UNUSED} disagree:\n{}",
        wrong.join("\n")
    ))
}

fn differences(report: &Report, explained: &Explained) -> Vec<String> {
    let named = |used: bool| -> BTreeSet<String> {
        let told = report.permissions.iter().filter(|told| told.used == used);
        told.map(|told| told.permission.to_string()).collect()
    };
    let (used, mut unused) = (named(true), named(false));
    // Two resources of other accounts or services may have one name in the file.
    unused.retain(|one| !used.contains(one));
    let unexplained = unused.iter().filter(|one| !explained.contains_key(*one));
    let unexplained =
        unexplained.map(|one| format!("{one}: no test uses it, and it is not explained"));
    let outdated = explained.iter().filter_map(|(one, by_chance)| {
        let how = match (unused.contains(one), used.contains(one)) {
            (true, _) => return None,
            (false, true) if *by_chance => return None,
            (false, true) => "a test uses it",
            (false, false) => "no role has it",
        };
        Some(format!("{one}: it is explained, but {how}"))
    });
    unexplained.chain(outdated).collect()
}

/// Takes permissions out of copies of the template, one at a time, and runs the end-to-end tests on each copy. Fails if
/// the tests pass on one.
pub fn taken_out(workspace: &Workspace, words: &Words) -> Result<()> {
    let seed = words.number("--draw").unwrap_or(1);
    let count = words.number("--count").unwrap_or(DRAWN);
    let built = for_local_runtime(workspace, &workspace.functions()?)?;
    let explained = read_explained(workspace)?;
    let mut permissions = vec![];
    OwnRuntime::new("permissions", free_port()?, &built).run(workspace, |runtime, _| {
        let told = Report::of(runtime.endpoint)?.permissions.into_iter();
        permissions = told.map(|told| told.permission).collect();
        Ok(())
    })?;
    let needed = permissions
        .iter()
        .filter(|one| !explained.contains_key(&one.to_string()));
    let mut unseen = vec![];
    for taken in drawn(needed.cloned().collect(), seed, count) {
        if let Some(why) = passes_without(workspace, &built, &permissions, &taken)? {
            note(&format!("NOT SEEN: without {taken}, {why}"));
            unseen.push(format!("{taken}: {why}"));
        }
    }
    if unseen.is_empty() {
        return Ok(());
    }
    fail(format!(
        "The end-to-end tests do not see that a permission is missing (--draw {seed}):\n{}",
        unseen.join("\n")
    ))
}

/// So many of these, drawn by the seed.
fn drawn(mut from: Vec<Permission>, seed: u64, count: u64) -> Vec<Permission> {
    let mut state = seed;
    let mut drawn = vec![];
    while !from.is_empty() && (drawn.len() as u64) < count {
        // SplitMix64
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let number = usize::try_from(mixed ^ (mixed >> 31)).unwrap_or(usize::MAX);
        drawn.push(from.swap_remove(number % from.len()));
    }
    drawn
}

/// Runs the end-to-end tests without this permission. `None` if they fail and the runtime has refused it.
fn passes_without(
    workspace: &Workspace,
    built: &Built,
    all: &[Permission],
    taken: &Permission,
) -> Result<Option<String>> {
    let port = free_port()?;
    let folder = workspace
        .local()
        .join("run")
        .join(format!("without-{port}"));
    let template = copy_without(workspace, built, &folder, all, taken)?;
    let mut outcome = None;
    let own = OwnRuntime {
        template: Some(&template),
        ..OwnRuntime::new("without", port, built)
    };
    own.run(workspace, |runtime, target| {
        let passed = step(&format!("end to end, without {taken}"), || {
            // The first failure is enough: the others may wait for minutes for what cannot come.
            let mut tests = e2e_command(workspace, target, THREADS_HERE);
            Ok(!fails_or_says(&mut tests, |line| line.contains("FAILED"))?)
        })?;
        let refused = Report::of(runtime.endpoint)?.refused;
        let refused = refused.contains(&format!("{} {}", taken.role, taken.action));
        outcome = match (passed, refused) {
            (false, true) => None,
            (true, _) => Some("all tests pass".to_owned()),
            (false, false) => Some("tests fail, and nothing was refused".to_owned()),
        };
        Ok(())
    })?;
    fs::remove_dir_all(&folder).explain(format!("Cannot delete {}", folder.display()))?;
    Ok(outcome)
}

/// Writes a copy of the template, whose role has every permission but this one.
fn copy_without(
    workspace: &Workspace,
    built: &Built,
    folder: &Path,
    all: &[Permission],
    taken: &Permission,
) -> Result<PathBuf> {
    let infra = workspace.path("infra");
    let mut print = command(&built.runtime, &["template"]);
    let text = capture(print.arg(infra.join("template.yaml")))?;
    let mut template: Value = serde_json::from_str(&text).explain("The template in JSON")?;
    let pointer = format!("/Resources/{}/Properties/Policies", taken.role);
    let Some(policies) = template.pointer_mut(&pointer) else {
        return fail(format!("infra/template.yaml has nothing at {pointer}."));
    };
    let others = all
        .iter()
        .filter(|one| one.role == taken.role && *one != taken);
    let statements: Vec<_> = others
        .map(|one| json!({"Effect": "Allow", "Action": one.action, "Resource": one.resource}))
        .collect();
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    *policies = json!([{"PolicyName": "all-but-one", "PolicyDocument": document}]);

    // The template names its other files by paths from its own folder.
    let copy = folder.join("infra");
    fs::create_dir_all(&copy).explain(format!("Cannot make {}", copy.display()))?;
    for file in ["openapi.json", "saga-reserva.asl.json"] {
        fs::copy(infra.join(file), copy.join(file)).explain(format!("Cannot copy infra/{file}"))?;
    }
    let path = copy.join("template.json");
    write(&path, template.to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::read(&json!({
            "roles": [{
                "role": "aeroalpes-TimersRole-4AZNRL4JL42N",
                "permissions": [
                    {"action": "a:Used", "resource": "arn:aws:a:r:1:table/x", "used": true},
                    {"action": "a:Kept", "resource": "arn:aws:a:r:1:table/x/index/*", "used": false},
                    {"action": "a:New", "resource": "*", "used": false},
                ],
            }],
            "refused": [{
                "who": "arn:aws:sts::1:assumed-role/aeroalpes-TimersRole-4AZNRL4JL42N/aeroalpes-timers",
                "action": "a:Other",
            }],
        }))
    }

    #[test]
    fn every_unused_permission_is_explained_and_every_explanation_holds() {
        let text = "# comment\n\nTimersRole a:Kept table/x/index/*: a crash uses it.\n\
                    TimersRole a:Used table/x: outdated.\nTimersRole a:Gone y: of another time.\n";
        let told = differences(&report(), &explained(text).unwrap());
        let expected = [
            "TimersRole a:New *: no test uses it, and it is not explained",
            "TimersRole a:Gone y: it is explained, but no role has it",
            "TimersRole a:Used table/x: it is explained, but a test uses it",
        ];
        assert_eq!(told, expected);
        let text = "TimersRole a:Used table/x: by chance, if it comes first.\n\
                    TimersRole a:Kept table/x/index/*: by chance, if it comes first.\n\
                    TimersRole a:New *: never.\n";
        assert!(differences(&report(), &explained(text).unwrap()).is_empty());
        assert!(explained("TimersRole a:Kept table/x").is_err(), "no reason");
        assert!(report().refused.contains("TimersRole a:Other"));
    }

    #[test]
    fn a_seed_draws_different_permissions_and_the_same_ones_again() {
        let all: Vec<_> = report()
            .permissions
            .into_iter()
            .map(|told| told.permission)
            .collect();
        let names = |seed, count| {
            let drawn = drawn(all.clone(), seed, count);
            drawn.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(3, 2), names(3, 2));
        assert_eq!(names(3, 9).iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!((0..9).any(|seed| names(seed, 1) != names(9, 1)));
    }
}
