//! Mappings that are replaced by new ones, which read the whole log again: as a change of how they read the stream does it.

use std::time::Duration;

use events::Context;
use reserva_saga::{ORCHESTRATOR, function_of};

use crate::system::System;

/// How long new mappings may take before they begin to read.
const LONGEST: u64 = 30_000;

/// Makes those of the orchestrator and of the participants anew.
pub fn make_anew(system: &System) {
    let (kernel, stream) = (&system.kernel, &system.stream);
    let participants = Context::ALL.map(function_of);
    for name in [ORCHESTRATOR].into_iter().chain(participants) {
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
            let pause = own.dice().below(LONGEST);
            own.sleep(Duration::from_millis(pause)).await;
            stream.take_effect(made);
        });
    }
}
