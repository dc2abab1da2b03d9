//! A context that hears of the others, and does what its policies say.

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

/// How long a reaction may take before it is put off. Most take a fraction of it; what waits for somebody slow does not hold up others.
const BUDGET: Duration = Duration::from_secs(2);
/// Subjects whose events are reacted to side by side.
const AT_ONCE: usize = 16;
/// After how long a reaction is looked at again that cannot be read.
const PAUSE: Duration = Duration::from_mins(3);
/// Nothing new is done for an event that is older: whoever waited for it has given it up.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Reacts to events of others with commands of its own.
pub struct Reactor<P> {
    /// Which context it is.
    pub context: Context,
    /// Carries out its commands.
    pub participant: Participant<P>,
    /// What it does about what.
    pub policies: Vec<Policy>,
    /// What it could not do at once.
    pub reactions: Reactions,
    world: World,
}

/// What came of reactions that were to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reacted {
    /// Done, now or before.
    pub done: usize,
    /// Put off once more.
    pub put_off: usize,
}

/// The identity of the command that follows from an event by a policy: the same however often the event is heard.
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

    /// As a consumer of the log. What is not begun at `until` is put off.
    #[must_use]
    pub fn handler(&self, until: Timestamp) -> impl Handler<P> + '_ {
        Listener {
            reactor: self,
            until,
        }
    }

    /// Does what was put off. What cannot be read is put off once more, and what the tables give no answer about stays due: neither holds
    /// up others.
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
                            tracing::error!(pk = key.pk, sk = key.sk, %error, "it stays due");
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
            // Whoever waited for it has given it up, and what it was to be part of is undone by now.
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
                tracing::warn!(subject = %event.subject, correlation = %event.correlationid, command, cause, attempt, %next, "reaction put off again: the timers go on at their first run from then on");
                Ok(false)
            }
        }
    }

    /// Does what the policies say about an event. `together` are the types of the events that are heard with it.
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
        // Of an event that is older a deadline has come meanwhile.
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
                    tracing::warn!(subject = %event.subject, correlation = %event.correlationid, event = event.kind, command = policy.command, "too old to react to");
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
                        tracing::warn!(%subject, %correlation, command, cause, attempt, %next, "reaction put off: the timers go on at their first run from then on");
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes out the deadlines that an event makes void. One that is noted after it comes to nothing by itself.
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

    /// Keeps of an event what policies for other events need of it.
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

    /// Sends the command of a policy to the context's own rules; why not, if there is no answer in time.
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
            // What is to be undone stays to be undone: it is tried again, and the alarm on late reactions tells. Of anything else a
            // refusal is an answer: what it should have done must not be done any more, or is done otherwise.
            if policy.when == When::Always {
                return Err(format!("refused: {detail}"));
            }
            tracing::info!(%subject, %correlation, event = kind, command, detail, "reaction refused");
        } else {
            tracing::info!(%subject, %correlation, event = kind, command, "reaction done");
        }
        Ok(())
    }

    /// The command of a policy; `None` if the event lacks what it needs, which will not change. Else why it cannot be built now.
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
            prueba: false,
            data,
        }))
    }

    /// What was kept of the events, other than this one, that a command is built from.
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
