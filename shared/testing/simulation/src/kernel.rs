//! Runs processes in virtual time.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{Display, Write},
    future::{Future, pending},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::{Dice, ProcessId, trace::Trace};

/// The way in which a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process returned.
    Done,
    /// The process was killed.
    Killed,
}

type AtEnd = Box<dyn FnOnce(End) + Send>;
type Action = Box<dyn FnOnce() + Send>;

/// The id of a scheduled event: its time in milliseconds since the start, and a number.
pub type TimerId = (u64, u64);

enum Timer {
    Wake(Waker),
    Act(Action),
}

struct Process {
    name: Arc<str>,
    /// The future of the process; `None` while the process is being polled.
    work: Option<BoxFuture<'static, ()>>,
    waker: Waker,
    mortal: bool,
    at_end: Option<AtEnd>,
}

#[derive(Default)]
struct State {
    /// Milliseconds since the start.
    now: u64,
    /// By how many milliseconds the clocks of the world are ahead of the true time; negative if they are behind.
    off: i64,
    processes: BTreeMap<ProcessId, Process>,
    next: u64,
    timers: BTreeMap<TimerId, Timer>,
    current: Option<(ProcessId, Arc<str>)>,
    /// True once the process that is being polled must die.
    doomed: bool,
    trace: Trace,
    line: String,
    counts: BTreeMap<(&'static str, Cow<'static, str>), u64>,
    polls: u64,
}

struct Inner {
    start: Timestamp,
    dice: Dice,
    state: Mutex<State>,
    ready: Arc<Mutex<Vec<ProcessId>>>,
}

/// Runs processes concurrently in virtual time, one poll at a time.
///
/// The kernel picks the next process at random from those that are ready. When no process is ready, time jumps to the
/// next scheduled event. So minutes of waiting cost nothing, and a seed gives the same run each time. All clones share
/// one kernel.
#[derive(Clone)]
pub struct Kernel(Arc<Inner>);

struct Woken {
    id: ProcessId,
    ready: Arc<Mutex<Vec<ProcessId>>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&self.id) {
            ready.push(self.id);
        }
    }
}

impl Kernel {
    /// A kernel with this seed, whose time begins at `start`.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp, trace: Trace) -> Self {
        let state = State {
            trace,
            ..State::default()
        };
        Self(Arc::new(Inner {
            start,
            dice: Dice::new(seed),
            state: Mutex::new(state),
            ready: Arc::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// The dice behind all of the kernel's decisions.
    #[must_use]
    pub fn dice(&self) -> &Dice {
        &self.0.dice
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed(&self) -> u64 {
        self.state().now
    }

    /// The true time, which skewed clocks do not change.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.after(self.elapsed(), 0)
    }

    /// The time that the world's clocks show.
    #[must_use]
    pub fn told(&self) -> Timestamp {
        let (now, off) = {
            let state = self.state();
            (state.now, state.off)
        };
        self.after(now, off)
    }

    fn after(&self, milliseconds: u64, off: i64) -> Timestamp {
        let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
        let passed = SignedDuration::from_millis(milliseconds.saturating_add(off));
        let now = self.0.start.saturating_add(passed);
        now.unwrap_or(Timestamp::MAX)
    }

    /// Sets the world's clocks forward or back. Sleeping processes still wake at the same true time.
    pub fn shift_clocks(&self, milliseconds: i64) {
        self.note(format_args!("clocks are shifted by {milliseconds} ms"));
        self.state().off += milliseconds;
    }

    /// Writes a line to the trace: the time, the process and the text.
    pub fn note(&self, what: impl Display) {
        let mut state = self.state();
        let mut line = mem::take(&mut state.line);
        line.clear();
        let now = state.now;
        let (seconds, millis) = (now / 1000, now % 1000);
        let who = state.current.as_ref().map_or("world", |(_, name)| name);
        // Writing to a `String` cannot fail.
        let _ = writeln!(line, "{seconds:>5}.{millis:03} {who} {what}");
        state.trace.add(&line);
        state.line = line;
    }

    /// Counts an occurrence in the run, by kind and name.
    pub fn count(&self, kind: &'static str, name: impl Into<Cow<'static, str>>) {
        *self.state().counts.entry((kind, name.into())).or_default() += 1;
    }

    /// The counted occurrences, by kind and name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(&'static str, Cow<'static, str>), u64> {
        self.state().counts.clone()
    }

    /// The trace so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// The number of polls so far.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.state().polls
    }

    /// Starts a durable process, which random faults do not kill.
    pub fn spawn(&self, name: &str, work: impl Future<Output = ()> + Send + 'static) -> ProcessId {
        self.start(name, Box::pin(work), false, None)
    }

    /// Starts a process that may be killed. `at_end` is called with the way it ended.
    pub fn spawn_mortal(
        &self,
        name: &str,
        work: impl Future<Output = ()> + Send + 'static,
        at_end: impl FnOnce(End) + Send + 'static,
    ) -> ProcessId {
        self.start(name, Box::pin(work), true, Some(Box::new(at_end)))
    }

    fn start(
        &self,
        name: &str,
        work: BoxFuture<'static, ()>,
        mortal: bool,
        at_end: Option<AtEnd>,
    ) -> ProcessId {
        let mut state = self.state();
        state.next += 1;
        let id = usize::try_from(state.next).unwrap_or(usize::MAX);
        let ready = self.0.ready.clone();
        let process = Process {
            name: name.into(),
            work: Some(work),
            waker: Arc::new(Woken { id, ready }).into(),
            mortal,
            at_end,
        };
        process.waker.wake_by_ref();
        state.processes.insert(id, process);
        id
    }

    /// Kills a process where it waits or is about to run. Does nothing if the process has ended.
    pub fn kill(&self, id: ProcessId) {
        let killed = {
            let mut state = self.state();
            if state.current.as_ref().is_some_and(|(own, _)| *own == id) {
                state.doomed = true;
                return;
            }
            state.processes.remove(&id)
        };
        if let Some(process) = killed {
            Self::end(process, End::Killed);
        }
    }

    fn end(mut process: Process, how: End) {
        // Drop the process' state before `at_end` runs.
        drop(process.work.take());
        if let Some(at_end) = process.at_end.take() {
            at_end(how);
        }
    }

    /// Kills the running process if it may be killed. In that case this call never returns.
    pub async fn die(&self) {
        let dies = {
            let mut state = self.state();
            let own = state.current.as_ref().map(|(id, _)| *id);
            let own = own.and_then(|id| state.processes.get(&id));
            let mortal = own.is_some_and(|process| process.mortal);
            state.doomed |= mortal;
            mortal
        };
        if dies {
            pending::<()>().await;
        }
    }

    /// True if the running process may be killed.
    #[must_use]
    pub fn is_mortal(&self) -> bool {
        let state = self.state();
        let own = state.current.as_ref();
        own.and_then(|(id, _)| state.processes.get(id))
            .is_some_and(|process| process.mortal)
    }

    /// Waits for a duration of virtual time. With a duration of 0, other processes that are ready run first.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let millis = u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Sleep {
            at: self.elapsed().saturating_add(millis),
            kernel: self.clone(),
            timer: None,
        }
    }

    /// Schedules `act` to run after this duration, unless it is cancelled before.
    pub fn schedule(&self, after: Duration, act: impl FnOnce() + Send + 'static) -> TimerId {
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state();
        let at = state.now.saturating_add(millis);
        state.insert(at, Timer::Act(Box::new(act)))
    }

    /// Cancels a scheduled event. Does nothing if the event has happened.
    pub fn cancel(&self, timer: TimerId) {
        let cancelled = self.state().timers.remove(&timer);
        drop(cancelled);
    }

    /// Runs everything until `elapsed` milliseconds after the start.
    pub fn run_until(&self, elapsed: u64) {
        loop {
            let next = self.next_ready();
            if let Some(id) = next {
                self.poll(id);
                continue;
            }
            let timer = {
                let mut state = self.state();
                let first = state.timers.first_key_value().map(|(at, _)| *at);
                let Some(at) = first.filter(|(at, _)| *at <= elapsed) else {
                    state.now = state.now.max(elapsed);
                    return;
                };
                state.now = state.now.max(at.0);
                state.timers.remove(&at)
            };
            match timer {
                Some(Timer::Wake(waker)) => waker.wake(),
                Some(Timer::Act(act)) => act(),
                None => {}
            }
        }
    }

    fn next_ready(&self) -> Option<ProcessId> {
        let mut ready = self.0.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = u64::try_from(ready.len()).unwrap_or(0);
        if bound == 0 {
            return None;
        }
        let place = if bound == 1 {
            0
        } else {
            self.0.dice.below(bound)
        };
        Some(ready.swap_remove(usize::try_from(place).unwrap_or(0)))
    }

    fn poll(&self, id: ProcessId) {
        let (mut work, waker) = {
            let mut state = self.state();
            let Some(process) = state.processes.get_mut(&id) else {
                return;
            };
            let Some(work) = process.work.take() else {
                return;
            };
            let (waker, name) = (process.waker.clone(), process.name.clone());
            state.current = Some((id, name));
            state.doomed = false;
            state.polls += 1;
            (work, waker)
        };
        let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
        let ended = {
            let mut state = self.state();
            let doomed = mem::take(&mut state.doomed);
            let how = match polled {
                Poll::Ready(()) => Some(End::Done),
                Poll::Pending if doomed => Some(End::Killed),
                Poll::Pending => None,
            };
            let Some(how) = how else {
                if let Some(process) = state.processes.get_mut(&id) {
                    process.work = Some(work);
                }
                state.current = None;
                return;
            };
            state.processes.remove(&id).map(|process| (process, how))
        };
        drop(work);
        if let Some((process, how)) = ended {
            Self::end(process, how);
        }
        self.state().current = None;
    }

    /// Drops all processes and scheduled events. The `at_end` hooks of the processes are not called.
    pub fn shut_down(&self) {
        let (processes, timers) = {
            let mut state = self.state();
            (
                mem::take(&mut state.processes),
                mem::take(&mut state.timers),
            )
        };
        drop(timers);
        drop(processes);
        let left = mem::take(&mut self.state().timers);
        drop(left);
    }
}

impl State {
    fn insert(&mut self, at: u64, timer: Timer) -> TimerId {
        self.next += 1;
        let id = (at, self.next);
        self.timers.insert(id, timer);
        id
    }
}

/// A future that waits until a moment of virtual time.
pub struct Sleep {
    kernel: Kernel,
    at: u64,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let kernel = self.kernel.clone();
        let mut state = kernel.state();
        if let Some(timer) = self.timer {
            let Some(waiting) = state.timers.get_mut(&timer) else {
                self.timer = None;
                return Poll::Ready(());
            };
            // Another task may poll this future now, so the waker is replaced.
            *waiting = Timer::Wake(context.waker().clone());
            return Poll::Pending;
        }
        let at = self.at.max(state.now);
        self.timer = Some(state.insert(at, Timer::Wake(context.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.kernel.cancel(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(seed: u64) -> Kernel {
        Kernel::new(seed, Timestamp::UNIX_EPOCH, Trace::kept())
    }

    fn play(seed: u64) -> String {
        let kernel = kernel(seed);
        for name in ["a", "b", "c"] {
            let own = kernel.clone();
            kernel.spawn(name, async move {
                for round in 0..3 {
                    own.sleep(Duration::from_millis(own.dice().below(3))).await;
                    own.note(round);
                }
            });
        }
        kernel.run_until(1_000);
        assert_eq!(kernel.elapsed(), 1_000);
        kernel.trace().text()
    }

    #[test]
    fn one_seed_is_one_run_and_another_is_another() {
        assert_eq!(play(1), play(1));
        assert_ne!(play(1), play(2));
        assert_eq!(play(1).lines().count(), 9);
    }

    #[test]
    fn waiting_takes_as_long_as_it_is_to() {
        let kernel = kernel(1);
        let own = kernel.clone();
        kernel.spawn("sleeper", async move {
            own.sleep(Duration::from_mins(3)).await;
            own.shift_clocks(-1_000);
            own.note("woken");
        });
        kernel.run_until(179_999);
        assert_eq!(kernel.trace().text(), "");
        kernel.run_until(180_000);
        let text = "  180.000 sleeper clocks are shifted by -1000 ms\n  180.000 sleeper woken\n";
        assert_eq!(kernel.trace().text(), text);
        assert_eq!(
            kernel.now().duration_since(kernel.told()).as_millis(),
            1_000
        );
    }

    #[test]
    fn who_is_killed_does_nothing_more_and_somebody_hears_of_it() {
        let kernel = kernel(1);
        let heard: Arc<Mutex<Vec<End>>> = Arc::default();
        let hear = |heard: &Arc<Mutex<Vec<End>>>| {
            let heard = heard.clone();
            move |end| heard.lock().unwrap().push(end)
        };
        let own = kernel.clone();
        let sleeper = kernel.spawn_mortal(
            "sleeper",
            async move {
                own.sleep(Duration::from_secs(1)).await;
                own.note("never");
            },
            hear(&heard),
        );
        let own = kernel.clone();
        kernel.spawn_mortal(
            "suicide",
            async move {
                own.die().await;
                own.note("never");
            },
            hear(&heard),
        );
        let own = kernel.clone();
        kernel.spawn("durable", async move {
            own.die().await;
            own.note("here");
        });
        kernel.run_until(10);
        kernel.kill(sleeper);
        kernel.run_until(5_000);
        assert_eq!(kernel.trace().text(), "    0.000 durable here\n");
        assert_eq!(*heard.lock().unwrap(), [End::Killed, End::Killed]);
    }

    #[test]
    fn what_is_cancelled_does_not_happen() {
        let kernel = kernel(1);
        let note = |what: &'static str| {
            let kernel = kernel.clone();
            move || kernel.note(what)
        };
        let cancelled = kernel.schedule(Duration::from_secs(1), note("cancelled"));
        kernel.schedule(Duration::from_secs(2), note("done"));
        kernel.cancel(cancelled);
        kernel.run_until(3_000);
        assert_eq!(kernel.trace().text(), "    2.000 world done\n");
    }
}
