//! `parked`, `redrive` and `discard`: what could not be handled.

use std::sync::Arc;

use consumer::{Lot, Parking, Redrive, Redriven, Redriver};
use event_store::StreamReader;
use events::Catalogue;
use lambda_kit::{Environment, RemoteConsumer};
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

/// Why nothing that can be seen to is parked there.
fn not_parked(lot: &Lot, owner: &str, place: &str) -> String {
    let mut unreadable = lot.unreadable.iter();
    match unreadable.find(|thing| thing.owner == owner && thing.place == place) {
        Some(thing) => format!(
            "this build cannot read what is parked as {owner} {place}, so it leaves it as it is: {}",
            thing.cause
        ),
        None => {
            format!("nothing is parked as {owner} {place}; `cargo xtask parked` lists what is")
        }
    }
}

/// What is parked, as it is listed; and whether discarded things are meant.
fn describe(lot: &Lot, discarded: bool) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let (gone, waiting): (Vec<_>, Vec<_>) = lot
        .parked
        .iter()
        .partition(|thing| thing.discarded.is_some());
    for thing in if discarded { &gone } else { &waiting } {
        line(format!("{} {}", thing.owner, thing.place));
        line(format!(
            "    since {}, {:?}: {}",
            thing.since, thing.reason, thing.detail
        ));
        if let Some(decision) = &thing.discarded {
            line(format!("    discarded {}: {}", decision.at, decision.note));
        }
    }
    for thing in &lot.unreadable {
        line(format!("{} {}", thing.owner, thing.place));
        line(format!(
            "    this build cannot read it, and leaves it as it is: {}",
            thing.cause
        ));
    }
    match waiting.len() + lot.unreadable.len() {
        0 => line("Nothing is parked.".into()),
        count => line(format!(
            "{count} parked. `cargo xtask redrive` tries them again."
        )),
    }
    if !gone.is_empty() && !discarded {
        line(format!(
            "{} discarded: `cargo xtask parked --discarded` shows them.",
            gone.len()
        ));
    }
    text
}

pub(crate) async fn list(environment: &Environment, discarded: bool) -> Outcome {
    let lot = parking(environment).all().await?;
    print!("{}", describe(&lot, discarded));
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
    let lot = parking.all().await?;
    let meant = lot.parked.iter().filter(|thing| match only {
        // What was discarded is tried again only by name.
        None => thing.discarded.is_none(),
        Some((owner, place)) => thing.owner == owner && thing.place == place,
    });
    let parked: Vec<_> = meant.collect();
    if let (Some((owner, place)), []) = (only, parked.as_slice()) {
        return Err(not_parked(&lot, owner, place).into());
    }
    let mut still = 0;
    for thing in &parked {
        // What cannot be tried now holds up no other.
        let redriven = redriver.redrive(thing).await;
        match redriven.unwrap_or_else(|error| Redriven::NotNow(error.to_string())) {
            Redriven::Done => println!("{} {}: handled", thing.owner, thing.place),
            Redriven::StillParked(cause) | Redriven::NotNow(cause) => {
                still += 1;
                println!("{} {}: still parked: {cause}", thing.owner, thing.place);
            }
        }
    }
    println!("{} handled, {still} still parked.", parked.len() - still);
    if only.is_none() && !lot.unreadable.is_empty() {
        still += lot.unreadable.len();
        println!(
            "{} that this build cannot read stay as they are: `cargo xtask parked` lists them.",
            lot.unreadable.len()
        );
    }
    Ok(still == 0)
}

pub(crate) async fn discard(
    environment: &Environment,
    owner: &str,
    place: &str,
    note: &str,
) -> Outcome {
    let parking = parking(environment);
    let lot = parking.all().await?;
    let mut parked = lot.parked.iter();
    let Some(thing) = parked.find(|thing| thing.owner == owner && thing.place == place) else {
        return Err(not_parked(&lot, owner, place).into());
    };
    parking.discard(thing, note).await?;
    println!("{owner} {place}: discarded. It stays on record, with its bytes.");
    Ok(true)
}
