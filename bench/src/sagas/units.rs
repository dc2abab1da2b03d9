//! The units by which `DynamoDB` and Kinesis bill.
//!
//! The rules are from the developer guide's "`DynamoDB` item sizes and formats" and "Read and write operations". All
//! attributes of an item count with their names, whichever of them an operation changes.

use alpes_ports::Item;
use serde_json::Value;

const WRITE_UNIT: usize = 1024;
const READ_UNIT: usize = 4 * 1024;
const PUT_UNIT: usize = 25 * 1024;
/// The overhead of a list or a map, in bytes.
const NESTING: usize = 3;
/// The overhead of each element of a list or a map, in bytes.
const ELEMENT: usize = 1;

/// The size in bytes of an item with its key.
pub fn item_bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_bytes(value))
        .sum()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::String(text) => text.len(),
        Value::Number(number) => number_bytes(&number.to_string()),
        Value::Array(list) => {
            let each = list.iter().map(|value| ELEMENT + value_bytes(value));
            NESTING + each.sum::<usize>()
        }
        Value::Object(map) => {
            let each = map.iter();
            let each = each.map(|(name, value)| ELEMENT + name.len() + value_bytes(value));
            NESTING + each.sum::<usize>()
        }
    }
}

/// The size of a number: about a byte for two significant digits, one more byte, and one for a sign.
fn number_bytes(text: &str) -> usize {
    let digits = text.trim_start_matches('-').trim_matches('0').len();
    digits.div_ceil(2) + 1 + usize::from(text.starts_with('-'))
}

/// The units of a write, by the larger of the item before and after it.
pub fn write_units(before: Option<&Item>, after: Option<&Item>) -> usize {
    let bytes = [before, after].into_iter().flatten().map(item_bytes).max();
    units(bytes.unwrap_or_default(), WRITE_UNIT)
}

/// The units of a strongly consistent read. A read that finds no item costs one unit too.
pub fn read_units(item: Option<&Item>) -> usize {
    units(item.map_or(0, item_bytes), READ_UNIT)
}

/// The Kinesis units of a record.
pub fn put_units(bytes: usize) -> usize {
    units(bytes, PUT_UNIT)
}

fn units(bytes: usize, unit: usize) -> usize {
    bytes.div_ceil(unit).max(1)
}

/// The units that a write costs in the indexes. A new or removed entry costs 1 unit, and a moved entry 2. The indexes
/// of sagas and streams contain only keys, so an unchanged entry costs nothing, and no entry exceeds a unit.
pub fn index_units(before: Option<&Item>, after: Option<&Item>) -> usize {
    let indexes = [("gsi1pk", "gsi1sk"), ("gsi2pk", "gsi2sk")];
    let writes = indexes.map(|(partition, sort)| {
        let entry = |item: Option<&Item>| {
            let item = item?;
            Some((item.get(partition)?.clone(), item.get(sort)?.clone()))
        };
        match (entry(before), entry(after)) {
            (None, None) => 0,
            (Some(old), Some(new)) if old == new => 0,
            (Some(_), Some(_)) => 2,
            (None, Some(_)) | (Some(_), None) => 1,
        }
    });
    writes.iter().sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: &Value) -> Item {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn an_item_is_its_names_and_its_values() {
        assert_eq!(item_bytes(&item(&json!({"pk": "abc", "sk": "ñ"}))), 5 + 4);
        assert_eq!(item_bytes(&item(&json!({"n": 1234}))), 1 + 3);
        assert_eq!(
            item_bytes(&item(&json!({"n": -1200}))),
            1 + 3,
            "zeros at the end do not count"
        );
        assert_eq!(item_bytes(&item(&json!({"yes": true, "no": null}))), 4 + 3);
        let nested = json!({"l": ["ab", {"k": "v"}]});
        assert_eq!(
            item_bytes(&item(&nested)),
            1 + 3 + (1 + 2) + (1 + 3 + 1 + 2)
        );
    }

    #[test]
    fn a_write_costs_by_the_larger_side_and_a_read_in_steps_of_four() {
        let of = |bytes: usize| item(&json!({"t": "x".repeat(bytes - 1)}));
        assert_eq!(write_units(None, Some(&of(1024))), 1);
        assert_eq!(write_units(None, Some(&of(1025))), 2);
        assert_eq!(write_units(Some(&of(3000)), Some(&of(10))), 3);
        assert_eq!(write_units(Some(&of(3000)), None), 3);
        assert_eq!(read_units(Some(&of(4096))), 1);
        assert_eq!(read_units(Some(&of(4097))), 2);
        assert_eq!(read_units(None), 1);
        assert_eq!((put_units(25 * 1024), put_units(25 * 1024 + 1)), (1, 2));
    }

    #[test]
    fn an_index_costs_when_its_entry_changes() {
        let none = item(&json!({"pk": "a"}));
        let here = item(&json!({"pk": "a", "gsi1pk": "wake-01", "gsi1sk": "10:00"}));
        let there = item(&json!({"pk": "a", "gsi1pk": "wake-01", "gsi1sk": "10:05"}));
        let both = item(
            &json!({"pk": "a", "gsi1pk": "wake-01", "gsi1sk": "10:05", "gsi2pk": "e", "gsi2sk": "1"}),
        );
        assert_eq!(index_units(None, Some(&none)), 0);
        assert_eq!(index_units(None, Some(&here)), 1);
        assert_eq!(index_units(Some(&here), Some(&here)), 0);
        assert_eq!(index_units(Some(&here), Some(&there)), 2);
        assert_eq!(index_units(Some(&here), Some(&none)), 1);
        assert_eq!(index_units(Some(&here), Some(&both)), 3);
        assert_eq!(index_units(None, Some(&both)), 2);
    }
}
