//! Runs futures one poll at a time, in an order that a seed decides.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures::future::BoxFuture;

use crate::{Dice, Faults};

/// The number of a process in the simulation.
pub type ProcessId = usize;

/// The outcome of a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// A process reached its next effect.
    Progress,
    /// A process ended.
    Done(ProcessId, T),
    /// A process was killed at an effect.
    Killed(ProcessId),
    /// There is no process.
    Idle,
}

struct Process<T> {
    work: BoxFuture<'static, T>,
    durable: bool,
}

/// Processes that run concurrently, one poll at a time.
pub struct Scheduler<T> {
    processes: BTreeMap<ProcessId, Process<T>>,
    next: ProcessId,
}

impl<T> Default for Scheduler<T> {
    fn default() -> Self {
        Self {
            processes: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Scheduler<T> {
    /// Adds a process. The process does nothing before its first step.
    pub fn spawn(&mut self, process: BoxFuture<'static, T>) -> ProcessId {
        self.insert(process, false)
    }

    /// Adds a durable process, which [`Self::step`] does not kill.
    pub fn spawn_durable(&mut self, process: BoxFuture<'static, T>) -> ProcessId {
        self.insert(process, true)
    }

    /// Adds each effect that [`Fault::Late`](crate::Fault::Late) put off as a process. The process ends with the value
    /// that `ended` returns.
    pub fn spawn_late(&mut self, faults: &Faults, ended: impl Fn() -> T)
    where
        T: Send + 'static,
    {
        for late in faults.take_late() {
            let ended = ended();
            self.spawn(Box::pin(async move {
                late.await;
                ended
            }));
        }
    }

    fn insert(&mut self, work: BoxFuture<'static, T>, durable: bool) -> ProcessId {
        let id = self.next;
        self.next += 1;
        self.processes.insert(id, Process { work, durable });
        id
    }

    /// Kills a process at the effect where it waits. Does nothing if the process has ended.
    pub fn kill(&mut self, process: ProcessId) {
        self.processes.remove(&process);
    }

    /// Picks a process at random and runs it to its next effect. One step in `kill_one_in` kills the process instead
    /// (0: never).
    pub fn step(&mut self, dice: &Dice, kill_one_in: u64) -> Step<T> {
        let ids: Vec<_> = self.processes.keys().copied().collect();
        let Some(id) = dice.pick(&ids).copied() else {
            return Step::Idle;
        };
        let killed = dice.one_in(kill_one_in);
        let Some(process) = self.processes.get_mut(&id) else {
            return Step::Idle;
        };
        if killed && !process.durable {
            self.processes.remove(&id);
            return Step::Killed(id);
        }
        match process
            .work
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Pending => Step::Progress,
            Poll::Ready(output) => {
                self.processes.remove(&id);
                Step::Done(id, output)
            }
        }
    }
}

/// A future that is pending once, so that the other processes run first.
#[derive(Default)]
pub(crate) struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_kills_what_is_not_durable() {
        let mut scheduler = Scheduler::default();
        let mortal = scheduler.spawn(Box::pin(async { 1 }));
        assert_eq!(scheduler.step(&Dice::new(1), 1), Step::Killed(mortal));
        let durable = scheduler.spawn_durable(Box::pin(async { 2 }));
        assert_eq!(scheduler.step(&Dice::new(1), 1), Step::Done(durable, 2));
        assert_eq!(scheduler.step(&Dice::new(1), 1), Step::Idle);
    }
}
