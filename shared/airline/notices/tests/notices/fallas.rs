//! Tests of every fault at every effect of an announcement.

use simulation::{Fault, Faults};

use crate::bench::{
    Bench,
    Tipo::{Aprobada, Cancelada, Creada},
    expected, log,
};

#[test]
fn whatever_fails_everything_is_announced_and_at_most_twice() {
    let log = log(&[
        (1, Creada),
        (1, Aprobada),
        (2, Cancelada),
        (1, Aprobada),
        (3, Aprobada),
        (1, Cancelada),
        (2, Cancelada),
    ]);
    let steps = {
        let (bench, faults) = (Bench::new(), Faults::none());
        bench.deliver_to_the_end(&log, &faults);
        assert_eq!(bench.heard(), expected(&log));
        faults.trace()
    };
    assert_eq!(steps.len(), 9);
    for (at, step) in steps.iter().enumerate() {
        for fault in Fault::ALL {
            let (bench, faults) = (Bench::new(), Faults::once(at, fault));
            bench.deliver_to_the_end(&log, &faults);
            // The log is delivered once more, because it can have copies of records.
            bench.deliver(&log);
            let (heard, expected) = (bench.heard(), expected(&log));
            let of = format!("{fault:?} at effect {at}, {step}: {heard:?}");
            assert!(heard.keys().eq(expected.keys()), "{of}");
            assert!(heard.values().all(|times| *times <= 2), "{of}");
            // Only a fault after a notice was published, or a fault of the write that records it, can repeat a notice.
            let unheard = step.starts_with("get")
                || (step.starts_with("publish") && fault == Fault::FailBefore);
            assert!(!unheard || heard == expected, "{of}");
        }
    }
}
