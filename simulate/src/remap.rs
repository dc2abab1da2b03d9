//! Replaces event source mappings by new ones, which read the whole log again. A deployment does the same if it changes
//! how the mappings read the Kinesis stream.

use std::time::Duration;

use events::CONTEXTS;
use reserva_saga::{ORCHESTRATOR, function_of};

use crate::{check, system::System};

/// By how many milliseconds one mapping may begin to read after another: less than the deadline of a choreography.
const APART: u64 = 120_000;

/// The largest delay of new mappings, in seconds, while a saga is in flight: a context that stops for longer than a
/// choreography's deadline misses the deadline.
const SOON: u64 = 20;

/// Replaces the mappings of the orchestrator and of the participants, all at once. The new mappings begin to read after
/// a random pause of at most `within` seconds, each up to `APART` milliseconds after this pause.
pub fn make_anew(system: &System, within: u64) {
    let (kernel, stream) = (&system.kernel, &system.stream);
    let participants = CONTEXTS.map(function_of);
    let all: Vec<_> = [ORCHESTRATOR].into_iter().chain(participants).collect();
    // Replace the mappings only if all of them read: then the last replacement is done.
    if !all.iter().all(|name| stream.reads(*name)) {
        return;
    }
    let within = match check::under_way(system) {
        Some(_) => within.min(SOON),
        None => within,
    };
    let from = kernel.dice().below(1_000 * within);
    for name in all {
        let made = match stream.replace(name) {
            Ok(Some(made)) => made,
            Ok(None) => continue,
            Err(error) => {
                kernel.note(format_args!("{}: {error}", name.0));
                continue;
            }
        };
        let (own, stream) = (kernel.clone(), stream.clone());
        kernel.spawn("operator", async move {
            let apart = own.dice().below(APART);
            own.sleep(Duration::from_millis(from + apart)).await;
            stream.take_effect(made);
        });
    }
}
