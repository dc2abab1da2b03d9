//! The function under test.

use http_commands::App;

/// The path of reservations.
pub(crate) const RESERVA: &str = "/vuelos/reserva";

pub(crate) type Fixture = http_testing::Fixture<App>;

/// The function under test, with ports in memory.
pub(crate) fn fixture() -> Fixture {
    Fixture::new(|wiring| {
        let Ok(app) = App::new(wiring);
        app
    })
}
