//! Shows the developer the current step, and how long each step took.

use std::time::Instant;

use crate::failure::Result;

/// Does a step. Prints its name before and its duration after.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    eprintln!("==> {name}");
    let result = work();
    let seconds = started.elapsed().as_secs_f32();
    match &result {
        Ok(_) => eprintln!("    {name}: {seconds:.1} s"),
        Err(_) => eprintln!("    {name}: FAILED after {seconds:.1} s"),
    }
    result
}

/// Prints a remark within a step.
pub fn note(text: &str) {
    eprintln!("    {text}");
}
