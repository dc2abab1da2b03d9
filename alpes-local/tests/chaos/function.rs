//! A function for the test of chaos: keeps a ledger of the records that it gets, in a DynamoDB table.
//!
//! A record is `{"id": TEXT, "amount": NUMBER, "round": NUMBER, "number": NUMBER}`. The numbers ascend over all records,
//! whatever their keys. The ledger has three kinds of items: `record#ID` for each record, `total` with the sum of the
//! amounts, and `newest#ROUND` with the greatest number of a round.
//!
//! The variable `MISTAKE` names what the function does wrongly:
//!
//! - `none`: nothing. A record and the total are written in one transaction that a known record cancels, the newest
//!   number only grows, and the function answers when it has written.
//! - `adds`: adds the amount at each delivery.
//! - `order`: takes the last record that it sees as the newest one, although keys overtake one another.
//! - `early`: answers before it writes.

mod ledger;
#[path = "../probe/runtime_api.rs"]
mod runtime_api;

use std::env;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    ledger::{Entry, Ledger},
    runtime_api::{Outcome, Runtime},
};

fn main() -> Outcome<()> {
    let mistake = env::var("MISTAKE")?;
    let ledger = Ledger::connect()?;
    let mut runtime = Runtime::connect()?;
    loop {
        let invocation = runtime.next()?;
        let path = format!("invocation/{}", invocation.request_id);
        let entries = entries(&invocation.event)?;
        if mistake == "early" {
            runtime.post(&format!("{path}/response"), &Value::Null)?;
            entries.iter().try_for_each(|entry| ledger.record(entry))?;
            continue;
        }
        match entries
            .iter()
            .try_for_each(|entry| write(&ledger, &mistake, entry))
        {
            Ok(()) => runtime.post(&format!("{path}/response"), &Value::Null)?,
            Err(error) => {
                let document = json!({"errorType": "Ledger", "errorMessage": format!("{}: {error}", invocation.arn)});
                runtime.post(&format!("{path}/error"), &document)?;
            }
        }
    }
}

fn write(ledger: &Ledger, mistake: &str, entry: &Entry) -> Outcome<()> {
    match mistake {
        "adds" => ledger.add(entry),
        "order" => ledger.replace_newest(entry),
        _ => {
            ledger.record_and_add(entry)?;
            ledger.raise_newest(entry)
        }
    }
}

/// The records of a batch.
fn entries(event: &Value) -> Outcome<Vec<Entry>> {
    let records = event.get("Records").and_then(Value::as_array);
    let records = records.into_iter().flatten();
    let entries = records.map(|record| {
        let data = record.pointer("/kinesis/data").and_then(Value::as_str);
        let data: Value =
            serde_json::from_slice(&BASE64_STANDARD.decode(data.unwrap_or_default())?)?;
        Entry::parse(&data).ok_or_else(|| format!("{data} is no record").into())
    });
    entries.collect()
}
