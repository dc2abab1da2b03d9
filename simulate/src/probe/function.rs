//! The probe's function.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use simulation::{Answer, Function, Kernel, Sandbox};

use super::{
    answers::{self, Said},
    told::Told,
};

/// A pause that is longer than the timeout of an invocation.
const TOO_LONG: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Delivered<'a>>,
}

#[derive(Deserialize)]
struct Delivered<'a> {
    #[serde(rename = "eventID", borrow)]
    id: &'a str,
}

/// The function, ready to deploy.
pub fn of(kernel: &Kernel, told: &Told, calm: &Arc<AtomicBool>) -> Function {
    let concurrency = 1 + kernel.dice().below(4);
    let fails_one_in = 2 + kernel.dice().below(6);
    let (kernel, told, calm) = (kernel.clone(), told.clone(), calm.clone());
    Function {
        timeout: Duration::from_secs(3),
        concurrency: usize::try_from(concurrency).unwrap_or(1),
        start: Arc::new(move |_| {
            let (kernel, told, calm) = (kernel.clone(), told.clone(), calm.clone());
            let sandbox: Sandbox = Arc::new(move |payload, _| {
                let fails_one_in = if calm.load(Ordering::SeqCst) {
                    0
                } else {
                    fails_one_in
                };
                let (kernel, told) = (kernel.clone(), told.clone());
                Box::pin(async move { answer(&kernel, &told, &payload, fails_one_in).await })
            });
            sandbox
        }),
    }
}

async fn answer(kernel: &Kernel, told: &Told, payload: &[u8], fails_one_in: u64) -> Answer {
    let dice = kernel.dice();
    let unread = |error: serde_json::Error| ("Unread".to_owned(), error.to_string());
    let batch: Batch<'_> = serde_json::from_slice(payload).map_err(unread)?;
    let ids: Vec<_> = batch.records.iter().map(|record| record.id).collect();
    told.are_given(&ids, payload.len(), kernel.elapsed());
    kernel.sleep(Duration::from_millis(dice.below(300))).await;
    let numbers: Vec<_> = ids
        .iter()
        .map(|id| id.split_once(':').map_or(*id, |(_, number)| number))
        .collect();
    let poisoned = (fails_one_in > 0).then(|| told.poisoned(&ids)).flatten();
    let said = match poisoned {
        None if !dice.one_in(fails_one_in) => answers::done(dice, ids.len()),
        Some(place) if dice.one_in(2) => answers::failed_at(dice, place, &numbers),
        _ => {
            let any = u64::try_from(ids.len()).map_or(0, |count| dice.below(count));
            // A batch is not handled beyond the first record that cannot be handled.
            let place =
                usize::try_from(any).map_or(0, |any| poisoned.map_or(any, |at| any.min(at)));
            fail(kernel, place, &numbers).await?
        }
    };
    told.are_done(&ids, said.done);
    Ok(said.answer)
}

/// Fails in a random way.
async fn fail(kernel: &Kernel, place: usize, numbers: &[&str]) -> Result<Said, (String, String)> {
    let dice = kernel.dice();
    match dice.below(8) {
        0 => kernel.sleep(TOO_LONG).await,
        1 => kernel.die().await,
        2..=4 => return Ok(answers::failed_at(dice, place, numbers)),
        5 | 6 => return Ok(answers::nonsense(dice)),
        _ => {}
    }
    Err(("Probe".to_owned(), "it is to fail".to_owned()))
}
