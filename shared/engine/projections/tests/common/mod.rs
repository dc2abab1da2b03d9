//! The library, in the form that the domain kit needs.

use std::sync::Arc;

use alpes_messages::{Catalogue, Context, Moment, NewEvent, SubjectId};
use alpes_ports::Item;
use alpes_projections::View;
use domain_kit::{Domain, Happens};
use serde_json::Value;
use toy::{DEPOSITS, Fact, LOANS, deposits, loans, views::Status};

pub struct Library;

impl Domain for Library {
    type Payload = Fact;
    const OWN: Context = LOANS;
    const OTHER: Context = DEPOSITS;

    fn catalogue() -> Catalogue<Fact> {
        toy::catalogue()
    }

    fn views() -> Vec<Arc<dyn View<Fact>>> {
        toy::views::registry()
    }

    fn event(happens: Happens, loan: SubjectId, at: Moment) -> NewEvent {
        match happens {
            Happens::Opened => loans::LoanOpened {
                loan,
                reader: "ana".into(),
                opened: at,
                days: 7,
            }
            .into(),
            Happens::Helped => deposits::DepositPaid { loan, cents: 500 }.into(),
            Happens::Done => loans::BookHandedOver { loan }.into(),
            Happens::Undone => {
                let reason = "of no interest".into();
                loans::LoanCancelled { loan, reason }.into()
            }
            Happens::Noted => {
                let text = "please".into();
                loans::ReminderSent { loan, text }.into()
            }
        }
    }

    fn progress(row: &Item) -> usize {
        let status = row.get("status").and_then(Value::as_str);
        let place = |name| Status::ALL.iter().position(|status| status.name() == name);
        status.and_then(place).map_or(0, |place| place + 1)
    }
}
