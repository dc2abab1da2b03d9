//! Tests the form of the documents: sizes, widths of lines, links whose targets exist, sentences with a subject, and a
//! test for each invariant of ARCHITECTURE.md.
//!
//! Each rule is a function of data that returns violations, so the last tests can plant some and check that they are
//! found.

#![cfg(test)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use common::{files, root};

/// The documents with a size limit, in bytes.
const SIZES: [(&str, usize); 2] = [("README.md", 12 * 1024), ("ARCHITECTURE.md", 20 * 1024)];

/// The most characters in a line.
const WIDTH: usize = 120;

/// The section of ARCHITECTURE.md in which each item names a test.
const INVARIANTS: &str = "## Invariants";

/// Words with which no sentence may begin.
const NO_SUBJECTS: [&str; 2] = ["Who", "What"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Blank,
    Code,
    Fenced,
    Heading,
    Prose,
    Table,
}

/// The lines of a document, each with its kind.
fn lines(markdown: &str) -> Vec<(Kind, &str)> {
    let mut found = vec![];
    let mut fenced = false;
    // An indented line is code only after a blank line or other code.
    let mut before = Kind::Blank;
    for line in markdown.lines() {
        let text = line.trim_start();
        let fence = text.starts_with("```");
        let kind = if fenced || fence {
            fenced ^= fence;
            Kind::Fenced
        } else if text.is_empty() {
            Kind::Blank
        } else if line.starts_with("    ") && before != Kind::Prose {
            Kind::Code
        } else if line.starts_with('#') {
            Kind::Heading
        } else if text.starts_with('|') {
            Kind::Table
        } else {
            Kind::Prose
        };
        before = kind;
        found.push((kind, line));
    }
    found
}

fn is_item(text: &str) -> bool {
    let number = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    text.starts_with("- ") || (number.len() < text.len() && number.starts_with(". "))
}

/// The text without the bullet or number of a list item.
fn without_mark(text: &str) -> &str {
    if is_item(text) {
        text.split_once(' ').map_or(text, |(_, rest)| rest)
    } else {
        text
    }
}

/// The paragraphs and list items, each joined into one line.
fn paragraphs(markdown: &str) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let mut open = false;
    for (kind, line) in lines(markdown) {
        let text = line.trim();
        if kind != Kind::Prose {
            open = false;
        } else if open && !is_item(text) {
            let last = found.last_mut().expect("one is open");
            last.push(' ');
            last.push_str(text);
        } else {
            found.push(without_mark(text).to_owned());
            open = true;
        }
    }
    found
}

/// The sentences of a paragraph. Code such as `a. b` may split a sentence in two, which does no harm.
fn sentences(paragraph: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for word in paragraph.split(' ') {
        let last = found.last_mut().expect("there is one");
        last.push_str(word);
        let bare = word.trim_end_matches(['*', ')', '"', '_']);
        if bare.ends_with(['.', '?', '!']) {
            found.push(String::new());
        } else {
            last.push(' ');
        }
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

// The rules, as functions of data.

fn too_large(documents: &BTreeMap<String, String>) -> Vec<String> {
    let large = SIZES.iter().filter_map(|(path, most)| {
        let size = documents.get(*path).map(String::len);
        match size {
            None => Some(format!("{path} is not there")),
            Some(size) if size > *most => Some(format!("{path} has {size} bytes of {most}")),
            Some(_) => None,
        }
    });
    large.collect()
}

/// Lines wider than [`WIDTH`], except in tables and fenced code.
fn wide(path: &str, markdown: &str) -> Vec<String> {
    let numbered = (1..).zip(lines(markdown));
    let wide = numbered.filter(|(_, (kind, line))| {
        !matches!(kind, Kind::Table | Kind::Fenced) && line.chars().count() > WIDTH
    });
    wide.map(|(number, (_, line))| format!("{path}:{number} has {} letters", line.chars().count()))
        .collect()
}

/// Sentences that begin with one of [`NO_SUBJECTS`]. Questions may begin with these words.
fn without_subject(path: &str, markdown: &str) -> Vec<String> {
    let sentences = paragraphs(markdown)
        .into_iter()
        .flat_map(|paragraph| sentences(&paragraph));
    let bad = sentences.filter(|sentence| {
        let start = sentence.trim_start_matches(['*', '_', '"', '(']);
        let first = start.split(|letter: char| !letter.is_alphabetic()).next();
        NO_SUBJECTS.contains(&first.unwrap_or_default())
            && !sentence
                .trim_end_matches(['*', '_', '"', ')'])
                .ends_with('?')
    });
    bad.map(|sentence| format!("{path}: {sentence}")).collect()
}

/// The anchor of a heading in links.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = lines(markdown)
        .into_iter()
        .filter(|(kind, _)| *kind == Kind::Heading);
    headings.map(|(_, line)| anchor(line)).collect()
}

/// The targets of the links in prose and tables.
fn links(markdown: &str) -> Vec<String> {
    let mut found = vec![];
    for (kind, line) in lines(markdown) {
        if matches!(kind, Kind::Code | Kind::Fenced) {
            continue;
        }
        // Every second part of a line is between backticks, and is skipped.
        let spoken: Vec<&str> = line.split('`').step_by(2).collect();
        for part in spoken.join("`").split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

/// The target of a document's link, relative to the root.
fn destination(path: &str, file: &str) -> String {
    if file.is_empty() {
        return path.to_owned();
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Links to documents or headings that do not exist.
fn dead(documents: &BTreeMap<String, String>, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = vec![];
    for (path, markdown) in documents {
        for link in links(markdown) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let place = destination(path, file);
            let leads = match documents.get(&place) {
                Some(text) => heading.is_empty() || anchors(text).contains(heading),
                None => heading.is_empty() && exists(&place),
            };
            if !leads {
                found.push(format!("{path} links to {link}, which is not there"));
            }
        }
    }
    found
}

/// Invariants that name no test, and names of tests that do not exist.
fn unheld(architecture: &str, is_test: impl Fn(&str) -> bool) -> Vec<String> {
    let section = architecture
        .split_once(INVARIANTS)
        .map_or("", |(_, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut found = vec![];
    let items = paragraphs(section);
    if items.is_empty() {
        found.push(format!("there is no section {INVARIANTS}"));
    }
    for item in items {
        let names = item.split('`').skip(1).step_by(2).filter(|word| {
            word.contains('_')
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        });
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            found.push(format!("no test holds: {item}"));
        }
        let gone = names.iter().filter(|name| !is_test(name));
        found.extend(gone.map(|name| format!("there is no test {name}")));
    }
    found
}

/// The names of the test functions in these sources.
fn tests<'a>(sources: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        // An attribute `#[test]` marks the first `fn` after it.
        let mut marked = false;
        for line in source.lines().map(str::trim) {
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let declared = line.strip_prefix("async ").unwrap_or(line);
            if let Some(rest) = declared.strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap_or_default();
                if std::mem::take(&mut marked) {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

// The documents keep the rules.

#[test]
fn readme_and_architecture_are_short() {
    none(&too_large(&files("", ".md")));
}

#[test]
fn lines_of_documents_fit() {
    let documents = files("", ".md");
    assert!(documents.len() > 10, "the documents were not found");
    let found = documents.iter().flat_map(|(path, text)| wide(path, text));
    none(&found.collect::<Vec<_>>());
}

#[test]
fn sentences_have_a_subject() {
    let documents = files("", ".md");
    let found = documents
        .iter()
        .flat_map(|(path, text)| without_subject(path, text));
    none(&found.collect::<Vec<_>>());
}

#[test]
fn links_lead_to_files_and_headings() {
    none(&dead(&files("", ".md"), |path| root().join(path).exists()));
}

#[test]
fn every_invariant_names_a_test() {
    let tests = tests(files("", ".rs").values());
    assert!(tests.len() > 500, "the tests were not found");
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    none(&unheld(&architecture, |name| tests.contains(name)));
}

// The rules find planted violations.

#[test]
fn a_document_that_is_too_large_is_found() {
    let document = |path: &str, size: usize| (path.to_owned(), "a".repeat(size));
    let documents = BTreeMap::from([
        document("README.md", 12_288),
        document("ARCHITECTURE.md", 20_481),
    ]);
    assert_eq!(
        too_large(&documents),
        ["ARCHITECTURE.md has 20481 bytes of 20480"]
    );
    assert_eq!(
        too_large(&BTreeMap::from([document("ARCHITECTURE.md", 1)])),
        ["README.md is not there"]
    );
}

#[test]
fn a_line_that_is_too_wide_is_found() {
    let long = "ñ".repeat(121);
    let text = format!(
        "{fits}\n\n- {long}\n\n| {long} |\n\n```\n{long}\n```\n\n    {long}\n",
        fits = "ñ".repeat(120)
    );
    assert_eq!(
        wide("a.md", &text),
        ["a.md:3 has 123 letters", "a.md:11 has 125 letters"]
    );
}

#[test]
fn a_sentence_without_a_subject_is_found() {
    let text = "# What it does\n\nIt ends. What was parked\nis tried again. Who asks?\n\n- **Who asks twice** waits.\n\n    \
                What is code\n\n| What |\n\nWhatever fails, it ends.\n\n1. One. (Who knows?)\n";
    assert_eq!(
        without_subject("a.md", text),
        [
            "a.md: What was parked is tried again.",
            "a.md: **Who asks twice** waits."
        ]
    );
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let documents = [
        (
            "a.md",
            "# One: `a`, two\n\n[x](docs/b.md#así-es) [x](docs/b.md#no) [x](#one-a-two) [x](c.txt) [x](d.txt) \
             `[x](e.md)` [x](https://a.org/b#c)\n\n    [x](f.md)\n",
        ),
        ("docs/b.md", "## ¡Así es!\n\n[x](../a.md) [x](a.md)\n"),
    ];
    let documents = documents.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(
        dead(&documents.into(), |path| path == "c.txt"),
        [
            "a.md links to docs/b.md#no, which is not there",
            "a.md links to d.txt, which is not there",
            "docs/b.md links to a.md, which is not there"
        ]
    );
}

#[test]
fn an_invariant_that_no_test_holds_is_found() {
    let source = "#[test]\n#[ignore = \"x\"]\nfn it_holds() {}\n\nfn it_helps() {}\n\n    #[tokio::test]\n    async fn it_waits() {}\n";
    let tests = tests([source.to_owned()].iter());
    assert_eq!(
        tests.iter().map(String::as_str).collect::<Vec<_>>(),
        ["it_holds", "it_waits"]
    );
    let text = "# A\n\n## Invariants\n\n### B\n\n- One: `it_holds`,\n  `it_helps`.\n- Two of `alpes-aws`.\n\n## C\n\n- Three.\n";
    assert_eq!(
        unheld(text, |name| tests.contains(name)),
        [
            "there is no test it_helps",
            "no test holds: Two of `alpes-aws`."
        ]
    );
    assert_eq!(
        unheld("# A\n", |_| true),
        ["there is no section ## Invariants"]
    );
}
