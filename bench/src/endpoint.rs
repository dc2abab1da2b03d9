//! DynamoDB tables and a Kinesis stream that only the measurements use. No deployed function reads them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use uuid::Uuid;

/// The names of the tables and the Kinesis stream of this run.
pub struct Endpoint {
    pub config: aws_config::SdkConfig,
    pub streams: String,
    pub log: String,
    pub peer_events: String,
    views: String,
    parked: String,
    sagas: String,
    seats: String,
    ledger: String,
    url: String,
}

impl Endpoint {
    pub async fn prepare(url: &str) -> Result<Self> {
        let config = alpes_aws::config().await;
        let run = Uuid::new_v4().simple().to_string();
        let run = run.get(..8).unwrap_or(&run);
        let name = |what: &str| format!("bench-{run}-{what}");
        let endpoint = Self {
            config,
            streams: name("streams"),
            log: name("log"),
            peer_events: name("peer"),
            views: name("views"),
            parked: name("parked"),
            sagas: name("sagas"),
            seats: name("seats"),
            ledger: name("ledger"),
            url: url.to_owned(),
        };
        endpoint.create().await.with_context(|| {
            format!("cannot make tables and a stream at {url}; cargo xtask bench starts a local runtime there")
        })?;
        Ok(endpoint)
    }

    async fn create(&self) -> Result<()> {
        let text = ScalarAttributeType::S;
        self.table(&self.streams, [("pk", &text), ("sk", &text)], &["gsi1"])
            .await?;
        for table in [&self.views, &self.sagas] {
            let indexes = ["gsi1", "gsi2"];
            self.table(table, [("pk", &text), ("sk", &text)], &indexes)
                .await?;
        }
        for table in [&self.parked, &self.seats, &self.ledger] {
            self.table(table, [("pk", &text), ("sk", &text)], &[])
                .await?;
        }
        // dynamo-es needs a number here.
        let number = ScalarAttributeType::N;
        let key = [
            ("AggregateTypeAndId", &text),
            ("AggregateIdSequence", &number),
        ];
        self.table(&self.peer_events, key, &[]).await?;
        let kinesis = aws_sdk_kinesis::Client::new(&self.config);
        let create = kinesis.create_stream().stream_name(&self.log);
        create.shard_count(1).send().await?;
        Ok(())
    }

    async fn table(
        &self,
        name: &str,
        [hash, range]: [(&str, &ScalarAttributeType); 2],
        indexes: &[&str],
    ) -> Result<()> {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let mut table = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute(hash.0, hash.1)?)
            .attribute_definitions(attribute(range.0, range.1)?)
            .set_key_schema(Some(key(hash.0, range.0)?));
        for index in indexes {
            let (hash, range) = (format!("{index}pk"), format!("{index}sk"));
            table = table
                .attribute_definitions(attribute(&hash, &ScalarAttributeType::S)?)
                .attribute_definitions(attribute(&range, &ScalarAttributeType::S)?);
            let all = Projection::builder().projection_type(ProjectionType::All);
            let index = GlobalSecondaryIndex::builder()
                .index_name(*index)
                .set_key_schema(Some(key(&hash, &range)?))
                .projection(all.build());
            table = table.global_secondary_indexes(index.build()?);
        }
        table.send().await?;
        Ok(())
    }

    /// The environment variables that name these tables and this Kinesis stream for a function, as in
    /// `infra/template.yaml`.
    pub fn names(&self) -> BTreeMap<String, String> {
        let names = [
            ("ALPES_STREAMS_TABLE", &*self.streams),
            ("ALPES_VIEWS_TABLE", &*self.views),
            ("ALPES_PARKED_TABLE", &*self.parked),
            ("ALPES_SAGAS_TABLE", &*self.sagas),
            ("ALPES_SEATS_TABLE", &*self.seats),
            ("ALPES_LEDGER_TABLE", &*self.ledger),
            ("ALPES_EVENTS_STREAM", &*self.log),
        ];
        strings(names)
    }

    /// The environment variables that send a function's AWS calls to this endpoint.
    pub fn address(&self) -> BTreeMap<String, String> {
        strings([("AWS_ENDPOINT_URL", &*self.url)])
    }
}

pub fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn attribute(name: &str, kind: &ScalarAttributeType) -> Result<AttributeDefinition> {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    Ok(attribute.attribute_type(kind.clone()).build()?)
}

fn key(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>> {
    let element = |name, kind| {
        let element = KeySchemaElement::builder().attribute_name(name);
        element.key_type(kind).build()
    };
    Ok(vec![
        element(hash, KeyType::Hash)?,
        element(range, KeyType::Range)?,
    ])
}
