//! Rules whose commands come in pairs: one command acts, and the other undoes the action. Sagas require these pairs of
//! their participants.

use alpes_messages::{Command, Context, DomainEvent, Problem, StreamId};
use async_trait::async_trait;

use crate::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};

/// A command that acts, and the command that undoes it. For each subject the pair has a stream of its own, to which no
/// other command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The context of the stream.
    pub context: Context,
    /// The command that acts.
    pub acts: &'static str,
    /// The command that undoes the action.
    pub undoes: &'static str,
    /// The event that records the undoing.
    pub undone: &'static str,
}

impl Pair {
    /// The pair of `acts` and `undoes`; the event `undone` records the undoing.
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

/// Rules whose commands come in pairs. The rules decide the events of acting and undoing; [`Paired`] handles redelivery
/// and order.
///
/// ```
/// use alpes_event_store::{Case, Decider, Decision, Pair, PairRules, Paired, Unavailable};
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
///         case: &Case<'_, String>,
///         _done: Option<&String>,
///     ) -> Result<Decision, Unavailable> {
///         let kind = if case.command.kind == "Light" { "Lit" } else { "Dimmed" };
///         Ok(Decision::commit(vec![NewEvent::of(LAMPS, kind, &[], &json!({}))]))
///     }
/// }
///
/// let dim = Command::opening("Dim", SubjectId(uuid::Uuid::from_u128(7)), json!({}));
/// assert!(Paired(House).route(&dim).undoes);
/// ```
#[async_trait]
pub trait PairRules<P: DomainEvent>: Send + Sync {
    /// The pairs of commands.
    const PAIRS: &'static [Pair];

    /// The domain's problem for a refusal with the reason `why`.
    fn refuse(&self, why: &str) -> Problem;

    /// Decides about the command of the case. An acting command comes here only if the stream is empty. For an undoing
    /// command, `done` is the event of acting, or `None` if the action never happened. With or without an earlier
    /// action, an undoing command must commit [`Pair::undone`].
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the decision is not possible now.
    async fn decide(&self, case: &Case<'_, P>, done: Option<&P>) -> Result<Decision, Unavailable>;
}

/// The context of the stream for unknown commands.
const UNKNOWN: Context = Context {
    name: "unknown",
    category: "unknown",
    participant: "unknown",
    source: "unknown",
    schemas: "unknown",
}
.checked();

/// [`PairRules`] as a [`Decider`]. A command may arrive twice, late, or after the command that undoes it. So the answer
/// to a command depends on the last event of the stream:
///
/// | last event | the command that acts | the command that undoes |
/// | --- | --- | --- |
/// | none | the rules decide | the rules decide |
/// | the event of acting | is answered with that event | the rules decide |
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
    fn route(&self, command: &Command) -> Route {
        let pair = Self::pair(command);
        Route {
            // An unknown command is refused, and stores nothing in any stream.
            stream: StreamId::new(pair.map_or(UNKNOWN, |pair| pair.context), command.subject),
            opens: pair.is_some_and(|pair| command.kind == pair.acts),
            undoes: pair.is_some_and(|pair| command.kind == pair.undoes),
        }
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        self.0.refuse(&refusal.to_string())
    }

    async fn decide(&self, case: &Case<'_, P>) -> Result<Decision, Unavailable> {
        let kind = &case.command.kind;
        let Some(pair) = Self::pair(case.command) else {
            let why = format!("there is no command {kind}");
            return Ok(Decision::Reject(self.0.refuse(&why)));
        };
        let (acts, last) = (*kind == pair.acts, case.history.last());
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
                self.0.decide(case, done).await
            }
        }
    }
}
