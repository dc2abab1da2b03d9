//! Packs the seat capacities of real flights into a sorted table. The binary embeds the table and searches it in place.

use std::{collections::BTreeMap, env, error::Error, fs, io::Read, path::Path};

use flate2::read::GzDecoder;

#[path = "src/record.rs"]
mod record;

const SOURCE: &str = "data/flights_h1.csv.gz";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=src/record.rs");
    let mut text = String::new();
    GzDecoder::new(fs::File::open(SOURCE)?).read_to_string(&mut text)?;
    let target = Path::new(&env::var("OUT_DIR")?).join("capacities.bin");
    fs::write(target, pack(&text)?)?;
    Ok(())
}

/// Packs a CSV of flights into records, sorted by key. If a flight has several rows, their seats are added up.
fn pack(csv: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut flights: BTreeMap<[u8; record::KEY], u16> = BTreeMap::new();
    for row in csv.lines().skip(1) {
        let (key, seats) = flight(row).ok_or_else(|| format!("not a flight: {row}"))?;
        let sum = flights.entry(key).or_default();
        *sum = sum.checked_add(seats).ok_or("more seats than fit")?;
    }
    let mut packed = Vec::with_capacity(flights.len() * (record::KEY + record::SEATS));
    for (key, seats) in flights {
        packed.extend(key);
        packed.extend(seats.to_be_bytes());
    }
    Ok(packed)
}

fn flight(row: &str) -> Option<([u8; record::KEY], u16)> {
    let mut fields = row.split(',');
    let fecha_salida = fields.next()?.parse().ok()?;
    let (origen, destino) = (fields.nth(1)?, fields.next()?);
    let seats = fields.nth(2)?.parse().ok()?;
    Some((record::key(origen, destino, fecha_salida)?, seats))
}
