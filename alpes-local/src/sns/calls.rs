//! Calls of functions that are subscribed to topics.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{
    Sns,
    delivery::send_to_first,
    table::{self, Call},
};
use crate::{error::AwsError, names::now_millis, sqs::Outgoing};

/// The longest pause in milliseconds before a call is tried again.
const LONGEST: u64 = 20_000;
/// The pause after a failure of the store.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl Sns {
    /// Hands the messages for functions to the invoker, those of earlier runs of the process first, until the task that
    /// runs this is dropped. One task runs this.
    pub async fn run(&self) {
        loop {
            match self.call_due().await {
                Ok(None) => self.waiting.notified().await,
                Ok(Some(pause)) => {
                    tokio::select! {
                        () = self.waiting.notified() => {}
                        () = sleep(pause) => {}
                    }
                }
                Err(_) => sleep(AFTER_FAILURE).await,
            }
        }
    }

    /// Makes the calls that are due, and returns the time until the next one; `None` if there is none.
    pub(super) async fn call_due(&self) -> Result<Option<Duration>, AwsError> {
        loop {
            let now = now_millis();
            let calls = self
                .store
                .read(|connection| table::due_calls(connection, now))?;
            if calls.is_empty() {
                let next = self.store.read(table::next_due)?;
                return Ok(next.map(|next| Duration::from_millis(next.saturating_sub(now))));
            }
            for call in calls {
                self.call_function(call).await?;
            }
        }
    }

    /// Queues an asynchronous invocation. If the process ends before the call is deleted, the function gets the message
    /// twice: SNS delivers at least once.
    async fn call_function(&self, call: Call) -> Result<(), AwsError> {
        let payload = Bytes::from(call.payload);
        match self.invoker.enqueue(&call.function, payload).await {
            Ok(_) => self
                .store
                .write(|transaction| table::delete_call(transaction, call.number)),
            Err(error) if error.status == 429 || error.status >= 500 => {
                let pause = 1_000_u64
                    .saturating_mul(1 << call.attempts.min(10))
                    .min(LONGEST);
                let due = now_millis() + pause;
                self.store
                    .write(|transaction| table::put_off(transaction, call.number, due))
            }
            Err(_) => self.bury(call.number, call.dead_letters.as_deref(), call.envelope),
        }
    }

    /// Sends a message that a function refuses to the dead-letter queue, if there is one.
    fn bury(
        &self,
        number: i64,
        dead_letters: Option<&str>,
        envelope: String,
    ) -> Result<(), AwsError> {
        let outgoing = Outgoing {
            body: envelope,
            ..Outgoing::default()
        };
        let buried = self.store.write(|transaction| {
            table::delete_call(transaction, number)?;
            send_to_first(transaction, [dead_letters, None], &outgoing)
        })?;
        if let Some(queue) = buried {
            self.sqs.arrived(queue);
        }
        Ok(())
    }
}
