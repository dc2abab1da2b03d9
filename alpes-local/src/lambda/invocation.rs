//! An invocation on its way to a sandbox.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Asked;
use crate::{error::AwsError, invoke::Invoked};

/// An invocation.
pub(super) struct Invocation {
    /// The id.
    pub(super) request_id: String,
    /// The function's ARN as the caller named it.
    pub(super) arn: String,
    /// The version to which that ARN leads.
    pub(super) version: String,
    /// The event.
    pub(super) payload: Bytes,
    /// The client context, as JSON.
    pub(super) client_context: Option<String>,
    /// Its place among the invocations at the same time, once it has one.
    pub(super) admission: Option<Admission>,
    answer: oneshot::Sender<Result<Invoked, AwsError>>,
}

/// The end of an invocation, when it comes.
pub(super) type Answer = oneshot::Receiver<Result<Invoked, AwsError>>;

impl Invocation {
    /// An invocation, and its end.
    pub(super) fn new(asked: Asked) -> (Self, Answer) {
        let (answer, end) = oneshot::channel();
        let invocation = Self {
            request_id: asked.request_id,
            arn: asked.arn,
            version: asked.version,
            payload: asked.payload,
            client_context: asked.client_context,
            admission: None,
            answer,
        };
        (invocation, end)
    }

    /// Ends the invocation. Its place is free before the caller learns of the end, so that the caller's next invocation
    /// is not throttled by this one.
    pub(super) fn finish(self, end: Result<Invoked, AwsError>) {
        drop(self.admission);
        // The caller may have gone away.
        let _ = self.answer.send(end);
    }
}

/// A place among the invocations at the same time. Dropping it frees the place.
pub(super) struct Admission(Vec<Arc<AtomicU32>>);

impl Admission {
    /// Takes a place in each of these counts.
    pub(super) fn to(counts: Vec<Arc<AtomicU32>>) -> Self {
        for count in &counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self(counts)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for count in &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
