//! `parked`, `redrive` and `discard`: what could not be handled.

use std::sync::Arc;

use consumer::{Parking, Redrive, Redriven, Redriver};
use event_store::StreamReader;
use events::Catalogue;
use lambda_kit::{Environment, RemoteConsumer};
use parse::text::visible;
use ports::Functions;
use projections::Projector;

use crate::Outcome;

fn parking(environment: &Environment) -> Parking {
    Parking::new(
        environment.tables(),
        environment.world().clock,
        &Catalogue::current(),
    )
}

fn not_parked(owner: &str, place: &str) -> String {
    format!("nothing is parked as {owner} {place}; `cargo xtask parked` lists what is")
}

pub(crate) async fn list(environment: &Environment, discarded: bool) -> Outcome {
    let parked = parking(environment).list().await?;
    let (gone, waiting): (Vec<_>, Vec<_>) =
        parked.iter().partition(|thing| thing.discarded.is_some());
    for thing in if discarded { &gone } else { &waiting } {
        println!(
            "{} {}\n    since {}, {:?}: {}",
            visible(&thing.owner),
            visible(&thing.place),
            thing.since,
            thing.reason,
            visible(&thing.detail)
        );
        if let Some(decision) = &thing.discarded {
            println!("    discarded {}: {}", decision.at, visible(&decision.note));
        }
    }
    match waiting.len() {
        0 => println!("Nothing is parked."),
        count => println!("{count} parked. `cargo xtask redrive` tries them again."),
    }
    if !gone.is_empty() && !discarded {
        println!(
            "{} discarded: `cargo xtask parked --discarded` shows them.",
            gone.len()
        );
    }
    Ok(true)
}

pub(crate) async fn redrive(environment: &Environment, only: Option<(&str, &str)>) -> Outcome {
    let (tables, world) = (environment.tables(), environment.world());
    let reader = StreamReader::new(tables.clone(), Catalogue::current());
    let projector = Projector::new(tables, reader, world.clone(), projections::registry());
    let parking = projector.parking();
    let functions: Arc<dyn Functions> = environment.functions();
    let remote = RemoteConsumer::all(&functions, parking, &Catalogue::current());
    let mut consumers: Vec<&dyn Redrive> = vec![&projector];
    consumers.extend(remote.iter().map(|one| one as &dyn Redrive));
    let redriver = Redriver {
        parking,
        world: &world,
        consumers: &consumers,
    };
    let mut parked = parking.list().await?;
    match only {
        // What was discarded is tried again only by name.
        None => parked.retain(|thing| thing.discarded.is_none()),
        Some((owner, place)) => {
            parked.retain(|thing| thing.owner == owner && thing.place == place);
            if parked.is_empty() {
                return Err(not_parked(owner, place).into());
            }
        }
    }
    let mut still = 0;
    for thing in &parked {
        match redriver.redrive(thing).await? {
            Redriven::Done => println!("{} {}: handled", thing.owner, thing.place),
            Redriven::StillParked(cause) | Redriven::NotNow(cause) => {
                still += 1;
                let cause = visible(&cause);
                println!("{} {}: still parked: {cause}", thing.owner, thing.place);
            }
        }
    }
    println!("{} handled, {still} still parked.", parked.len() - still);
    Ok(still == 0)
}

pub(crate) async fn discard(
    environment: &Environment,
    owner: &str,
    place: &str,
    note: &str,
) -> Outcome {
    let parking = parking(environment);
    let parked = parking.list().await?;
    let Some(thing) = parked
        .iter()
        .find(|thing| thing.owner == owner && thing.place == place)
    else {
        return Err(not_parked(owner, place).into());
    };
    parking.discard(thing, note).await?;
    println!("{owner} {place}: discarded. It stays on record, with its bytes.");
    Ok(true)
}
