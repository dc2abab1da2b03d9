//! The beat: invokes the targets of rules when they are due.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{
    Schedules, Target,
    api::missing,
    expression::Expression,
    rows::{self, Rule},
    rule_arn, scheduler_key,
};
use crate::{
    clock::sleep_until,
    error::AwsError,
    iam::{Acting, Denied},
    names::{ACCOUNT, REGION, arn},
};

/// The most by which an invocation may be late. An older invocation, due while the computer was suspended, is lost.
const LATENESS: SignedDuration = SignedDuration::from_mins(1);
/// The pause before rules are read again after the store could not be read.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Rules and schedules that are due at the same time.
struct Due {
    at: Timestamp,
    keys: Vec<String>,
}

impl Schedules {
    /// Invokes targets when they are due, until the task that runs this is dropped. Run this once. An invocation that
    /// is refused is reported on the standard error output.
    pub async fn run(&self) {
        let mut since = self.now();
        loop {
            match self.due(since) {
                Ok(Some(due)) => {
                    if self.wait(&due).await {
                        let earliest = self.now() - LATENESS;
                        if due.at >= earliest {
                            self.meet(&due).await;
                        }
                        since = due.at.max(earliest);
                    }
                }
                Ok(None) => self.0.changed.notified().await,
                Err(error) => {
                    eprintln!("schedules wait for the store: {error}");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// Invokes the targets of a rule now, also if the rule is disabled. Returns the ids of the invocations. `name` is the
    /// name of a rule, or `group/name` of a schedule of EventBridge Scheduler; the group `default` may be left out if no
    /// rule has the name.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` for the rule. The error of a target, after the other targets were invoked.
    pub async fn fire(&self, name: &str) -> Result<Vec<String>, AwsError> {
        for key in [name.to_owned(), scheduler_key("default", name)] {
            if self.exists(&key)? {
                let invoked = self.invoke(&key, self.now()).await?;
                return invoked.into_iter().collect();
            }
        }
        Err(missing(name))
    }

    /// Waits until rules are due. Returns false if rules have changed meanwhile, so that others may be due first.
    async fn wait(&self, due: &Due) -> bool {
        tokio::select! {
            biased;
            () = self.0.changed.notified() => false,
            () = sleep_until(&*self.0.clock, due.at) => true,
        }
    }

    async fn meet(&self, due: &Due) {
        for key in &due.keys {
            let invoked = self.invoke(key, due.at).await;
            let errors = match invoked {
                Ok(targets) => targets.into_iter().filter_map(Result::err).collect(),
                Err(error) => vec![error],
            };
            for error in errors {
                eprintln!("schedule {key}: {error}");
            }
        }
    }

    /// Invokes the targets of a rule that is due at this time.
    async fn invoke(
        &self,
        key: &str,
        at: Timestamp,
    ) -> Result<Vec<Result<String, AwsError>>, AwsError> {
        let targets = self
            .store()
            .read(|connection| rows::targets(connection, key, "", usize::MAX))?;
        let event = event(key, at);
        let mut invoked = vec![];
        for Target { arn, input, .. } in targets {
            let payload = Bytes::from(input.unwrap_or_else(|| event.clone()));
            invoked.push(match self.may_invoke(key, &arn) {
                Ok(()) => self.0.invoker.enqueue(&arn, payload).await,
                Err(denied) => Err(denied.error()),
            });
        }
        Ok(invoked)
    }

    /// Checks that a schedule may invoke a function: a rule by the function's policy, a schedule of EventBridge Scheduler
    /// by its role.
    fn may_invoke(&self, key: &str, function: &str) -> Result<(), Denied> {
        let iam = &self.0.iam;
        let action = "lambda:InvokeFunction";
        if !key.contains('/') {
            let (service, source) = ("events.amazonaws.com", &*rule_arn(key));
            return iam.check(&Acting::Service { service, source }, action, function);
        }
        iam.role_of_schedule(key).map_or(Ok(()), |role| {
            let (role, session) = (&*role, "scheduler");
            iam.check(&Acting::Role { role, session }, action, function)
        })
    }

    /// The rules that are due next after `since`.
    fn due(&self, since: Timestamp) -> Result<Option<Due>, AwsError> {
        let rules = self.store().read(rows::enabled)?;
        let mut next: Option<Due> = None;
        for rule in rules {
            let Some(at) = next_time(&rule, since) else {
                continue;
            };
            match &mut next {
                Some(due) if due.at < at => {}
                Some(due) if due.at == at => due.keys.push(rule.key),
                _ => {
                    let keys = vec![rule.key];
                    next = Some(Due { at, keys });
                }
            }
        }
        Ok(next)
    }
}

fn next_time(rule: &Rule, since: Timestamp) -> Option<Timestamp> {
    // The expression was checked when it was written.
    let expression = Expression::parse(&rule.expression).ok()?;
    expression.next(rule.made, since)
}

/// The event of a schedule whose target has no input.
fn event(key: &str, at: Timestamp) -> String {
    let (source, arn, detail) = if key.contains('/') {
        let arn = arn("scheduler", &format!("schedule/{key}"));
        // EventBridge Scheduler writes the empty detail as a text.
        ("aws.scheduler", arn, json!("{}"))
    } else {
        ("aws.events", rule_arn(key), json!({}))
    };
    json!({
        "version": "0",
        "id": Uuid::new_v4(),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": ACCOUNT,
        "time": format!("{at:.0}"),
        "region": REGION,
        "resources": [arn],
        "detail": detail,
    })
    .to_string()
}
