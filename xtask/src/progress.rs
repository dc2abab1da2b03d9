//! Shows the developer the current step, and how long each step took.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

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

/// Does a step that prints nothing itself, and prints every few seconds that the step still runs.
pub fn quiet_step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    step(name, || goes_on_after(Duration::from_secs(5), note, work))
}

/// Does some work, and calls `tell` with the time so far whenever this pause has passed.
fn goes_on_after<T>(pause: Duration, tell: impl Fn(&str) + Send, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let (done, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                tell(&format!("{:.0} s so far", started.elapsed().as_secs_f32()));
            }
        });
        // Dropping the sender ends the other thread, also if the work panics.
        let _done = done;
        work()
    })
}

/// Prints a remark within a step.
pub fn note(text: &str) {
    eprintln!("    {text}");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn work_that_takes_long_is_told_about_and_work_that_does_not_is_not() {
        let told = Mutex::new(vec![]);
        let tell = |text: &str| told.lock().unwrap().push(text.to_owned());
        let (seen, watched) = mpsc::channel();
        let result = goes_on_after(
            Duration::from_millis(1),
            |text| {
                tell(text);
                let _ = seen.send(());
            },
            || watched.recv().is_ok() && watched.recv().is_ok(),
        );
        assert!(result);
        let so_far = std::mem::take(&mut *told.lock().unwrap());
        assert!(so_far.len() >= 2 && so_far.iter().all(|text| text.ends_with("s so far")));

        assert_eq!(goes_on_after(Duration::from_hours(1), tell, || 7), 7);
        assert!(told.lock().unwrap().is_empty());
    }
}
