//! The table, by DynamoDB's API over HTTP, with the retries of an SDK.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::runtime_api::Outcome;

/// An SDK tries a call so often.
const TRIES: u64 = 3;
/// A transaction that conflicts is tried so often. SDKs leave this to their callers.
const CONFLICTS: u64 = 8;

/// A record of the stream.
pub struct Entry {
    id: String,
    amount: u64,
    round: u64,
    number: u64,
}

impl Entry {
    pub fn parse(data: &Value) -> Option<Self> {
        Some(Self {
            id: data.get("id")?.as_str()?.to_owned(),
            amount: data.get("amount")?.as_u64()?,
            round: data.get("round")?.as_u64()?,
            number: data.get("number")?.as_u64()?,
        })
    }

    fn newest(&self) -> Value {
        json!({"S": format!("newest#{}", self.round)})
    }
}

/// The ledger's table.
pub struct Ledger {
    host: String,
    table: String,
    key: String,
}

impl Ledger {
    pub fn connect() -> Outcome<Self> {
        let endpoint = env::var("AWS_ENDPOINT_URL")?;
        let host = endpoint.strip_prefix("http://");
        Ok(Self {
            host: host.ok_or("AWS_ENDPOINT_URL is no http URL")?.to_owned(),
            table: env::var("TABLE")?,
            key: env::var("AWS_ACCESS_KEY_ID")?,
        })
    }

    /// Writes a record. Writing it again changes nothing.
    pub fn record(&self, entry: &Entry) -> Outcome<()> {
        self.call("PutItem", &self.put(entry)).map(drop)
    }

    /// Adds an amount, whether it was added before or not.
    pub fn add(&self, entry: &Entry) -> Outcome<()> {
        self.call("UpdateItem", &self.addition(entry)).map(drop)
    }

    /// Writes a record and adds its amount, unless the record is known.
    pub fn record_and_add(&self, entry: &Entry) -> Outcome<()> {
        let mut put = self.put(entry);
        if let Some(put) = put.as_object_mut() {
            let unknown = "attribute_not_exists(id)";
            put.insert("ConditionExpression".to_owned(), unknown.into());
        }
        let acts = json!({"TransactItems": [{"Put": put}, {"Update": self.addition(entry)}]});
        for attempt in 1..=CONFLICTS {
            match self.call("TransactWriteItems", &acts) {
                Err(error) if error.to_string().contains("ConditionalCheckFailed") => return Ok(()),
                Err(error) if error.to_string().contains("TransactionConflict") => {
                    sleep(Duration::from_millis(10 * attempt));
                }
                other => return other.map(drop),
            }
        }
        Err("the transaction conflicts again and again".into())
    }

    /// Takes a record as the newest one of its round.
    pub fn replace_newest(&self, entry: &Entry) -> Outcome<()> {
        let item = json!({"id": entry.newest(), "number": number(entry.number)});
        let put = json!({"TableName": self.table, "Item": item});
        self.call("PutItem", &put).map(drop)
    }

    /// Takes a record as the newest one of its round, unless a newer one is known.
    pub fn raise_newest(&self, entry: &Entry) -> Outcome<()> {
        let put = json!({
            "TableName": self.table,
            "Item": {"id": entry.newest(), "number": number(entry.number)},
            "ConditionExpression": "attribute_not_exists(id) OR #number < :number",
            "ExpressionAttributeNames": {"#number": "number"},
            "ExpressionAttributeValues": {":number": number(entry.number)},
        });
        for attempt in 1..=CONFLICTS {
            match self.call("PutItem", &put) {
                Err(error) if error.to_string().contains("ConditionalCheckFailed") => return Ok(()),
                Err(error) if error.to_string().contains("TransactionConflict") => {
                    sleep(Duration::from_millis(10 * attempt));
                }
                other => return other.map(drop),
            }
        }
        Err("the write conflicts again and again".into())
    }

    fn put(&self, entry: &Entry) -> Value {
        let id = format!("record#{}", entry.id);
        json!({"TableName": self.table, "Item": {"id": {"S": id}}})
    }

    fn addition(&self, entry: &Entry) -> Value {
        json!({
            "TableName": self.table,
            "Key": {"id": {"S": "total"}},
            "UpdateExpression": "ADD amount :amount",
            "ExpressionAttributeValues": {":amount": number(entry.amount)},
        })
    }

    /// Calls an operation, with the retries of an SDK: after a broken connection, a status from 500 on, or a throttle.
    fn call(&self, operation: &str, input: &Value) -> Outcome<String> {
        let mut last = String::new();
        for attempt in 1..=TRIES {
            match self.send(operation, input) {
                Ok((200, body)) => return Ok(body),
                Ok((400, body)) if !is_throttle(&body) => return Err(body.into()),
                Ok((status, body)) => last = format!("{status} {body}"),
                Err(error) => last = error.to_string(),
            }
            sleep(Duration::from_millis(10 * attempt));
        }
        Err(last.into())
    }

    fn send(&self, operation: &str, input: &Value) -> Outcome<(u16, String)> {
        let (host, key, body) = (&self.host, &self.key, input.to_string());
        let mut connection = TcpStream::connect(host)?;
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\
             x-amz-target: DynamoDB_20120810.{operation}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let status = answer.get(9..12).ok_or("no answer")?.parse()?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        Ok((status, body.to_owned()))
    }
}

fn number(number: u64) -> Value {
    json!({"N": number.to_string()})
}

fn is_throttle(body: &str) -> bool {
    ["ProvisionedThroughputExceeded", "ThrottlingException"]
        .iter()
        .any(|code| body.contains(code))
}
