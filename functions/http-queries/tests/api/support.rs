//! The function under test.

use http_queries::App;

pub(crate) type Fixture = http_testing::Fixture<App>;

/// The function under test, with ports in memory.
pub(crate) fn fixture() -> Fixture {
    Fixture::new(App::new)
}
