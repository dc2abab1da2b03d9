//! What a saga asks of participants, kept for rules whose commands come in pairs.

use alpes_messages::{Command, Context, DomainEvent, Event, Problem, StreamId};
use async_trait::async_trait;

use crate::{Circumstances, Decider, Decision, StoreRefusal, Unavailable};

/// A command that acts, and the one that undoes it. They have a stream of their own: nothing else writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Whose stream.
    pub context: Context,
    /// The command that acts.
    pub acts: &'static str,
    /// The command that undoes it.
    pub undoes: &'static str,
    /// The event that says that it is undone.
    pub undone: &'static str,
}

impl Pair {
    /// The pair of `acts` and `undoes`; `undone` says that it is undone.
    #[must_use]
    pub const fn of(
        context: Context,
        acts: &'static str,
        undoes: &'static str,
        undone: &'static str,
    ) -> Self {
        Self {
            context,
            acts,
            undoes,
            undone,
        }
    }
}

/// Rules whose commands come in pairs: they say what acting and undoing come to, and [`Paired`] the rest.
///
/// ```
/// use alpes_event_store::{Circumstances, Decider, Decision, Pair, PairRules, Paired, Unavailable};
/// use alpes_messages::{Command, Context, Kind, NewEvent, Problem, SubjectId};
/// use serde_json::json;
///
/// const LAMPS: Context = Context {
///     name: "lamps",
///     category: "lamp",
///     participant: "participant-lamps",
///     source: "/house/lamps",
///     schemas: "urn:house:schema:lamps",
/// }
/// .checked();
/// const REFUSED: Kind = Kind::new("urn:house:problem:refused", "Refused", 409);
///
/// struct House;
///
/// #[async_trait::async_trait]
/// impl PairRules<String> for House {
///     const PAIRS: &'static [Pair] = &[Pair::of(LAMPS, "Light", "Dim", "Dimmed")];
///
///     fn refuse(&self, why: &str) -> Problem {
///         Problem::of(REFUSED).because(why)
///     }
///
///     async fn decide(
///         &self,
///         command: &Command,
///         _done: Option<&String>,
///         _: &Circumstances,
///     ) -> Result<Decision, Unavailable> {
///         let kind = if command.kind == "Light" { "Lit" } else { "Dimmed" };
///         Ok(Decision::commit(vec![NewEvent::of(LAMPS, kind, &[], &json!({}))]))
///     }
/// }
///
/// let dim = Command::opening("Dim", SubjectId(uuid::Uuid::from_u128(7)), json!({}));
/// assert!(Paired(House).undoes(&dim));
/// ```
#[async_trait]
pub trait PairRules<P: DomainEvent>: Send + Sync {
    /// The pairs.
    const PAIRS: &'static [Pair];

    /// The words of a refusal, given its reason.
    fn refuse(&self, why: &str) -> Problem;

    /// Decides about a command that acts, where nothing has happened, or about one that undoes. Then `done` is what acting came to;
    /// `None` if it never did. Undoing commits [`Pair::undone`] in either case.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when it cannot be known now.
    async fn decide(
        &self,
        command: &Command,
        done: Option<&P>,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable>;
}

/// Where commands belong that are not known.
const UNKNOWN: Context = Context {
    name: "unknown",
    category: "unknown",
    participant: "unknown",
    source: "unknown",
    schemas: "unknown",
}
.checked();

/// [`PairRules`] as a [`Decider`]. A command may come twice, late, or after the one that undoes it. So the answer depends on the last event
/// of the stream:
///
/// | last event | the command that acts | the command that undoes |
/// | --- | --- | --- |
/// | none | the rules decide | the rules decide |
/// | what acting came to | is answered with that event | the rules decide |
/// | [`Pair::undone`] | is refused | is answered with that event |
pub struct Paired<R>(pub R);

impl<R> Paired<R> {
    fn pair<P: DomainEvent>(command: &Command) -> Option<&'static Pair>
    where
        R: PairRules<P>,
    {
        let is_one = |pair: &&Pair| [pair.acts, pair.undoes].contains(&command.kind.as_str());
        R::PAIRS.iter().find(is_one)
    }
}

#[async_trait]
impl<P: DomainEvent, R: PairRules<P>> Decider<P> for Paired<R> {
    fn stream(&self, command: &Command) -> StreamId {
        // A command that is not known is refused, and leaves nothing in any stream.
        let context = Self::pair(command).map_or(UNKNOWN, |pair| pair.context);
        StreamId::new(context, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        Self::pair(command).is_some_and(|pair| command.kind == pair.acts)
    }

    fn undoes(&self, command: &Command) -> bool {
        Self::pair(command).is_some_and(|pair| command.kind == pair.undoes)
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        self.0.refuse(&refusal.to_string())
    }

    async fn decide(
        &self,
        history: &[(Event, P)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let Some(pair) = Self::pair(command) else {
            let why = format!("there is no command {}", command.kind);
            return Ok(Decision::Reject(self.0.refuse(&why)));
        };
        let (acts, last) = (command.kind == pair.acts, history.last());
        match last {
            Some((event, _)) if event.kind == pair.undone && acts => {
                let why = format!("{} came before it", pair.undoes);
                Ok(Decision::Reject(self.0.refuse(&why)))
            }
            Some((event, _)) if event.kind == pair.undone || acts => {
                Ok(Decision::Already(vec![event.clone()]))
            }
            _ => {
                let done = last.map(|(_, done)| done);
                self.0.decide(command, done, circumstances).await
            }
        }
    }
}
