//! An invoker that now and then queues an event twice.
//!
//! EventBridge may run a rule more than once for one time:
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html>. SNS may deliver a message more than
//! once: <https://aws.amazon.com/sns/faqs/>.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Chaos, Kind};
use crate::{
    error::AwsError,
    invoke::{Invoked, Invoker},
};

/// An invoker for a service that delivers at least once.
pub struct Repeating {
    invoker: Arc<dyn Invoker>,
    chaos: Arc<Chaos>,
    service: &'static str,
}

impl Repeating {
    /// The invoker of a service; without chaos, the invoker itself.
    pub fn of(
        invoker: &Arc<dyn Invoker>,
        chaos: Option<&Arc<Chaos>>,
        service: &'static str,
    ) -> Arc<dyn Invoker> {
        let Some(chaos) = chaos.cloned() else {
            return invoker.clone();
        };
        let invoker = invoker.clone();
        Arc::new(Self {
            invoker,
            chaos,
            service,
        })
    }
}

#[async_trait]
impl Invoker for Repeating {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError> {
        self.invoker.invoke(function, payload).await
    }

    async fn enqueue(&self, function: &str, payload: Bytes) -> Result<String, AwsError> {
        let id = self.invoker.enqueue(function, payload.clone()).await?;
        let place = format!("{} {function}", self.service);
        if self.chaos.strikes(Kind::EventTwice, &place, &id) {
            // The first event is queued, so the service has done its part even if this one is refused.
            let _ = self.invoker.enqueue(function, payload).await;
        }
        Ok(id)
    }

    fn role(&self, function: &str) -> Option<String> {
        self.invoker.role(function)
    }
}
