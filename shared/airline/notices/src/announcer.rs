//! Announces the events of a batch.
//!
//! The table has one item for each announced event: `pk` is the reservation, `sk` is the event's id, and `enviado` is
//! the time of the announcement. Items are never deleted, because they are small and record the announcements that
//! subscribers got.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use alpes_consumer::{Consumer, Group, Handler, Incoming, Parking, Reason, Stop, Trouble};
use alpes_messages::Moment;
use alpes_ports::{
    Clock, Condition, Consistency, Item, Key, Notice, TableName, Tables, Topic, TopicError, Write,
};
use async_trait::async_trait;
use events::{Catalogue, IdReserva, Payload, vuelos::EstadoReserva};
use futures::{StreamExt, stream};
use jiff::SignedDuration;

use crate::NOTIFIER;

/// The table of announced events.
pub const TABLE: TableName = TableName("notices");

/// The age up to which an event is announced. A consumer that begins at the start of the log reads events of up to a
/// year, and subscribers do not want old notices.
pub const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Number of items that are written concurrently.
const AT_ONCE: usize = 16;

/// Announces the approvals and cancellations of reservations.
pub struct Announcer {
    tables: Arc<dyn Tables>,
    topic: Arc<dyn Topic>,
    clock: Arc<dyn Clock>,
    catalogue: Catalogue,
    parking: Parking,
}

/// An event to announce.
struct News<'a> {
    incoming: &'a Incoming<Payload>,
    estado: EstadoReserva,
}

impl Announcer {
    /// Makes an announcer that publishes to `topic` and decodes with `catalogue`.
    #[must_use]
    pub fn new(
        tables: Arc<dyn Tables>,
        topic: Arc<dyn Topic>,
        clock: Arc<dyn Clock>,
        catalogue: Catalogue,
    ) -> Self {
        Self {
            parking: Parking::new(tables.clone(), clock.clone(), &catalogue),
            catalogue,
            tables,
            topic,
            clock,
        }
    }

    /// The consumer that passes batches to this announcer.
    #[must_use]
    pub fn consumer(&self) -> Consumer<'_, Payload> {
        Consumer {
            name: NOTIFIER.0,
            catalogue: &self.catalogue,
            parking: &self.parking,
            handler: self,
        }
    }

    /// The events of a batch that must be announced. Each event is listed once, even if the batch has several records
    /// of the event.
    fn news<'a>(&self, groups: &'a [Group<Payload>]) -> Vec<News<'a>> {
        let mut seen = BTreeSet::new();
        let all = groups.iter().flat_map(|group| &group.events);
        let of_interest = all.filter_map(|incoming| {
            let estado = estado(&incoming.payload)?;
            Some(News { incoming, estado })
        });
        of_interest
            .filter(|news| seen.insert(news.incoming.event.id))
            .filter(|news| self.is_news(news))
            .collect()
    }

    fn is_news(&self, News { incoming, .. }: &News<'_>) -> bool {
        let event = &incoming.event;
        let age = self.clock.now().duration_since(event.time.timestamp());
        if age > NEWS {
            let (id, time, correlation) = (event.id, event.time, event.correlationid);
            tracing::warn!(%id, kind = event.kind, %time, %correlation, "the event is too old to be announced");
        }
        age <= NEWS
    }

    /// Announces the events that were not announced before. Returns the first failure of each reservation that has a
    /// failure.
    async fn announce(&self, news: &[News<'_>]) -> BTreeMap<IdReserva, Stop> {
        let keys: Vec<_> = news.iter().map(News::key).collect();
        let noted = self.tables.get_each(&keys, Consistency::Strong).await;
        let mut unheard = vec![];
        let mut unknown = vec![];
        for (news, noted) in news.iter().zip(noted) {
            match noted {
                Ok(None) => unheard.push(news),
                Ok(Some(_)) => {}
                Err(error) => {
                    unknown.push((news.subject(), Stop::of(news.incoming.place, &error)));
                }
            }
        }
        let notices: Vec<_> = unheard.iter().map(|news| news.notice()).collect();
        let published = self.topic.publish(&notices).await;
        let settled = unheard.iter().zip(published);
        let settled: Vec<_> = settled
            .map(|(news, published)| self.settle(news, published))
            .collect();
        let settled: Vec<_> = stream::iter(settled).buffered(AT_ONCE).collect().await;
        first(
            unknown
                .into_iter()
                .chain(settled.into_iter().filter_map(Result::err)),
        )
    }

    /// Handles the result of publishing one event.
    async fn settle(
        &self,
        news: &News<'_>,
        published: Result<(), TopicError>,
    ) -> Result<(), (IdReserva, Stop)> {
        match published {
            Ok(()) => {
                self.note(news).await;
                Ok(())
            }
            Err(TopicError::Refused(why)) => {
                let record = &news.incoming.record;
                let event = &news.incoming.event;
                tracing::warn!(id = %event.id, correlation = %event.correlationid, why, "the notice is parked");
                let trouble = Trouble::with_record(record, Reason::Permanent, &why);
                let parked = self.parking.park(NOTIFIER.0, trouble).await;
                parked.map_err(|error| news.again(&error))
            }
            Err(error @ TopicError::Unavailable(_)) => Err(news.again(&error)),
        }
    }

    /// Records that the event was announced. If this write fails, the failure is only logged and the batch is not
    /// redelivered for it. A redelivery would certainly announce the event again. Without a redelivery, only a
    /// duplicate of the event's record can do so.
    async fn note(&self, news: &News<'_>) {
        let now: Moment = self.clock.now().into();
        let write = Write::Put {
            key: news.key(),
            item: Item::from_iter([("enviado".to_owned(), now.to_string().into())]),
            condition: Condition::Always,
        };
        if let Err(error) = self.tables.write(&write).await {
            let event = &news.incoming.event;
            tracing::error!(id = %event.id, correlation = %event.correlationid, %error, "the event was announced, but the table of notices was not updated");
        }
    }
}

/// The state that an event announces; `None` if the event is not announced.
fn estado(payload: &Payload) -> Option<EstadoReserva> {
    match payload {
        Payload::ReservaAprobada(_) => Some(EstadoReserva::Aprobada),
        Payload::ReservaCancelada(_) => Some(EstadoReserva::Cancelada),
        _ => None,
    }
}

/// Replaces each character of a JSON text that SNS refuses by the character's JSON escape. These characters occur only
/// inside strings of JSON, so the meaning of the text stays the same.
fn carried(text: &str) -> String {
    let mut carried = String::with_capacity(text.len());
    for letter in text.chars() {
        if Notice::carries(letter) {
            carried.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(carried, "\\u{unit:04x}");
            }
        }
    }
    carried
}

/// The first stop of each reservation.
fn first(stops: impl Iterator<Item = (IdReserva, Stop)>) -> BTreeMap<IdReserva, Stop> {
    let mut first: BTreeMap<IdReserva, Stop> = BTreeMap::new();
    for (subject, stop) in stops {
        let before = first.get(&subject);
        if before.is_none_or(|before| stop.place < before.place) {
            first.insert(subject, stop);
        }
    }
    first
}

impl News<'_> {
    fn key(&self) -> Key {
        let event = &self.incoming.event;
        Key::new(TABLE, event.subject.to_string(), event.id.to_string())
    }

    fn notice(&self) -> Notice {
        let event = &self.incoming.event;
        let (id, subject) = (event.id.to_string(), event.subject.to_string());
        let attributes = [
            ("estado", self.estado.name()),
            ("id", &id),
            ("subject", &subject),
            ("type", &event.kind),
        ];
        Notice {
            attributes: attributes
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            // The record was decoded as JSON, so it is UTF-8.
            body: carried(&String::from_utf8_lossy(&self.incoming.record.data)),
            group: subject,
            id,
        }
    }

    fn subject(&self) -> IdReserva {
        self.incoming.event.subject
    }

    fn again(&self, cause: &impl ToString) -> (IdReserva, Stop) {
        let stop = Stop::again(self.incoming.place, cause.to_string());
        (self.subject(), stop)
    }
}

#[async_trait]
impl Handler<Payload> for Announcer {
    async fn handle(&self, groups: &[Group<Payload>]) -> Vec<Result<(), Stop>> {
        let news = self.news(groups);
        let mut failed = if news.is_empty() {
            BTreeMap::new()
        } else {
            self.announce(&news).await
        };
        let of_each = groups.iter().map(|group| failed.remove(&group.subject));
        of_each.map(|stop| stop.map_or(Ok(()), Err)).collect()
    }
}
