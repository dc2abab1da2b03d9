//! The rows of one generation of a view, in a form in which two generations can be compared.

use std::collections::BTreeMap;

use alpes_ports::{Item, Key};

/// The rows of a generation with their index entries and without `rev`, and the sum of each counter, by key. The
/// generation's name is cut out of all keys, so two generations can be compared.
pub fn rows(
    items: impl IntoIterator<Item = (Key, Item)>,
    generation: &str,
) -> BTreeMap<String, Item> {
    let prefix = format!("{generation}#");
    let mut rows = BTreeMap::new();
    let mut counters: BTreeMap<String, i64> = BTreeMap::new();
    for (key, mut item) in items {
        let Some(place) = key.pk.strip_prefix(&prefix) else {
            continue;
        };
        if key.sk != "row" {
            // A counter is spread over items with random lane numbers, so compare the sum over all lanes.
            let (group, _) = key.sk.rsplit_once('#').unwrap();
            for (name, count) in item {
                *counters.entry(format!("{group} {name}")).or_default() += count.as_i64().unwrap();
            }
            continue;
        }
        item.remove("rev");
        for partition in ["gsi1pk", "gsi2pk"] {
            if let Some(found) = item.get_mut(partition) {
                *found = found
                    .as_str()
                    .unwrap()
                    .strip_prefix(&prefix)
                    .unwrap()
                    .into();
            }
        }
        rows.insert(format!("{place} {}", key.sk), item);
    }
    counters.retain(|_, count| *count != 0);
    rows.extend(counters.into_iter().map(|(counter, count)| {
        let item = [("count".to_owned(), count.into())];
        (counter, Item::from_iter(item))
    }));
    rows
}
