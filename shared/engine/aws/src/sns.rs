//! A topic on SNS.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use alpes_ports::{Notice, Topic, TopicError};
use async_trait::async_trait;
use aws_sdk_sns::{
    Client,
    error::{BuildError, SdkError},
    operation::publish_batch::PublishBatchOutput,
    types::{BatchResultErrorEntry, MessageAttributeValue, PublishBatchRequestEntry},
};

use crate::error::{OF_SNS, ServiceError, sorted};

/// SNS's limit on the messages of one request.
const BATCH: usize = 10;

/// An SNS topic.
pub struct SnsTopic {
    client: Client,
    arn: String,
    ordered: bool,
}

impl SnsTopic {
    /// A topic with this ARN. If its name ends in `.fifo`, the topic keeps the order of each group, and drops
    /// duplicates within five minutes.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, arn: String) -> Self {
        Self {
            client: Client::new(config),
            ordered: is_ordered(&arn),
            arn,
        }
    }

    /// Publishes one batch of messages and returns one result for each; an error if SNS refuses the request as a whole.
    async fn request(&self, batch: &[Notice]) -> Result<Vec<Result<(), TopicError>>, TopicError> {
        let entries = (0..).zip(batch);
        let entries: Result<Vec<_>, _> = entries
            .map(|(place, notice)| entry(place, notice, self.ordered))
            .collect();
        let entries = entries.map_err(|error| TopicError::Refused(error.to_string()))?;
        let publish = self.client.publish_batch().topic_arn(&self.arn);
        let publish = publish.set_publish_batch_request_entries(Some(entries));
        let output = publish.send().await.map_err(|error| topic_error(&error))?;
        Ok(told(batch.len(), &output))
    }
}

fn is_ordered(arn: &str) -> bool {
    arn.strip_suffix(".fifo").is_some()
}

/// Splits messages into requests. A message that is too large for any request gets a request of its own, so that SNS
/// refuses only this message.
fn batches(notices: &[Notice]) -> Vec<&[Notice]> {
    let (mut batches, mut rest) = (vec![], notices);
    while !rest.is_empty() {
        let mut size = 0;
        let fitting = rest.iter().take(BATCH).take_while(|notice| {
            size += notice.size();
            size <= Notice::LIMIT
        });
        let (batch, after) = rest.split_at(fitting.count().max(1));
        batches.push(batch);
        rest = after;
    }
    batches
}

fn entry(
    place: usize,
    notice: &Notice,
    ordered: bool,
) -> Result<PublishBatchRequestEntry, BuildError> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(place.to_string())
        .message(&notice.body);
    for (name, value) in &notice.attributes {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value);
        entry = entry.message_attributes(name, value.build()?);
    }
    if ordered {
        entry = entry
            .message_group_id(&notice.group)
            .message_deduplication_id(&notice.id);
    }
    entry.build()
}

/// The result of each of `count` messages in SNS's answer.
fn told(count: usize, output: &PublishBatchOutput) -> Vec<Result<(), TopicError>> {
    let failed = output.failed().iter();
    let failed: BTreeMap<_, _> = failed.map(|entry| (entry.id(), entry)).collect();
    let published = output.successful().iter();
    let published: BTreeSet<_> = published.filter_map(|entry| entry.id()).collect();
    let of_each = (0..count).map(|place| {
        let id = place.to_string();
        match failed.get(id.as_str()) {
            Some(entry) => Err(entry_error(entry)),
            None if published.contains(id.as_str()) => Ok(()),
            None => Err(TopicError::Unavailable("no result for it".into())),
        }
    });
    of_each.collect()
}

fn entry_error(entry: &BatchResultErrorEntry) -> TopicError {
    let text = format!("{}: {}", entry.code(), entry.message().unwrap_or_default());
    // The flag `SenderFault` does not help: SNS also sets it for a throttled KMS key.
    if OF_SNS.contains(&entry.code()) {
        TopicError::Refused(text)
    } else {
        TopicError::Unavailable(text)
    }
}

fn topic_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> TopicError {
    sorted(error, OF_SNS, TopicError::Refused, TopicError::Unavailable)
}

#[async_trait]
impl Topic for SnsTopic {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        let mut results = Vec::with_capacity(notices.len());
        for batch in batches(notices) {
            match self.request(batch).await {
                Ok(of_each) => results.extend(of_each),
                // One message may be the reason why SNS refuses the whole request. So each message is sent alone, to
                // get its own result.
                Err(TopicError::Refused(_)) if batch.len() > 1 => {
                    for alone in batch.chunks(1) {
                        let result = self.request(alone).await;
                        results.push(result.and_then(|of_each| of_each.into_iter().collect()));
                    }
                }
                Err(error) => results.extend(batch.iter().map(|_| Err(error.clone()))),
            }
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sns::types::PublishBatchResultEntry;

    use super::*;
    use crate::recorded::Recorded;

    const OF_MESSAGES: Recorded = Recorded::of(
        200,
        "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult>\
         <Failed><member><Id>0</Id><Code>KMSThrottling</Code><Message>Rate exceeded</Message>\
         <SenderFault>true</SenderFault></member>\
         <member><Id>1</Id><Code>InvalidParameter</Code><Message>Invalid parameter: Message too long</Message>\
         <SenderFault>true</SenderFault></member>\
         <member><Id>2</Id><Code>Novelty</Code><SenderFault>true</SenderFault></member></Failed>\
         <Successful><member><Id>3</Id><MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></member></Successful>\
         </PublishBatchResult><ResponseMetadata><RequestId>d74b8436-ae13-5ab4-a9ff-ce54dfea72a0</RequestId>\
         </ResponseMetadata></PublishBatchResponse>",
    );

    const OF_A_REQUEST: Recorded = Recorded::of(
        400,
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>KMSThrottling</Code><Message>Rate exceeded</Message></Error>\
         <RequestId>9dd01905-5012-5f99-8663-4b3ecd0dfaef</RequestId></ErrorResponse>",
    );

    const REFUSED: Recorded = Recorded::of(
        404,
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>NotFound</Code><Message>Topic does not exist</Message></Error>\
         <RequestId>9dd01905-5012-5f99-8663-4b3ecd0dfaef</RequestId></ErrorResponse>",
    );

    fn notice(number: usize, size: usize) -> Notice {
        Notice {
            id: format!("id-{number}"),
            group: "group".into(),
            attributes: BTreeMap::from([("state".into(), "approved".into())]),
            body: "x".repeat(size),
        }
    }

    fn sizes(notices: &[Notice]) -> Vec<usize> {
        batches(notices).iter().map(|batch| batch.len()).collect()
    }

    #[test]
    fn requests_are_cut_by_number_and_by_size() {
        let many: Vec<_> = (0..23).map(|number| notice(number, 1)).collect();
        assert_eq!(sizes(&many), [10, 10, 3]);
        assert_eq!(batches(&many).concat(), many, "in their order");
        assert_eq!(sizes(&[]), [0; 0]);
        let attributes = notice(0, 0).size();
        let half = notice(0, Notice::LIMIT / 2 - attributes);
        assert_eq!(sizes(&[half.clone(), half.clone(), half.clone()]), [2, 1]);
        let above = notice(0, Notice::LIMIT / 2 - attributes + 1);
        assert_eq!(sizes(&[half.clone(), above]), [1, 1]);
        let huge = notice(0, Notice::LIMIT + 1);
        assert_eq!(sizes(&[half.clone(), huge, half]), [1, 1, 1]);
    }

    #[test]
    fn a_topic_with_an_order_is_told_group_and_identity() {
        for (arn, ordered) in [("arn:x:notices", false), ("arn:x:notices.fifo", true)] {
            let entry = entry(3, &notice(7, 2), is_ordered(arn)).unwrap();
            assert_eq!((entry.id(), entry.message()), ("3", "xx"));
            let given = entry.message_attributes().unwrap();
            assert_eq!(given["state"].string_value(), Some("approved"));
            let text = |text: &'static str| ordered.then_some(text);
            assert_eq!(entry.message_group_id(), text("group"));
            assert_eq!(entry.message_deduplication_id(), text("id-7"));
        }
    }

    #[test]
    fn each_message_is_told_of_its_own() {
        let published = |id: &str| PublishBatchResultEntry::builder().id(id).build();
        let failed = |id: &str, code: &str, fault| {
            let entry = BatchResultErrorEntry::builder().id(id).code(code);
            entry.message("text").sender_fault(fault).build().unwrap()
        };
        let output = PublishBatchOutput::builder()
            .successful(published("2"))
            .successful(published("0"))
            .failed(failed("3", "InternalError", false))
            .failed(failed("1", "InvalidParameter", true))
            .build();
        assert_eq!(
            told(5, &output),
            [
                Ok(()),
                Err(TopicError::Refused("InvalidParameter: text".into())),
                Ok(()),
                Err(TopicError::Unavailable("InternalError: text".into())),
                Err(TopicError::Unavailable("no result for it".into())),
            ]
        );
    }

    fn published(recorded: &Recorded, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        recorded.answers(async |config| {
            let topic = SnsTopic::new(&config, "arn:aws:sns:us-east-1:000000000000:notices".into());
            topic.publish(notices).await
        })
    }

    /// SNS reports a throttled KMS key as the sender's fault, but this error is temporary. The test covers an error of
    /// one message and an error of a request.
    #[test]
    fn what_passes_by_itself_is_no_refusal_whosever_fault_it_is() {
        let four: Vec<_> = (0..4).map(|number| notice(number, 1)).collect();
        let results = published(&OF_MESSAGES, &four);
        assert_eq!(
            results,
            [
                Err(TopicError::Unavailable(
                    "KMSThrottling: Rate exceeded".into()
                )),
                Err(TopicError::Refused(
                    "InvalidParameter: Invalid parameter: Message too long".into()
                )),
                Err(TopicError::Unavailable("Novelty: ".into())),
                Ok(()),
            ]
        );
        let results = published(&OF_A_REQUEST, &four[..2]);
        let unavailable = |result: &Result<(), TopicError>| matches!(result, Err(TopicError::Unavailable(text)) if text.contains("KMSThrottling"));
        assert!(
            results.len() == 2 && results.iter().all(unavailable),
            "{results:?}"
        );
        let results = published(&REFUSED, &four[..1]);
        assert!(
            matches!(results.as_slice(), [Err(TopicError::Refused(_))]),
            "{results:?}"
        );
    }
}
