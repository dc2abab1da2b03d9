//! What stands before the runtime and meddles with the calls of functions.
//!
//! The key of a function names it, so a call tells who made it. Calls of other keys, those of people and of tests, are
//! answered honestly. But each record of Kinesis has one arrival time, which all readers see.
//!
//! - **Lost replies.** An answer 500 says nothing on whether the operation was done:
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>. The same holds for a
//!   connection that breaks.
//! - **Throttles and conflicts.** See [`super::refusals`]. Nothing is done then.
//! - **Parts of batches.** See [`super::parts`].
//! - **Stale reads.** DynamoDB's reads without `ConsistentRead`, and those of global secondary indexes, may show an
//!   earlier state: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::Value;

use super::{Chaos, Kind, parts::Parted, refusals};
use crate::{
    dynamodb::Replica,
    http::{Handler, Request, Response, unanswered},
    iam::Session,
    mount::Mount,
    router::{Credential, For, Known, Service, decide},
};

/// A write conflicts only with transactions, so it is refused only if its table had one so lately.
const LATELY: Duration = Duration::from_secs(10);
const GET_RECORDS: &str = "Kinesis_20131202.GetRecords";
const NO_MOUNTS: [Mount; 0] = [];

/// A handler that passes requests on to the runtime, and is unkind to functions.
pub struct Front {
    chaos: Arc<Chaos>,
    runtime: Arc<dyn Handler>,
    /// `None` if the data is in memory: no read is stale then.
    replica: Option<Arc<Replica>>,
    /// When each table last had a transaction.
    transactions: Mutex<HashMap<String, Instant>>,
}

/// A service whose calls may meet trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    DynamoDb,
    Kinesis,
    Kms,
    Lambda,
    S3,
    Sns,
    Sqs,
    Ssm,
    StepFunctions,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) api: Api,
    pub(super) operation: String,
}

impl Call {
    /// The call in a request; `None` if nobody's function made it, or it is for nothing that meets trouble.
    fn of(request: &Request) -> Option<Self> {
        let credential = Credential::of(request)?;
        let function = Session::of(&credential.key)?.function.to_owned();
        let known = Known {
            mounts: &NO_MOUNTS,
            root_is_routed: false,
        };
        let (api, operation) = match decide(request, &known).ok()? {
            For::Json {
                service, operation, ..
            } => (api(service)?, operation),
            For::Query { service, action } => (api(service)?, action),
            For::LambdaRest if request.path.ends_with("/invocations") => {
                (Api::Lambda, "Invoke".to_owned())
            }
            For::S3 => (Api::S3, request.method.to_string()),
            _ => return None,
        };
        Some(Self {
            function,
            api,
            operation,
        })
    }

    /// The name of the place that decides on this call.
    fn place(&self) -> String {
        format!("{:?} {} of {}", self.api, self.operation, self.function)
    }
}

fn api(service: Service) -> Option<Api> {
    Some(match service {
        Service::DynamoDb => Api::DynamoDb,
        Service::Kinesis => Api::Kinesis,
        Service::Kms => Api::Kms,
        Service::Sns => Api::Sns,
        Service::Sqs => Api::Sqs,
        Service::Ssm => Api::Ssm,
        Service::StepFunctions => Api::StepFunctions,
        Service::DynamoDbStreams | Service::Events | Service::Logs | Service::Sts => return None,
    })
}

impl Front {
    /// A front before this runtime.
    #[must_use]
    pub fn new(
        chaos: Arc<Chaos>,
        runtime: Arc<dyn Handler>,
        replica: Option<Arc<Replica>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            chaos,
            runtime,
            replica,
            transactions: Mutex::default(),
        })
    }

    /// The answer to a call of a function.
    async fn answer(&self, call: &Call, request: Request) -> Response {
        let place = call.place();
        match self.chaos.one_of(&self.kinds(call, &request), &place) {
            Some(Kind::LostReply) => self.lose(call, &place, request).await,
            Some(Kind::PartialBatch) => self.part(call, &place, request).await,
            Some(kind) => {
                self.chaos.note(kind, &place, "nothing is done");
                let choice = self.chaos.below(u64::MAX, &place);
                refusals::refusal(call, kind, &request, choice)
            }
            None => self.honest(call, &place, request).await,
        }
    }

    /// The kinds of trouble that a call may meet.
    fn kinds(&self, call: &Call, request: &Request) -> Vec<Kind> {
        let mut kinds = vec![Kind::LostReply, Kind::Throttle];
        if call.api == Api::DynamoDb && self.may_conflict(&call.operation, request) {
            kinds.push(Kind::Conflict);
        }
        if Parted::is_for(call) {
            kinds.push(Kind::PartialBatch);
        }
        kinds
    }

    fn may_conflict(&self, operation: &str, request: &Request) -> bool {
        match operation {
            "TransactWriteItems" | "TransactGetItems" => true,
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let table = body.get("TableName").and_then(Value::as_str);
                table.is_some_and(|table| self.had_transaction(table))
            }
            _ => false,
        }
    }

    fn had_transaction(&self, table: &str) -> bool {
        let known = self
            .transactions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(table).is_some_and(|at| at.elapsed() < LATELY)
    }

    /// Remembers the tables of a transaction, whoever makes it.
    fn remember(&self, request: &Request) {
        if request.header("x-amz-target") != Some("DynamoDB_20120810.TransactWriteItems") {
            return;
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let items = body.get("TransactItems").and_then(Value::as_array);
        let acts = items.into_iter().flatten().filter_map(Value::as_object);
        let tables = acts.flat_map(serde_json::Map::values);
        let tables = tables.filter_map(|act| act.get("TableName")?.as_str());
        let mut known = self
            .transactions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.extend(tables.map(|table| (table.to_owned(), Instant::now())));
    }

    /// Has the operation done, and loses its answer.
    async fn lose(&self, call: &Call, place: &str, request: Request) -> Response {
        let method = request.method.clone();
        let done = self.runtime.handle(request).await.status();
        let choice = self.chaos.below(2, place);
        let told = if choice == 0 {
            "closed the connection"
        } else {
            "answered 500"
        };
        let hit = format!("{told} instead of {done}");
        self.chaos.note(Kind::LostReply, place, &hit);
        if choice == 0 {
            return unanswered();
        }
        refusals::internal(call, &method)
    }

    /// Has a part of a batch done.
    async fn part(&self, call: &Call, place: &str, mut request: Request) -> Response {
        let choose = |options| self.chaos.below(options, place);
        let Some(parted) = Parted::of(call, &request.body, choose) else {
            return self.honest(call, place, request).await;
        };
        let hit = format!("{} entries are not done", parted.left_out());
        self.chaos.note(Kind::PartialBatch, place, &hit);
        request.body = parted.done().into();
        parted.answer(self.runtime.handle(request).await).await
    }

    /// Has the whole operation done, perhaps on an earlier state.
    async fn honest(&self, call: &Call, place: &str, request: Request) -> Response {
        if let Some(stale) = self.stale(call, place, &request) {
            return stale;
        }
        self.done(request).await
    }

    /// Has the operation done. A record has one arrival time, whoever reads it.
    async fn done(&self, request: Request) -> Response {
        let is_read = request.header("x-amz-target") == Some(GET_RECORDS);
        let answer = self.runtime.handle(request).await;
        if is_read {
            return super::parts::changed(answer, |answer| self.chaos.arrivals(answer)).await;
        }
        answer
    }

    fn stale(&self, call: &Call, place: &str, request: &Request) -> Option<Response> {
        let replica = self.replica.as_ref()?;
        if call.api != Api::DynamoDb || !Replica::may_read(&call.operation, &request.body) {
            return None;
        }
        if !self.chaos.plans(Kind::StaleRead, place) {
            return None;
        }
        let answer = replica.respond(&call.operation, &request.body)?;
        let age = replica.age().as_millis();
        self.chaos
            .note(Kind::StaleRead, place, &format!("as {age} ms ago"));
        Some(answer)
    }
}

#[async_trait]
impl Handler for Front {
    async fn handle(&self, request: Request) -> Response {
        self.remember(&request);
        let Some(call) = Call::of(&request) else {
            return self.done(request).await;
        };
        let mut response = self.answer(&call, request).await;
        self.chaos.date(&call.function, &mut response);
        response
    }
}
