//! Tests `cargo xtask logs` with a stand-in for `CloudWatch` Logs that answers as AWS does, or as the local runtime
//! does.

#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use command_line::moment;
use serde_json::{Value, json};

type Groups = BTreeMap<String, Vec<(i64, String)>>;

#[derive(Clone)]
struct Logs {
    groups: Arc<Mutex<Groups>>,
    asked: Arc<Mutex<usize>>,
    port: u16,
}

impl Logs {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let logs = Self {
            groups: Arc::default(),
            asked: Arc::default(),
            port: listener.local_addr().unwrap().port(),
        };
        let service = logs.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                service.answer(&stream.unwrap());
            }
        });
        logs
    }

    fn add(&self, function: &str, time: i64, message: &str) {
        let mut groups = self.groups.lock().unwrap();
        let group = groups.entry(format!("/aws/lambda/a-{function}"));
        group.or_default().push((time, message.to_owned()));
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Answers a request, if one arrives. A check that only connects to the port sends none.
    fn answer(&self, mut stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let (mut action, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap() == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some(("X-Amz-Target", target)) => {
                    target
                        .strip_prefix("Logs_20140328.")
                        .unwrap()
                        .clone_into(&mut action);
                }
                Some(("Content-Length", text)) => length = text.parse().unwrap(),
                Some(("Authorization", text)) => {
                    assert!(text.contains("Credential=test/"), "{text}");
                    assert!(text.contains("/us-east-1/logs/aws4_request"), "{text}");
                }
                None if line == "\r\n" => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        *self.asked.lock().unwrap() += 1;
        let (status, answer) = self.told(&action, &serde_json::from_slice(&body).unwrap());
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        let _ = stream.write_all((head + &answer).as_bytes());
    }

    fn told(&self, action: &str, question: &Value) -> (u16, Value) {
        let groups = self.groups.lock().unwrap();
        let text = |name: &str| question[name].as_str().unwrap_or_default();
        let from = text("nextToken").parse().unwrap_or(0);
        if action == "DescribeLogGroups" {
            let prefix = text("logGroupNamePrefix");
            let named: Vec<_> = groups
                .iter()
                .filter(|(name, _)| name.starts_with(prefix))
                .map(|(name, lines)| json!({ "logGroupName": name, "creationTime": lines[0].0 }))
                .collect();
            let page: Vec<_> = named.iter().skip(from).take(1).collect();
            let more = from + 1 < named.len();
            let next = more.then(|| (from + 1).to_string());
            return (200, json!({ "logGroups": page, "nextToken": next }));
        }
        assert_eq!(action, "FilterLogEvents");
        let Some(lines) = groups.get(text("logGroupName")) else {
            return (400, json!({ "__type": "ResourceNotFoundException" }));
        };
        let time = |name: &str, otherwise| question[name].as_i64().unwrap_or(otherwise);
        let (start, end) = (time("startTime", 0), time("endTime", i64::MAX));
        let pattern = text("filterPattern").trim_matches('"');
        let mut events: Vec<_> = lines
            .iter()
            .enumerate()
            .filter(|(_, (time, _))| (start..=end).contains(time))
            .filter(|(_, (_, message))| message.contains(pattern))
            .map(|(id, (time, message))| json!({ "eventId": id.to_string(), "timestamp": time, "message": message }))
            .collect();
        events.sort_by_key(|event| event["timestamp"].as_i64());
        let page: Vec<_> = events.iter().skip(from).take(700).collect();
        let next = from + page.len();
        let next = (next < events.len()).then(|| next.to_string());
        (200, json!({ "events": page, "nextToken": next }))
    }
}

/// A checkout whose default runtime has these logs.
struct Checkout {
    root: PathBuf,
}

impl Checkout {
    fn new(name: &str, logs: &Logs) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("logs-{name}"));
        let _ = fs::remove_dir_all(&root);
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("infra/template.yaml", "");
        for function in ["f", "gg", "new"] {
            write(&format!("functions/{function}/Cargo.toml"), "");
        }
        let url = format!("http://127.0.0.1:{}", logs.port);
        let run = root.join(format!(".local/run/{}", logs.port));
        let env = format!(
            "ALPES_RUN={}\nAWS_ENDPOINT_URL={url}\nAWS_REGION=us-east-1\nAWS_ACCESS_KEY_ID=test\nALPES_STACK=a\nALPES_ENDED_BY=endpoint\n",
            run.display()
        );
        write(&format!(".local/run/{}/env", logs.port), &env);
        write(".local/env", &env);
        Self { root }
    }

    fn xtask(&self, line: &str) -> Command {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(line.split_whitespace()).current_dir(&self.root);
        xtask.env("CARGO_MANIFEST_DIR", self.root.join("xtask"));
        xtask
    }

    /// The output, and the text on stderr.
    fn does(&self, line: &str) -> (String, String) {
        let output = self.xtask(line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{line}: {err}");
        (out, err)
    }

    /// The messages of the printed lines.
    fn messages(&self, line: &str) -> Vec<String> {
        let (out, _) = self.does(&format!("{line} --json"));
        let message = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["message"].as_str().unwrap().to_owned()
        };
        out.lines().map(message).collect()
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

fn numbered(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

/// Writes a line every 10 ms. With 10,000 lines the oldest is nearly 2 minutes old. Some lines share a time.
fn many(logs: &Logs, count: u32, now: i64) {
    for number in 0..count {
        let age = i64::from(count - number) / 4 * 40;
        logs.add("f", now - age, &format!("line {number}"));
    }
}

#[test]
fn after_11_000_lines_the_newest_are_shown_and_all_can_be() {
    let logs = Logs::start();
    let checkout = Checkout::new("many", &logs);
    many(&logs, 11_000, now());
    assert_eq!(checkout.messages("logs"), numbered(10_000..11_000));
    assert_eq!(
        checkout.messages("logs f --limit 3"),
        numbered(10_997..11_000)
    );
    assert_eq!(
        checkout.messages("logs --since 2000-01-01"),
        numbered(0..11_000)
    );
    assert_eq!(checkout.messages("logs --limit 10999"), numbered(1..11_000));
    let (_, err) = checkout.does("logs");
    assert!(err.contains("these are the newest 1000 lines"), "{err}");
    let (_, err) = checkout.does("logs --limit 3");
    assert_eq!(err, "");
}

#[test]
fn lines_of_all_functions_are_in_the_order_of_their_own_times() {
    let logs = Logs::start();
    let checkout = Checkout::new("order", &logs);
    let now = now();
    let old = now - 40 * 86_400_000;
    logs.add("f", old, "{\"level\":\"INFO\",\"message\":\"long ago\"}");
    logs.add("f", now, "START RequestId: x");
    for (function, second, level) in [("gg", 2, "WARN"), ("f", 1, "INFO"), ("f", 3, "ERROR")] {
        let time = moment(now + second * 1_000);
        let line =
            json!({ "timestamp": time, "level": level, "message": "m", "correlation": "c-1" });
        logs.add(function, now, &line.to_string());
    }
    logs.add("gg", now, "not JSON \u{1b}[31m");

    let (out, err) = checkout.does("logs");
    assert_eq!(err, "");
    let shown = |second: i64, rest: &str| format!("{} {rest}", moment(now + second * 1_000));
    let expected = [
        format!("{} f   INFO   long ago", moment(old)),
        shown(0, "gg         not JSON \\u{1b}[31m"),
        shown(1, "f   INFO   m correlation=c-1"),
        shown(2, "gg  WARN   m correlation=c-1"),
        shown(3, "f   ERROR  m correlation=c-1"),
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);

    let (out, _) = checkout.does("logs --correlation c-1");
    assert_eq!(out.lines().collect::<Vec<_>>(), expected[2..]);
    let (out, _) = checkout.does("logs --since 5m gg");
    assert!(out.starts_with(&shown(0, "gg     ")), "{out}");
    assert_eq!(out.lines().count(), 2);
    let (out, err) = checkout.does("logs --correlation c-2");
    assert_eq!(out, "");
    assert!(
        err.contains(&format!(
            "no function has logged such a line yet at http://127.0.0.1:{}",
            logs.port
        )),
        "{err}"
    );
}

#[test]
fn since_a_moment_lines_from_before_it_are_left_out() {
    let logs = Logs::start();
    let checkout = Checkout::new("since", &logs);
    let now = now();
    for (minutes, message) in [(120, "the first"), (10, "the second"), (0, "the last")] {
        logs.add("f", now - minutes * 60_000, message);
    }
    assert_eq!(checkout.messages("logs --since 5m"), ["the last"]);
    assert_eq!(
        checkout.messages("logs --since 1h"),
        ["the second", "the last"]
    );
    // `--since` includes lines at exactly its time.
    for (time, count) in [(now - 600_000, 2), (now - 599_999, 1), (now - 7_200_000, 3)] {
        let line = format!("logs f --since {}", moment(time));
        assert_eq!(checkout.messages(&line).len(), count, "{line}");
    }
}

/// Runs a program with a terminal as standard output, and passes its output on.
const TERMINAL: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let logs = Logs::start();
    let checkout = Checkout::new("colours", &logs);
    logs.add("f", now(), "{\"level\":\"ERROR\",\"message\":\"no\"}");
    let on_terminal = |variable: &str, value: &str| {
        let xtask = checkout.xtask("logs");
        let mut terminal = Command::new("python3");
        terminal.args(["-c", TERMINAL]).arg(xtask.get_program());
        terminal.args(xtask.get_args()).current_dir(&checkout.root);
        terminal.env_remove("NO_COLOR").env("TERM", "xterm");
        let variables = xtask.get_envs();
        terminal.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        let output = terminal.env(variable, value).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (piped, _) = checkout.does("logs");
    assert!(piped.ends_with(" f   ERROR  no\n"), "{piped}");
    let coloured = on_terminal("NO_COLOR", "");
    assert!(
        coloured.contains("\u{1b}[31mERROR \u{1b}[0m no"),
        "{coloured}"
    );
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_terminal(variable, value);
        assert_eq!(plain.trim_end(), piped.trim_end(), "{variable}");
    }
}

/// The logs of 12 functions with few lines each must not take hundreds of requests.
#[test]
fn few_questions_are_asked() {
    let logs = Logs::start();
    let checkout = Checkout::new("few", &logs);
    logs.asked();
    checkout.does("logs");
    assert_eq!(logs.asked(), 1, "nothing has run: which groups there are");
    let now = now();
    logs.add("f", now - 600_000, "the first");
    logs.add("f", now, "the last");
    assert_eq!(checkout.messages("logs"), ["the first", "the last"]);
    assert!(logs.asked() <= 4, "windows of 1, 4 and 16 minutes");
    assert_eq!(checkout.messages("logs --since 1h").len(), 2);
    assert!(logs.asked() <= 2, "all of it at once");
}

/// A command that runs until this value is dropped.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn followed_each_line_is_shown_once_however_late_it_comes() {
    let logs = Logs::start();
    let checkout = Checkout::new("follow", &logs);
    let begun = now();
    for number in 0..12 {
        logs.add("f", begun - 12 + number, &format!("line {number}"));
    }
    let mut child = checkout
        .xtask("logs --follow")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let _following = Following(child);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in printed.map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let next = || {
        let line = told.recv_timeout(Duration::from_mins(1)).unwrap();
        line.rsplit("  ").next().unwrap().trim().to_owned()
    };
    for number in 2..12 {
        assert_eq!(next(), format!("line {number}"));
    }
    logs.add("gg", begun - 1_000, "late, of one that had not run");
    assert_eq!(next(), "late, of one that had not run");
    logs.add("f", now(), "news");
    assert_eq!(next(), "news");
    // After two more reads, no line was printed again.
    assert!(told.recv_timeout(Duration::from_secs(3)).is_err());
}
