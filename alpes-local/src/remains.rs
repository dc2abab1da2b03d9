//! Waits for the port and the lock that a killed runtime still holds for a moment.
//!
//! Each process of a function begins as a copy of the runtime, with the runtime's port and the lock on its data, until
//! the function's program replaces the copy. `kill -9` of the runtime does not end such a copy. So the next runtime
//! waits for the port and the lock, if it starts at once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a copy may need, on a busy machine.
const LONGEST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// Repeats `take` as long as it fails because another process holds what it wants, and [`LONGEST`] is not over.
///
/// # Errors
///
/// The last error of `take`.
pub(crate) async fn outlast<T, E>(
    mut take: impl AsyncFnMut() -> Result<T, E>,
    is_held: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = Instant::now() + LONGEST;
    loop {
        match take().await {
            Err(error) if is_held(&error) && Instant::now() < until => sleep(PAUSE).await,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_what_is_held_a_moment_and_for_nothing_else() {
        let mut held = 5;
        let taken = outlast(
            async || {
                held -= 1;
                if held == 0 { Ok("taken") } else { Err("held") }
            },
            |error| *error == "held",
        );
        assert_eq!(taken.await, Ok("taken"));

        for (error, waited) in [("held", LONGEST), ("broken", Duration::ZERO)] {
            let start = Instant::now();
            let taken = outlast(async || Err::<(), _>(error), |error| *error == "held");
            assert_eq!((taken.await, start.elapsed()), (Err(error), waited));
        }
    }
}
