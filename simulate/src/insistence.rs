//! A person who resumes stuck sagas again and again while the cause is not repaired, with long notes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use alpes_saga::{Saga, Status};
use serde_json::json;

use crate::{check, clients::Memory, operator::resume, system::System};

/// The number of times that the person resumes a saga, unless refused: enough for the notes to fill an item.
const TIMES: u32 = 500;
/// The maximum number of characters in a note.
const LONGEST: usize = 500;
/// A character of 4 bytes.
const WORD: &str = "😤";

const NOT_YET: u8 = 0;
const AT_IT: u8 = 1;
const DONE: u8 = 2;

/// The insistent person.
pub struct Insistent(Arc<AtomicU8>);

impl Insistent {
    /// A person who resumes stuck sagas again and again if `insists` is true, and otherwise never.
    pub fn new(insists: bool) -> Self {
        let how = if insists { NOT_YET } else { DONE };
        Self(Arc::new(AtomicU8::new(how)))
    }

    /// True while the person resumes a saga again and again. The person begins once a saga is stuck.
    pub fn is_at_it(&self, system: &System, memory: &Memory, stuck: &[Saga]) -> bool {
        if let (NOT_YET, Some(saga)) = (self.0.load(Ordering::SeqCst), stuck.first()) {
            self.0.store(AT_IT, Ordering::SeqCst);
            let (system, memory) = (system.clone(), memory.clone());
            let (saga, how) = (saga.clone(), self.0.clone());
            system.kernel.clone().spawn("insistent", async move {
                insist(&system, &memory, &saga).await;
                how.store(DONE, Ordering::SeqCst);
            });
        }
        self.0.load(Ordering::SeqCst) == AT_IT
    }
}

/// Resumes a saga until the resumption is refused. The refusal must come before the saga's item is full.
async fn insist(system: &System, memory: &Memory, saga: &Saga) {
    let kernel = &system.kernel;
    let mut length = LONGEST;
    for _ in 0..TIMES {
        let note = json!({ "nota": WORD.repeat(length.max(1)) });
        match resume(system, memory, saga, Some(&note)).await {
            Some(202) => kernel.count("operator", "resumed a saga in vain"),
            Some(409) => {
                kernel.count("operator", "may not resume a saga any more");
                return;
            }
            // A shorter note may fit where the longest did not. A later check makes sure that the saga ends anyway.
            _ if length > 0 => {
                kernel.count("operator", "could not resume a saga");
                length /= 2;
                continue;
            }
            _ => return,
        }
        for _ in 0..60 {
            let stands = check::load(system, saga.id).map(|saga| saga.status);
            if stands == Some(Status::NeedsIntervention) {
                break;
            }
            kernel.sleep(Duration::from_millis(250)).await;
        }
    }
}
