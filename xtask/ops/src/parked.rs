//! `parked` and `redrive`: what could not be handled.

use consumer::Parking;
use event_store::StreamReader;
use events::Catalogue;
use lambda_kit::Environment;
use projections::{Projector, Redriven};

use crate::Outcome;

pub(crate) async fn list(environment: &Environment) -> Outcome {
    let parked = Parking::new(environment.tables(), environment.world().clock)
        .list()
        .await?;
    for thing in &parked {
        println!(
            "{} {}\n    since {}, {:?}: {}",
            thing.owner, thing.place, thing.since, thing.reason, thing.detail
        );
    }
    match parked.len() {
        0 => println!("Nothing is parked."),
        count => println!("{count} parked. `cargo xtask redrive` tries them again."),
    }
    Ok(true)
}

pub(crate) async fn redrive(environment: &Environment, only: Option<(&str, &str)>) -> Outcome {
    let (tables, world) = (environment.tables(), environment.world());
    let parking = Parking::new(tables.clone(), world.clock.clone());
    let reader = StreamReader::new(tables.clone(), Catalogue::current());
    let projector = Projector::new(tables, reader, world, projections::registry());
    let mut parked = parking.list().await?;
    if let Some((owner, place)) = only {
        parked.retain(|thing| thing.owner == owner && thing.place == place);
        if parked.is_empty() {
            return Err(format!(
                "nothing is parked as {owner} {place}; `cargo xtask parked` lists what is"
            )
            .into());
        }
    }
    let mut still = 0;
    for thing in &parked {
        match projector.redrive(thing).await? {
            Redriven::Done => println!("{} {}: handled", thing.owner, thing.place),
            Redriven::StillParked(cause) => {
                still += 1;
                println!("{} {}: still parked: {cause}", thing.owner, thing.place);
            }
        }
    }
    println!("{} handled, {still} still parked.", parked.len() - still);
    Ok(still == 0)
}
