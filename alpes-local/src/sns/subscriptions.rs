//! The operations on subscriptions.

use rusqlite::Transaction;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Sns,
    answers::{invalid, list, map, not_found},
    fields::{Texts, attributes, required, required_arn},
    fifo,
    filter::{Filter, Scope},
    table::{self, Protocol, Subscription, Topic},
    topics::PAGE,
};
use crate::{
    error::AwsError,
    http::{Form, xml_element},
    names::{ACCOUNT, arn, last_part},
    sqs::is_fifo,
};

const RAW: &str = "RawMessageDelivery";
const POLICY: &str = "FilterPolicy";
const SCOPE: &str = "FilterPolicyScope";
const REDRIVE: &str = "RedrivePolicy";

impl Subscription {
    /// True if the endpoint gets the message itself instead of SNS's envelope.
    pub fn is_raw(&self) -> bool {
        self.attributes.get(RAW).is_some_and(|raw| raw == "true")
    }

    /// Decides which messages the subscription gets; `None` if it gets all.
    pub fn filter(&self) -> Result<Option<Filter>, String> {
        let Some(policy) = self.attributes.get(POLICY) else {
            return Ok(None);
        };
        let is_body = self
            .attributes
            .get(SCOPE)
            .is_some_and(|scope| scope == "MessageBody");
        let scope = if is_body {
            Scope::Body
        } else {
            Scope::Attributes
        };
        Filter::parse(policy, scope).map(Some)
    }

    /// The ARN of the queue that gets the messages that the endpoint refuses.
    pub fn dead_letters(&self) -> Option<String> {
        let policy: Value = serde_json::from_str(self.attributes.get(REDRIVE)?).ok()?;
        let target = policy.get("deadLetterTargetArn")?.as_str()?;
        Some(target.to_owned())
    }

    /// Sets an attribute. `prefix` begins AWS's message for a value that is not valid.
    fn set(&mut self, name: &str, value: &str, prefix: &str) -> Result<(), AwsError> {
        let refused = |reason: String| invalid(&format!("{prefix}{reason}"));
        self.check(name, value).map_err(refused)?;
        // An empty policy is none.
        if value.is_empty() || name == POLICY && value.trim() == "{}" {
            self.attributes.remove(name);
        } else {
            self.attributes.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    fn check(&self, name: &str, value: &str) -> Result<(), String> {
        match name {
            RAW => match (value, self.protocol) {
                ("true", Protocol::Lambda) => Err(format!(
                    "Delivery protocol [lambda] does not support raw message delivery: {RAW}"
                )),
                ("true" | "false", _) => Ok(()),
                _ => Err(format!(
                    "{RAW}: Invalid value [{value}]. Must be true or false."
                )),
            },
            SCOPE if matches!(value, "MessageAttributes" | "MessageBody") => Ok(()),
            SCOPE => Err(format!(
                "{SCOPE}: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
            )),
            REDRIVE => self.check_redrive(value),
            // The policy is checked with its scope, after all attributes are set.
            POLICY => Ok(()),
            "DeliveryPolicy" | "ReplayPolicy" | "SubscriptionRoleArn" => Err(format!(
                "AttributeName {name}: the local runtime does not have this attribute"
            )),
            _ => Err("AttributeName".to_owned()),
        }
    }

    fn check_redrive(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let policy: Value =
            serde_json::from_str(value).map_err(|_| format!("{REDRIVE}: failed to parse JSON."))?;
        let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
        let target = target
            .filter(|target| target.starts_with(&arn("sqs", "")))
            .ok_or_else(|| format!("{REDRIVE}: deadLetterTargetArn is an invalid arn"))?;
        if is_fifo(&self.endpoint) && !is_fifo(target) {
            return Err(format!(
                "{REDRIVE}: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
            ));
        }
        Ok(())
    }

    fn check_filter(&self, prefix: &str) -> Result<(), AwsError> {
        let checked = self.filter();
        checked
            .map(|_| ())
            .map_err(|reason| invalid(&format!("{prefix}{POLICY}: {reason}")))
    }
}

const OF_SUBSCRIBE: &str = "Attributes Reason: ";

impl Sns {
    pub(super) fn subscribe(&self, form: &Form) -> Result<String, AwsError> {
        let endpoint = form
            .get("Endpoint")
            .ok_or_else(|| not_found("Endpoint not specified in subscription: it"))?;
        let protocol = protocol(required(form, "Protocol")?, endpoint)?;
        let attributes = attributes(form);
        let made = self.store.write(|transaction| {
            let topic = table::existing_topic(transaction, required(form, "TopicArn")?)?;
            let asked = asked(&topic, protocol, endpoint, &attributes)?;
            match table::subscription_of(transaction, &topic.name, protocol, endpoint)? {
                Some(known) => same(&known, &attributes),
                None => save(transaction, &asked),
            }
        })?;
        Ok(xml_element("SubscriptionArn", &made))
    }

    pub(super) fn unsubscribe(&self, form: &Form) -> Result<(), AwsError> {
        let subscription_arn = required_arn(form, "SubscriptionArn")?;
        self.store.write(|transaction| {
            let found = table::find_subscription(transaction, subscription_arn)?;
            found.map_or(Ok(()), |found| {
                table::delete_subscription(transaction, &found.id)
            })
        })
    }

    pub(super) fn list_subscriptions(&self, form: &Form) -> Result<String, AwsError> {
        let all = self
            .store
            .read(|connection| table::subscriptions(connection, None))?;
        page(form, &all)
    }

    pub(super) fn list_subscriptions_by_topic(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = required(form, "TopicArn")?;
        let all = self.store.read(|connection| {
            let topic = table::existing_topic(connection, topic_arn)?;
            table::subscriptions(connection, Some(&topic.name))
        })?;
        page(form, &all)
    }

    pub(super) fn get_subscription_attributes(&self, form: &Form) -> Result<String, AwsError> {
        let subscription_arn = required(form, "SubscriptionArn")?;
        let found = self
            .store
            .read(|connection| table::find_subscription(connection, subscription_arn))?;
        let found = found.ok_or_else(|| not_found("Subscription"))?;
        Ok(map("Attributes", &described(&found)))
    }

    pub(super) fn set_subscription_attributes(&self, form: &Form) -> Result<(), AwsError> {
        let subscription_arn = required(form, "SubscriptionArn")?;
        let name = required(form, "AttributeName")?;
        let value = form.get("AttributeValue").unwrap_or_default();
        self.store.write(|transaction| {
            let found = table::find_subscription(transaction, subscription_arn)?;
            let mut found = found.ok_or_else(|| not_found("Subscription"))?;
            found.set(name, value, "")?;
            found.check_filter("")?;
            table::save_subscription(transaction, &found)
        })
    }

    /// Makes a subscription if it is missing, sets its attributes in any case, and returns its ARN. `protocol` is
    /// `sqs` or `lambda`, and `endpoint` the ARN of the queue or function.
    ///
    /// # Errors
    ///
    /// `NotFound` for the topic; `InvalidParameter`.
    pub fn ensure_subscription(
        &self,
        topic_arn: &str,
        protocol_name: &str,
        endpoint: &str,
        attributes: &Texts,
    ) -> Result<String, AwsError> {
        let protocol = protocol(protocol_name, endpoint)?;
        self.store.write(|transaction| {
            let topic = table::existing_topic(transaction, topic_arn)?;
            let mut asked = asked(&topic, protocol, endpoint, attributes)?;
            let known = table::subscription_of(transaction, &topic.name, protocol, endpoint)?;
            if let Some(known) = known {
                asked.id = known.id;
            }
            save(transaction, &asked)
        })
    }

    /// The ARN of the subscription of an endpoint to a topic; `None` if there is none.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` for the protocol or the endpoint.
    pub fn subscription_of(
        &self,
        topic_arn: &str,
        protocol_name: &str,
        endpoint: &str,
    ) -> Result<Option<String>, AwsError> {
        let protocol = protocol(protocol_name, endpoint)?;
        let topic = last_part(topic_arn);
        let found = self
            .store
            .read(|connection| table::subscription_of(connection, topic, protocol, endpoint))?;
        Ok(found.map(|found| found.arn()))
    }
}

/// The protocol of a subscription, whose endpoint must fit it.
fn protocol(name: &str, endpoint: &str) -> Result<Protocol, AwsError> {
    match name {
        "sqs" if endpoint.starts_with(&arn("sqs", "")) => Ok(Protocol::Sqs),
        "sqs" => Err(invalid("SQS endpoint ARN")),
        "lambda" if endpoint.starts_with(&arn("lambda", "function:")) => Ok(Protocol::Lambda),
        "lambda" => Err(invalid("Lambda endpoint ARN")),
        "http" | "https" | "email" | "email-json" | "sms" | "application" | "firehose" => {
            Err(invalid(&format!(
                "Protocol Reason: the local runtime delivers to sqs and lambda only, not to {name}"
            )))
        }
        _ => Err(invalid(&format!(
            "Amazon SNS does not support this protocol string: {name}"
        ))),
    }
}

/// A new subscription, checked.
fn asked(
    topic: &Topic,
    protocol: Protocol,
    endpoint: &str,
    attributes: &Texts,
) -> Result<Subscription, AwsError> {
    fifo::check_endpoint(topic, protocol, endpoint)?;
    let mut subscription = Subscription {
        id: Uuid::new_v4().to_string(),
        topic: topic.name.clone(),
        protocol,
        endpoint: endpoint.to_owned(),
        attributes: Texts::new(),
    };
    for (name, value) in attributes {
        subscription.set(name, value, OF_SUBSCRIBE)?;
    }
    subscription.check_filter(OF_SUBSCRIBE)?;
    Ok(subscription)
}

fn save(transaction: &Transaction<'_>, subscription: &Subscription) -> Result<String, AwsError> {
    table::save_subscription(transaction, subscription)?;
    Ok(subscription.arn())
}

/// An existing subscription is made again only with the attributes that it has.
fn same(known: &Subscription, attributes: &Texts) -> Result<String, AwsError> {
    let described = described(known);
    let mut attributes = attributes.iter();
    if attributes.all(|(name, value)| described.get(name) == Some(value)) {
        return Ok(known.arn());
    }
    Err(invalid(
        "Attributes Reason: Subscription already exists with different attributes",
    ))
}

fn described(subscription: &Subscription) -> Texts {
    let mut described: Texts = [
        ("ConfirmationWasAuthenticated", "true".to_owned()),
        ("Endpoint", subscription.endpoint.clone()),
        ("Owner", ACCOUNT.to_owned()),
        ("PendingConfirmation", "false".to_owned()),
        ("Protocol", subscription.protocol.name().to_owned()),
        (RAW, "false".to_owned()),
        ("SubscriptionArn", subscription.arn()),
        (
            "SubscriptionPrincipal",
            format!("arn:aws:iam::{ACCOUNT}:root"),
        ),
        ("TopicArn", subscription.topic_arn()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if subscription.attributes.contains_key(POLICY) {
        described.insert(SCOPE.to_owned(), "MessageAttributes".to_owned());
    }
    described.extend(subscription.attributes.clone());
    described
}

/// A page of subscriptions. The token is the number of those before it.
fn page(form: &Form, all: &[Subscription]) -> Result<String, AwsError> {
    let begin = form.get("NextToken").map_or(Ok(0), |token| {
        token.parse::<usize>().map_err(|_| invalid("NextToken"))
    })?;
    let rest = all.get(begin..).unwrap_or_default();
    let members = rest.iter().take(PAGE).map(|subscription| {
        [
            xml_element("TopicArn", &subscription.topic_arn()),
            xml_element("Protocol", subscription.protocol.name()),
            xml_element("SubscriptionArn", &subscription.arn()),
            xml_element("Owner", ACCOUNT),
            xml_element("Endpoint", &subscription.endpoint),
        ]
        .concat()
    });
    let mut answer = list("Subscriptions", members);
    if rest.len() > PAGE {
        answer.push_str(&xml_element("NextToken", &(begin + PAGE).to_string()));
    }
    Ok(answer)
}
