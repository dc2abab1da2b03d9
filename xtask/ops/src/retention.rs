//! `retention`: how long the log keeps events.

use lambda_kit::Environment;

use crate::Outcome;

/// The longest that Kinesis keeps records.
const MAX_HOURS: i32 = 8_760;

pub(crate) async fn show(environment: &Environment) -> Outcome {
    let hours = environment.log_reader()?.retention_hours().await?;
    println!(
        "The event log keeps events for {hours} hours ({} days).",
        hours / 24
    );
    if hours < MAX_HOURS {
        println!(
            "Kinesis keeps them for {MAX_HOURS} hours at most: cargo xtask retention --hours {MAX_HOURS}"
        );
    }
    Ok(true)
}

pub(crate) async fn extend(environment: &Environment, hours: &str) -> Outcome {
    let Some(hours) = hours
        .parse()
        .ok()
        .filter(|hours| (24..=MAX_HOURS).contains(hours))
    else {
        return Err(format!("--hours is a number from 24 to {MAX_HOURS}").into());
    };
    let log = environment.log_reader()?;
    let before = log.retention_hours().await?;
    if hours < before {
        return Err(format!(
            "the log keeps events for {before} hours; shortening that would lose some, so it is not done here"
        )
        .into());
    }
    if hours > before {
        log.extend_retention(hours).await?;
    }
    show(environment).await
}
