//! Tests of the price.

use serde_json::json;
use vuelos::{crear_reserva::parse, tarifa};

use crate::escenario::{body, leg, sample};

#[test]
fn the_sample_costs_what_its_distance_says() {
    let fare = tarifa::price(&parse(&sample()).unwrap().itinerarios, 1);
    // BOG-JFK is 3,996 km on the sphere. The fare is 40.00 + 0.11 x 3,996, and the tax is 19 % of the fare, 91.1164.
    assert_eq!(
        json!(fare),
        json!({"monto": "479.56", "monto_vat": "91.12", "moneda": "USD"})
    );
}

#[test]
fn a_fare_is_for_where_the_airports_are_today() {
    // The fares are 40.00 + 0.11 x km, with the distance between the positions of OurAirports. In airportsdata, some of
    // these airports have a position whose degrees, minutes and seconds were read as decimals, some have the position
    // before a move, and one has the position of another airport.
    for (from, to, monto) in [
        ("ANR", "BRU", "43.52"),
        ("NMI", "BOM", "42.64"),
        ("LUX", "OST", "72.34"),
        ("KMG", "SWA", "192.35"),
        ("PHH", "KTM", "55.73"),
    ] {
        let leg = leg(from, "2027-11-22T10:00:00Z", to, "2027-11-22T13:00:00Z");
        let fare = tarifa::price(&parse(&body(&[vec![leg]])).unwrap().itinerarios, 1);
        assert_eq!(json!(fare)["monto"], monto, "{from}-{to}");
    }
}

#[test]
fn every_leg_is_paid() {
    let out = leg("BOG", "2022-11-22T10:00:00Z", "JFK", "2022-11-22T13:00:00Z");
    let back = leg("JFK", "2022-11-22T14:00:00Z", "BOG", "2022-11-22T18:00:00Z");
    let fare = tarifa::price(
        &parse(&body(&[vec![out], vec![back]])).unwrap().itinerarios,
        1,
    );
    assert_eq!(json!(fare)["monto"], "959.12");
}

#[test]
fn every_passenger_pays() {
    let itinerarios = parse(&sample()).unwrap().itinerarios;
    for (passengers, monto, monto_vat) in [(2, "959.12", "182.23"), (9, "4316.04", "820.05")] {
        let fare = json!(tarifa::price(&itinerarios, passengers));
        assert_eq!(
            (&fare["monto"], &fare["monto_vat"]),
            (&monto.into(), &monto_vat.into())
        );
    }
}

#[test]
fn a_price_can_be_sent_back() {
    let mut body = sample();
    let price = tarifa::price(&parse(&body).unwrap().itinerarios, 1);
    body["pago"] = json!(price.clone().paid_with("tok_visa"));
    let read = parse(&body).unwrap().pago.unwrap();
    assert_eq!(
        (read.monto, read.monto_vat),
        (Some(price.monto), Some(price.monto_vat))
    );
    assert_eq!(read.moneda, Some(price.moneda));
}

#[test]
fn an_unknown_airport_costs_the_fixed_part() {
    let mut itinerarios = parse(&sample()).unwrap().itinerarios;
    itinerarios[0].odos[0].segmentos[0].legs[0].origen.codigo = "ZZZ".into();
    assert_eq!(json!(tarifa::price(&itinerarios, 1))["monto"], "40.00");
    assert_eq!(json!(tarifa::price(&[], 1))["monto"], "0.00");
}
