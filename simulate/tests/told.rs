//! The output and the exit codes of `simulate`.

#![cfg(test)]

use std::process::Command;

/// The exit code, the output, and the text on stderr.
fn says(line: &str) -> (i32, String, String) {
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_simulate"));
    let output = simulate.args(line.split(' ')).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_search_that_finds_nothing_ends_with_the_verdict() {
    let (code, out, _) = says("--seeds 4");
    assert_eq!(code, 0);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert_eq!(lines.last(), Some(&"every promise held in 4 runs"));

    let (code, out, _) = says("--seeds 1 --counts");
    assert_eq!(code, 0);
    assert!(
        out.contains("\nrule\n") && out.contains("\nnever: "),
        "{out}"
    );
    assert!(out.ends_with("\nevery promise held in 1 run\n"), "{out}");

    let trace = concat!(env!("CARGO_TARGET_TMPDIR"), "/told.trace");
    let (code, out, _) = says(&format!("--scenario calm --seed 3 --trace {trace}"));
    assert_eq!(code, 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(out.ends_with("\nevery promise held in 1 run\n"), "{out}");
}

#[test]
fn a_mistake_that_is_found_is_no_failure_and_no_promise_that_held() {
    let (code, out, _) = says("--planted kept-seats --seeds 40");
    assert_eq!(code, 0);
    assert!(
        out.contains("kept-seats is found") && !out.contains("promise held"),
        "{out}"
    );
}

#[test]
fn names_that_are_none_list_those_that_are_and_end_with_2() {
    for (line, listed) in [
        ("--scenario none", "\n  calm "),
        ("--planted none", "\n  kept-seats "),
    ] {
        let (code, out, err) = says(line);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(
            err.starts_with("error: there is no ") && err.contains(listed),
            "{err}"
        );
    }
    assert_eq!(says("--seeds none").0, 2);
    assert_eq!(says("--help").0, 0);
}
