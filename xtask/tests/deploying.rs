//! Tests `infra/deploy.sh` with a stand-in for the AWS CLI that records its calls: the changes that the script refuses,
//! and the settings that it keeps.

#![cfg(unix)]
#![cfg(test)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// A stand-in that answers as AWS does for a stack whose status, `FanOut` and `MappingsSince` are in the environment.
const CLI: &str = r#"#!/usr/bin/env bash
echo "$*" >> "$FAKE_CALLS"
case "$*" in
  *StackStatus*) [ "$FAKE_STATUS" != NONE ] || { echo 'Stack does not exist' >&2; exit 254; }; echo "$FAKE_STATUS" ;;
  *"'FanOut'"*) echo "$FAKE_FAN_OUT" ;;
  *"'MappingsSince'"*) echo "$FAKE_SINCE" ;;
  *describe-stream-summary*) exit 254 ;;
  *get-caller-identity*) echo 123456789012 ;;
  *"cloudformation package"*) while [ $# -gt 0 ]; do [ "$1" != --output-template-file ] || echo '{}' > "$2"; shift; done ;;
esac
"#;

struct Deployed {
    succeeded: bool,
    told: String,
    calls: String,
}

impl Deployed {
    /// The deployed value of a parameter.
    fn parameter(&self, name: &str) -> &str {
        let named = format!("ParameterKey={name},ParameterValue=");
        let value = self.calls.split(&named).nth(1).unwrap();
        value.split_whitespace().next().unwrap()
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("artifacts")).unwrap();
    folder
}

/// Deploys an empty template to a stack with this status and these parameters.
fn deploy(name: &str, [status, fan_out, since]: [&str; 3], options: &[&str]) -> Deployed {
    let folder = folder(name);
    let cli = folder.join("aws");
    fs::write(&cli, CLI).unwrap();
    fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("template.yaml"), "Resources: {}\n").unwrap();
    let calls = folder.join("calls");
    fs::write(&calls, "").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/deploy.sh");
    let mut command = Command::new("bash");
    command.arg(script).arg("--template");
    command.arg(folder.join("template.yaml"));
    command.arg("--artifacts").arg(folder.join("artifacts"));
    command.args(options);
    let variables = [
        ("FAKE_STATUS", status),
        ("FAKE_FAN_OUT", fan_out),
        ("FAKE_SINCE", since),
        ("AWS_REGION", "us-east-1"),
    ];
    command.envs(variables).env_remove("AWS_ENDPOINT_URL");
    command.env("AWS_CLI", &cli).env("FAKE_CALLS", &calls);
    let output = command.output().unwrap();
    Deployed {
        succeeded: output.status.success(),
        told: String::from_utf8(output.stderr).unwrap(),
        calls: fs::read_to_string(&calls).unwrap(),
    }
}

const EXISTS: &str = "UPDATE_COMPLETE";

#[test]
fn another_fan_out_is_refused_before_anything_is_touched() {
    for (name, had, wanted) in [
        ("refused-on", "false", "FanOut=true"),
        ("refused-off", "true", "FanOut=false"),
        ("refused-old", "", "FanOut=true"),
    ] {
        let deployed = deploy(name, [EXISTS, had, ""], &["--parameter", wanted]);
        assert!(!deployed.succeeded);
        assert!(deployed.told.contains("--overlap"), "{}", deployed.told);
        for change in ["update-stack", "s3", "package"] {
            assert!(!deployed.calls.contains(change), "{}", deployed.calls);
        }
    }
}

#[test]
fn what_is_not_told_stays_as_it_is() {
    let stack = [EXISTS, "true", "1700000000"];
    for (name, options) in [
        ("kept", &[][..]),
        ("same", &["--parameter", "FanOut=true"][..]),
    ] {
        let deployed = deploy(name, stack, options);
        assert!(deployed.succeeded, "{}", deployed.told);
        assert!(deployed.calls.contains("update-stack"));
        assert_eq!(deployed.parameter("FanOut"), "true");
        assert_eq!(deployed.parameter("MappingsSince"), "1700000000");
    }
}

#[test]
fn with_an_overlap_the_new_mappings_begin_that_far_back() {
    let options = ["--parameter", "FanOut=true", "--overlap", "90"];
    let deployed = deploy("moved", [EXISTS, "false", "0"], &options);
    assert!(deployed.succeeded, "{}", deployed.told);
    assert_eq!(deployed.parameter("FanOut"), "true");
    let since: u64 = deployed.parameter("MappingsSince").parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let back = now.as_secs() - since;
    assert!((90 * 60..91 * 60).contains(&back), "{back} s");
}

#[test]
fn an_overlap_without_a_change_is_a_mistake() {
    let same = ["--parameter", "FanOut=true", "--overlap", "60"];
    let by_hand = ["--parameter", "MappingsSince=0"];
    let no_number = ["--parameter", "FanOut=false", "--overlap", "1h"];
    for (name, status, options) in [
        ("overlap-same", EXISTS, &same[..]),
        ("overlap-new", "NONE", &same[..]),
        ("overlap-by-hand", EXISTS, &by_hand[..]),
        ("overlap-no-number", EXISTS, &no_number[..]),
    ] {
        let deployed = deploy(name, [status, "true", "0"], options);
        assert!(!deployed.succeeded, "{name}");
        assert!(!deployed.calls.contains("-stack --"), "{}", deployed.calls);
    }
}

#[test]
fn an_open_api_with_test_endpoints_is_refused_on_aws() {
    let options = ["--access", "abierto", "--tests", "true"];
    let (access, tests) = options.split_at(2);
    let stack = [EXISTS, "true", "0"];
    let deployed = deploy("open-tests", stack, &options);
    assert!(!deployed.succeeded);
    assert!(
        deployed.told.contains("use --access iam"),
        "{}",
        deployed.told
    );
    assert_eq!(deployed.calls, "", "nothing is touched");
    for (name, half) in [("open", access), ("tests", tests)] {
        let deployed = deploy(name, stack, half);
        assert!(deployed.succeeded, "{}", deployed.told);
    }
}

#[test]
fn access_by_tokens_needs_an_issuer_and_an_audience() {
    let stack = [EXISTS, "true", "0"];
    let issuer = ["--parameter", "Emisor=https://id.example"];
    let audience = ["--parameter", "Audiencia=reservas"];
    let access = ["--access", "jwt"];
    for (name, options) in [
        ("tokens-no-issuer", [access, audience].concat()),
        ("tokens-no-audience", [access, issuer].concat()),
        (
            "tokens-empty",
            [access, issuer, ["--parameter", "Audiencia="]].concat(),
        ),
    ] {
        let deployed = deploy(name, stack, &options);
        assert!(!deployed.succeeded && deployed.calls.is_empty(), "{name}");
        assert!(deployed.told.contains("--access jwt needs --parameter"));
    }
    let keys = ["--parameter", r#"Llaves={"keys":[{"kid":"it's"}]}"#];
    let all = [access, issuer, audience, keys].concat();
    let deployed = deploy("tokens", stack, &all);
    assert!(deployed.succeeded, "{}", deployed.told);
    assert_eq!(deployed.parameter("Acceso"), "jwt");
    // The AWS CLI's shorthand takes a value with commas and braces between apostrophes.
    let keys = deployed.parameter("Llaves");
    assert_eq!(keys, r#"'{"keys":[{"kid":"it\'s"}]}'"#);
}
