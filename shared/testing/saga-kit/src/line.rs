//! The connection between the engine and the participants. The connection loses, holds back and repeats commands, and
//! checks each one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alpes_ports::{Consistency, Key, Tables};
use alpes_saga::{
    Answer, Direction, Dispatch, NoAnswer, Participants, StepNumber, TABLE, command_id,
};
use async_trait::async_trait;
use futures::FutureExt;
use serde_json::Value;
use simulation::Faults;
use twins::MemoryTables;

/// The trouble that the connection makes for the commands of a step in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The command is held back until it is released, and is not answered.
    Held,
    /// The participant handles the command each time, and every answer is lost.
    Mute,
    /// The first sends of the command are lost, as many as this number: the participant does not receive them.
    Lost(u32),
    /// Every send of the command is refused.
    Refused,
}

#[derive(Default)]
struct State {
    troubles: BTreeMap<(StepNumber, bool), Trouble>,
    held: Vec<Dispatch>,
    sent: Vec<Dispatch>,
    noted: Vec<String>,
}

/// The connection between engine and participants.
#[derive(Clone)]
pub(crate) struct Line {
    inner: Arc<dyn Participants>,
    faults: Faults,
    tables: Arc<MemoryTables>,
    state: Arc<Mutex<State>>,
}

fn way(dispatch: &Dispatch) -> Direction {
    let doing = command_id(dispatch.saga, dispatch.step, Direction::Do);
    if dispatch.command == doing {
        Direction::Do
    } else {
        Direction::Undo
    }
}

impl Line {
    pub(crate) fn new(
        inner: Arc<dyn Participants>,
        faults: Faults,
        tables: Arc<MemoryTables>,
    ) -> Self {
        Self {
            inner,
            faults,
            tables,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the trouble for the commands of a step in one direction from now on. With `None`, the commands meet no
    /// trouble.
    pub(crate) fn trouble(&self, step: StepNumber, direction: Direction, trouble: Option<Trouble>) {
        let key = (step, direction == Direction::Undo);
        let troubles = &mut self.lock().troubles;
        match trouble {
            Some(trouble) => troubles.insert(key, trouble),
            None => troubles.remove(&key),
        };
    }

    /// Delivers the commands that were held back.
    pub(crate) fn let_go(&self) {
        let held = std::mem::take(&mut self.lock().held);
        for dispatch in held {
            self.arrive(&dispatch);
        }
    }

    /// Delivers a command whose answer nobody awaits. A fault may kill the participant while it handles the command.
    fn arrive(&self, dispatch: &Dispatch) {
        let _ = self.inner.send(dispatch).now_or_never();
    }

    /// Redelivers every command that was ever sent: first all in the order of sending, then all in reverse.
    pub(crate) fn repeat_all(&self) {
        let sent = self.lock().sent.clone();
        for dispatch in sent.iter().chain(sent.iter().rev()) {
            self.arrive(dispatch);
        }
    }

    /// Records a violation.
    pub(crate) fn note(&self, violation: String) {
        self.lock().noted.push(violation);
    }

    /// The violations so far: commands that were sent before the log had them, and those that [`note`](Self::note)
    /// recorded.
    pub(crate) fn noted(&self) -> Vec<String> {
        self.lock().noted.clone()
    }

    async fn is_logged(&self, dispatch: &Dispatch) -> bool {
        let key = Key::new(TABLE, dispatch.saga.to_string(), "saga");
        let item = self.tables.get_one(&key, Consistency::Strong).await;
        let item = item.ok().flatten().unwrap_or_default();
        let id = Value::from(dispatch.command.to_string());
        let entries = item.get("log").and_then(Value::as_array);
        entries.is_some_and(|entries| {
            entries
                .iter()
                .any(|entry| entry.get("command_id") == Some(&id))
        })
    }

    fn troubled(&self, dispatch: &Dispatch) -> Option<Result<Answer, NoAnswer>> {
        let key = (dispatch.step, way(dispatch) == Direction::Undo);
        let mut state = self.lock();
        let silence = Err(NoAnswer("silence".to_owned()));
        match state.troubles.get_mut(&key) {
            None | Some(Trouble::Lost(0)) => None,
            Some(Trouble::Lost(times)) => {
                *times -= 1;
                Some(silence)
            }
            Some(Trouble::Refused) => Some(Ok(Answer::Rejected("refused".to_owned()))),
            Some(Trouble::Mute) => {
                drop(state);
                self.arrive(dispatch);
                Some(silence)
            }
            Some(Trouble::Held) => {
                state.held.push(dispatch.clone());
                Some(silence)
            }
        }
    }
}

#[async_trait]
impl Participants for Line {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        if !self.is_logged(dispatch).await {
            self.note(format!("{} was sent before it was logged", dispatch.kind));
        }
        self.lock().sent.push(dispatch.clone());
        if let Some(answer) = self.troubled(dispatch) {
            return answer;
        }
        let lost = NoAnswer("the answer was lost".to_owned());
        let work = || {
            let (inner, dispatch) = (self.inner.clone(), dispatch.clone());
            async move { inner.send(&dispatch).await }.boxed()
        };
        self.faults
            .effect(format!("send {}", dispatch.kind), lost, work)
            .await
    }
}
