//! Logs on stderr, one JSON object a line.

use std::{fmt, sync::Arc};

use alpes_messages::Moment;
use alpes_ports::Clock;
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Starts logging. `RUST_LOG` chooses the lines that are logged, as in `debug` or `warn,alpes_projections=debug`;
/// without it, the level is info. Directives for spans or fields are not supported, since they need a regex engine,
/// which would be a tenth of a function's binary.
pub fn start() {
    // Logs go to stderr: local runtimes wait a moment for a function's first line there. The line that a function logs
    // for each invocation ends this wait.
    let logs = lines(alpes_aws::world().clock, std::io::stderr);
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let _ = tracing_subscriber::registry()
        .with(filter(&asked))
        .with(without_events())
        .with(logs)
        .try_init();
}

/// A layer that writes one JSON object a line, with times from this clock.
fn lines<S, W>(clock: Arc<dyn Clock>, to: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_timer(Times(clock))
        .with_writer(to)
}

/// Writes the time of a log line as a [`Moment`], like every time of the system.
struct Times(Arc<dyn Clock>);

impl FormatTime for Times {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        write!(to, "{}", Moment::from(self.0.now()))
    }
}

fn filter(asked: &str) -> Targets {
    let usual = || Targets::new().with_default(Level::INFO);
    if asked.trim().is_empty() {
        return usual();
    }
    asked.parse().unwrap_or_else(|_| usual())
}

/// At the level trace the Lambda runtime logs each event as it is, and the events of an API have callers' tokens. So no
/// setting makes it log them.
fn without_events() -> Targets {
    Targets::new()
        .with_default(Level::TRACE)
        .with_target("lambda_runtime", Level::DEBUG)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        sync::Mutex,
    };

    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_has_its_time_with_three_decimals() {
        let path = std::env::temp_dir().join(format!("alpes-log-{}", std::process::id()));
        let (world, _) = twins::world(1);
        let to = Mutex::new(File::create(&path).unwrap());
        let logs = tracing_subscriber::registry().with(lines(world.clock, to));
        tracing::subscriber::with_default(logs, || tracing::info!(saga = "one", "said"));
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["timestamp"], "2026-01-31T10:00:00.000Z");
        assert_eq!(
            (&line["saga"], &line["message"]),
            (&"one".into(), &"said".into())
        );
    }

    #[test]
    fn no_setting_logs_the_events_of_invocations() {
        let written = Arc::new(Mutex::new(vec![]));
        let to = written.clone();
        let (world, _) = twins::world(1);
        let logs = tracing_subscriber::registry()
            .with(filter("trace,lambda_runtime::layers=trace"))
            .with(without_events())
            .with(lines(world.clock, move || Written(to.clone())));
        tracing::subscriber::with_default(logs, || {
            tracing::trace!(target: "lambda_runtime::layers::api_response", body = "eyJ", "raw event");
            tracing::debug!(target: "lambda_runtime::layers::api_response", "debugged");
            tracing::trace!(target: "alpes_event_store", "traced");
        });
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("eyJ"), "{text}");
        assert!(
            text.contains("debugged") && text.contains("traced"),
            "{text}"
        );
    }

    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rust_log_says_what_is_logged_and_its_absence_means_information() {
        for asked in ["", " ", "a=b=c"] {
            assert!(filter(asked).would_enable("any", &Level::INFO), "{asked:?}");
            assert!(
                !filter(asked).would_enable("any", &Level::DEBUG),
                "{asked:?}"
            );
        }
        let mixed = filter("warn,alpes_projections=debug");
        assert!(mixed.would_enable("alpes_projections::row", &Level::DEBUG));
        assert!(!mixed.would_enable("alpes_event_store", &Level::INFO));
    }
}
