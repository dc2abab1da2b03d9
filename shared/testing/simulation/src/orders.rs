//! Runs two processes concurrently, in every possible order of their steps.

use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;

/// Runs two processes, which `start` makes anew, once for each order of their steps. `check` gets the results of both
/// processes, and the order: for each step the number of the process that took it, 0 or 1. Returns the number of
/// orders.
///
/// A step ends where a process waits: at each effect under [`Faults::in_steps`](crate::Faults::in_steps).
pub fn every_order<T>(
    mut start: impl FnMut() -> [BoxFuture<'static, T>; 2],
    mut check: impl FnMut([T; 2], &[usize]),
) -> usize {
    let mut order = vec![];
    for count in 1.. {
        let ended = run(start(), &mut order);
        check(ended, &order);
        // For the next order, find the last step that the first process took while both could run, give this step to
        // the second process, and drop the steps after it.
        while order.pop_if(|step| *step == 1).is_some() {}
        match order.last_mut() {
            Some(last) => *last = 1,
            None => return count,
        }
    }
    0
}

/// Runs both processes to their ends in this order. Where the order ends early, it is extended with steps of the first
/// process.
fn run<T>(processes: [BoxFuture<'static, T>; 2], order: &mut Vec<usize>) -> [T; 2] {
    let [mut first, mut second] = processes;
    let mut at = 0;
    loop {
        let step = order.get(at).copied();
        if step.is_none() {
            order.push(0);
        }
        at += 1;
        if step == Some(1) {
            if let Poll::Ready(ended) = poll(&mut second) {
                return [to_the_end(first), ended];
            }
        } else if let Poll::Ready(ended) = poll(&mut first) {
            return [ended, to_the_end(second)];
        }
    }
}

fn poll<T>(process: &mut BoxFuture<'static, T>) -> Poll<T> {
    process
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn to_the_end<T>(mut process: BoxFuture<'static, T>) -> T {
    loop {
        if let Poll::Ready(ended) = poll(&mut process) {
            return ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt;

    use super::*;
    use crate::scheduler::Yield;

    #[test]
    fn each_order_comes_once() {
        let traces = Mutex::new(vec![]);
        let current = Arc::new(Mutex::new(String::new()));
        let process = |name: char| {
            let current = current.clone();
            async move {
                for _ in 0..3 {
                    Yield::default().await;
                    current.lock().unwrap().push(name);
                }
            }
            .boxed()
        };
        let count = every_order(
            || {
                current.lock().unwrap().clear();
                [process('a'), process('b')]
            },
            |_, _| traces.lock().unwrap().push(current.lock().unwrap().clone()),
        );
        let mut traces = traces.into_inner().unwrap();
        assert_eq!(count, traces.len());
        // Each process takes 4 steps, and the first step of each has no effect.
        assert_eq!(count, 8 * 7 * 6 * 5 / (4 * 3 * 2));
        traces.sort_unstable();
        traces.dedup();
        assert_eq!(traces.len(), 6 * 5 * 4 / (3 * 2));
    }
}
