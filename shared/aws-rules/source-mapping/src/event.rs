//! The event with which a function is invoked, in the form that Lambda writes.

use std::sync::Arc;

use crate::{Names, Record, ShardId, json::quote};

/// The size limit of an event, in bytes: 6 MB, including base64 and everything around the data.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

const OPENING: &str = "{\"Records\":[";
const CLOSING: &str = "]}";

/// The event for a batch.
pub(crate) fn write(names: &Names, shard: &ShardId, records: &[Arc<Record>]) -> String {
    let written: Vec<_> = records
        .iter()
        .map(|record| write_record(names, shard, record, &base64(&record.data)))
        .collect();
    format!("{OPENING}{}{CLOSING}", written.join(","))
}

/// The size of an event without records, in bytes.
pub(crate) fn frame_size() -> usize {
    OPENING.len() + CLOSING.len()
}

/// The size that a record adds to an event, in bytes, including the comma after it.
pub(crate) fn record_size(names: &Names, shard: &ShardId, record: &Record) -> usize {
    write_record(names, shard, record, "").len() + record.data.len().div_ceil(3) * 4 + 1
}

fn write_record(names: &Names, shard: &ShardId, record: &Record, data: &str) -> String {
    let Record {
        sequence, arrived, ..
    } = record;
    let key = quote(&record.partition_key);
    let event_id = quote(&format!("{shard}:{sequence}"));
    let (stream, role) = (quote(&names.stream_arn), quote(&names.role_arn));
    let region = quote(names.region());
    let (seconds, millis) = (arrived.0 / 1000, arrived.0 % 1000);
    format!(
        "{{\"kinesis\":{{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":{key},\
         \"sequenceNumber\":\"{sequence}\",\"data\":\"{data}\",\
         \"approximateArrivalTimestamp\":{seconds}.{millis:03}}},\
         \"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":{event_id},\
         \"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":{role},\
         \"awsRegion\":{region},\"eventSourceARN\":{stream}}}"
    )
}

/// The base64 text of bytes, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut written = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three: [u8; 3] = std::array::from_fn(|at| chunk.get(at).copied().unwrap_or(0));
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4_usize {
            let index = bits >> (18 - 6 * place) & 63;
            let letter = usize::try_from(index).ok().and_then(|at| LETTERS.get(at));
            let padding = place > chunk.len();
            written.push(
                letter
                    .filter(|_| !padding)
                    .map_or('=', |byte| char::from(*byte)),
            );
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Millis, json::Json};

    #[test]
    fn bytes_are_written_in_base64() {
        let written = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("Hello, this is a test.", "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg=="),
        ];
        for (text, expected) in written {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }

    #[test]
    fn an_event_is_as_long_as_its_parts() {
        let names = Names::default();
        let shard = ShardId::from("shardId-000000000006");
        let record = |data: &[u8], key: &str| {
            Arc::new(Record {
                sequence: 7.into(),
                partition_key: key.into(),
                data: data.into(),
                arrived: Millis(1_545_084_650_987),
            })
        };
        let records = [record(b"Hello", "1"), record(&[0; 1001], "a \"key\"")];
        let event = write(&names, &shard, &records);
        let sizes: usize = records
            .iter()
            .map(|record| record_size(&names, &shard, record))
            .sum();
        assert_eq!(event.len() + 1, frame_size() + sizes);

        let read = Json::parse(event.as_bytes()).unwrap();
        let Some(Json::List(list)) = read.field("Records") else {
            panic!("records");
        };
        let kinesis = list[0].field("kinesis").unwrap();
        let arrived = kinesis.field("approximateArrivalTimestamp");
        assert_eq!(arrived, Some(&Json::Number("1545084650.987".into())));
        let id = Json::Text("shardId-000000000006:7".into());
        assert_eq!(list[0].field("eventID"), Some(&id));
    }
}
