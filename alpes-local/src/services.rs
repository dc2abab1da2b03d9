//! All services, each made once, and the way of a request to its service.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    chaos::{Chaos, Repeating},
    destinations::ByArn,
    dynamodb::DynamoDb,
    error::AwsError,
    gateway::Gateway,
    http::{Form, Request, Response, json_answer, json_error, query_error, xml_answer},
    iam::Iam,
    invoke::Invoker,
    kinesis::Kinesis,
    kms::Kms,
    lambda::{Lambda, Pace},
    logs::Logs,
    mappings::{Mappings, Polling},
    router::{Credential, For, Service},
    s3::S3,
    schedules::Schedules,
    sns::{self, Sns},
    sqs::Sqs,
    ssm::Ssm,
    states::States,
    store::Store,
    sts::{self, Sts},
    throttling::Throttling,
};

/// How near to AWS's limits and faults the services behave. The default is kind.
#[derive(Default)]
pub struct Behaviour {
    /// When event source mappings read a stream.
    pub polling: Polling,
    /// Counts what AWS's quotas throttle; `None` if they are not enforced.
    pub throttling: Option<Arc<Throttling>>,
    /// The unkind choices; `None` for a kind runtime.
    pub chaos: Option<Arc<Chaos>>,
}

impl Behaviour {
    /// When event source mappings read a stream: within AWS's quotas if these are enforced, since mappings share them with
    /// all other readers.
    pub(crate) fn polling(&self) -> Polling {
        let within = self.throttling.as_ref().map(|_| Polling::WithinQuotas);
        within.unwrap_or(self.polling)
    }
}

/// The services.
pub struct Services {
    /// DynamoDB.
    pub dynamodb: Arc<DynamoDb>,
    /// API Gateway.
    pub gateway: Gateway,
    /// Kinesis.
    pub kinesis: Arc<Kinesis>,
    /// KMS.
    pub kms: Arc<Kms>,
    /// Lambda.
    pub lambda: Arc<Lambda>,
    /// CloudWatch Logs.
    pub logs: Arc<Logs>,
    /// Event source mappings.
    pub mappings: Arc<Mappings>,
    /// The judge of roles, and of services that act for resources.
    pub iam: Arc<Iam>,
    /// S3.
    pub s3: Arc<S3>,
    /// Schedules.
    pub schedules: Schedules,
    /// SNS.
    pub sns: Arc<Sns>,
    /// SQS.
    pub sqs: Arc<Sqs>,
    /// SSM.
    pub ssm: Ssm,
    /// Step Functions.
    pub states: States,
    /// STS.
    pub sts: Arc<Sts>,
    /// What AWS's quotas throttled, if they are enforced.
    pub throttling: Option<Arc<Throttling>>,
}

impl Services {
    /// The services over a store. `endpoint` is the address at which they answer.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn new(
        store: &Arc<Store>,
        endpoint: &str,
        behaviour: &Behaviour,
    ) -> Result<Self, AwsError> {
        let (throttling, chaos) = (&behaviour.throttling, &behaviour.chaos);
        let sts = Arc::new(Sts::new(store.clone())?);
        let iam = Iam::new(store.clone(), sts.clone())?;
        let logs = Logs::new(store.clone())?;
        let lambda = Lambda::with_chaos(
            store.clone(),
            iam.clone(),
            logs.clone(),
            endpoint.to_owned(),
            Pace::default(),
            chaos.clone(),
        )?;
        let invoker: Arc<dyn Invoker> = lambda.clone();
        lambda.note_throttles(throttling.as_ref());
        let kinesis = Kinesis::with_quotas(store.clone(), throttling.clone())?;
        let s3 = Arc::new(S3::new(store.clone())?);
        let sqs = Arc::new(Sqs::new(store.clone(), endpoint)?);
        let sns = Arc::new(Sns::with_chaos(
            store.clone(),
            iam.clone(),
            sqs.clone(),
            Repeating::of(&invoker, chaos.as_ref(), "sns"),
            chaos.clone(),
        )?);
        let delivery = Arc::new(ByArn::new(
            s3.clone(),
            sqs.clone(),
            sns.clone(),
            invoker.clone(),
        ));
        lambda.set_destinations(delivery.clone());
        let mappings = Mappings::new(
            store.clone(),
            iam.clone(),
            kinesis.clone(),
            sqs.clone(),
            invoker.clone(),
            delivery,
            behaviour,
        )?;
        let kms = Arc::new(Kms::new(store.clone())?);
        let scheduled = Repeating::of(&invoker, chaos.as_ref(), "schedules");
        Ok(Self {
            dynamodb: DynamoDb::with_quotas(store.clone(), throttling.clone())?,
            gateway: Gateway::new(iam.clone(), invoker.clone()),
            kinesis,
            ssm: Ssm::new(store.clone(), kms.clone())?,
            kms,
            lambda,
            logs,
            mappings,
            s3,
            schedules: Schedules::new(store.clone(), iam.clone(), scheduled)?,
            sns,
            sqs,
            states: States::new(store.clone(), iam.clone(), invoker)?,
            iam,
            sts,
            throttling: throttling.clone(),
        })
    }

    /// Starts what happens by itself: schedules, the expiry of items, messages to functions, and executions that were
    /// interrupted. Call this once, when everything is deployed.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn start(&self) -> Result<(), AwsError> {
        let (schedules, sns) = (self.schedules.clone(), self.sns.clone());
        tokio::spawn(async move { schedules.run().await });
        tokio::spawn(self.dynamodb.clone().sweep_each_minute());
        tokio::spawn(self.sqs.clone().sweep_each_minute());
        tokio::spawn(async move { sns.run().await });
        self.states.resume().map(drop)
    }

    /// The answer to a request that is refused, in the form in which its client reads errors.
    pub fn refusal(&self, target: &For, request: &Request, error: &AwsError) -> Response {
        match target {
            For::Json {
                service: Service::Sqs,
                ..
            } => crate::sqs::error_answer(error),
            For::Json { version, .. } => json_error(version, error),
            For::Query { service, .. } if *service == Service::Sns => {
                query_error(sns::NAMESPACE, error)
            }
            For::Query { .. } => query_error(sts::NAMESPACE, error),
            For::S3 => crate::s3::error_answer(&request.method, error),
            _ => json_error("", error),
        }
    }

    /// Answers an operation of a service with a JSON protocol.
    pub async fn json(
        &self,
        service: Service,
        version: &str,
        operation: &str,
        request: &Request,
    ) -> Response {
        // DynamoDB reads and writes its own JSON, whose errors tell the place of a mistake.
        if matches!(service, Service::DynamoDb | Service::DynamoDbStreams) {
            return self.dynamodb.respond(operation, &request.body);
        }
        let answered = match parse(&request.body) {
            Ok(input) => self.call(service, operation, input).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(output) => json_answer(200, version, &output),
            Err(error) if service == Service::Sqs => crate::sqs::error_answer(&error),
            Err(error) => json_error(version, &error),
        }
    }

    async fn call(
        &self,
        service: Service,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        match service {
            Service::Events => self.schedules.call(operation, &input),
            Service::Kinesis => self.kinesis.call(operation, input),
            Service::Kms => self.kms.call(operation, &input),
            Service::Logs => self.logs.call(operation, &input),
            Service::Sqs => self.sqs.call(operation, input).await,
            Service::Ssm => self.ssm.call(operation, &input),
            Service::StepFunctions => self.states.call(operation, &input),
            Service::DynamoDb | Service::DynamoDbStreams | Service::Sns | Service::Sts => {
                Err(AwsError::client(
                    "UnknownOperationException",
                    format!("{operation} is no operation of this protocol"),
                ))
            }
        }
    }

    /// Answers an action of a service with the query protocol.
    pub fn query(&self, service: Service, action: &str, request: &Request) -> Response {
        let body = String::from_utf8_lossy(&request.body);
        let form = Form::parse(if body.is_empty() {
            &request.query
        } else {
            &body
        });
        let (namespace, answered) = if service == Service::Sns {
            (sns::NAMESPACE, self.sns.call(action, &form))
        } else {
            let credential = Credential::of(request);
            let key = credential
                .as_ref()
                .map(|credential| credential.key.as_str());
            (sts::NAMESPACE, self.sts.call(action, &form, key))
        };
        match answered {
            Ok(body) => xml_answer(200, body),
            Err(error) => query_error(namespace, &error),
        }
    }
}

/// The members of a request; an empty body stands for none.
fn parse(body: &[u8]) -> Result<Value, AwsError> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| {
        AwsError::client(
            "SerializationException",
            format!("the body is not JSON: {error}"),
        )
    })
}
