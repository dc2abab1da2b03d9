//! Planted mistakes in functions.

use std::sync::{Arc, Mutex, PoisonError};

use alpes_ports::FunctionName;
use events::CONTEXTS;
use futures::future::BoxFuture;
use reserva_saga::function_of;
use serde_json::{Value, json};
use simulation::{Answer, Function, Sandbox};

use super::{
    Planted, Seed,
    answers::{self, Asked},
};
use crate::functions::{HTTP_COMMANDS, TIMERS};

pub(super) fn around(seed: &Seed, name: FunctionName, function: Function) -> Function {
    let (seed, start) = (seed.clone(), function.start);
    Function {
        start: Arc::new(move |world| {
            let bad = BadSandbox {
                inner: start(world),
                seed: seed.clone(),
                name,
                earlier: Arc::default(),
            };
            let sandbox: Sandbox = Arc::new(move |payload, deadline| {
                let payload: Value = serde_json::from_slice(&payload).unwrap_or_default();
                bad.answer(payload, deadline)
            });
            sandbox
        }),
        timeout: function.timeout,
        concurrency: function.concurrency,
    }
}

/// A started function with a mistake.
struct BadSandbox {
    inner: Sandbox,
    seed: Seed,
    name: FunctionName,
    /// The function's last answer.
    earlier: Arc<Mutex<Option<Vec<u8>>>>,
}

fn answered(answer: &Value) -> BoxFuture<'static, Answer> {
    let answer = answer.to_string().into_bytes();
    Box::pin(async { Ok(answer) })
}

fn names(payload: &Value, field: &str, what: &str) -> bool {
    payload.get(field).and_then(Value::as_str) == Some(what)
}

fn task(planted: Planted) -> Option<&'static str> {
    match planted {
        Planted::NoSweeps => Some("sweep"),
        Planted::NoWakes => Some("wake"),
        Planted::NoReactions => Some("reactions"),
        _ => None,
    }
}

impl BadSandbox {
    fn answer(&self, mut payload: Value, deadline: jiff::Timestamp) -> BoxFuture<'static, Answer> {
        let is_batch = payload.get("Records").is_some();
        let asked = Asked::of(&payload);
        if let Some(asked) = &asked {
            answers::request(self.seed.what, asked, &mut payload);
        }
        match self.seed.what {
            what if self.name == TIMERS
                && task(what).is_some_and(|task| names(&payload, "task", task)) =>
            {
                return answered(&json!({}));
            }
            Planted::CancelledInVain if self.name == HTTP_COMMANDS => {
                let path = payload.get("rawPath").and_then(Value::as_str);
                if path.is_some_and(|path| path.ends_with("/cancelacion")) {
                    return answered(&json!({"status": 202, "headers": {}, "body": "{}"}));
                }
            }
            Planted::FreshKeys if self.name == HTTP_COMMANDS => {
                if let Some(Value::Object(headers)) = payload.get_mut("headers") {
                    headers.remove("idempotency-key");
                }
            }
            Planted::SkippedRecords if is_batch => {
                if let Some(Value::Array(records)) = payload.get_mut("Records")
                    && records.len() > 1
                {
                    records.pop();
                }
            }
            _ => {}
        }
        let work = (self.inner)(payload.to_string().into_bytes(), deadline);
        if is_batch && self.seed.what == Planted::SwallowedFailures {
            return Box::pin(async {
                drop(work.await);
                Ok(json!({"batchItemFailures": []}).to_string().into_bytes())
            });
        }
        if let Some(asked) = asked {
            let seed = self.seed.clone();
            return Box::pin(async move { answers::answer(&seed, &asked, work.await) });
        }
        let commanded = payload.get("subject").is_some();
        let mut participants = CONTEXTS.map(function_of).into_iter();
        let takes_commands = participants.any(|name| name == self.name);
        if self.seed.what == Planted::EarlierReplies && commanded && takes_commands {
            let earlier = self.earlier.clone();
            return Box::pin(async move {
                let answer = work.await?;
                let mut earlier = earlier.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(earlier.replace(answer.clone()).unwrap_or(answer))
            });
        }
        work
    }
}
