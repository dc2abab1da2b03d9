//! The command `rebuild`: rebuilds a view from archive and log, while the view answers queries.

use std::time::Duration;

use alpes_ports::Platform;
use alpes_ports::{CallError, Functions, World};
use alpes_projections::REBUILDER;
use command_line::Progress;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use crate::{Deployed, Outcome};

/// How many seconds one call of the rebuilder works: less than the call's timeout, and few enough to report progress
/// often.
const STRETCH: u64 = 4;
/// How many seconds pass between calls while the rebuild only waits. The timers take over a rebuild that was not called
/// for a minute.
const WAITS: u64 = 20;
/// The time between two numbers of a countdown.
const TICK: Duration = Duration::from_secs(1);

/// The pause after a call without an answer, before the call is repeated.
const PAUSE: Duration = Duration::from_secs(2);
/// The number of calls in a row without an answer after which the command ends.
const PATIENCE: u32 = 10;

/// The rebuilder's answer.
#[derive(Deserialize)]
struct Answered {
    view: String,
    generation: u32,
    phase: String,
    objects: u64,
    listed: u64,
    events: u64,
    skipped: u64,
    reached: Option<String>,
    goal: String,
    wait_seconds: u64,
    is_done: bool,
}

impl Answered {
    /// The current task: the part of the work, or the wait.
    fn about(&self) -> String {
        let Self {
            view, generation, ..
        } = self;
        let waits = self.wait_seconds > 0;
        match self.phase.as_str() {
            "survey" => format!("{view}.{generation}: lists the archive"),
            "archive" => format!("{view}.{generation}: replays the archive"),
            "log" if waits => {
                format!("{view}.{generation}: waits until the projector writes it too")
            }
            "log" => format!("{view}.{generation}: replays the log"),
            "retire" => format!("{view}.{generation} lives: waits for readers of the old one"),
            "drop" if waits => {
                format!("{view}: waits for writers of the old generation")
            }
            "drop" => format!("{view}: deletes the old generation"),
            other => other.to_owned(),
        }
    }

    /// The progress of the task.
    fn how_far(&self) -> String {
        let until = || self.reached.as_deref().unwrap_or("the beginning");
        match self.phase.as_str() {
            "survey" => format!(", {} objects", self.listed),
            "archive" => format!(
                ", {} of {} objects, {} events, up to {}",
                self.objects,
                self.listed.max(self.objects),
                self.events,
                until()
            ),
            "log" => format!(
                ", {} events, up to {} of {}",
                self.events,
                until(),
                self.goal
            ),
            _ => String::new(),
        }
    }
}

/// Formats a length of time such as `1 min 28 s`.
fn length(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

pub(crate) async fn run(deployed: &Deployed, view: &str, action: &str) -> Outcome {
    let (functions, world) = (deployed.platform.functions(), deployed.platform.world());
    let mut progress = Progress::default();
    let ended = drive(&*functions, &world, view, action, &mut |news| match news {
        News::Goes(about, how_far) => progress.show(&about, &how_far),
        News::NoAnswer(cause) => {
            progress.clear();
            eprintln!("no answer, asking again: {cause}");
        }
    })
    .await;
    progress.clear();
    match ended {
        Ok(result) => {
            println!("{result}");
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// A message about a running rebuild.
enum News {
    /// The current task, and its progress.
    Goes(String, String),
    /// A call had no answer and is repeated.
    NoAnswer(String),
}

/// Calls the rebuilder until the view is rebuilt, and returns the closing message.
async fn drive(
    functions: &dyn Functions,
    world: &World,
    view: &str,
    action: &str,
    tell: &mut (dyn FnMut(News) + Send),
) -> Result<String, CallError> {
    let begun = world.clock.now();
    let (mut action, mut known, mut unanswered, mut waited) = (action, false, 0, 0);
    loop {
        let order = json!({ "view": view, "action": action, "seconds": STRETCH });
        let answer = functions
            .call(REBUILDER, order.to_string().as_bytes())
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(CallError::Failed { error_type, .. }) if error_type == "Overtaken" => {
                let about = format!("{view}: another run works on it, perhaps the timers");
                tell(News::Goes(about, String::new()));
                world.tasks.sleep(PAUSE).await;
                action = "resume";
                continue;
            }
            Err(CallError::Failed { error_type, .. }) if error_type == "NotRebuilding" && known => {
                return Ok("done, by another run".to_owned());
            }
            Err(CallError::Unavailable(cause)) if unanswered < PATIENCE => {
                tell(News::NoAnswer(cause));
                unanswered += 1;
                world.tasks.sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let done: Answered = serde_json::from_slice(&answer)
            .map_err(|error| CallError::Refused(format!("an answer cannot be parsed: {error}")))?;
        (action, known, unanswered) = ("resume", true, 0);
        if done.is_done {
            let took = world.clock.now().duration_since(begun);
            return Ok(result(&done, took, waited));
        }
        if done.wait_seconds == 0 {
            tell(News::Goes(done.about(), done.how_far()));
        }
        for second in 0..done.wait_seconds.min(WAITS) {
            let left = length(done.wait_seconds - second);
            tell(News::Goes(done.about(), format!(", {left} left")));
            world.tasks.sleep(TICK).await;
            waited += 1;
        }
    }
}

fn result(done: &Answered, took: SignedDuration, waited: u64) -> String {
    let took = length(took.as_secs().try_into().unwrap_or_default());
    let folded = format!(
        "done: {} events were folded, each as often as it was read; it took {took}, of which {} were waiting",
        done.events,
        length(waited)
    );
    match done.skipped {
        0 => folded,
        passed_by => format!(
            "{folded}\n{passed_by} records were skipped, because they are no events of this build: cargo xtask parked"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use alpes_ports::FunctionName;
    use async_trait::async_trait;
    use futures::executor::block_on;
    use serde_json::Value;
    use twins::world;

    use super::*;

    /// A stand-in for the rebuilder that gives these answers in turn. A call that has work takes 2 seconds.
    struct Answers {
        world: World,
        left: Mutex<Vec<Result<Value, CallError>>>,
        calls: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Functions for Answers {
        async fn call(&self, _: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
            let order: Value = serde_json::from_slice(payload).unwrap();
            let action = order.get("action").and_then(Value::as_str).unwrap();
            self.calls.lock().unwrap().push(action.to_owned());
            self.world.tasks.sleep(Duration::from_secs(2)).await;
            let answer = self.left.lock().unwrap().remove(0)?;
            Ok(answer.to_string().into_bytes())
        }

        async fn start(&self, _: FunctionName, _: &[u8]) -> Result<(), CallError> {
            unreachable!("it is waited for")
        }
    }

    fn done(phase: &str, wait: u64) -> Value {
        json!({
            "view": "v", "generation": 2, "phase": phase, "objects": 16, "listed": 40, "events": 900, "skipped": 0,
            "reached": "2026-01-31T10:00:00.000Z", "goal": "2026-01-31T10:00:10.000Z", "wait_seconds": wait,
            "is_done": phase == "done",
        })
    }

    /// The messages during a rebuild, its outcome, and the calls that it made.
    fn driven(
        answers: Vec<Result<Value, CallError>>,
    ) -> (Vec<String>, Result<String, CallError>, Vec<String>) {
        let (world, _) = world(1);
        let answers = Answers {
            world: world.clone(),
            left: Mutex::new(answers),
            calls: Mutex::default(),
        };
        let mut told = vec![];
        let ended = block_on(drive(&answers, &world, "v", "rebuild", &mut |news| {
            told.push(match news {
                News::Goes(about, how_far) => about + &how_far,
                News::NoAnswer(cause) => format!("no answer: {cause}"),
            });
        }));
        let calls = answers.calls.lock().unwrap().clone();
        (told, ended, calls)
    }

    #[test]
    fn it_tells_each_phase_how_far_it_is_and_counts_down_where_it_waits() {
        let (told, ended, calls) = driven(vec![
            Ok(done("survey", 0)),
            Ok(done("archive", 0)),
            Ok(done("log", 2)),
            Ok(done("log", 0)),
            Ok(done("retire", 3)),
            Ok(done("drop", 90)),
            Ok(done("drop", 68)),
            Ok(done("drop", 0)),
            Ok(done("done", 0)),
        ]);
        let mut expected = vec![
            "v.2: lists the archive, 40 objects".to_owned(),
            "v.2: replays the archive, 16 of 40 objects, 900 events, up to 2026-01-31T10:00:00.000Z".to_owned(),
            "v.2: waits until the projector writes it too, 2 s left".to_owned(),
            "v.2: waits until the projector writes it too, 1 s left".to_owned(),
            "v.2: replays the log, 900 events, up to 2026-01-31T10:00:00.000Z of 2026-01-31T10:00:10.000Z".to_owned(),
        ];
        let readers = |left| format!("v.2 lives: waits for readers of the old one, {left} s left");
        expected.extend([3, 2, 1].map(readers));
        // The rebuilder is called every 20 seconds, so the timers do not take over. The countdown continues with the
        // time that the rebuilder's answer gives.
        let seconds = (71..=90).rev().chain((49..=68).rev());
        expected.extend(seconds.map(|left| {
            let left = length(left);
            format!("v: waits for writers of the old generation, {left} left")
        }));
        expected.push("v: deletes the old generation".to_owned());
        assert_eq!(told, expected);
        assert_eq!(
            ended.unwrap(),
            "done: 900 events were folded, each as often as it was read; it took 1 min 3 s, of which 45 s were waiting"
        );
        assert_eq!(calls.first().map(String::as_str), Some("rebuild"));
        assert!(calls.iter().skip(1).all(|action| action == "resume"));
    }

    #[test]
    fn what_goes_wrong_is_told_and_borne_for_a_while() {
        let overtaken = CallError::Failed {
            error_type: "Overtaken".into(),
            message: String::new(),
        };
        let ended = CallError::Failed {
            error_type: "NotRebuilding".into(),
            message: String::new(),
        };
        let silent = CallError::Unavailable("silence".into());
        let (told, result, _) = driven(vec![
            Err(silent.clone()),
            Err(overtaken),
            Ok(done("archive", 0)),
            Err(ended.clone()),
        ]);
        assert_eq!(told.first().unwrap(), "no answer: silence");
        assert_eq!(
            told.get(1).unwrap(),
            "v: another run works on it, perhaps the timers"
        );
        assert_eq!(result, Ok("done, by another run".to_owned()));
        let (_, result, calls) = driven(vec![Err(silent.clone()); 11]);
        assert_eq!((result, calls.len()), (Err(silent), 11));
        // A rebuild that never began is not reported as done.
        assert_eq!(driven(vec![Err(ended.clone())]).1, Err(ended));
    }

    #[test]
    fn lengths_of_time_are_told_in_minutes_and_seconds() {
        assert_eq!(
            [0, 59, 60, 88].map(length),
            ["0 s", "59 s", "1 min", "1 min 28 s"]
        );
    }
}
