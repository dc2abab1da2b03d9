//! One page of a search in a log group.

use std::{borrow::Cow, collections::BTreeMap, io};

use super::{
    file::{LogFile, Position},
    pattern::Pattern,
    record::Record,
};

/// A page has at most this many bytes of messages, and at least one event.
const PAGE_BYTES: usize = 1 << 20;

/// The order of a page's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The earliest event first.
    Forward,
    /// The latest event first.
    Backward,
}

/// Where a page begins, and in which direction it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The direction.
    pub(super) direction: Direction,
    /// The event that the page follows in its direction; `None` at the beginning.
    pub(super) after: Option<Position>,
}

impl Cursor {
    /// The first page in this direction.
    pub(super) fn first(direction: Direction) -> Self {
        Self {
            direction,
            after: None,
        }
    }

    /// The cursor as a token: `f/` or `b/` and the position.
    pub(super) fn token(self) -> String {
        let letter = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        format!("{letter}/{}", self.after.unwrap_or_default().id())
    }

    /// Reads what [`Self::token`] wrote.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let (letter, id) = token.split_once('/')?;
        let direction = match letter {
            "f" => Direction::Forward,
            "b" => Direction::Backward,
            _ => return None,
        };
        let after = Some(Position::parse(id)?);
        Some(Self { direction, after })
    }

    fn admits(self, position: Position) -> bool {
        match (self.direction, self.after) {
            (_, None) => true,
            (Direction::Forward, Some(after)) => position > after,
            (Direction::Backward, Some(after)) => position < after,
        }
    }
}

/// A search in a log group.
pub(super) struct Search<'a> {
    /// The earliest time.
    pub(super) earliest: u64,
    /// The latest time.
    pub(super) latest: u64,
    /// The log streams.
    pub(super) streams: &'a dyn Fn(&str) -> bool,
    /// The filter pattern.
    pub(super) pattern: &'a Pattern,
    /// The most events of a page.
    pub(super) limit: usize,
    /// Where the page begins.
    pub(super) cursor: Cursor,
}

/// A page of events, in the order of its direction.
pub(super) struct Page {
    /// The events.
    pub(super) events: Vec<(Position, Record<'static>)>,
    /// Whether there are events after this page.
    pub(super) more: bool,
}

impl Search<'_> {
    /// Collects the page.
    pub(super) fn run(&self, file: &LogFile) -> io::Result<Page> {
        let mut found = BTreeMap::new();
        let (earliest, latest) = self.range();
        file.visit(earliest, latest, |position, record| {
            if self.wants(position, record) && !self.is_beyond(&found, position) {
                found.insert(position, owned(record));
                self.trim(&mut found);
            }
        })?;
        Ok(self.cut(found))
    }

    /// The times of the page, given where it begins.
    fn range(&self) -> (u64, u64) {
        let after = self.cursor.after.map(|after| after.millis);
        match (self.cursor.direction, after) {
            (_, None) => (self.earliest, self.latest),
            (Direction::Forward, Some(after)) => (self.earliest.max(after), self.latest),
            (Direction::Backward, Some(after)) => (self.earliest, self.latest.min(after)),
        }
    }

    fn wants(&self, position: Position, record: &Record<'_>) -> bool {
        self.cursor.admits(position)
            && (self.streams)(&record.stream)
            && self.pattern.matches(&record.message)
    }

    /// Whether the page, with one event to spare, is already full of events that come before this position.
    fn is_beyond(&self, found: &BTreeMap<Position, Record<'_>>, position: Position) -> bool {
        let full = found.len() > self.limit;
        full && match self.cursor.direction {
            Direction::Forward => found
                .keys()
                .next_back()
                .is_some_and(|last| position > *last),
            Direction::Backward => found.keys().next().is_some_and(|first| position < *first),
        }
    }

    /// Keeps one event more than the limit, which shows that there is another page.
    fn trim(&self, found: &mut BTreeMap<Position, Record<'_>>) {
        if found.len() > self.limit + 1 {
            match self.cursor.direction {
                Direction::Forward => found.pop_last(),
                Direction::Backward => found.pop_first(),
            };
        }
    }

    fn cut(&self, found: BTreeMap<Position, Record<'static>>) -> Page {
        let mut events: Vec<_> = found.into_iter().collect();
        if self.cursor.direction == Direction::Backward {
            events.reverse();
        }
        let total = events.len();
        let mut bytes = 0;
        let fitting = events.iter().take(self.limit).take_while(|(_, record)| {
            let first = bytes == 0;
            bytes += record.message.len().max(1);
            first || bytes <= PAGE_BYTES
        });
        let kept = fitting.count();
        events.truncate(kept);
        Page {
            events,
            more: kept < total,
        }
    }
}

fn owned(record: &Record<'_>) -> Record<'static> {
    Record {
        millis: record.millis,
        ingested: record.ingested,
        stream: Cow::Owned(record.stream.clone().into_owned()),
        message: Cow::Owned(record.message.clone().into_owned()),
    }
}
