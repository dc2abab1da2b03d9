//! The library's views: `loans` has a row for each loan, and `days` counts the loans of each day by status.

use std::{collections::BTreeSet, sync::Arc};

use alpes_messages::{Event, Moment};
use alpes_ports::Item;
use alpes_projections::{Count, Place, Unfoldable, View, fold_as};
use serde::{Deserialize, Serialize};

use crate::{Fact, LoanId};

/// The status of a loan, in order: a later status replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A reader asked for a book.
    Open,
    /// The deposit is paid.
    Secured,
    /// The reader has the book.
    Lent,
    /// The loan was cancelled.
    Cancelled,
}

impl Status {
    /// Every status, in this order.
    pub const ALL: [Self; 4] = [Self::Open, Self::Secured, Self::Lent, Self::Cancelled];

    /// The name that rows and counters use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Secured => "secured",
            Self::Lent => "lent",
            Self::Cancelled => "cancelled",
        }
    }

    fn after(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::LoanOpened(_) => Some(Self::Open),
            Fact::DepositPaid(_) => Some(Self::Secured),
            Fact::BookHandedOver(_) => Some(Self::Lent),
            Fact::LoanCancelled(_) => Some(Self::Cancelled),
            Fact::ReminderSent(_) | Fact::DepositRefused(_) | Fact::DepositReturned(_) => None,
        }
    }
}

/// A row of either view. A row keeps the statuses of the received events as a set, so the row does not depend on the
/// order between streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// The loan; `None` until its opening is folded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loan: Option<LoanId>,
    /// The reader's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The time of opening.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened: Option<Moment>,
    heard: BTreeSet<Status>,
    /// The status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The time of the latest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Moment>,
}

impl Row {
    fn hear(&mut self, event: &Event, fact: &Fact) {
        if let Fact::LoanOpened(opened) = fact {
            self.loan = Some(opened.loan);
            self.reader = Some(opened.reader.clone());
            self.opened = Some(opened.opened);
        }
        self.heard.extend(Status::after(fact));
        self.status = self.heard.last().copied();
        self.changed = self.changed.max(Some(event.time));
    }
}

/// The view `loans`, indexed by status, and by reader and status.
pub struct Loans;

impl View<Fact> for Loans {
    fn name(&self) -> &'static str {
        "loans"
    }

    fn fold(&self, row: &mut Item, event: &Event, fact: &Fact) -> Result<(), Unfoldable> {
        fold_as(row, |row: &mut Row| row.hear(event, fact))
    }

    fn places(&self, row: &Item) -> [Option<Place>; 2] {
        let Ok(Row {
            loan: Some(loan),
            reader: Some(reader),
            opened: Some(opened),
            status: Some(status),
            ..
        }) = Row::deserialize(row)
        else {
            return [None, None];
        };
        let status = status.name();
        [
            format!("status:{status}"),
            format!("reader:{reader}:{status}"),
        ]
        .map(|partition| {
            let order = format!("{opened}#{loan}");
            Some(Place { partition, order })
        })
    }
}

/// The view `days`, which counts rows by opening day and status.
pub struct Days;

impl View<Fact> for Days {
    fn name(&self) -> &'static str {
        "days"
    }

    fn fold(&self, row: &mut Item, event: &Event, fact: &Fact) -> Result<(), Unfoldable> {
        fold_as(row, |row: &mut Row| row.hear(event, fact))
    }

    fn counts(&self, row: &Item) -> Option<Vec<Count>> {
        let counted = Row::deserialize(row).ok().and_then(|row| {
            let day = row.opened?.to_string();
            let (group, _) = day.split_once('T')?;
            Some(Count {
                group: group.to_owned(),
                name: row.status?.name().to_owned(),
            })
        });
        Some(counted.into_iter().collect())
    }
}

/// Every view.
#[must_use]
pub fn registry() -> Vec<Arc<dyn View<Fact>>> {
    vec![Arc::new(Loans), Arc::new(Days)]
}
