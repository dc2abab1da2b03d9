//! The parking lot: an entry is stored with all its bytes, or not at all.

#![cfg(test)]

use std::sync::Arc;

use alpes_consumer::{Parking, Reason, TABLE, Trouble};
use alpes_ports::{LogRecord, SequenceNumber};
use futures::{FutureExt, executor::block_on};
use simulation::{Fault, Faults};
use twins::{MemoryTables, world};

/// A record whose bytes take two items besides its entry.
fn record() -> LogRecord {
    LogRecord {
        shard: "shardId-000000000000".into(),
        sequence: SequenceNumber("49".into()),
        partition_key: "k".into(),
        data: vec![b'x'; 200 * 1024],
        arrived: world(1).0.clock.now(),
    }
}

const ITEMS: usize = 3;

fn parking(tables: &Arc<MemoryTables>, faults: &Faults) -> Parking {
    let tables = Arc::new(faults.tables(tables.clone()));
    Parking::new(tables, world(1).0.clock, &toy::catalogue())
}

#[test]
fn what_is_parked_and_what_is_taken_out_is_whole_under_every_fault() {
    let record = record();
    for fault in Fault::ALL {
        let tables = Arc::new(MemoryTables::new());
        let park = |faults: &Faults| {
            let parking = parking(&tables, faults);
            let trouble = Trouble::with_record(&record, Reason::Undecodable, "no event");
            // A process that dies never returns.
            parking.park("consumer", trouble).now_or_never()
        };
        let _ = park(&Faults::once(0, fault));
        let count = tables.all(TABLE).len();
        assert!([0, ITEMS].contains(&count), "{fault:?}: {count} items");
        park(&Faults::none()).unwrap().unwrap();
        assert_eq!(tables.all(TABLE).len(), ITEMS, "{fault:?}");

        let sound = parking(&tables, &Faults::none());
        let parked = block_on(sound.list()).unwrap();
        assert_eq!(
            block_on(sound.data(&parked[0])),
            Ok(Some(record.data.clone()))
        );
        let failing = parking(&tables, &Faults::once(0, fault));
        let _ = failing.remove(&parked[0]).now_or_never();
        let count = tables.all(TABLE).len();
        assert!([0, ITEMS].contains(&count), "{fault:?}: {count} items");
        assert_eq!(block_on(sound.remove(&parked[0])), Ok(true), "{fault:?}");
        assert!(tables.all(TABLE).is_empty(), "{fault:?}");
    }
}
