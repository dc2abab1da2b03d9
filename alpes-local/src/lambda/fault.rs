//! How invocations fail, in AWS's words.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use bytes::Bytes;
use serde_json::Value;

use super::limits::ANSWER_BYTES;
use crate::invoke::Failure;

/// The failure of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// Its kind.
    pub(super) failure: Failure,
    /// Its type, for example `Sandbox.Timedout`.
    pub(super) error_type: String,
    /// The error document.
    pub(super) document: Bytes,
    /// The log line; nothing if the function returned the error.
    pub(super) notice: Option<Notice>,
}

/// The log line of a failure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    /// The lines before `END`.
    pub(super) text: String,
    /// The `Status` in `REPORT`.
    pub(super) status: &'static str,
    /// Whether `REPORT` has the type of the error.
    pub(super) typed: bool,
}

/// The failure of an initialisation.
#[derive(Debug)]
pub(super) enum InitFault {
    /// The time was over.
    TimedOut,
    /// The runtime reported an error: its type and its document.
    Reported(String, Bytes),
    /// The process ended.
    Exited(ExitStatus),
    /// The process could not be started.
    NotStarted(std::io::Error),
}

impl InitFault {
    /// The `Status` in `INIT_REPORT`, and the type of the error.
    pub(super) fn status(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::TimedOut => ("timeout", None),
            Self::Reported(error_type, _) => ("error", Some(error_type)),
            Self::Exited(_) => ("error", Some("Runtime.ExitError")),
            Self::NotStarted(_) => ("error", Some("Runtime.InvalidEntrypoint")),
        }
    }

    /// The failure of the invocation within which the initialisation failed.
    pub(super) fn of_invocation(self, request_id: &str, at: &str, timeout: u32) -> Fault {
        match self {
            Self::TimedOut => Fault::timed_out(request_id, at, timeout),
            Self::Reported(error_type, document) => Fault {
                failure: Failure::Error,
                notice: Some(Notice {
                    text: String::new(),
                    status: "error",
                    typed: true,
                }),
                error_type,
                document,
            },
            Self::Exited(status) => Fault::exited(request_id, status),
            Self::NotStarted(error) => Fault::broken(
                request_id,
                "Runtime.InvalidEntrypoint",
                &format!("Couldn't start /var/task/bootstrap: {error}"),
            ),
        }
    }
}

impl Fault {
    /// The function returned an error. The document is the function's own; its type is in it, or in a header.
    pub(super) fn returned(document: Bytes, header: Option<String>) -> Self {
        let error_type = error_type(&document, header);
        let document = if document.is_empty() {
            document_of(&error_type, "")
        } else {
            document
        };
        Self {
            failure: Failure::Error,
            error_type,
            document,
            notice: None,
        }
    }

    /// The function's answer is too large.
    pub(super) fn answer_too_large() -> Self {
        let error_type = "Function.ResponseSizeTooLarge";
        let message = format!(
            "Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES} bytes)."
        );
        Self {
            failure: Failure::Error,
            error_type: error_type.to_owned(),
            document: document_of(error_type, &message),
            notice: None,
        }
    }

    /// The function ran out of time. `at` is the current time as the log writes it.
    pub(super) fn timed_out(request_id: &str, at: &str, seconds: u32) -> Self {
        let error_type = "Sandbox.Timedout";
        let message = format!("Task timed out after {seconds}.00 seconds");
        Self {
            failure: Failure::TimedOut,
            error_type: error_type.to_owned(),
            document: document_of(
                error_type,
                &format!("RequestId: {request_id} Error: {message}"),
            ),
            notice: Some(Notice {
                text: format!("{at} {request_id} {message}\n\n"),
                status: "timeout",
                typed: false,
            }),
        }
    }

    /// The function's process ended.
    pub(super) fn exited(request_id: &str, status: ExitStatus) -> Self {
        Self::broken(request_id, "Runtime.ExitError", &exit_message(status))
    }

    fn broken(request_id: &str, error_type: &str, message: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: {message}");
        Self {
            failure: Failure::Exited,
            error_type: error_type.to_owned(),
            document: document_of(error_type, &message),
            notice: Some(Notice {
                text: format!("{message}\n{error_type}\n"),
                status: "error",
                typed: true,
            }),
        }
    }
}

/// The type of an error that a runtime reports.
pub(super) fn error_type(document: &[u8], header: Option<String>) -> String {
    let parsed: Option<Value> = serde_json::from_slice(document).ok();
    let own = parsed.and_then(|value| Some(value.get("errorType")?.as_str()?.to_owned()));
    own.or(header)
        .unwrap_or_else(|| "Runtime.Unknown".to_owned())
}

fn document_of(error_type: &str, message: &str) -> Bytes {
    let (error_type, message) = (Value::from(error_type), Value::from(message));
    Bytes::from(format!(
        "{{\"errorType\":{error_type},\"errorMessage\":{message}}}"
    ))
}

fn exit_message(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => {
            format!("Runtime exited with error: signal: {}", signal_name(signal))
        }
        (None, None) => "Runtime exited with error".to_owned(),
    }
}

/// A signal's name as Go writes it, in which AWS's log lines are.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_aws_words() {
        let fault = Fault::timed_out("id", "2026-01-01T00:00:00.000Z", 1);
        let document = r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 1.00 seconds"}"#;
        assert_eq!(fault.document, document);
        let text = fault.notice.unwrap().text;
        assert_eq!(
            text,
            "2026-01-01T00:00:00.000Z id Task timed out after 1.00 seconds\n\n"
        );
        let cases = [
            (0, "Runtime exited without providing a reason"),
            (3 << 8, "Runtime exited with error: exit status 3"),
            (9, "Runtime exited with error: signal: killed"),
        ];
        for (raw, message) in cases {
            let fault = Fault::exited("id", ExitStatus::from_raw(raw));
            let document = format!(
                r#"{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: {message}"}}"#
            );
            assert_eq!(fault.document, document);
        }
    }

    #[test]
    fn the_type_of_a_returned_error_is_in_its_document_or_a_header() {
        let own = Fault::returned(
            Bytes::from_static(br#"{"errorType":"Mine"}"#),
            Some("Header".into()),
        );
        assert_eq!((own.error_type.as_str(), own.notice), ("Mine", None));
        let header = Fault::returned(Bytes::new(), Some("Header".into()));
        assert_eq!(
            header.document,
            r#"{"errorType":"Header","errorMessage":""}"#
        );
    }
}
