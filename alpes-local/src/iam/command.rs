//! The command `alpes-local permissions`: tells which permissions of roles nobody used since the data folder is there, what
//! was refused, and the least policies that would have done.

use std::{
    fmt::Write as _,
    io::{Read, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// How long a running runtime may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the command asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    port: u16,
    /// Whether to print the least policy of each role.
    least: bool,
}

/// The text that the command prints. `words` are those after `permissions`.
///
/// # Errors
///
/// A sentence for people: a word is wrong, or no runtime answers.
pub fn permissions(words: &[String]) -> Result<String, String> {
    let asked = Asked::parse(words)?;
    let report = fetch(asked.port)?;
    Ok(text(&report, asked.least))
}

impl Asked {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut asked = Self {
            port: 4566,
            least: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--least" => asked.least = true,
                "--port" => {
                    let port = words.next().ok_or("--port needs a value.")?;
                    let parsed = port.parse();
                    asked.port =
                        parsed.map_err(|_| format!("--port is a number, not '{port}'."))?;
                }
                _ => return Err(format!("There is no option '{word}' of permissions.")),
            }
        }
        Ok(asked)
    }
}

/// Asks the runtime at a port for its report.
fn fetch(port: u16) -> Result<Value, String> {
    let failed = |cause: String| format!("the runtime at http://127.0.0.1:{port}: {cause}");
    let answer = ask(port).map_err(|error| failed(error.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if !head.starts_with("HTTP/1.0 200") && !head.starts_with("HTTP/1.1 200") {
        let status = head.lines().next().unwrap_or("it answers nothing");
        return Err(failed(status.to_owned()));
    }
    serde_json::from_str(body).map_err(|error| failed(error.to_string()))
}

fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // The server closes the connection after an answer in HTTP 1.0, so the answer ends with it.
    stream.write_all(b"GET /_alpes/permissions HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn text(report: &Value, least: bool) -> String {
    let mut text = String::new();
    for role in list(&report["roles"]) {
        let all = list(&role["permissions"]);
        let unused: Vec<_> = all.iter().filter(|one| one["used"] == false).collect();
        let name = word(&role["role"]);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name}: {} permissions, {} unused",
            all.len(),
            unused.len()
        );
        for permission in unused {
            let (action, resource) = (word(&permission["action"]), word(&permission["resource"]));
            let _ = writeln!(text, "  unused {action} on {resource}");
        }
        if least {
            let policy = serde_json::to_string_pretty(&role["least"]).unwrap_or_default();
            let _ = writeln!(text, "{policy}");
        }
    }
    for refused in list(&report["refused"]) {
        let _ = writeln!(
            text,
            "refused {} times: {} {} on {}",
            refused["times"],
            word(&refused["who"]),
            word(&refused["action"]),
            word(&refused["resource"]),
        );
    }
    text
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unused_and_refused_are_told() {
        let report = json!({
            "roles": [{
                "role": "clerk",
                "permissions": [
                    {"action": "s3:GetObject", "resource": "a", "used": true},
                    {"action": "s3:PutObject", "resource": "b", "used": false},
                ],
                "least": {"Statement": []},
            }],
            "refused": [{"who": "w", "action": "s3:ListBucket", "resource": "c", "times": 2}],
        });
        let told = "clerk: 2 permissions, 1 unused\n  unused s3:PutObject on b\n";
        let refused = "refused 2 times: w s3:ListBucket on c\n";
        assert_eq!(text(&report, false), format!("{told}{refused}"));
        assert!(text(&report, true).contains("\"Statement\": []"));
    }

    #[test]
    fn wrong_words_are_named() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Asked::parse(&words)
        };
        assert_eq!(
            parse("--port 7 --least").unwrap(),
            Asked {
                port: 7,
                least: true
            }
        );
        assert!(parse("--port x").unwrap_err().contains("not 'x'"));
        assert!(parse("--most").unwrap_err().contains("'--most'"));
    }
}
