//! The form of an object: its key and its lines.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Read, Write},
};

use alpes_messages::moment::Moment;
use alpes_ports::{LogRecord, SequenceNumber};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The beginning of every key.
pub(crate) const PREFIX: &str = "events/";

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    shard: Cow<'a, str>,
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    arrived: Moment,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(
        borrow,
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    event: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// Reads the field `event` when it is present. A record may be the JSON text `null`, which is a value and not a missing
/// field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The bytes as JSON text; `None` if they are not JSON, or do not fit on one line unchanged.
fn in_one_line(data: &[u8]) -> Option<&RawValue> {
    if data.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return None;
    }
    let text = str::from_utf8(data).ok()?;
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    // Blanks around a JSON value are not part of `raw`, so bytes with these blanks would not stay unchanged.
    (raw.get() == text).then_some(raw)
}

impl<'a> Line<'a> {
    fn of(record: &'a LogRecord) -> Self {
        let event = in_one_line(&record.data);
        Self {
            shard: Cow::Borrowed(&record.shard),
            sequence: Cow::Borrowed(&record.sequence.0),
            arrived: record.arrived.into(),
            key: Cow::Borrowed(&record.partition_key),
            event,
            base64: event.is_none().then(|| STANDARD.encode(&record.data)),
        }
    }

    fn record(self) -> Result<LogRecord, String> {
        let data = match (self.event, self.base64) {
            (Some(event), None) => event.get().as_bytes().to_vec(),
            (None, Some(bytes)) => STANDARD.decode(bytes).map_err(|error| error.to_string())?,
            _ => return Err("it needs exactly one of `event` and `base64`".into()),
        };
        Ok(LogRecord {
            shard: self.shard.into_owned(),
            sequence: SequenceNumber(self.sequence.into_owned()),
            partition_key: self.key.into_owned(),
            data,
            arrived: self.arrived.timestamp(),
        })
    }
}

/// The records of one object: a part of one shard without gaps, within one day.
pub(crate) struct Part<'a> {
    /// The key of the object.
    pub(crate) key: String,
    records: Vec<&'a LogRecord>,
}

fn day(record: &LogRecord) -> Date {
    record.arrived.to_zoned(TimeZone::UTC).date()
}

/// Splits a batch into parts. The parts of a shard keep the order of the shard.
pub(crate) fn split(records: &[LogRecord]) -> Vec<Part<'_>> {
    let mut shards: BTreeMap<&str, Vec<&LogRecord>> = BTreeMap::new();
    for record in records {
        shards.entry(&record.shard).or_default().push(record);
    }
    let parts = shards.values().flat_map(|records| {
        let days = records.chunk_by(|one, next| day(one) == day(next));
        days.filter_map(Part::of)
    });
    parts.collect()
}

impl<'a> Part<'a> {
    fn of(records: &[&'a LogRecord]) -> Option<Self> {
        let (first, last) = (records.first()?, records.last()?);
        let key = format!(
            "{PREFIX}{}/{}/{:0>56}-{:0>56}.ndjson.gz",
            day(first),
            first.shard,
            first.sequence.0,
            last.sequence.0
        );
        let records = records.to_vec();
        Some(Self { key, records })
    }

    fn lines(&self) -> serde_json::Result<Vec<u8>> {
        let mut lines = vec![];
        for record in &self.records {
            serde_json::to_writer(&mut lines, &Line::of(record))?;
            lines.push(b'\n');
        }
        Ok(lines)
    }

    /// The bytes of the object. Equal records give equal bytes, since the gzip header has no time.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut zip = GzEncoder::new(vec![], Compression::default());
        zip.write_all(&self.lines()?)?;
        zip.finish()
    }
}

/// The day and the shard in a key.
pub(crate) fn place(key: &str) -> Option<(Date, &str)> {
    let (day, rest) = key.strip_prefix(PREFIX)?.split_once('/')?;
    let (shard, _) = rest.rsplit_once('/')?;
    Some((day.parse().ok()?, shard))
}

/// The records of the object under `key`. An error says in which way the object differs from the output of
/// [`Part::encode`], or that it belongs under another key.
pub(crate) fn decode(key: &str, data: &[u8]) -> Result<Vec<LogRecord>, String> {
    let mut text = String::new();
    MultiGzDecoder::new(data)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let mut records = vec![];
    for (number, line) in (1..).zip(text.split_terminator('\n')) {
        let record = serde_json::from_str(line)
            .map_err(|error| error.to_string())
            .and_then(Line::record);
        records.push(record.map_err(|cause| format!("line {number}: {cause}"))?);
    }
    let held: Vec<_> = split(&records).into_iter().map(|part| part.key).collect();
    if held != [key] {
        return Err(format!("its records belong under the key {held:?}"));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: &str = "shardId-000000000003";

    fn record(place: u8, data: &[u8]) -> LogRecord {
        LogRecord {
            shard: SHARD.into(),
            sequence: SequenceNumber(format!(
                "496712345678901234567890123456789012345678901{place:03}"
            )),
            partition_key: "019c1350-4b80-7a11-8c01-5d6e7f8091a2".into(),
            data: data.to_vec(),
            arrived: "2026-01-31T23:59:59.120Z".parse().unwrap(),
        }
    }

    /// An archive as every build writes it. The format does not change.
    const GOLDEN: &str = concat!(
        r#"{"shard":"shardId-000000000003","sequence":"496712345678901234567890123456789012345678901001","arrived":"2026-01-31T23:59:59.120Z","key":"019c1350-4b80-7a11-8c01-5d6e7f8091a2","event":{ "type" : "OrderPlaced", "total":1.50, "ñ":"\u00f1" }}"#,
        "\n",
        r#"{"shard":"shardId-000000000003","sequence":"496712345678901234567890123456789012345678901002","arrived":"2026-01-31T23:59:59.120Z","key":"019c1350-4b80-7a11-8c01-5d6e7f8091a2","base64":"AP/+"}"#,
        "\n",
        r#"{"shard":"shardId-000000000003","sequence":"496712345678901234567890123456789012345678901003","arrived":"2026-01-31T23:59:59.120Z","key":"019c1350-4b80-7a11-8c01-5d6e7f8091a2","base64":"ewogICJhIjogMQp9"}"#,
        "\n",
        r#"{"shard":"shardId-000000000003","sequence":"496712345678901234567890123456789012345678901004","arrived":"2026-01-31T23:59:59.120Z","key":"019c1350-4b80-7a11-8c01-5d6e7f8091a2","event":null}"#,
        "\n",
    );
    const GOLDEN_KEY: &str = "events/2026-01-31/shardId-000000000003/00000000496712345678901234567890123456789012345678901001-00000000496712345678901234567890123456789012345678901004.ndjson.gz";

    fn golden() -> Vec<LogRecord> {
        let texts: [&[u8]; 4] = [
            "{ \"type\" : \"OrderPlaced\", \"total\":1.50, \"ñ\":\"\\u00f1\" }".as_bytes(),
            &[0, 255, 254],
            b"{\n  \"a\": 1\n}",
            b"null",
        ];
        (1..)
            .zip(texts)
            .map(|(place, text)| record(place, text))
            .collect()
    }

    #[test]
    fn lines_are_as_they_always_were() {
        let records = golden();
        let parts = split(&records);
        assert_eq!(parts.len(), 1);
        let lines = parts[0].lines().unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), GOLDEN);
        assert_eq!(parts[0].key, GOLDEN_KEY);
        let day = jiff::civil::date(2026, 1, 31);
        assert_eq!(place(GOLDEN_KEY), Some((day, SHARD)));

        let mut zip = GzEncoder::new(vec![], Compression::none());
        zip.write_all(GOLDEN.as_bytes()).unwrap();
        let read = decode(GOLDEN_KEY, &zip.finish().unwrap()).unwrap();
        assert_eq!(read, golden());
    }

    #[test]
    fn an_object_says_nothing_of_when_it_was_made() {
        let records = golden();
        let [part] = &split(&records)[..] else {
            panic!("one part")
        };
        let data = part.encode().unwrap();
        assert_eq!(data[4..8], [0; 4], "the time in gzip's header");
        assert_eq!(part.encode().unwrap(), data);
    }

    fn zipped(text: &str) -> Vec<u8> {
        let mut zip = GzEncoder::new(vec![], Compression::fast());
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap()
    }

    #[test]
    fn what_is_not_as_it_was_written_is_not_read() {
        let good = zipped(GOLDEN);
        assert_eq!(decode(GOLDEN_KEY, &good), Ok(golden()));
        let mut torn = good.clone();
        torn.truncate(good.len() - 1);
        let mut altered = good.clone();
        altered[20] ^= 1;
        let (first_line, rest) = GOLDEN.split_once('\n').unwrap();
        let broken = [
            ("empty", vec![]),
            ("torn", torn),
            ("altered", altered),
            ("with something behind it", [&good[..], b"x"].concat()),
            ("not zipped", GOLDEN.as_bytes().to_vec()),
            ("no lines", zipped("")),
            ("without its first line", zipped(rest)),
            (
                "without its other lines",
                zipped(&format!("{first_line}\n")),
            ),
            ("an empty line", zipped(&format!("{GOLDEN}\n"))),
            ("half a line", zipped(GOLDEN.trim_end_matches("}\n"))),
            ("no bytes", zipped(&GOLDEN.replace("base64", "bytes"))),
            (
                "bytes twice",
                zipped(&GOLDEN.replace("\"base64\"", "\"event\":1,\"base64\"")),
            ),
            ("bad bytes", zipped(&GOLDEN.replace("AP/+", "A"))),
            ("bad time", zipped(&GOLDEN.replace("23:59", "25:59"))),
            ("another day's", zipped(&GOLDEN.replace("01-31", "02-01"))),
            ("another shard's", zipped(&GOLDEN.replace("0003", "0004"))),
        ];
        for (what, data) in broken {
            assert!(decode(GOLDEN_KEY, &data).is_err(), "{what}");
        }
        let elsewhere = GOLDEN_KEY.replace("1004.nd", "1005.nd");
        let cause = decode(&elsewhere, &good).unwrap_err();
        assert!(cause.contains(GOLDEN_KEY), "{cause}");
    }

    #[test]
    fn keys_that_are_not_ours_tell_no_place() {
        for key in [
            "events/readme.txt",
            "events/2026-02-30/s/x",
            "other/2026-01-31/s/x",
        ] {
            assert_eq!(place(key), None, "{key}");
        }
    }
}
