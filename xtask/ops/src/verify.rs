//! `verify`: streams against the log.

use event_store::{StreamReader, verify};
use events::Catalogue;
use jiff::SignedDuration;
use lambda_kit::Environment;

use crate::Outcome;

pub(crate) async fn run(environment: &Environment) -> Outcome {
    let (tables, log) = (environment.tables(), environment.log_reader()?);
    let reader = StreamReader::new(tables.clone(), Catalogue::current());
    let hours = i64::from(log.retention_hours().await?);
    let now = environment.world().clock.now();
    let kept_since = now
        .saturating_sub(SignedDuration::from_hours(hours))
        .ok()
        .map(Into::into);
    let found = verify(&*tables, &*log, &reader, kept_since).await?;
    println!("streams                    {}", found.streams);
    println!("events committed           {}", found.committed);
    println!("  in the log               {}", found.in_log);
    println!("  not published yet        {}", found.pending);
    println!("  older than the log keeps {}", found.expired);
    println!("further copies in the log  {}", found.duplicates);
    println!("records of another kind    {}", found.foreign);
    for difference in &found.differences {
        println!("DIFFERENCE {difference}");
    }
    if found.differences.is_empty() {
        println!("Streams and log agree.");
    } else {
        println!(
            "Streams and log DO NOT agree: {} differences.",
            found.differences.len()
        );
    }
    Ok(found.differences.is_empty())
}
