//! What was offered to a machine and what it admitted, and the laws on it.

use proptest::prelude::*;
use quotas::Millis;

/// Something with a limit by the second.
pub trait Limited {
    const LIMIT: u64;
    /// The largest amount of one operation.
    const LARGEST: u64;
    /// True if an operation is admitted as long as anything is left, so that it may make a debt.
    const MAY_OWE: bool;

    /// Offers work of this size. Returns whether it was admitted.
    fn offer(&mut self, now: Millis, amount: u64) -> bool;
}

/// An offer: the milliseconds since the last one, and its amount.
pub type Offer = (u64, u64);

/// Offers that are often above the limit, with pauses in between.
pub fn offers<L: Limited>() -> impl Strategy<Value = Vec<Offer>> {
    let gap = prop_oneof![8 => 0..60_u64, 2 => 300..1_500_u64];
    let amount = prop_oneof![3 => 1..=L::LARGEST / 20, 1 => 1..=L::LARGEST];
    prop::collection::vec((gap, amount), 1..200)
}

/// An offer as it went.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    at: u64,
    amount: u64,
    admitted: bool,
}

/// Makes these offers, beginning somewhere within a second.
pub fn run<L: Limited>(limited: &mut L, offers: &[Offer]) -> Vec<Event> {
    let mut at = 1_700_000_000_345;
    let events = offers.iter().map(|(gap, amount)| {
        at += gap;
        let admitted = limited.offer(Millis(at), *amount);
        Event {
            at,
            amount: *amount,
            admitted,
        }
    });
    events.collect()
}

/// Over any window of n seconds, at most (n + 1) times the limit is admitted, and one operation's debt.
pub fn never_more_than_the_limit<L: Limited>(events: &[Event]) -> Result<(), String> {
    let admitted: Vec<_> = events.iter().filter(|event| event.admitted).collect();
    for (place, first) in admitted.iter().enumerate() {
        let mut sum = 0;
        for event in &admitted[place..] {
            let seconds = (event.at - first.at) / 1_000 + 1;
            let most = (seconds + 1) * L::LIMIT;
            let within = if L::MAY_OWE {
                sum < most
            } else {
                sum + event.amount <= most
            };
            if !within {
                return Err(format!("{sum} and {} in {seconds} s", event.amount));
            }
            sum += event.amount;
        }
    }
    Ok(())
}

/// The offers without those by which a window of one second would have more than the limit.
pub fn calmed<L: Limited>(offers: &[Offer]) -> Vec<Offer> {
    let (mut at, mut last) = (0, 0);
    let mut kept: Vec<(u64, u64)> = vec![];
    let mut calm = vec![];
    for (gap, amount) in offers {
        at += gap;
        let recent = kept.iter().filter(|(then, _)| at - then < 1_000);
        let sum: u64 = recent.map(|(_, amount)| amount).sum();
        if sum + amount <= L::LIMIT {
            kept.push((at, *amount));
            calm.push((at - last, *amount));
            last = at;
        }
    }
    calm
}

/// Whoever offers less than the limit is never refused.
pub fn nothing_is_throttled(events: &[Event]) -> Result<(), String> {
    match events.iter().find(|event| !event.admitted) {
        Some(event) => Err(format!("{event:?} was throttled below the limit")),
        None => Ok(()),
    }
}

/// An operation is throttled only if earlier ones used up its second, by what they took in it or by their debt.
pub fn throttled_only_when_used_up<L: Limited>(events: &[Event]) -> Result<(), String> {
    for (place, event) in events
        .iter()
        .enumerate()
        .filter(|(_, event)| !event.admitted)
    {
        let second = event.at / 1_000;
        let earlier = events[..place].iter().filter(|event| event.admitted);
        // The debt of each second, from the sums of all earlier seconds.
        let mut debt = 0;
        let mut now = None;
        for event in earlier {
            let of = event.at / 1_000;
            if let Some(before) = now {
                debt = u64::saturating_sub(debt, (of - before) * L::LIMIT);
            }
            now = Some(of);
            debt += event.amount;
        }
        let debt = debt.saturating_sub((second - now.unwrap_or(second)) * L::LIMIT);
        let used = if L::MAY_OWE {
            debt
        } else {
            debt + event.amount - 1
        };
        if used < L::LIMIT {
            return Err(format!("{event:?} was throttled, and {used} are used"));
        }
    }
    Ok(())
}

/// Checks all laws on these offers.
pub fn laws<L: Limited>(make: impl Fn() -> L, offers: &[Offer]) -> Result<(), String> {
    let events = run(&mut make(), offers);
    never_more_than_the_limit::<L>(&events)?;
    throttled_only_when_used_up::<L>(&events)?;
    nothing_is_throttled(&run(&mut make(), &calmed::<L>(offers)))
}
