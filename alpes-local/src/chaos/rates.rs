//! The kinds of trouble, with their rates.
//!
//! A rate is high enough for a run of a few minutes to meet the trouble, and low enough for a correct program to make
//! progress: an SDK tries a call three times, and most invocations end well.

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An operation is done, and its caller gets an error or a closed connection.
    LostReply,
    /// A service refuses a call before it does anything, as if the caller were too fast.
    Throttle,
    /// DynamoDB refuses a write because of another request for the same item. Nothing is done.
    Conflict,
    /// A service does only a part of a batch, and its answer names the other part.
    PartialBatch,
    /// A read that is eventually consistent shows an earlier state.
    StaleRead,
    /// A mapping delivers a batch although its function was done with it.
    BatchAgain,
    /// A mapping waits before it delivers a batch.
    BatchDelayed,
    /// A mapping waits before it begins to read after a change.
    ChangeDelayed,
    /// A queue delivers a message although its function was done with it.
    MessageAgain,
    /// An asynchronous invocation runs twice.
    InvokedTwice,
    /// An asynchronous invocation waits before it runs.
    InvocationDelayed,
    /// A schedule, or a topic with a function as subscriber, invokes a function twice.
    EventTwice,
    /// A topic sends a message twice to a queue.
    NoticeTwice,
    /// A sandbox is gone when an invocation comes. The invocation runs in a new one.
    KilledBefore,
    /// A function's process dies while it runs an invocation.
    KilledDuring,
    /// A function's process dies as soon as its answer was accepted.
    KilledAfter,
}

/// The rate of a kind, its name in the log, and the page of AWS that allows the trouble.
pub(super) struct Rate {
    pub(super) name: &'static str,
    /// How many of 1,000 occasions meet the trouble.
    pub(super) per_mille: u64,
    pub(super) page: &'static str,
}

const ERRORS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html";
const RETRIES: &str = "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html";
const TRANSACTIONS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html";
const BATCHES: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html";
const CONSISTENCY: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html";
const CREATING: &str = "https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html";
const QUEUES: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html";
const EVENTS: &str =
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html";
const TOPICS: &str = "https://aws.amazon.com/sns/faqs/";
const AT_LEAST_ONCE: &str =
    "https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html";
const ASYNCHRONOUS: &str =
    "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html";
const ENVIRONMENT: &str =
    "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html";

impl Kind {
    /// The table of rates.
    pub(super) fn rate(self) -> Rate {
        let rate = |name, per_mille, page| Rate {
            name,
            per_mille,
            page,
        };
        match self {
            // With throttles, one call in 20 is answered unkindly, and one in 400 twice in a row.
            Self::LostReply => rate("lost-reply", 20, ERRORS),
            Self::Throttle => rate("throttle", 30, RETRIES),
            // SDKs do not retry conflicts, so the program itself must.
            Self::Conflict => rate("conflict", 20, TRANSACTIONS),
            // Batches are few, and a program must look at each answer.
            Self::PartialBatch => rate("partial-batch", 100, BATCHES),
            // DynamoDB has three copies, and reads one that may be late.
            Self::StaleRead => rate("stale-read", 330, CONSISTENCY),
            // A program without idempotency meets several duplicates in 100 batches.
            Self::BatchAgain => rate("batch-again", 60, AT_LEAST_ONCE),
            // Lanes and shards overtake one another.
            Self::BatchDelayed => rate("batch-delayed", 150, AT_LEAST_ONCE),
            // Changes are rare, so most of them wait.
            Self::ChangeDelayed => rate("change-delayed", 700, CREATING),
            Self::MessageAgain => rate("message-again", 60, QUEUES),
            Self::InvokedTwice => rate("invoked-twice", 60, ASYNCHRONOUS),
            Self::InvocationDelayed => rate("invocation-delayed", 150, ASYNCHRONOUS),
            Self::EventTwice => rate("event-twice", 60, EVENTS),
            Self::NoticeTwice => rate("notice-twice", 60, TOPICS),
            // A cold start is slow, and the caller does not see it otherwise.
            Self::KilledBefore => rate("killed-before", 10, ENVIRONMENT),
            // The caller sees an error, so one in 200 is enough.
            Self::KilledDuring => rate("killed-during", 5, ENVIRONMENT),
            // No correct program notices, so it may be more frequent.
            Self::KilledAfter => rate("killed-after", 50, ENVIRONMENT),
        }
    }

    /// The page of AWS that allows the trouble.
    #[must_use]
    pub fn page(self) -> &'static str {
        self.rate().page
    }

    /// The name in the log and in the counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rate().name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_name_a_page_of_aws_and_a_rate_that_lets_most_occasions_pass() {
        let kinds = [
            Kind::LostReply,
            Kind::Throttle,
            Kind::Conflict,
            Kind::PartialBatch,
            Kind::StaleRead,
            Kind::BatchAgain,
            Kind::BatchDelayed,
            Kind::ChangeDelayed,
            Kind::MessageAgain,
            Kind::InvokedTwice,
            Kind::InvocationDelayed,
            Kind::EventTwice,
            Kind::NoticeTwice,
            Kind::KilledBefore,
            Kind::KilledDuring,
            Kind::KilledAfter,
        ];
        let names: BTreeSet<_> = kinds.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), kinds.len());
        for kind in kinds {
            let page = kind.page();
            let is_of_aws = ["https://docs.aws.amazon.com/", "https://aws.amazon.com/"]
                .iter()
                .any(|site| page.starts_with(site));
            assert!(is_of_aws, "{page}");
            // A change is rare, and a wait of a second after it is short.
            let is_rare = kind.rate().per_mille < 500 || kind == Kind::ChangeDelayed;
            assert!(is_rare, "{}", kind.name());
        }
    }
}
