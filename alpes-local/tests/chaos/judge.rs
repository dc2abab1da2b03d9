//! The records that were put, and the properties of a ledger of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The records of a run.
#[derive(Default)]
pub struct Records(Vec<Value>);

impl Records {
    /// Makes a record of a round for each of these partition keys.
    pub fn of_round(&mut self, round: u64, keys: &[&'static str]) -> Vec<(&'static str, Value)> {
        let mut made = vec![];
        for key in keys {
            let number = u64::try_from(self.0.len()).unwrap();
            let id = format!("{key}-{round}");
            let record = json!({"id": id, "amount": number + 1, "round": round, "number": number});
            self.0.push(record.clone());
            made.push((*key, record));
        }
        made
    }
}

/// The items of a ledger, by their ids.
pub type Ledger = BTreeMap<String, Value>;

/// Why a ledger does not have the property that a mistake breaks; `None` if it has the property.
pub fn complaint(mistake: &str, ledger: &Ledger, Records(records): &Records) -> Option<String> {
    match mistake {
        "adds" => {
            let wanted: u64 = records.iter().filter_map(|it| it["amount"].as_u64()).sum();
            let total = number(ledger.get("total"), "amount");
            (total != Some(wanted)).then(|| format!("the total is {total:?} and not {wanted}"))
        }
        "order" => records.iter().find_map(|record| {
            let (round, number_of) = (&record["round"], |it: &Value| it["number"].as_u64());
            let of_round = records.iter().filter(|other| other["round"] == *round);
            let wanted = of_round.filter_map(number_of).max();
            let newest = number(ledger.get(&format!("newest#{round}")), "number");
            (newest != wanted).then(|| format!("{newest:?} is newest and not {wanted:?}"))
        }),
        _ => records.iter().find_map(|record| {
            let id = format!("record#{}", record["id"].as_str()?);
            (!ledger.contains_key(&id)).then(|| format!("{id} is missing"))
        }),
    }
}

fn number(item: Option<&Value>, attribute: &str) -> Option<u64> {
    item?[attribute]["N"].as_str()?.parse().ok()
}
