//! A sandbox between two invocations.

use tokio::{sync::oneshot, time::Instant};

use super::{
    Sandbox,
    process::Happening,
    runtime_api::{self, Ask, Call},
};
use crate::{
    chaos::Kind,
    lambda::{
        invocation::Invocation,
        pool::{Next, Short},
    },
};

impl Sandbox {
    /// Waits for the next invocation; `None` when the sandbox ends.
    pub(super) async fn next(&mut self, first: bool) -> Option<Invocation> {
        let (next, short) = self.inner.pool.next(&self.deployment, self.id, first);
        self.ask_for_starts(short);
        match next {
            Next::Run(invocation) => Some(invocation),
            Next::Wait(given) => self.idle(given).await,
            Next::End => None,
        }
    }

    /// The invocation within which the sandbox initialises again.
    pub(super) fn take_after_failed_init(&mut self) -> Option<Invocation> {
        let (invocation, short) = self.inner.pool.take_after_failed_init(&self.deployment);
        self.ask_for_starts(short);
        invocation
    }

    /// Waits, stopped, for an invocation.
    async fn idle(&mut self, mut given: oneshot::Receiver<Invocation>) -> Option<Invocation> {
        let until = Instant::now() + self.inner.pace.idle;
        let process = self.process.as_mut()?;
        process.freeze();
        self.inner.watch.sandbox_idle(process.pid());
        loop {
            let happening = tokio::select! {
                biased;
                given = &mut given => {
                    self.die_before(&given).await;
                    return self.check_alive(given.ok());
                }
                happening = process.happening(until) => happening,
            };
            match happening {
                // Something that the process sent before it was stopped.
                Happening::Called(call) => refuse(call),
                Happening::OutOfTime => return self.withdraw(&mut given),
                Happening::Exited(_) => {
                    let invocation = self.withdraw(&mut given);
                    return self.check_alive(invocation);
                }
            }
        }
    }

    /// Lambda may end a sandbox at any time between two invocations. Chaos does it when the next one comes.
    async fn die_before<E>(&mut self, given: &Result<Invocation, E>) {
        let (Some(process), Ok(invocation)) = (self.process.as_mut(), given) else {
            return;
        };
        let (name, id) = (&self.deployment.spec.name, &invocation.request_id);
        if self.inner.strikes(Kind::KilledBefore, name, id) {
            process.die().await;
        }
    }

    /// Gives the invocation back if the process has died since it was stopped: that is no fault of the invocation.
    fn check_alive(&mut self, invocation: Option<Invocation>) -> Option<Invocation> {
        let invocation = invocation?;
        let process = self.process.as_mut();
        if process.is_some_and(|process| !process.has_exited()) {
            return Some(invocation);
        }
        let name = &self.deployment.spec.name;
        let short = self.inner.pool.give_back(name, invocation);
        self.ask_for_starts(short);
        None
    }

    /// Leaves the idle sandboxes. Returns the invocation that the sandbox got meanwhile.
    fn withdraw(&self, given: &mut oneshot::Receiver<Invocation>) -> Option<Invocation> {
        if self
            .inner
            .pool
            .withdraw(&self.deployment.spec.name, self.id)
        {
            return None;
        }
        given.try_recv().ok()
    }

    fn ask_for_starts(&self, short: Short) {
        self.inner.ask_for_starts(&self.deployment.spec.name, short);
    }
}

/// Refuses what a process asks that waits for an invocation already.
fn refuse(Call { ask, reply }: Call) {
    let response = match ask {
        Ask::Next => runtime_api::wrong_state("Ready", "Ready"),
        Ask::InitError(..) => runtime_api::wrong_state("Ready", "InitError"),
        Ask::Answer(..) | Ask::Error(..) => runtime_api::wrong_id(),
    };
    // If the process does not take the answer, it has ended.
    let _ = reply.send(response);
}
