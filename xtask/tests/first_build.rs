//! Each dependency is compiled once. `demo` builds xtask first and then the functions, and the gate then builds the
//! tests. Cargo compiles a dependency again if a later build needs other features of it.

#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// The dependencies that Cargo compiles for these packages, each with its version and features.
fn compiled(packages: &[String]) -> BTreeSet<String> {
    let packages = packages.iter().flat_map(|name| ["--package", name]);
    listed(["--edges", "normal,build"].into_iter().chain(packages))
}

/// The dependencies that Cargo compiles for the tests of the workspace.
fn compiled_for_tests() -> BTreeSet<String> {
    listed(["--edges", "normal,build,dev", "--workspace"])
}

fn listed<'a>(arguments: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--prefix", "none"]);
    tree.args(["--format", "{p} {f}"]).args(arguments);
    let told = tree.output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    // Skip the packages of the workspace, whose lines contain their folders.
    lines
        .filter(|line| !line.is_empty() && !line.contains(" (/"))
        .map(str::to_owned)
        .collect()
}

/// The dependencies that both builds have with different features.
fn twice<'a>(one: &'a BTreeSet<String>, other: &BTreeSet<String>) -> Vec<&'a str> {
    let name = |line: &str| {
        let mut words = line.split(' ');
        (
            words.next().map(str::to_owned),
            words.next().map(str::to_owned),
        )
    };
    let names: BTreeSet<_> = other.iter().map(|line| name(line)).collect();
    let both = one.iter().filter(|line| names.contains(&name(line)));
    both.filter(|line| !other.contains(*line))
        .map(String::as_str)
        .collect()
}

fn functions() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
    folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn each_dependency_is_compiled_once() {
    let mut others = functions();
    assert!(others.len() > 5, "the functions were not found");
    others.extend(["ops", "alpes-local"].map(str::to_owned));
    let own = ["command-line", "xtask"].map(str::to_owned);
    let (own, others) = (compiled(&own), compiled(&others));
    assert!(own.len() > 3 && others.len() > 100);
    assert_eq!(twice(&own, &others), Vec::<&str>::new());
    assert_eq!(twice(&others, &compiled_for_tests()), Vec::<&str>::new());
}

#[test]
fn a_dependency_with_other_features_is_found() {
    let all = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
    let own: BTreeSet<String> =
        all(&["itoa v1.0.19 ", "memchr v2.8.3 alloc,std", "unused v1.0.0 "]);
    let others = all(&["itoa v1.0.19 ", "memchr v2.8.3 alloc,default,std"]);
    assert_eq!(twice(&own, &others), ["memchr v2.8.3 alloc,std"]);
}
