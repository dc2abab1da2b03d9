//! Logs: a JSON object a line, on stderr.

use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. `RUST_LOG` says what is logged, as `debug` or `warn,projections=debug`; without it, everything from
/// information up. Directives that look into spans or fields are not understood: reading them takes a regex engine, a
/// tenth of a function's binary.
pub fn start() {
    // Local runtimes wait a moment for a function's first line on stderr, so the one line a function logs for each
    // invocation also lets them go on.
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(std::io::stderr);
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let _ = tracing_subscriber::registry()
        .with(filter(&asked))
        .with(logs)
        .try_init();
}

fn filter(asked: &str) -> Targets {
    let usual = || Targets::new().with_default(Level::INFO);
    if asked.trim().is_empty() {
        return usual();
    }
    asked.parse().unwrap_or_else(|_| usual())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_says_what_is_logged_and_its_absence_means_information() {
        for asked in ["", " ", "a=b=c"] {
            assert!(filter(asked).would_enable("any", &Level::INFO), "{asked:?}");
            assert!(
                !filter(asked).would_enable("any", &Level::DEBUG),
                "{asked:?}"
            );
        }
        let mixed = filter("warn,projections=debug");
        assert!(mixed.would_enable("projections::row", &Level::DEBUG));
        assert!(!mixed.would_enable("event_store", &Level::INFO));
    }
}
