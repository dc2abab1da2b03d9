//! What a request needs: which actions on which resources.
//!
//! The actions and resources of each service are those of AWS's service authorization reference:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.

mod body;
mod dynamodb;
mod kinesis;
mod kms;
mod lambda;
mod logs;
mod messaging;
mod s3;
mod schedules;
mod ssm;
mod states;
mod sts;

use self::body::Body;
pub(crate) use self::s3::to_learn_that_it_is_missing;
use crate::{
    http::{Form, Request},
    router::{For, Service},
    services::Services,
};

/// An action on a resource, which a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The action, for example `s3:GetObject`.
    pub action: String,
    /// The resource's ARN; `*` if the action is on no single resource.
    pub resource: String,
}

impl Need {
    fn new(service: &str, operation: &str, resource: impl Into<String>) -> Self {
        Self {
            action: format!("{service}:{operation}"),
            resource: resource.into(),
        }
    }
}

/// The needs of a request to a service; none if the request is for no service of AWS, or if it is one that the service
/// refuses as malformed.
pub(crate) fn needs(services: &Services, target: &For, request: &Request) -> Vec<Need> {
    match target {
        For::Json {
            service, operation, ..
        } => json(services, *service, operation, request),
        For::Query { service, action } => {
            let body = String::from_utf8_lossy(&request.body);
            let form = Form::parse(if body.is_empty() {
                &request.query
            } else {
                &body
            });
            match service {
                Service::Sns => messaging::of_topic(action, &form),
                _ => sts::needs(action, &form),
            }
        }
        For::LambdaRest => lambda::of_functions(request),
        For::MappingsRest => lambda::of_mappings(request),
        For::S3 => s3::needs(request),
        For::Api { .. } | For::ShortApi | For::Admin(_) | For::Mount(..) | For::Page => vec![],
    }
}

fn json(services: &Services, service: Service, operation: &str, request: &Request) -> Vec<Need> {
    if matches!(service, Service::DynamoDb | Service::DynamoDbStreams) {
        let stream_of = |iterator: &str| services.dynamodb.stream_of_iterator(iterator);
        return dynamodb::needs(operation, &request.body, stream_of);
    }
    let body = Body::parse(&request.body);
    match service {
        Service::Events => schedules::needs(operation, &body),
        Service::Kinesis => kinesis::needs(operation, &body),
        Service::Kms => kms::needs(&services.kms, operation, &body),
        Service::Logs => logs::needs(operation, &body),
        Service::Sqs => messaging::of_queue(operation, &body),
        Service::Ssm => ssm::needs(&services.ssm, operation, &body),
        Service::StepFunctions => states::needs(operation, &body),
        Service::DynamoDb | Service::DynamoDbStreams | Service::Sns | Service::Sts => vec![],
    }
}
