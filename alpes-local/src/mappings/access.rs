//! What a mapping does with the role of its function: it reads the source, and reports to the destination.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>, for the permissions;
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>, for those of the destination.

use super::{
    config::{Config, Source, invalid},
    core::Core,
};
use crate::{
    error::AwsError,
    iam::{Acting, Denied, Iam},
    names::last_part,
};

/// The actions on a stream.
const OF_STREAM: [&str; 5] = [
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
];
/// The action on a consumer with enhanced fan-out.
const OF_CONSUMER: [&str; 1] = ["kinesis:SubscribeToShard"];
/// The actions on a queue.
const OF_QUEUE: [&str; 3] = [
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// A mapping, as its function's role sees it.
pub(super) struct Access<'a> {
    iam: &'a Iam,
    config: &'a Config,
    /// Empty if there is no such function. Then nobody can be refused.
    role: String,
}

impl<'a> Access<'a> {
    pub(super) fn of(core: &'a Core, config: &'a Config) -> Self {
        Self {
            iam: &core.iam,
            config,
            role: core.invoker.role(&config.function).unwrap_or_default(),
        }
    }

    fn acting(&self) -> Acting<'_> {
        Acting::Role {
            role: &self.role,
            session: last_part(&self.config.function),
        }
    }

    /// Checks what AWS checks when a mapping is created or updated.
    pub(super) fn check(&self) -> Result<(), AwsError> {
        self.check_source()?;
        let destination = self.config.destination.as_deref();
        destination.map_or(Ok(()), |arn| self.check_report(arn, "*"))
    }

    /// Checks that the role may send a report to the destination. `object_key` is for a bucket.
    pub(super) fn check_report(&self, destination: &str, object_key: &str) -> Result<(), AwsError> {
        let allowed = self
            .iam
            .check_delivery(&self.acting(), destination, object_key);
        allowed.map_err(|denied| not_permitted(&denied))
    }

    /// Checks that the role may read the source, as each reader does when it begins.
    pub(super) fn check_source(&self) -> Result<(), AwsError> {
        let source = &self.config.source;
        match Source::parse(source)? {
            Source::Queue => {
                let allowed = self.all(&OF_QUEUE, source);
                allowed.map_err(|denied| not_permitted(&denied))
            }
            Source::Stream { .. } => {
                let allowed = self.check_stream(source);
                allowed.map_err(|_| no_access(source))
            }
        }
    }

    fn check_stream(&self, source: &str) -> Result<(), Denied> {
        let stream = source.split("/consumer/").next().unwrap_or(source);
        self.all(&OF_STREAM, stream)?;
        self.all(&["kinesis:ListStreams"], "*")?;
        if stream == source {
            return Ok(());
        }
        self.all(&OF_CONSUMER, source)
    }

    fn all(&self, actions: &[&str], resource: &str) -> Result<(), Denied> {
        let acting = self.acting();
        let mut actions = actions.iter();
        actions.try_for_each(|action| self.iam.check(&acting, action, resource))
    }
}

fn no_access(stream: &str) -> AwsError {
    invalid(format!(
        "Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, \
         DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
    ))
}

fn not_permitted(denied: &Denied) -> AwsError {
    let (service, action) = denied.action.split_once(':').unwrap_or_default();
    let service = service.to_uppercase();
    invalid(format!(
        "The provided execution role does not have permissions to call {action} on {service}"
    ))
}
