//! Logs: a JSON object a line, on stderr.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` says what is logged; without it, everything from information up.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Local runtimes wait a moment for a function's first line on stderr, so the one line a function logs for each
    // invocation also lets them go on.
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    let _ = logs
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
