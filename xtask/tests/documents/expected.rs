//! Compares the output in a document with the printed output.
//!
//! White space is ignored, and `…` stands for any text. Ids, times and page tokens differ in each run, so only their
//! kinds are compared. All other text must be equal.

/// The kinds of text that differ in each run, each with its shape, where `x` stands for a hexadecimal digit and `9` for
/// a digit. An id may be cut: `01a2b3c4-…`.
const KINDS: [(&str, &str); 8] = [
    ("<id>", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
    ("<id>", "xxxxxxxx-xxxx-xxxx-xxxx-…"),
    ("<id>", "xxxxxxxx-xxxx-xxxx-…"),
    ("<id>", "xxxxxxxx-xxxx-…"),
    ("<id>", "xxxxxxxx-…"),
    ("<time>", "9999-99-99T99:99:99"),
    ("<day>", "9999-99-99"),
    ("<clock>", "99:99:99"),
];

/// A word of at least `LONG` characters is a page token or a position in the log.
const LONG: usize = 40;

const ANYTHING: char = '…';

/// True if the document shows the printed output.
pub fn is_shown(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (compared(shown), compared(printed));
    let mut pieces = shown.split(ANYTHING);
    let Some(mut rest) = printed.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// The text without white space, in which every part that differs in each run is replaced by its kind.
fn compared(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut rest = letters.as_slice();
    let mut found = String::new();
    let mut before = ' ';
    while let Some((&letter, after)) = rest.split_first() {
        if !before.is_alphanumeric()
            && let Some((kind, after)) = differing(rest)
        {
            found.push_str(kind);
            rest = after;
            before = ' ';
            continue;
        }
        if !letter.is_whitespace() {
            found.push(letter);
        }
        before = letter;
        rest = after;
    }
    found
}

/// If the text begins with a part that differs in each run: its kind, and the rest.
fn differing(text: &[char]) -> Option<(&'static str, &[char])> {
    if let Some(after) = text.strip_prefix(&['+']) {
        // A time after the beginning, such as `+1 ms`.
        let rest = without_digits(after);
        let units = [" ms", " s ", " d "].map(|unit| unit.chars().collect::<Vec<_>>());
        if rest.len() < after.len() && units.iter().any(|unit| rest.starts_with(unit)) {
            return Some(("<later>", rest));
        }
    }
    let word = text
        .iter()
        .take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        .count();
    for (kind, shape) in KINDS {
        let Some(rest) = after(text, shape) else {
            continue;
        };
        // A shape inside a longer word does not count.
        if rest.first().is_some_and(char::is_ascii_hexdigit) {
            continue;
        }
        let rest = match kind {
            "<time>" | "<clock>" => without_fraction(rest),
            _ => rest,
        };
        return Some((kind, rest));
    }
    if word >= LONG {
        return Some(("<place>", text.get(word..)?));
    }
    None
}

/// The text after a shape.
fn after<'a>(text: &'a [char], shape: &str) -> Option<&'a [char]> {
    let mut rest = text;
    for wanted in shape.chars() {
        let (letter, after) = rest.split_first()?;
        let fits = match wanted {
            'x' => letter.is_ascii_hexdigit(),
            '9' => letter.is_ascii_digit(),
            wanted => *letter == wanted,
        };
        if !fits {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

fn without_digits(text: &[char]) -> &[char] {
    let digits = text.iter().take_while(|letter| letter.is_ascii_digit());
    text.get(digits.count()..).unwrap_or_default()
}

/// The text without decimals of a second and without the Z.
fn without_fraction(text: &[char]) -> &[char] {
    let rest = text.strip_prefix(&['.']).map_or(text, without_digits);
    rest.strip_prefix(&['Z']).unwrap_or(rest)
}

#[test]
fn only_what_differs_from_run_to_run_may_differ() {
    let id = "01a204c2-545a-74bd-8111-604b204dce1d";
    let other = "29775d81-5bed-57e9-b1e0-b22ed73d1c9b";
    let printed =
        format!(r#"{{"id":"{id}","cuando":"2026-11-22T19:36:14.212Z","dia":"2026-11-22","n":10}}"#);
    for shown in [
        format!(
            "{{\"id\": \"{other}\", \"cuando\": \"2027-01-02T03:04:05.1Z\",\n \"dia\": \"2027-01-02\", \"n\": 10}}"
        ),
        r#"{"id":"29775d81-…","cuando":"2027-01-02T03:04:05Z","dia":"2027-01-02","n":10}"#.into(),
        r#"{"id":"29775d81-5bed-57e9-…","cuando":"2027-01-02T03:04:05Z",…,"n":10}"#.into(),
        r#"…"n":10}"#.into(),
        r#"{"id":…,"dia"…"#.into(),
        "…".into(),
    ] {
        assert!(is_shown(&shown, &printed), "{shown}");
    }
    for shown in [
        String::new(),
        r#"{"id":…,"n":1}"#.into(),
        r#"{"id":…,"n":10"#.into(),
        r#""n":10}"#.into(),
        r#"{…"dia"…"cuando"…}"#.into(),
        r#"{"id":"x",…"#.into(),
        r#"…"dia":"2027-01",…"#.into(),
        format!("{{\"id\":\"{other}\",\"cuando\":\"{other}\",…"),
    ] {
        assert!(!is_shown(&shown, &printed), "{shown}");
    }
    for (shown, printed) in [
        (
            "19:36:14.212        +0 ms   2  Fin",
            "01:02:03.4 +176 ms 2 Fin",
        ),
        (
            r#""siguiente":"MjAyNi0xMS0yMlQxNTo0NzowMS42NDRaI2YyZDY5YjBiLWMyYzM""#,
            r#""siguiente":"NjAyNi0xMS0yMlQxNTo0NzowMS42NDRaI2YyZDY5YjBiLWMyYzMtNTk0""#,
        ),
    ] {
        assert!(is_shown(shown, printed), "{shown}");
    }
    for (shown, printed) in [
        ("19:36:14.212 +0 ms 2", "19:36:14.212 +0 ms 3"),
        ("100.00 USD", "100.01 USD"),
        ("+5 USD", "+6 USD"),
        (r#""siguiente":null"#, r#""siguiente":"x""#),
    ] {
        assert!(!is_shown(shown, printed), "{shown}");
    }
}
