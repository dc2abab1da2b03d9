//! Counts the rows of a list that fit into one answer.

use std::io::{self, Write};

use serde::Serialize;

/// Largest size of the rows of a page, in bytes. Lambda refuses answers of more than 6 MB. The other parts of an answer
/// take a few hundred bytes.
pub const MAX_PAGE: usize = 4 * 1024 * 1024;

/// Counts the bytes of JSON that is sent as a string inside JSON, as API Gateway receives a body. Quotes and
/// backslashes take two bytes, because they are escaped. JSON without spaces has no other character that must be
/// escaped.
#[derive(Default)]
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let escaped = bytes.iter().filter(|byte| matches!(byte, b'"' | b'\\'));
        self.0 += bytes.len() + escaped.count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Number of bytes that a row takes in an answer, with the comma after the row. A row without a JSON form counts 0
/// bytes; writing the answer then fails and reports it.
fn size(row: &impl Serialize) -> usize {
    let mut counter = Counter::default();
    match serde_json::to_writer(&mut counter, row) {
        Ok(()) => counter.0 + 1,
        Err(_) => 0,
    }
}

/// Number of rows, from the first, that fit into `bytes`. The number is at least one, so that a list always continues.
pub(crate) fn fitting(rows: &[impl Serialize], bytes: usize) -> usize {
    let mut left = bytes;
    let fit = rows.iter().take_while(|row| {
        let fits = left.checked_sub(size(row));
        left = fits.unwrap_or(0);
        fits.is_some()
    });
    fit.count().max(1).min(rows.len())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Number of bytes of these rows in the answer that the function returns to API Gateway.
    fn sent(rows: &[String]) -> usize {
        let text = serde_json::to_string(rows).unwrap();
        serde_json::to_string(&text).unwrap().len()
    }

    /// Number of bytes of a list without rows, with the quotes around its text.
    const AROUND: usize = 4;

    proptest! {
        #[test]
        fn rows_are_counted_as_they_are_sent(rows in vec("(\\PC|[\"\\\\\u{1}\u{7f}\n]){0,40}", 1..9)) {
            let counted: usize = rows.iter().map(size).sum();
            prop_assert_eq!(counted + AROUND - 1, sent(&rows));
        }

        #[test]
        fn page_after_page_has_every_row_and_no_page_is_larger_or_smaller_than_it_may(
            rows in vec("[a\"\\\\]{0,60}", 0..60),
            bytes in 1..400_usize,
        ) {
            let mut rest = rows.as_slice();
            while !rest.is_empty() {
                let count = fitting(rest, bytes);
                prop_assert!(count >= 1);
                let (page, after) = rest.split_at(count);
                prop_assert!(count == 1 || sent(page) <= bytes + AROUND);
                if !after.is_empty() {
                    let more = rest.get(..=count).unwrap();
                    prop_assert!(sent(more) > bytes + AROUND - 1, "one more would fit");
                }
                rest = after;
            }
            prop_assert_eq!(fitting(rest, bytes), 0);
        }
    }
}
