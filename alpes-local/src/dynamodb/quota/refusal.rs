//! The refusal of an operation whose partition is starved, in AWS's words.
//!
//! The messages are those of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>, which lists them for
//! tables and indexes, on demand and provisioned. The reasons are those of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html>.

use dynoxide::errors::CancellationReason;
use quotas::{Access, Charge};
use serde_json::{Value, json};

use super::{Answer, PartitionId};
use crate::names::arn;

const TABLE_ON_DEMAND: &str = concat!(
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or ",
    "index so please try again shortly. If exceptions persist, check if you have a hot key: ",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
);
const INDEX_ON_DEMAND: &str = concat!(
    "Throughput exceeds the current capacity for one or more global secondary indexes. DynamoDB is automatically ",
    "scaling your index so please try again shortly.",
);
const TABLE_PROVISIONED: &str = concat!(
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning ",
    "level with the UpdateTable API.",
);
const INDEX_PROVISIONED: &str = concat!(
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was ",
    "exceeded. Consider increasing your provisioning level for the under-provisioned global secondary indexes with ",
    "the UpdateTable API.",
);

/// A starved partition.
#[derive(Clone, Debug)]
pub(super) struct Starved {
    partition: PartitionId,
    pub access: Access,
}

/// The refusal of an operation.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    on_demand: bool,
    starved: Vec<Starved>,
}

impl Refusal {
    /// The refusal of an operation with these starved charges; `None` if there are none.
    pub fn of(on_demand: bool, starved: &[&Charge<PartitionId>]) -> Option<Self> {
        if starved.is_empty() {
            return None;
        }
        let starved = starved.iter().map(|charge| Starved {
            partition: charge.partition.clone(),
            access: charge.access,
        });
        Some(Self {
            on_demand,
            starved: starved.collect(),
        })
    }

    pub fn starved(&self) -> impl Iterator<Item = &Starved> {
        self.starved.iter()
    }

    fn message(&self) -> &'static str {
        let of_table = self.starved.iter().any(Starved::is_of_table);
        match (self.on_demand, of_table) {
            (true, true) => TABLE_ON_DEMAND,
            (true, false) => INDEX_ON_DEMAND,
            (false, true) => TABLE_PROVISIONED,
            (false, false) => INDEX_PROVISIONED,
        }
    }

    /// The answer to an operation that is refused alone.
    pub fn answer(&self) -> Answer {
        let reasons: Vec<_> = self.starved.iter().map(Starved::reason).collect();
        // The member's name begins with a small letter in one error, and with a capital letter in the other.
        let (kind, member) = if self.on_demand {
            (
                "com.amazon.coral.availability#ThrottlingException",
                "throttlingReasons",
            )
        } else {
            (
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "ThrottlingReasons",
            )
        };
        Answer {
            status: 400,
            body: json!({"__type": kind, "message": self.message(), member: reasons}).to_string(),
        }
    }

    /// The reason for which an operation cancels its transaction.
    pub fn cancellation(&self) -> CancellationReason {
        let code = if self.on_demand {
            "ThrottlingError"
        } else {
            "ProvisionedThroughputExceeded"
        };
        CancellationReason {
            code: code.to_owned(),
            message: Some(self.message().to_owned()),
            item: None,
        }
    }
}

impl Starved {
    fn is_of_table(&self) -> bool {
        self.partition.index.is_none()
    }

    /// The ARN of the table or index.
    pub fn resource(&self) -> String {
        let PartitionId { table, index, .. } = &self.partition;
        match index {
            None => arn("dynamodb", &format!("table/{table}")),
            Some(index) => arn("dynamodb", &format!("table/{table}/index/{index}")),
        }
    }

    fn reason(&self) -> Value {
        let kind = if self.is_of_table() { "Table" } else { "Index" };
        let access = match self.access {
            Access::Read => "Read",
            Access::Write => "Write",
        };
        json!({
            "reason": format!("{kind}{access}KeyRangeThroughputExceeded"),
            "resource": self.resource(),
        })
    }
}
