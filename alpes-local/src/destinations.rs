//! Destinations: where documents about failed or finished invocations go, by ARN.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::AwsError,
    invoke::{Destinations, Document, Invoker},
    s3::S3,
    sns::Sns,
    sqs::Sqs,
};

/// The services to which documents can be sent.
pub struct ByArn {
    s3: Arc<S3>,
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
    invoker: Arc<dyn Invoker>,
}

impl ByArn {
    /// Sends to these services.
    #[must_use]
    pub fn new(s3: Arc<S3>, sqs: Arc<Sqs>, sns: Arc<Sns>, invoker: Arc<dyn Invoker>) -> Self {
        Self {
            s3,
            sqs,
            sns,
            invoker,
        }
    }
}

#[async_trait]
impl Destinations for ByArn {
    async fn deliver(&self, arn: &str, document: Document) -> Result<(), AwsError> {
        let body = document.body;
        let service = arn.split(':').nth(2).unwrap_or_default();
        match service {
            "s3" => {
                let bucket = arn
                    .strip_prefix("arn:aws:s3:::")
                    .ok_or_else(|| unknown(arn))?;
                let bytes = Bytes::from(body);
                self.s3
                    .put(bucket, &document.object_key, bytes, "application/json")?;
            }
            "sqs" => {
                self.sqs.send(arn, &body, &document.attributes)?;
            }
            "sns" => {
                self.sns.publish(arn, body, document.attributes)?;
            }
            "lambda" => {
                self.invoker.enqueue(arn, Bytes::from(body)).await?;
            }
            _ => return Err(unknown(arn)),
        }
        Ok(())
    }
}

fn unknown(arn: &str) -> AwsError {
    AwsError::client(
        "InvalidParameterValueException",
        format!(
            "The destination {arn} is not the ARN of a bucket, queue, topic or function, which are the destinations of \
             the local runtime."
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{invoke::Invoked, sqs::MessageAttribute, store::Store};

    /// Remembers the functions that it is to invoke.
    #[derive(Default)]
    struct Functions(Mutex<Vec<(String, Bytes)>>);

    #[async_trait]
    impl Invoker for Functions {
        async fn invoke(&self, _: &str, _: Bytes) -> Result<Invoked, AwsError> {
            Err(AwsError::client("Unexpected", "no synchronous call"))
        }

        async fn enqueue(&self, function: &str, payload: Bytes) -> Result<String, AwsError> {
            self.0.lock().unwrap().push((function.to_owned(), payload));
            Ok("id".to_owned())
        }

        fn role(&self, _: &str) -> Option<String> {
            Some("arn:aws:iam::000000000000:role/any".to_owned())
        }
    }

    fn document() -> Document {
        Document {
            body: "{}".to_owned(),
            object_key: "a/b".to_owned(),
            attributes: [("ErrorCode".to_owned(), MessageAttribute::number("200"))].into(),
        }
    }

    #[tokio::test]
    async fn documents_reach_each_kind_of_destination() {
        let folder = std::env::temp_dir().join(format!("alpes-destinations-{}", Uuid::new_v4()));
        let store = Arc::new(Store::in_memory(&folder).unwrap());
        let functions = Arc::new(Functions::default());
        let s3 = Arc::new(S3::new(store.clone()).unwrap());
        let sqs = Arc::new(Sqs::new(store.clone(), "http://127.0.0.1:1").unwrap());
        let sns =
            Arc::new(Sns::new(store, Arc::default(), sqs.clone(), functions.clone()).unwrap());
        let by_arn = ByArn::new(s3.clone(), sqs.clone(), sns.clone(), functions.clone());

        s3.ensure_bucket("failures").unwrap();
        sqs.ensure("failed", &[].into()).unwrap();
        let topic = sns.ensure_topic("alarms", &[].into()).unwrap();
        let queue = "arn:aws:sqs:us-east-1:000000000000:failed";
        sns.ensure_subscription(
            &topic,
            "sqs",
            queue,
            &[("RawMessageDelivery".into(), "true".into())].into(),
        )
        .unwrap();
        let function = "arn:aws:lambda:us-east-1:000000000000:function:cleaner";
        for arn in ["arn:aws:s3:::failures", queue, &topic, function] {
            by_arn.deliver(arn, document()).await.unwrap();
        }

        assert_eq!(s3.get("failures", "a/b").unwrap(), "{}");
        let url = sqs.url("failed");
        let receive = json!({
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
        });
        let received = sqs.call("ReceiveMessage", receive).await.unwrap();
        let received = received["Messages"].as_array().unwrap();
        let codes = received
            .iter()
            .map(|message| &message["MessageAttributes"]["ErrorCode"]["StringValue"]);
        assert_eq!(codes.collect::<Vec<_>>(), ["200", "200"]);
        let called = functions.0.lock().unwrap().clone();
        assert_eq!(called, [(function.to_owned(), Bytes::from("{}"))]);

        let events = by_arn.deliver(
            "arn:aws:events:us-east-1:000000000000:event-bus/x",
            document(),
        );
        assert_eq!(
            events.await.unwrap_err().code,
            "InvalidParameterValueException"
        );
        let gone = by_arn.deliver("arn:aws:s3:::missing", document()).await;
        assert_eq!(gone.unwrap_err().code, "NoSuchBucket");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
