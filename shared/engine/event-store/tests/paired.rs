//! Commands that come in pairs, after every kind of history.

#![cfg(test)]

use alpes_event_store::{
    Case, Decider, Decision, Pair, PairRules, Paired, StoreRefusal, Unavailable,
};
use alpes_messages::{
    Command, Context, Event, EventId, Kind, NewEvent, Origin, Problem, StreamId, SubjectId,
};
use async_trait::async_trait;
use futures::executor::block_on;
use serde_json::json;
use uuid::Uuid;

const LAMPS: Context = Context {
    name: "lamps",
    category: "lamp",
    participant: "lamps",
    source: "/house/lamps",
    schemas: "urn:house:schema:lamps",
}
.checked();
const DOORS: Context = Context {
    category: "door",
    ..LAMPS
}
.checked();
const REFUSED: Kind = Kind::new("urn:house:refused", "Refused", 409);

/// Rules whose event shows which command, and which event of acting, they received.
struct House;

fn event(kind: &'static str) -> NewEvent {
    NewEvent::of(LAMPS, kind, &[], &json!({}))
}

#[async_trait]
impl PairRules<String> for House {
    const PAIRS: &'static [Pair] = &[
        Pair::of(LAMPS, "Light", "Dim", "Dimmed"),
        Pair::of(DOORS, "Open", "Shut", "DoorShut"),
    ];

    fn refuse(&self, why: &str) -> Problem {
        Problem::of(REFUSED).because(why)
    }

    async fn decide(
        &self,
        case: &Case<'_, String>,
        done: Option<&String>,
    ) -> Result<Decision, Unavailable> {
        Ok(Decision::commit(vec![event(
            match (case.command.kind.as_str(), done.map(String::as_str)) {
                ("Light", None) => "Lit",
                ("Dim", None) => "Dimmed in vain",
                ("Dim", Some("Lit")) => "Dimmed what was lit",
                other => panic!("asked about {other:?}"),
            },
        )]))
    }
}

fn command(kind: &str) -> Command {
    Command::opening(kind, SubjectId(Uuid::from_u128(7)), json!({}))
}

/// The decision about a command after these events, as text.
fn decide(history: &[&'static str], kind: &str) -> String {
    let stream = StreamId::new(LAMPS, SubjectId(Uuid::from_u128(7)));
    let (opening, command) = (command("Light"), command(kind));
    let now = jiff::Timestamp::UNIX_EPOCH.into();
    let placed = |(version, kind): (u32, &&'static str)| {
        let origin = Origin {
            command: &opening,
            stream,
            version,
            id: EventId(Uuid::from_u128(version.into())),
            time: now,
        };
        (Event::placed(event(kind), origin), (*kind).to_owned())
    };
    let history: Vec<_> = (1..).zip(history).map(placed).collect();
    let case = Case::first(&history, &command, now);
    let decided = Paired(House).decide(&case);
    match block_on(decided).unwrap() {
        Decision::Commit { events, .. } => events.first().unwrap().kind.to_owned(),
        Decision::Already(events) => format!("already {}", events.first().unwrap().kind),
        Decision::Reject(problem) => problem.detail.unwrap(),
    }
}

#[test]
fn a_command_is_answered_by_the_last_event_of_its_stream() {
    for (history, kind, expected) in [
        (&[][..], "Light", "Lit"),
        (&["Lit"], "Light", "already Lit"),
        (&["Dimmed"], "Light", "Dim came before it"),
        (&["Lit", "Dimmed"], "Light", "Dim came before it"),
        (&[], "Dim", "Dimmed in vain"),
        (&["Lit"], "Dim", "Dimmed what was lit"),
        (&["Lit", "Dimmed"], "Dim", "already Dimmed"),
        (&["Lit"], "Break", "there is no command Break"),
    ] {
        assert_eq!(decide(history, kind), expected, "{kind} after {history:?}");
    }
}

#[test]
fn a_pair_has_its_context_s_stream_and_its_second_command_undoes() {
    for (kind, category, opens, undoes) in [
        ("Light", "lamp", true, false),
        ("Dim", "lamp", false, true),
        ("Open", "door", true, false),
        ("Shut", "door", false, true),
        ("Break", "unknown", false, false),
    ] {
        let command = command(kind);
        let route = Decider::<String>::route(&Paired(House), &command);
        let found = (route.stream.category(), route.opens, route.undoes);
        assert_eq!(found, (category, opens, undoes), "{kind}");
    }
    let full = StoreRefusal::StreamFull { bytes: 8 };
    assert!(Paired(House).refuse(full).is(REFUSED));
}
