//! An invocation in a sandbox.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Sandbox,
    process::{Happening, Process},
    runtime_api::{self, Ask, Call},
};
use crate::{
    chaos::Kind,
    http::Response,
    invoke::Invoked,
    lambda::{
        fault::Fault,
        invocation::Invocation,
        limits::ANSWER_BYTES,
        report::{self, Report},
        watch::Watched,
    },
    names::now_millis,
};

impl Sandbox {
    /// Runs an invocation; `false` if the process has ended.
    pub(super) async fn execute(&mut self, invocation: Invocation) -> bool {
        let started = Instant::now();
        let timeout = self.deployment.spec.timeout;
        let until = started + Duration::from_secs(timeout.into());
        self.output.begin();
        let prepared = self.prepare(&invocation, until).await;
        self.output
            .say(&[&report::start(&invocation.request_id, &invocation.version)]);
        self.watch_start(&invocation);
        let result = match prepared {
            Ok(()) => self.deliver(&invocation, until).await,
            Err(fault) => Err(fault),
        };
        self.note_memory();
        if self.ready.is_none() {
            self.end_process_group();
        }
        self.output.drain();
        let duration = started.elapsed().min(until - started);
        self.finish(invocation, duration, result);
        self.ready.is_some()
    }

    /// Initialises again if the first initialisation has failed.
    async fn prepare(&mut self, invocation: &Invocation, until: Instant) -> Result<(), Fault> {
        if self.ready.is_some() {
            return Ok(());
        }
        let initialized = self.initialize(until, "invoke").await;
        // This time counts as the invocation's.
        self.init = None;
        let timeout = self.deployment.spec.timeout;
        initialized
            .map_err(|fault| fault.of_invocation(&invocation.request_id, &report::now(), timeout))
    }

    /// Gives the invocation to the process and waits for its answer and for its next request.
    async fn deliver(&mut self, invocation: &Invocation, until: Instant) -> Result<Bytes, Fault> {
        let id = &invocation.request_id;
        let Some(process) = self.process.as_mut() else {
            return Err(Fault::exited(id, std::process::ExitStatus::default()));
        };
        process.thaw();
        let left = until.saturating_duration_since(Instant::now());
        let deadline = now_millis() + u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let (name, inner) = (&self.deployment.spec.name, &self.inner);
        let chaos = inner.chaos.as_ref();
        let deadline = chaos.map_or(deadline, |chaos| chaos.deadline(name, deadline));
        if let Some(ready) = self.ready.take() {
            // If the connection is gone, the process ends or runs out of time.
            let _ = ready.send(runtime_api::invocation(invocation, deadline));
        }
        let mut crash = inner.crash(name);
        let mut result = None;
        let fault = loop {
            match process.happening(crash.unwrap_or(until).min(until)).await {
                Happening::OutOfTime if crash.take().is_some_and(|crash| crash < until) => {
                    inner.note_crash(name, id);
                    process.end();
                }
                Happening::OutOfTime => {
                    let timeout = self.deployment.spec.timeout;
                    break Fault::timed_out(id, &report::now(), timeout);
                }
                Happening::Exited(status) => break Fault::exited(id, status),
                Happening::Called(call) => match answered(call, id, &mut result) {
                    None if result.is_some() && inner.strikes(Kind::KilledAfter, name, id) => {
                        process.end();
                    }
                    None => {}
                    Some((reply, result)) => {
                        self.ready = Some(reply);
                        return result;
                    }
                },
            }
        };
        // The process asks for nothing more. An answer that was accepted counts all the same.
        result.unwrap_or(Err(fault))
    }

    /// Reports the end of an invocation, and then tells the caller.
    fn finish(&mut self, invocation: Invocation, duration: Duration, result: Result<Bytes, Fault>) {
        let fault = result.as_ref().err();
        let notice =
            fault.and_then(|fault| Some((fault.notice.as_ref()?, fault.error_type.as_str())));
        let report = Report {
            request_id: &invocation.request_id,
            duration,
            init: self.init.take(),
            memory_mb: self.deployment.spec.memory_mb,
            used_bytes: self.memory,
            failure: notice,
        };
        let text = notice.map_or("", |(notice, _)| notice.text.as_str());
        let end = report::end(&invocation.request_id);
        if text.is_empty() {
            self.output.say(&[&end, &report.line()]);
        } else {
            self.output.say(&[text, &end, &report.line()]);
        }
        let error_type = fault.map(|fault| fault.error_type.as_str());
        let watched = self.watched(&invocation);
        let watch = &self.inner.watch;
        watch.invocation_ended(&watched, duration, error_type, self.memory);
        self.invocations += 1;
        let failure = fault.map(|fault| fault.failure);
        let invoked = Invoked {
            request_id: invocation.request_id.clone(),
            executed_version: invocation.version.clone(),
            payload: result.unwrap_or_else(|fault| fault.document),
            failure,
            log_tail: self.output.tail(),
        };
        invocation.finish(Ok(invoked));
    }

    fn watch_start(&self, invocation: &Invocation) {
        self.inner
            .watch
            .invocation_started(&self.watched(invocation));
    }

    fn watched<'a>(&'a self, invocation: &'a Invocation) -> Watched<'a> {
        Watched {
            function: &self.deployment.spec.name,
            request_id: &invocation.request_id,
            pid: self.process.as_ref().map_or(0, Process::pid),
            cold: self.invocations == 0,
        }
    }
}

/// Takes a call during the invocation `id`. Returns the request for the next invocation, with the result of this one.
fn answered(
    Call { ask, reply }: Call,
    id: &str,
    result: &mut Option<Result<Bytes, Fault>>,
) -> Option<(oneshot::Sender<Response>, Result<Bytes, Fault>)> {
    let state = if result.is_some() {
        "InvocationResponse"
    } else {
        "Running"
    };
    let response = match ask {
        Ask::Next => match result.take() {
            Some(result) => return Some((reply, result)),
            None => runtime_api::wrong_state(state, "Ready"),
        },
        Ask::InitError(..) => runtime_api::wrong_state(state, "InitError"),
        Ask::Answer(other, _) | Ask::Error(other, ..) if other != id => runtime_api::wrong_id(),
        Ask::Answer(..) if result.is_some() => {
            runtime_api::wrong_state(state, "InvocationResponse")
        }
        Ask::Error(..) if result.is_some() => {
            runtime_api::wrong_state(state, "InvocationErrorResponse")
        }
        Ask::Answer(_, body) if body.len() > ANSWER_BYTES => {
            *result = Some(Err(Fault::answer_too_large()));
            runtime_api::too_large()
        }
        Ask::Answer(_, body) => {
            *result = Some(Ok(body));
            runtime_api::accepted()
        }
        Ask::Error(_, document, header) => {
            *result = Some(Err(Fault::returned(document, header)));
            runtime_api::accepted()
        }
    };
    // If the process does not take the answer, it has ended.
    let _ = reply.send(response);
    None
}
