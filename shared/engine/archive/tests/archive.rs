//! The archive returns every stored record, for all kinds of records, and also if batches are split, repeated or
//! interrupted.
#![cfg(test)]

use std::{collections::BTreeMap, sync::Arc};

use alpes_archive::{Archive, ArchiveError, Coverage, Page, Survey};
use alpes_ports::{KeyRange, LogRecord, ObjectError, Objects, SequenceNumber};
use futures::{FutureExt, executor::block_on};
use jiff::{SignedDuration, Timestamp, civil::date};
use proptest::{collection::vec, prelude::*, sample::Index};
use simulation::{Fault, Faults};
use twins::MemoryObjects;

const SHARDS: [&str; 2] = ["shardId-000000000000", "shardId-000000000001"];

/// Three seconds before midnight.
fn evening() -> Timestamp {
    "2026-01-31T23:59:57Z".parse().unwrap()
}

/// The record at a position of a shard, one record a second.
fn record(shard: &str, place: usize, data: &[u8]) -> LogRecord {
    let seconds = i64::try_from(place).unwrap();
    LogRecord {
        shard: shard.into(),
        // Sequence numbers like those of Kinesis, but with different numbers of digits.
        sequence: SequenceNumber((98 + place).to_string()),
        partition_key: format!("key-{}", place % 3),
        data: data.to_vec(),
        arrived: evening() + SignedDuration::from_secs(seconds),
    }
}

fn records(shard: &str, count: usize) -> Vec<LogRecord> {
    (0..count)
        .map(|place| record(shard, place, format!("{{\"place\":{place}}}").as_bytes()))
        .collect()
}

struct Bench {
    objects: Arc<MemoryObjects>,
    archive: Archive,
}

impl Bench {
    fn new() -> Self {
        let objects = Arc::new(MemoryObjects::new());
        let archive = Archive::new(objects.clone());
        Self { objects, archive }
    }

    fn store(&self, records: &[LogRecord]) {
        block_on(self.archive.store(records)).unwrap();
    }

    /// All pages of `objects` objects each, in order.
    fn pages(&self, objects: usize) -> Vec<Page> {
        let (mut pages, mut after) = (vec![], None);
        loop {
            let page = block_on(self.archive.page(after.as_deref(), objects)).unwrap();
            after.clone_from(&page.last);
            let more = page.more;
            pages.push(page);
            if !more {
                return pages;
            }
        }
    }

    fn all(&self, objects: usize) -> Vec<LogRecord> {
        let pages = self.pages(objects).into_iter();
        pages.flat_map(|page| page.records).collect()
    }

    /// The distinct records of the archive; two copies of one record must be equal.
    fn distinct(&self) -> BTreeMap<(String, usize), LogRecord> {
        let mut found = BTreeMap::new();
        for record in self.all(3) {
            let place = (record.shard.clone(), record.sequence.0.parse().unwrap());
            if let Some(copy) = found.insert(place, record.clone()) {
                assert_eq!(copy, record);
            }
        }
        found
    }

    fn keys(&self) -> Vec<String> {
        block_on(self.objects.list(KeyRange::new("", 1_000))).unwrap()
    }

    fn coverage(&self) -> Coverage {
        block_on(self.archive.coverage()).unwrap()
    }
}

fn by_place<'a>(
    records: impl IntoIterator<Item = &'a LogRecord>,
) -> BTreeMap<(String, usize), LogRecord> {
    let place = |record: &LogRecord| (record.shard.clone(), record.sequence.0.parse().unwrap());
    let records = records.into_iter();
    records
        .map(|record| (place(record), record.clone()))
        .collect()
}

#[test]
fn a_batch_across_midnight_is_an_object_a_day() {
    let bench = Bench::new();
    let batch = records(SHARDS[0], 5);
    bench.store(&batch);
    bench.store(&batch);
    let key = |day: &str, ends: [&str; 2]| {
        let [first, last] = ends.map(|end| format!("{end:0>56}"));
        format!("events/{day}/{}/{first}-{last}.ndjson.gz", SHARDS[0])
    };
    assert_eq!(
        bench.keys(),
        [
            key("2026-01-31", ["98", "100"]),
            key("2026-02-01", ["101", "102"])
        ]
    );
    assert_eq!(bench.all(10), batch);
    // Records that came earlier in the log are listed earlier, even if their numbers have fewer digits.
    bench.store(&[record(SHARDS[0], 5, b"{}")]);
    assert_eq!(bench.all(10)[..5], batch);
}

#[test]
fn shards_are_listed_apart_and_in_their_order() {
    let bench = Bench::new();
    let (one, other) = (records(SHARDS[0], 2), records(SHARDS[1], 2));
    bench.store(&[
        other[0].clone(),
        one[0].clone(),
        other[1].clone(),
        one[1].clone(),
    ]);
    assert_eq!(bench.all(10), [one, other].concat());
    assert_eq!(bench.keys().len(), 2);
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let bench = Bench::new();
    let batch = records(SHARDS[0], 7);
    assert_eq!(bench.pages(3), [Page::default()]);
    for record in &batch {
        bench.store(std::slice::from_ref(record));
    }
    let keys = bench.keys();
    for (size, lengths) in [
        (1, vec![1; 7]),
        (3, vec![3, 3, 1]),
        (7, vec![7]),
        (0, vec![1; 7]),
        (usize::MAX, vec![7]),
    ] {
        let pages = bench.pages(size);
        let found: Vec<_> = pages.iter().map(|page| page.records.len()).collect();
        assert_eq!(found, lengths, "pages of {size}");
        assert_eq!(pages.last().unwrap().last.as_ref(), keys.last());
        assert_eq!(bench.all(size), batch);
    }
    // A reader that has reached the end finds the records that are stored later.
    let end = block_on(bench.archive.page(Some(&keys[6]), 3)).unwrap();
    let nothing = Page {
        last: Some(keys[6].clone()),
        ..Page::default()
    };
    assert_eq!(end, nothing);
    let later = record(SHARDS[0], 7, b"1");
    bench.store(std::slice::from_ref(&later));
    let page = block_on(bench.archive.page(end.last.as_deref(), 3)).unwrap();
    assert_eq!((page.records, page.more), (vec![later], false));
}

/// An object store that lists at most two keys at a time, even if more exist.
struct Reluctant(Arc<MemoryObjects>);

#[async_trait::async_trait]
impl Objects for Reluctant {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        self.0.put(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        self.0.get(key).await
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        let limit = range.limit.min(2);
        self.0.list(KeyRange { limit, ..range }).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.0.delete(key).await
    }
}

#[test]
fn a_short_list_is_not_the_end() {
    let objects = Arc::new(MemoryObjects::new());
    let archive = Archive::new(Arc::new(Reluctant(objects.clone())));
    let bench = Bench { objects, archive };
    let batch = records(SHARDS[0], 7);
    for record in &batch {
        bench.store(std::slice::from_ref(record));
    }
    for size in [1, 2, 3, 100] {
        assert_eq!(bench.all(size), batch);
    }
    assert_eq!(bench.coverage().objects, 7);
}

#[test]
fn coverage_tells_days_objects_and_how_far_each_shard_is() {
    let bench = Bench::new();
    assert_eq!(bench.coverage(), Coverage::default());
    let (one, other) = (records(SHARDS[0], 6), records(SHARDS[1], 2));
    for record in &one {
        bench.store(std::slice::from_ref(record));
    }
    bench.store(&other);
    let coverage = bench.coverage();
    assert_eq!(coverage.days, Some((date(2026, 1, 31), date(2026, 2, 1))));
    assert_eq!(coverage.objects, 7);
    let reached: Vec<_> = coverage.shards.into_iter().collect();
    for ((shard, reach), last) in reached.iter().zip([&one[5], &other[1]]) {
        assert_eq!(
            (shard, &reach.sequence, reach.arrived),
            (&last.shard, &last.sequence, last.arrived)
        );
    }
    assert_eq!(reached.len(), 2);
}

#[test]
fn coverage_lists_more_keys_than_one_list_has_and_reads_one_object_a_shard() {
    let bench = Bench::new();
    for record in records(SHARDS[0], 1_001) {
        bench.store(&[record]);
    }
    let faults = Faults::none();
    let archive = Archive::new(Arc::new(faults.objects(bench.objects.clone())));
    let coverage = block_on(archive.coverage()).unwrap();
    assert_eq!(coverage.objects, 1_001);
    assert_eq!(coverage.shards[SHARDS[0]].sequence.0, "1098");
    let trace = faults.trace();
    let reads = trace.iter().filter(|effect| effect.starts_with("get"));
    assert_eq!(reads.count(), 1);
}

#[test]
fn an_object_that_cannot_be_read_is_named() {
    let bench = Bench::new();
    for record in records(SHARDS[0], 3) {
        bench.store(&[record]);
    }
    let keys = bench.keys();
    let mut data = block_on(bench.objects.get(&keys[1])).unwrap().unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 1;
    block_on(bench.objects.put(&keys[1], &data)).unwrap();
    let names = |error: &ArchiveError, wanted: &str| {
        matches!(error, ArchiveError::Unreadable { key, .. } if key == wanted)
            && error.to_string().contains(wanted)
    };
    let error = block_on(bench.archive.page(None, 10)).unwrap_err();
    assert!(names(&error, &keys[1]), "{error}");
    // The objects before and after the unreadable one can still be read.
    assert_eq!(
        block_on(bench.archive.page(None, 1)).unwrap().records.len(),
        1
    );
    let rest = block_on(bench.archive.page(Some(&keys[1]), 10)).unwrap();
    assert_eq!(rest.records.len(), 1);

    // The coverage does not silently skip an unreadable object either.
    let error = block_on(
        bench
            .archive
            .reach(&BTreeMap::from([(SHARDS[0].to_owned(), keys[1].clone())])),
    )
    .unwrap_err();
    assert!(names(&error, &keys[1]), "{error}");
}

#[test]
fn what_somebody_else_put_beside_it_hides_nothing() {
    let bench = Bench::new();
    let all = records(SHARDS[0], 3);
    for record in &all {
        bench.store(std::slice::from_ref(record));
    }
    let before = bench.coverage();
    for stranger in ["events/LEEME.txt", "events/2026-01-31/notas", "events/x"] {
        block_on(bench.objects.put(stranger, b"hola")).unwrap();
    }
    assert_eq!(bench.coverage(), before);
    for size in [1, 2, 10] {
        assert_eq!(bench.all(size), all);
    }
}

#[test]
fn a_survey_goes_on_where_it_was() {
    let objects = Arc::new(MemoryObjects::new());
    let archive = Archive::new(Arc::new(Reluctant(objects.clone())));
    let bench = Bench { objects, archive };
    for shard in SHARDS {
        for record in records(shard, 4) {
            bench.store(&[record]);
        }
    }
    let mut survey = Survey::default();
    let mut lists = 0;
    while block_on(bench.archive.survey(&mut survey)).unwrap() {
        lists += 1;
        // A caller that stored the survey continues with a copy of it.
        survey = Survey {
            after: survey.after.clone(),
            last: survey.last.clone(),
            ..survey
        };
    }
    assert_eq!(lists, 4);
    assert_eq!(
        block_on(bench.archive.reach(&survey.last)).unwrap(),
        bench.coverage().shards
    );
}

/// Delivers a shard as the runtime does: a batch from the current position, repeated in other sizes until it is
/// accepted.
fn deliver(bench: &Bench, all: &[LogRecord], faults: &Faults, sizes: &[usize]) {
    let mut sizes = sizes.iter().cycle();
    let mut stands = 0;
    while stands < all.len() {
        let end = (stands + sizes.next().unwrap()).min(all.len());
        let archive = Archive::new(Arc::new(faults.objects(bench.objects.clone())));
        // No answer means that the process died.
        let taken = archive.store(&all[stands..end]).now_or_never();
        if taken.is_some_and(|taken| taken.is_ok()) {
            stands = end;
        }
    }
}

#[test]
fn nothing_is_lost_whatever_fails_and_however_it_is_delivered_again() {
    let all = records(SHARDS[0], 9);
    for sizes in [&[4, 2, 3][..], &[2, 5, 1], &[9, 1], &[3]] {
        let healthy = Faults::none();
        deliver(&Bench::new(), &all, &healthy, sizes);
        for fault in Fault::ALL {
            for at in 0..healthy.count() {
                let bench = Bench::new();
                deliver(&bench, &all, &Faults::once(at, fault), sizes);
                let context = format!("{fault:?} at {at}, batches of {sizes:?}");
                assert_eq!(bench.distinct(), by_place(&all), "{context}");
                assert_eq!(
                    bench.coverage().shards[SHARDS[0]].sequence,
                    all[8].sequence,
                    "{context}"
                );
            }
        }
    }
}

#[test]
fn what_is_told_as_archived_is_so_with_all_before_it() {
    let all = records(SHARDS[0], 9);
    // A fault hits each effect in turn, and no batch is stored after the fault.
    for (at, fault) in (0..5).flat_map(|at| Fault::ALL.map(|fault| (at, fault))) {
        let bench = Bench::new();
        let faults = Faults::once(at, fault);
        for batch in all.chunks(4) {
            let archive = Archive::new(Arc::new(faults.objects(bench.objects.clone())));
            if !matches!(archive.store(batch).now_or_never(), Some(Ok(()))) {
                break;
            }
        }
        if let Some(reach) = bench.coverage().shards.get(SHARDS[0]) {
            let place = |record: &LogRecord| record.sequence == reach.sequence;
            let reached = all.iter().position(place).unwrap();
            let archived = bench.distinct();
            let before = by_place(&all[..=reached]);
            assert!(before.keys().all(|place| archived.contains_key(place)));
        }
    }
}

/// JSON and other bytes, on one line and on several.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        Just("null"),
        Just("{\"a\" : 1.50e400}"),
        Just(" {} "),
        Just("\"\\ud800\""),
        Just("{\n}"),
        Just("{\r}"),
        Just("\u{feff}{}"),
        Just("[\"\u{2028}\",\"\\n\"]"),
    ];
    let deep = (1_usize..500).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth));
    prop_oneof![
        vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
        any::<String>().prop_map(|text| serde_json::to_vec(&text).unwrap()),
        json.prop_map(|text| text.as_bytes().to_vec()),
        deep.prop_map(String::into_bytes),
    ]
}

/// The log of a shard: any bytes under any keys, at times that need not follow the order of the records.
fn shard(name: &'static str) -> impl Strategy<Value = Vec<LogRecord>> {
    let one = (data(), any::<String>(), -4_000_i64..4_000);
    vec(one, 0..12).prop_map(move |all| {
        let all = all.into_iter().enumerate();
        all.map(|(place, (data, partition_key, milliseconds))| LogRecord {
            partition_key,
            arrived: evening() + SignedDuration::from_millis(3_000 + milliseconds),
            ..record(name, place, &data)
        })
        .collect()
    })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        one in shard(SHARDS[0]),
        other in shard(SHARDS[1]),
        sizes in vec(1_usize..6, 1..6),
        again in vec(any::<(Index, Index)>(), 0..6),
        page in 1_usize..5,
    ) {
        let bench = Bench::new();
        for all in [&one, &other] {
            deliver(&bench, all, &Faults::none(), &sizes);
            // Parts of the shard are delivered again, in any order.
            for (from, to) in again.iter().filter(|_| !all.is_empty()) {
                let (from, to) = (from.index(all.len()), to.index(all.len()));
                bench.store(&all[from.min(to)..=from.max(to)]);
            }
        }
        prop_assert_eq!(bench.distinct(), by_place(one.iter().chain(&other)));
        let mut read = bench.all(page).into_iter();
        for key in bench.keys() {
            // No object sorts between a key without its ending and the key itself.
            let object = block_on(bench.archive.page(Some(key.trim_end_matches(".gz")), 1)).unwrap();
            prop_assert_eq!(object.last, Some(key));
            prop_assert_eq!(&object.records, &read.by_ref().take(object.records.len()).collect::<Vec<_>>());
        }
        prop_assert_eq!(read.next(), None);
    }
}
