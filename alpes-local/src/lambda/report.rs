//! The lines that Lambda itself writes to a function's log.

use std::{fmt::Write as _, time::Duration};

use jiff::Timestamp;

use super::fault::Notice;

/// The current time as log lines have it.
pub(super) fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

pub(super) fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}\n")
}

pub(super) fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}\n")
}

/// The values of the line `REPORT`.
pub(super) struct Report<'a> {
    pub(super) request_id: &'a str,
    pub(super) duration: Duration,
    /// The time of the initialisation, in the first invocation of a sandbox.
    pub(super) init: Option<Duration>,
    pub(super) memory_mb: u32,
    pub(super) used_bytes: u64,
    /// The failure, if it was no error that the function returned.
    pub(super) failure: Option<(&'a Notice, &'a str)>,
}

impl Report<'_> {
    /// The line.
    pub(super) fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request_id,
            millis(self.duration),
            self.billed_millis(),
            self.memory_mb,
            self.used_bytes.div_ceil(1 << 20),
        );
        if let Some(init) = self.init {
            let _ = write!(line, "Init Duration: {:.2} ms\t", millis(init));
        }
        if let Some((notice, error_type)) = self.failure {
            let _ = write!(line, "Status: {}", notice.status);
            if notice.typed {
                let _ = write!(line, "\tError Type: {error_type}");
            }
        }
        line.push('\n');
        line
    }

    /// The whole milliseconds of the invocation and of its initialisation.
    fn billed_millis(&self) -> u128 {
        let all = self.duration + self.init.unwrap_or_default();
        all.as_nanos().div_ceil(1_000_000)
    }
}

/// The line about a failed initialisation. `phase` is `init` or `invoke`.
pub(super) fn init_report(
    duration: Duration,
    phase: &str,
    status: &str,
    error_type: Option<&str>,
) -> String {
    let mut line = format!(
        "INIT_REPORT Init Duration: {:.2} ms\tPhase: {phase}\tStatus: {status}",
        millis(duration)
    );
    if let Some(error_type) = error_type {
        let _ = write!(line, "\tError Type: {error_type}");
    }
    line.push('\n');
    line
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_tabs_where_aws_has_them() {
        let mut report = Report {
            request_id: "id",
            duration: Duration::from_micros(1_234),
            init: Some(Duration::from_millis(50)),
            memory_mb: 128,
            used_bytes: 5 << 20,
            failure: None,
        };
        assert_eq!(
            report.line(),
            "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 52 ms\tMemory Size: 128 MB\tMax Memory Used: 5 MB\t\
             Init Duration: 50.00 ms\t\n"
        );
        let notice = Notice {
            text: String::new(),
            status: "error",
            typed: true,
        };
        report.init = None;
        report.failure = Some((&notice, "Runtime.ExitError"));
        let line = report.line();
        assert!(
            line.ends_with("Max Memory Used: 5 MB\tStatus: error\tError Type: Runtime.ExitError\n"),
            "{line}"
        );
    }
}
