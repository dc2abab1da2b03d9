//! The position at which a list continues.

use alpes_messages::Moment;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// The position of a row in its list: the time at which the row's reservation or saga began, and the id of the
/// reservation or saga. A cursor is opaque to clients. A cursor names no index and no generation of a view, so it stays
/// valid across rebuilds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

impl Cursor {
    /// The cursor as text for a client.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Reads a cursor from a client's text; `None` if the text is not a cursor of this API.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let order = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (moment, id) = order.split_once('#')?;
        let valid = moment
            .parse::<Moment>()
            .is_ok_and(|parsed| parsed.to_string() == moment)
            && id
                .parse::<Uuid>()
                .is_ok_and(|parsed| parsed.to_string() == id);
        valid.then_some(Self(order))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_that_is_not_ours_is_told_from_one_that_is(text in "[A-Za-z0-9_-]{0,90}") {
            if let Some(cursor) = Cursor::decode(&text) {
                prop_assert_eq!(cursor.encode(), text);
            }
        }

        #[test]
        fn ours_are_read_back(milliseconds in 0..4_000_000_000_000_i64, id: u128) {
            let moment = Moment::from(jiff::Timestamp::from_millisecond(milliseconds).unwrap());
            let cursor = Cursor(format!("{moment}#{}", Uuid::from_u128(id)));
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
    }
}
