//! The reactor: it consumes the events of other contexts, and carries out the policies of its own context.

use std::{sync::Arc, time::Duration};

use alpes_consumer::{Group, Handler, Stop};
use alpes_messages::{
    Command, CommandId, Context, DomainEvent, Event, Reply, SagaMode,
    mapping::{FieldPath, Mapping, OF_THE_SAGA, Unknown},
};
use alpes_ports::{TableError, Tables, World};
use async_trait::async_trait;
use futures::{
    FutureExt, StreamExt,
    future::{Either, select},
    stream,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Map;
use uuid::Uuid;

use crate::{
    Participant, Policy, ReactionKey, Reactions, When,
    reactions::{Reaction, ReadError},
};

/// The time limit of a reaction before it is put off. Most reactions take a fraction of this time. With the limit, a
/// slow participant does not block the other reactions.
const BUDGET: Duration = Duration::from_secs(2);
/// The number of subjects whose events are handled concurrently.
const AT_ONCE: usize = 16;
/// The pause before a reaction that could not be read is tried again.
const PAUSE: Duration = Duration::from_mins(3);
/// The age up to which an event is news. For older events the reactor does nothing new, since no client waits for the
/// outcome any more.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Reacts to events of other contexts with commands of its own context.
pub struct Reactor<P> {
    /// The context that reacts.
    pub context: Context,
    /// The participant that handles the reactor's commands.
    pub participant: Participant<P>,
    /// The policies of the context.
    pub policies: Vec<Policy>,
    /// The reactions that are pending.
    pub reactions: Reactions,
    world: World,
}

/// The results of one call of [`Reactor::resume`], counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reacted {
    /// The number of reactions that are done, now or earlier.
    pub done: usize,
    /// The number of reactions that were put off once more.
    pub put_off: usize,
}

/// The id of the command that a policy sends in response to an event. A redelivered event gives the same id.
#[must_use]
pub fn reaction_id(event: &Event, command: &str) -> CommandId {
    CommandId(Uuid::new_v5(&event.id.0, command.as_bytes()))
}

impl<P: DomainEvent> Reactor<P> {
    /// A reactor of `participant`.
    #[must_use]
    pub fn new(
        participant: Participant<P>,
        policies: Vec<Policy>,
        tables: Arc<dyn Tables>,
    ) -> Self {
        let world = participant.world.clone();
        Self {
            context: participant.context,
            participant,
            policies,
            reactions: Reactions::new(tables, world.clone()),
            world,
        }
    }

    /// The reactor as a handler of log events. Reactions not begun before `until` are put off.
    #[must_use]
    pub fn handler(&self, until: Timestamp) -> impl Handler<P> + '_ {
        Listener {
            reactor: self,
            until,
        }
    }

    /// Tries pending reactions. A reaction that cannot be read is put off. If the tables do not answer, the reaction
    /// stays due. In both cases the other reactions are tried all the same.
    pub async fn resume(&self, keys: &[ReactionKey], until: Timestamp) -> Reacted {
        let resuming: Vec<_> = keys.iter().map(|key| self.resume_one(key, until)).collect();
        let resumed: Vec<_> = stream::iter(resuming).buffered(AT_ONCE).collect().await;
        let mut reacted = Reacted::default();
        for (key, resumed) in keys.iter().zip(resumed) {
            match resumed {
                Ok(true) => reacted.done += 1,
                Ok(false) => reacted.put_off += 1,
                Err(cause) => {
                    tracing::error!(pk = key.pk, sk = key.sk, %cause, "reaction not resumed");
                    match self.reactions.set_aside(key, PAUSE).await {
                        Ok(()) => reacted.put_off += 1,
                        Err(error) => {
                            tracing::error!(pk = key.pk, sk = key.sk, %error, "reaction not put off: it stays due");
                        }
                    }
                }
            }
        }
        reacted
    }

    async fn resume_one(&self, key: &ReactionKey, until: Timestamp) -> Result<bool, ReadError> {
        let Some(reaction) = self.reactions.read(key).await? else {
            return Ok(true);
        };
        let Reaction { event, command, .. } = &reaction;
        let policy = self
            .policies
            .iter()
            .find(|policy| policy.event == event.kind && policy.command == command);
        let done = match policy {
            // No client waits for this reaction any more, and its saga has been undone.
            Some(policy) if policy.when == When::News && self.age(event) > NEWS => Ok(()),
            Some(policy) => self.send(policy, event, until).await,
            None => Err(format!(
                "this build has no policy {command} for {}",
                event.kind
            )),
        };
        match done {
            Ok(()) => {
                self.reactions.remove(key).await?;
                Ok(true)
            }
            Err(cause) => {
                let next = self.reactions.put_off(key, &reaction).await?;
                let attempt = reaction.attempts.saturating_add(1);
                tracing::warn!(subject = %event.subject, correlation = %event.correlationid, command, cause, attempt, %next, "reaction put off again: the timers retry it at their first run after `next`");
                Ok(false)
            }
        }
    }

    /// Carries out the policies for an event. `together` are the types of the events in the same group.
    async fn react(
        &self,
        event: &Event,
        together: &[&str],
        until: Timestamp,
    ) -> Result<(), TableError> {
        if event.sagamode != SagaMode::Choreography {
            return Ok(());
        }
        self.keep(event).await?;
        let is_news = self.age(event) <= NEWS;
        // An older event need not remove a deadline: the deadline has certainly passed.
        if is_news {
            self.void_deadlines(event).await?;
        }
        for policy in self
            .policies
            .iter()
            .filter(|policy| policy.event == event.kind)
        {
            match policy.when {
                When::News if !is_news => {
                    tracing::warn!(subject = %event.subject, correlation = %event.correlationid, event = event.kind, command = policy.command, "event too old for a reaction");
                }
                When::After(_) if policy.unless.iter().any(|end| together.contains(end)) => {}
                When::After(delay) if is_news => {
                    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
                    let due = self.world.clock.now().checked_add(delay);
                    let due = due.unwrap_or(Timestamp::MAX);
                    self.reactions
                        .note(self.context, policy, event, due)
                        .await?;
                }
                When::News | When::Always | When::After(_) => {
                    if let Err(cause) = self.send(policy, event, until).await {
                        let noted = self.reactions.note_failed(self.context, policy, event);
                        let next = noted.await?;
                        let (subject, correlation) = (event.subject, event.correlationid);
                        let (command, attempt) = (policy.command, 1);
                        tracing::warn!(%subject, %correlation, command, cause, attempt, %next, "reaction put off: the timers retry it at their first run after `next`");
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes the deadlines that an event cancels. A deadline that is stored later, after this event, is harmless: the
    /// rules then give its command no effect.
    async fn void_deadlines(&self, event: &Event) -> Result<(), TableError> {
        let void = self
            .policies
            .iter()
            .filter(|policy| policy.unless.contains(&event.kind.as_str()));
        for policy in void {
            let key = ReactionKey::deadline(self.context, policy, event.subject);
            self.reactions.remove(&key).await?;
        }
        Ok(())
    }

    fn age(&self, event: &Event) -> SignedDuration {
        let now = self.world.clock.now();
        now.duration_since(event.time.timestamp())
    }

    /// Keeps the fields of an event that policies for other events need.
    async fn keep(&self, event: &Event) -> Result<(), TableError> {
        let others = self
            .policies
            .iter()
            .filter(|policy| policy.event != event.kind);
        let needed = alpes_messages::mapping::needed(
            others.map(|policy| &policy.data),
            &event.kind,
            &event.data,
        );
        if needed.as_object().is_none_or(Map::is_empty) {
            return Ok(());
        }
        self.reactions.keep(self.context, event, needed).await
    }

    /// Sends the command of a policy to the context's own rules. The error is the reason why there was no answer in
    /// time.
    async fn send(&self, policy: &Policy, event: &Event, until: Timestamp) -> Result<(), String> {
        let left = until.duration_since(self.world.clock.now());
        let budget = Duration::try_from(left)
            .unwrap_or(Duration::ZERO)
            .min(BUDGET);
        if budget.is_zero() {
            return Err("no time left".to_owned());
        }
        let Some(command) = self.command(policy, event).await? else {
            return Ok(());
        };
        let answer = self.participant.handle(&command).boxed();
        let out_of_time = self.world.tasks.sleep(budget).boxed();
        let reply = match select(answer, out_of_time).await {
            Either::Left((answer, _)) => answer.map_err(|error| error.to_string())?,
            Either::Right(_) => return Err("no answer in time".to_owned()),
        };
        let (subject, correlation) = (event.subject, event.correlationid);
        let (kind, command) = (&*event.kind, policy.command);
        if let Reply::Rechazado { problema } = &reply {
            let detail = problema.detail.as_deref().unwrap_or(&problema.title);
            // A step must be undone, so a refused undoing command is sent again, and the alarm on late reactions
            // reports it. For any other command a refusal is final: the command's effect is no longer wanted, or
            // another command had the same effect.
            if policy.when == When::Always {
                return Err(format!("refused: {detail}"));
            }
            tracing::info!(%subject, %correlation, event = kind, command, detail, "reaction refused");
        } else {
            tracing::info!(%subject, %correlation, event = kind, command, "reaction done");
        }
        Ok(())
    }

    /// Builds the command of a policy. `None` if the event lacks a field that the command needs, so that the command
    /// can never be built. An error is the reason why the command cannot be built yet.
    async fn command(&self, policy: &Policy, event: &Event) -> Result<Option<Command>, String> {
        let mut context = self.heard(&policy.data, event).await?;
        context.insert(event.kind.clone(), event.data.clone());
        let data = match policy.data.build(&context) {
            Ok(data) => data,
            Err(Unknown(path)) if path.split('.').next() == Some(&event.kind) => {
                tracing::warn!(subject = %event.subject, correlation = %event.correlationid, command = policy.command, path, "the event lacks what the command needs");
                return Ok(None);
            }
            Err(unknown) => return Err(unknown.to_string()),
        };
        Ok(Some(Command {
            id: reaction_id(event, policy.command),
            kind: policy.command.to_owned(),
            subject: event.subject,
            correlationid: event.correlationid,
            causationid: Some(event.id.0),
            sagamode: event.sagamode,
            traceparent: event.traceparent.clone(),
            actor: None,
            prueba: false,
            data,
        }))
    }

    /// The kept data of the earlier events that the command is built from.
    async fn heard(
        &self,
        data: &Mapping,
        event: &Event,
    ) -> Result<Map<String, serde_json::Value>, String> {
        let mut kinds: Vec<_> = data.paths().map(FieldPath::root).collect();
        kinds.retain(|kind| *kind != event.kind && *kind != OF_THE_SAGA);
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() {
            return Ok(Map::new());
        }
        let kept = self
            .reactions
            .kept(self.context, event.subject, &kinds)
            .await;
        kept.map_err(|error| error.to_string())
    }
}

struct Listener<'a, P> {
    reactor: &'a Reactor<P>,
    until: Timestamp,
}

#[async_trait]
impl<P: DomainEvent> Handler<P> for Listener<'_, P> {
    async fn handle(&self, groups: &[Group<P>]) -> Vec<Result<(), Stop>> {
        let reacted: Vec<_> = groups.iter().map(|group| self.group(group)).collect();
        stream::iter(reacted).buffered(AT_ONCE).collect().await
    }
}

impl<P: DomainEvent> Listener<'_, P> {
    async fn group(&self, group: &Group<P>) -> Result<(), Stop> {
        let kinds = group.events.iter().map(|incoming| &*incoming.event.kind);
        let kinds: Vec<_> = kinds.collect();
        for incoming in &group.events {
            let reacted = self.reactor.react(&incoming.event, &kinds, self.until);
            let reacted = reacted.await;
            reacted.map_err(|error| Stop::of(incoming.place, &error))?;
        }
        Ok(())
    }
}
