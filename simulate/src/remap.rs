//! Mappings that are replaced by new ones, which read the whole log again: as a change of how they read the stream does it.

use std::time::Duration;

use events::CONTEXTS;
use reserva_saga::{ORCHESTRATOR, function_of};

use crate::{check, system::System};

/// By how many milliseconds one may begin to read later than another: less than a choreography has time for.
const APART: u64 = 120_000;

/// Within so many seconds new mappings read where a saga is under way: contexts that stop for longer than its deadline let it pass.
const SOON: u64 = 20;

/// Makes those of the orchestrator and of the participants anew, all of them at once. They begin to read within so many seconds, or
/// sooner.
pub fn make_anew(system: &System, within: u64) {
    let (kernel, stream) = (&system.kernel, &system.stream);
    let participants = CONTEXTS.map(function_of);
    let all: Vec<_> = [ORCHESTRATOR].into_iter().chain(participants).collect();
    // One deployment follows the other.
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
