//! Tests `up`, `down` and the commands in between in a temporary checkout with free ports. Stand-ins replace slow
//! programs. Python is real, because the stand-in for the local runtime is written in it.

#![cfg(test)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A stand-in for the local runtime: it answers every request with the outputs of the template, until it is stopped.
/// It makes its data folder, as the local runtime does.
const RUNTIME: &str = r#"#!/usr/bin/env python3
import http.server, json, os, pathlib, sys

given = dict(zip(sys.argv, sys.argv[1:]))
outputs = pathlib.Path(given["--template"]).with_name("outputs")
os.makedirs(given["--data"], exist_ok=True)


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(line.split("=", 1) for line in outputs.read_text().splitlines())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


http.server.ThreadingHTTPServer(("127.0.0.1", int(given["--port"])), Answers).serve_forever()
"#;

/// A stand-in for deploy.sh: it deploys nothing, and reports every output that is asked for.
const DEPLOY: &str = "\
while [ $# -gt 0 ]; do
  [ \"$1\" = --outputs ] && outputs=\"$2\"
  shift
done
[ -n \"$outputs\" ] || exit 0
cp \"$(dirname \"$0\")/outputs\" \"$outputs\"
";

/// A stand-in for cargo that builds nothing and records its calls. It reports each built program as a file in the
/// stand-in's folder.
const CARGO: &str = r#"#!/bin/sh
here="$(dirname "$0")"
echo "$@" >> "$here/built"
for name in ops simulate alpes-local; do
  case "$*" in *"--bin $name"*) printf '{"target":{"name":"%s"},"executable":"%s"}\n' "$name" "$here/$name" ;; esac
done
"#;

/// A program that prints its arguments and ends with a code of its own.
const PROGRAM: &str = "#!/bin/sh\necho \"$(basename \"$0\") $* at $AWS_ENDPOINT_URL\"\nexit 3\n";

struct Checkout {
    root: PathBuf,
}

impl Checkout {
    fn new(name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&root);
        let checkout = Self { root };
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let requirements = "infra/local/requirements-cli.txt";
        let pins = fs::read_to_string(ours.join(requirements)).unwrap();
        let local = checkout.root.join(".local").display().to_string();
        checkout.write(requirements, &pins);
        checkout.write("infra/template.yaml", "");
        checkout.write("infra/saga-reserva.asl.json", "");
        checkout.write("infra/deploy.sh", DEPLOY);
        checkout.write("infra/outputs", &outputs(&ours));
        checkout.write(
            ".local/venv/requirements-cli.txt",
            &format!("# {local}\n{pins}"),
        );
        checkout.write(".local/venv/made-for", &local);
        checkout.program(".local/venv/bin/python", "#!/bin/sh\nexec python3 \"$@\"\n");
        checkout.program("cargo", CARGO);
        checkout.program("ops", PROGRAM);
        checkout.program("simulate", PROGRAM);
        checkout.program("alpes-local", RUNTIME);
        fs::create_dir_all(checkout.root.join("functions")).unwrap();
        checkout
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        let path = self.root.join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn xtask(&self, line: &str) -> Command {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(line.split_whitespace()).current_dir(&self.root);
        xtask.env("CARGO_MANIFEST_DIR", self.root.join("xtask"));
        xtask.env("CARGO", self.root.join("cargo"));
        xtask
    }

    /// The exit code, the output, and the text on stderr.
    fn says(&self, line: &str) -> (i32, String, String) {
        said(&mut self.xtask(line))
    }

    /// The output of a command that must succeed.
    fn does(&self, line: &str) -> (String, String) {
        let (code, out, err) = self.says(line);
        assert_eq!(code, 0, "{line}: {err}");
        (out, err)
    }

    /// The error of a command that must fail.
    fn refuses(&self, line: &str) -> String {
        let (code, out, err) = self.says(line);
        assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
        err
    }

    /// True if cargo was called to build anything.
    fn has_built(&self) -> bool {
        self.root.join("built").is_file()
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = self.says("down --all");
    }
}

fn said(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// A line for each stack output that the tool reads.
fn outputs(ours: &Path) -> String {
    let deploy = fs::read_to_string(ours.join("xtask/src/deploy.rs")).unwrap();
    let names = deploy.split("output(\"").skip(1);
    let names = names.filter_map(|part| Some(part.split_once('"')?.0));
    let lines: Vec<_> = names.map(|name| format!("{name}=a-{name}\n")).collect();
    lines.concat()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn commands_mean_the_runtime_that_was_brought_up_last_of_those_that_are_up() {
    let checkout = Checkout::new("meant");
    let (a, b) = (free_port(), free_port());
    let (at_a, at_b) = (
        format!("http://127.0.0.1:{a}"),
        format!("http://127.0.0.1:{b}"),
    );
    assert!(checkout.refuses("url").contains("No runtime is up"));

    let (url, err) = checkout.does(&format!("up --port {a}"));
    assert!(url.starts_with(&at_a), "{url}");
    assert!(!err.contains("commands now use"), "{err}");
    let (_, err) = checkout.does(&format!("up --port {b}"));
    assert!(
        err.contains(&format!("commands now use {at_b} by default")),
        "{err}"
    );
    assert!(
        err.contains(&format!("for {at_a} give them --port {a}")),
        "{err}"
    );
    assert!(checkout.does("url").0.starts_with(&at_b));
    assert_eq!(checkout.does(&format!("url --port {a}")).0, url);
    assert_eq!(checkout.does(&format!("--port {a} url")).0, url);
    let (_, err) = checkout.does(&format!("up --port {b}"));
    assert!(!err.contains("commands now use"), "{err}");

    let (_, err) = checkout.does(&format!("down --port {b}"));
    assert!(
        err.contains(&format!("commands now use {at_a} by default")),
        "{err}"
    );
    assert_eq!(checkout.does("url").0, url);
    assert!(
        checkout
            .file(".local/env")
            .contains(&format!("AWS_ENDPOINT_URL={at_a}\n"))
    );
    let err = checkout.refuses(&format!(
        "saga --port {b} 01a204c2-545a-74bd-8111-604b204dce1d"
    ));
    assert!(
        err.contains(&format!("Nothing is deployed at {at_b}.")),
        "{err}"
    );
    assert!(err.contains(&format!("Up: {at_a} (--port {a}).")), "{err}");
    fs::remove_file(checkout.root.join(".local/env")).unwrap();
    let err = checkout.refuses("url");
    assert!(
        err.contains(&format!("Which runtime is meant? Up: {at_a} (--port {a}).")),
        "{err}"
    );

    checkout.does("down --all");
    assert!(checkout.refuses("url").contains("No runtime is up"));
    assert!(checkout.refuses("down").contains("No runtime is up"));
}

#[test]
fn a_runtime_that_died_is_told_in_a_sentence_with_what_to_do() {
    let checkout = Checkout::new("died");
    let (a, b) = (free_port(), free_port());
    checkout.does(&format!("up --port {b}"));
    checkout.does(&format!("up --port {a}"));
    let pid = checkout.file(&format!(".local/run/{a}/pid"));
    let killed = Command::new("bash")
        .args(["-c", &format!("kill -KILL -- -{pid}")])
        .status();
    assert!(killed.unwrap().success());
    // A program that listens on the runtime's port is not the runtime. The port is free once the killed process has
    // ended.
    let other = loop {
        match TcpListener::bind(("127.0.0.1", a)) {
            Ok(listener) => break listener,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    };
    fs::remove_file(checkout.root.join("built")).unwrap();
    for line in [
        "url",
        "tick",
        "logs",
        "verify",
        "parked",
        "sagas Completada",
        "tail --once",
        "rebuild reservas",
        "saga 01a204c2-545a-74bd-8111-604b204dce1d",
    ] {
        let err = checkout.refuses(line);
        assert_eq!(
            err,
            format!(
                "error: The runtime at http://127.0.0.1:{a} does not run any more. Bring it up again, with its data: \
                 cargo xtask up --port {a}. Or forget it: cargo xtask down --port {a}. Up: http://127.0.0.1:{b} (--port {b}).\n"
            )
        );
    }
    assert!(!checkout.has_built(), "nothing is built to say so");
    drop(other);
    checkout.does(&format!("down --port {a}"));
    assert!(
        checkout
            .does("url")
            .0
            .starts_with(&format!("http://127.0.0.1:{b}"))
    );
}

#[test]
fn data_outlives_the_runtime_until_it_is_forgotten() {
    let checkout = Checkout::new("data");
    let port = free_port();
    let data = checkout.root.join(format!(".local/data/{port}"));
    checkout.does(&format!("up --port {port}"));
    checkout.does("down");
    assert!(data.is_dir());
    checkout.does(&format!("up --port {port}"));
    checkout.does("down --forget");
    assert!(!data.exists());
}

#[test]
fn one_that_was_started_and_never_deployed_to_can_be_ended() {
    let checkout = Checkout::new("undeployed");
    let port = free_port();
    checkout.write("infra/outputs", "");
    let err = checkout.refuses(&format!("up --port {port}"));
    assert!(err.contains("has no output named"), "{err}");
    checkout.does(&format!("down --port {port}"));
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
}

#[test]
fn what_can_be_checked_is_checked_before_anything_is_built() {
    let checkout = Checkout::new("checked");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for line in ["up", "demo", "bench"] {
        let err = checkout.refuses(&format!("{line} --port {port}"));
        assert!(err.contains(&format!("Port {port} is taken")), "{err}");
    }
    let nobody = free_port();
    for line in ["up", "test"] {
        let err = checkout.refuses(&format!("{line} --endpoint http://127.0.0.1:{nobody}"));
        let told = format!("Nothing answers at http://127.0.0.1:{nobody}.");
        assert!(err.contains(&told), "{err}");
    }
    checkout.program("bin/docker", "#!/bin/sh\necho no daemon >&2\nexit 1\n");
    let path = |folder: &str| {
        let own = checkout.root.join(folder);
        format!("{}:{}", own.display(), std::env::var("PATH").unwrap())
    };
    let mut up = checkout.xtask(&format!("up --on localstack --port {nobody}"));
    let (code, _, err) = said(up.env("PATH", path("bin")));
    assert_eq!(code, 1);
    assert!(
        err.contains("LocalStack needs Docker, and none answers here."),
        "{err}"
    );
    assert!(
        err.contains("no daemon") && !err.contains("install"),
        "{err}"
    );
    // Docker's daemon runs, and another program has the port.
    checkout.program("works/docker", "#!/bin/sh\nexit 0\n");
    let mut up = checkout.xtask(&format!("up --on localstack --port {port}"));
    let (code, _, err) = said(up.env("PATH", path("works")));
    assert_eq!(code, 1);
    assert!(err.contains(&format!("Port {port} is taken")), "{err}");
    assert!(!checkout.has_built());
    // Without Python nothing can be installed. The command must say so before it compiles anything.
    fs::remove_file(checkout.root.join(".local/venv/made-for")).unwrap();
    let without_python = |line: &str| {
        let mut xtask = checkout.xtask(line);
        said(xtask.env("PYTHON", "/nonexistent/python3"))
    };
    for line in [
        "test".to_owned(),
        format!("up --endpoint http://127.0.0.1:{port}"),
    ] {
        let (code, _, err) = without_python(&line);
        assert_eq!(code, 1, "{line}");
        assert!(
            err.contains("'/nonexistent/python3' was not found"),
            "{err}"
        );
    }
    assert!(!checkout.has_built());
    // The local runtime needs no Python.
    let (code, _, err) = without_python(&format!("up --port {nobody}"));
    assert_eq!(code, 0, "{err}");
    checkout.write(
        ".local/venv/made-for",
        &checkout.root.join(".local").display().to_string(),
    );
}

#[test]
fn words_that_only_xtask_can_judge_end_with_2_too() {
    let checkout = Checkout::new("judged");
    checkout.write("functions/f/Cargo.toml", "");
    checkout.write("functions/f/events/uno.json", "{}");
    checkout.write("functions/f/events/tres.json", "{}");
    for (line, told) in [
        (
            "url --endpoint https://x",
            "--endpoint takes an address such as http://127.0.0.1:4566, not 'https://x'",
        ),
        (
            "up --build lambda",
            "The local runtime runs functions built for this machine only.",
        ),
        (
            "up --on localstack --build host",
            "LocalStack's container runs Amazon Linux",
        ),
        ("up --arch arm64", "--arch is of a build for Amazon Linux"),
        (
            "up --on local --endpoint http://h:1",
            "--on and --endpoint are not given together",
        ),
        (
            "invoke f dos",
            "'dos' is neither a file nor a sample of f: tres, uno.",
        ),
        ("invoke f", "Which event? f has several samples: tres, uno."),
        ("deploy g", "FUNCTION is one of f, not 'g'"),
    ] {
        let (code, out, err) = checkout.says(line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {err}");
        assert!(err.contains(told), "{line}: {err}");
    }
}

/// The program has printed its own error, and the command of xtask adds nothing.
#[test]
fn what_another_program_runs_is_handed_on_to_it_and_ends_as_it_does() {
    let checkout = Checkout::new("handed-on");
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    checkout.does(&format!("up --port {port}"));
    let id = "01a204c2-545a-74bd-8111-604b204dce1d";
    for (line, run) in [
        (
            format!("--port {port} saga {id}"),
            format!("ops saga -- {id} at {url}\n"),
        ),
        (
            "tail --limit 2 --once".into(),
            format!("ops tail --limit=2 --once at {url}\n"),
        ),
        (
            format!("rebuild --resume reservas --endpoint {url}"),
            format!("ops rebuild --resume -- reservas at {url}\n"),
        ),
        (
            "simulate --seeds 3 --counts".into(),
            "simulate --seeds=3 --counts at \n".into(),
        ),
    ] {
        let mut xtask = checkout.xtask(&line);
        let told = said(xtask.env_remove("AWS_ENDPOINT_URL"));
        assert_eq!(told, (3, run, String::new()), "{line}");
    }
}

#[test]
fn answers_about_what_is_not_there_name_the_runtime() {
    let checkout = Checkout::new("asked");
    let runtime = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", runtime.local_addr().unwrap().port());
    std::thread::spawn(move || {
        // A request that comes in two parts would be reset if the answer were sent after the first.
        for mut connection in runtime.incoming().flatten() {
            let mut read = [0; 4096];
            let _ = connection.read(&mut read);
            let told = "HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\nResourceNotFound";
            let _ = connection.write_all(told.as_bytes());
        }
    });
    checkout.does(&format!("up --endpoint {url} --build host"));
    checkout.write("functions/f/Cargo.toml", "");
    checkout.write("functions/f/events/uno.json", "{}");
    for line in ["invoke f uno", "tick"] {
        let err = checkout.refuses(line);
        assert!(
            err.contains(&format!("At {url}: aeroalpes-")) && err.contains("(404)"),
            "{err}"
        );
    }
}
