//! Checks the notices: every committed approval and cancellation is announced, and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use alpes_event_store::TABLE as STREAMS;
use alpes_messages::{Event, StreamId};
use alpes_ports::Notice;
use serde_json::Value;

use crate::system::System;

/// The announced event types, each with the state that its notice names.
const NEWS: [(&str, &str); 2] = [
    ("ReservaAprobada", "Aprobada"),
    ("ReservaCancelada", "Cancelada"),
];

/// An event that must be announced.
struct News {
    event: Event,
    estado: &'static str,
    /// The event's text as committed.
    text: String,
}

/// Every committed event that must be announced, by its id.
fn news(system: &System) -> BTreeMap<String, News> {
    let catalogue = &system.builds.newest.catalogue;
    let all = system.tables.find(STREAMS, |key, item| {
        let _: StreamId = key.pk.parse().ok()?;
        let events = item.get("events")?.as_array()?.iter();
        let texts = events.filter_map(Value::as_str);
        let news = texts.filter_map(|text| {
            let (event, _) = Event::decode(text.as_bytes(), catalogue).ok()?;
            let (_, estado) = NEWS.into_iter().find(|(kind, _)| *kind == event.kind)?;
            let text = text.to_owned();
            Some((
                event.id.to_string(),
                News {
                    event,
                    estado,
                    text,
                },
            ))
        });
        Some(news.collect::<Vec<_>>())
    });
    all.into_iter().flatten().collect()
}

/// The text with an escape of JSON for each character that topics refuse. These characters are all below U+10000.
fn carried(text: &str) -> String {
    let refused: BTreeSet<char> = text
        .chars()
        .filter(|letter| !Notice::carries(*letter))
        .collect();
    let escape = |letter| format!("\\u{:04x}", u32::from(letter));
    refused.into_iter().fold(text.to_owned(), |text, letter| {
        text.replace(letter, &escape(letter))
    })
}

/// Checks every notice. `calm` is true if nothing failed, so that no event may have been announced twice.
pub fn check(system: &System, calm: bool, broken: &mut Vec<String>) {
    let (news, published) = (news(system), system.topic.published());
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for notice in &published {
        *times.entry(&notice.id).or_default() += 1;
        match news.get(&notice.id) {
            None => broken.push(format!("{notice:?} is announced, and was not committed")),
            Some(news) => broken.extend(differs(notice, news)),
        }
    }
    for (id, news) in &news {
        let (kind, subject) = (&news.event.kind, news.event.subject);
        match times.get(id.as_str()).copied().unwrap_or(0) {
            0 => broken.push(format!("{kind} of {subject} was not announced")),
            times if calm && times > 1 => {
                broken.push(format!("{kind} of {subject} was announced {times} times"));
            }
            _ => {}
        }
    }
}

/// The difference between a notice and its event, if there is one.
fn differs(notice: &Notice, news: &News) -> Option<String> {
    if notice.body != carried(&news.text) {
        return Some(format!("{:?} is announced as {:?}", news.text, notice.body));
    }
    let subject = news.event.subject.to_string();
    let attributes = [
        ("estado", news.estado),
        ("id", &notice.id),
        ("subject", &subject),
        ("type", &news.event.kind),
    ];
    let wanted = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    if notice.attributes != wanted.into() || notice.group != subject {
        return Some(format!("{} is announced as {notice:?}", news.text));
    }
    None
}
