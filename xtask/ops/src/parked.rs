//! The commands `parked`, `redrive` and `discard`, for records that could not be handled.

use alpes_consumer::{Lot, Parking, Redrive, Redriven, Redriver};
use alpes_ports::Platform;
use parse::text::visible;

use crate::{Deployed, Outcome, asked};

/// The message that says why nothing is parked under this owner and place.
fn not_parked(lot: &Lot, owner: &str, place: &str) -> String {
    let mut unreadable = lot.unreadable.iter();
    match unreadable.find(|thing| thing.owner == owner && thing.place == place) {
        Some(thing) => format!(
            "this build cannot read the record parked as {owner} {place}, and leaves it as it is: {}",
            thing.cause
        ),
        None => {
            format!("nothing is parked as {owner} {place}; `cargo xtask parked` lists what is")
        }
    }
}

/// The list of parked or discarded records, as text.
fn describe(parking: &Parking, lot: &Lot, discarded: bool, asked: &str) -> String {
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
        line(format!(
            "{} {}",
            visible(&thing.owner),
            visible(&thing.place)
        ));
        line(format!(
            "    since {}, {:?}: {}",
            thing.since,
            thing.reason,
            visible(&thing.detail)
        ));
        if let Some(next) = thing.next.filter(|_| parking.is_open(thing)) {
            line(format!("    tried {} times, next at {next}", thing.tries));
        }
        if let Some(decision) = &thing.discarded {
            line(format!(
                "    discarded {}: {}",
                decision.at,
                visible(&decision.note)
            ));
        }
    }
    for thing in &lot.unreadable {
        line(format!(
            "{} {}",
            visible(&thing.owner),
            visible(&thing.place)
        ));
        line(format!(
            "    this build cannot read it, and leaves it as it is: {}",
            visible(&thing.cause)
        ));
    }
    match (waiting.len(), lot.unreadable.len()) {
        (0, 0) => line(format!("Nothing is parked at {asked}.")),
        (0, _) => {}
        (count, _) => line(format!(
            "{count} parked. `cargo xtask redrive` retries them."
        )),
    }
    if !lot.unreadable.is_empty() {
        line(format!(
            "{} parked that this build cannot read.",
            lot.unreadable.len()
        ));
    }
    if !gone.is_empty() && !discarded {
        line(format!(
            "{} discarded: `cargo xtask parked --discarded` shows them.",
            gone.len()
        ));
    }
    text
}

pub(crate) async fn list(deployed: &Deployed, discarded: bool) -> Outcome {
    let parking = deployed.parking();
    let lot = parking.all().await?;
    print!("{}", describe(&parking, &lot, discarded, &asked()));
    Ok(true)
}

pub(crate) async fn redrive(deployed: &Deployed, only: Option<(&str, &str)>) -> Outcome {
    let (projector, remote) = (deployed.projector(), deployed.consumers());
    let (parking, world) = (projector.parking(), deployed.platform.world());
    let mut consumers: Vec<&dyn Redrive> = vec![&projector];
    consumers.extend(remote.iter().map(|one| one as &dyn Redrive));
    let redriver = Redriver {
        parking,
        world: &world,
        consumers: &consumers,
    };
    let lot = parking.all().await?;
    let meant = lot.parked.iter().filter(|thing| match only {
        // A discarded record is retried only if the command line names it.
        None => thing.discarded.is_none(),
        Some((owner, place)) => thing.owner == owner && thing.place == place,
    });
    let parked: Vec<_> = meant.collect();
    if let (Some((owner, place)), []) = (only, parked.as_slice()) {
        return Err(not_parked(&lot, owner, place).into());
    }
    let mut still = 0;
    for thing in &parked {
        // A record that cannot be retried does not stop the others.
        let outcome = redriver.redrive(thing).await;
        match outcome.unwrap_or_else(|error| Redriven::NotNow(error.to_string())) {
            Redriven::Done => println!("{} {}: handled", thing.owner, thing.place),
            Redriven::StillParked(cause) | Redriven::NotNow(cause) => {
                still += 1;
                let cause = visible(&cause);
                println!("{} {}: still parked: {cause}", thing.owner, thing.place);
            }
        }
    }
    match parked.len() {
        0 => println!("Nothing is parked to retry at {}.", asked()),
        count => println!("{} handled, {still} still parked.", count - still),
    }
    if only.is_none() && !lot.unreadable.is_empty() {
        still += lot.unreadable.len();
        println!(
            "{} that this build cannot read stay as they are: `cargo xtask parked` lists them.",
            lot.unreadable.len()
        );
    }
    Ok(still == 0)
}

pub(crate) async fn discard(deployed: &Deployed, owner: &str, place: &str, note: &str) -> Outcome {
    let parking = deployed.parking();
    let lot = parking.all().await?;
    let mut parked = lot.parked.iter();
    let Some(thing) = parked.find(|thing| thing.owner == owner && thing.place == place) else {
        return Err(not_parked(&lot, owner, place).into());
    };
    parking.discard(thing, note).await?;
    println!("{owner} {place}: discarded. It stays on record, with its bytes.");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use alpes_consumer::{Reason, TABLE, Trouble};
    use alpes_ports::{Key, LogRecord, Path, SequenceNumber, Tables, Update};
    use futures::executor::block_on;
    use twins::MemoryTables;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_listed_beside_the_rest() {
        let (world, clock) = twins::world(1);
        let tables = Arc::new(MemoryTables::new());
        let parking = Parking::new(tables.clone(), world.clock.clone(), &events::catalogue());
        assert_eq!(
            describe(&parking, &Lot::default(), false, "http://h:1"),
            "Nothing is parked at http://h:1.\n"
        );
        for place in ["1", "2", "3"] {
            let record = LogRecord {
                shard: "s".into(),
                sequence: SequenceNumber(place.into()),
                partition_key: "k".into(),
                data: b"{}".to_vec(),
                arrived: world.clock.now(),
            };
            let trouble = Trouble::with_record(&record, Reason::Undelivered, "given up");
            block_on(parking.park("notifier", trouble)).unwrap();
            clock.advance(Duration::from_secs(1));
        }
        let parked = block_on(parking.list()).unwrap();
        block_on(parking.note_tried(&parked[1])).unwrap();
        block_on(parking.discard(&parked[2], "no es nuestro")).unwrap();
        let key = Key::new(TABLE, "notifier", "record#s#1");
        let newer = Update::of(key).set(Path::of("reason"), "out-of-memory");
        block_on(tables.write(&newer.into())).unwrap();
        let lot = block_on(parking.all()).unwrap();
        let text = describe(&parking, &lot, false, "http://h:1");
        let expected = [
            "notifier record#s#2",
            "    since 2026-01-31T10:00:01.000Z, Undelivered: given up",
            "    tried 1 times, next at 2026-01-31T10:00:33.000Z",
            "notifier record#s#1",
            "    this build cannot read it, and leaves it as it is: unknown variant `out-of-memory`, ",
            "1 parked. `cargo xtask redrive` retries them.",
            "1 parked that this build cannot read.",
            "1 discarded: `cargo xtask parked --discarded` shows them.",
        ];
        for (line, beginning) in text.lines().zip(expected) {
            assert!(line.starts_with(beginning), "{text}");
        }
        assert_eq!(text.lines().count(), expected.len(), "{text}");
        let told = not_parked(&lot, "notifier", "record#s#1");
        assert!(told.starts_with("this build cannot read"), "{told}");
        let told = not_parked(&lot, "notifier", "record#s#9");
        assert!(told.starts_with("nothing is parked"), "{told}");
    }
}
