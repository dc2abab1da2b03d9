//! Runs every script that the kit can build for a [`Play`]. A script plans the failures of one run.

use std::fmt;

use alpes_saga::StepNumber;
use simulation::Fault;

use crate::{Cancel, Play, Run, Script, Stream, Undo, run};

/// The outcome of many runs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The number of runs.
    pub runs: usize,
    /// The scripts whose runs violated a rule, each with its violations.
    pub failures: Vec<(String, Vec<String>)>,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures.len();
        writeln!(formatter, "{failed} of {} runs failed", self.runs)?;
        for (script, violations) in self.failures.iter().take(5) {
            writeln!(formatter, "{script}")?;
            for violation in violations {
                writeln!(formatter, "    {violation}")?;
            }
        }
        Ok(())
    }
}

impl Report {
    /// Adds a run.
    pub fn add(&mut self, script: String, violations: Vec<String>) {
        self.runs += 1;
        if !violations.is_empty() {
            self.failures.push((script, violations));
        }
    }
}

struct Campaign<'a> {
    play: &'a dyn Play,
    report: Report,
    /// True if the campaign stops at the first script that fails.
    hunts: bool,
}

impl<'a> Campaign<'a> {
    fn of(play: &'a dyn Play, hunts: bool) -> Self {
        Self {
            play,
            report: Report::default(),
            hunts,
        }
    }

    async fn run(&mut self, script: Script) -> Run {
        if self.hunts && !self.report.failures.is_empty() {
            return Run::default();
        }
        let run = run(self.play, script).await;
        let name = format!("{script:?}");
        self.report.add(name, run.violations.clone());
        run
    }

    /// Runs the script, then again with each fault at each effect, with a rival orchestrator at each effect, and with a
    /// cancellation at each effect.
    async fn at_every_effect(&mut self, script: Script) {
        let Run { effects, trace, .. } = self.run(script).await;
        // The many queries of one search for due sagas count as one effect.
        let is_query = |what: Option<&String>| what.is_some_and(|what| what.starts_with("query"));
        let again = |at: &usize| {
            let before = at.checked_sub(1).and_then(|at| trace.get(at));
            is_query(trace.get(*at)) && is_query(before)
        };
        for at in (0..effects).filter(|at| !again(at)) {
            for fault in Fault::ALL.into_iter().chain([Fault::Late]) {
                let no_timers = matches!(fault, Fault::KillBefore | Fault::KillAfter);
                let fault = Some((at, fault));
                self.run(Script { fault, ..script }).await;
                if no_timers {
                    self.run(Script {
                        fault,
                        no_timers,
                        ..script
                    })
                    .await;
                }
            }
            let rival = Some(at);
            self.run(Script { rival, ..script }).await;
            if script.cancel == Cancel::Never {
                let cancel = Cancel::AtEffect(at);
                self.run(Script { cancel, ..script }).await;
            }
        }
    }

    async fn all(mut self) -> Report {
        let definition = self.play.definition();
        let numbers = || definition.numbered().map(|(number, _)| number);
        let later = || numbers().skip(1);
        let plain = Script::default();
        self.at_every_effect(plain).await;
        for fails_at in later().map(Some) {
            let failing = Script { fails_at, ..plain };
            self.at_every_effect(failing).await;
        }
        for cancel in [Cancel::Before, Cancel::After] {
            self.at_every_effect(Script { cancel, ..plain }).await;
        }
        for stream in [Stream::Prompt, Stream::Thrice, Stream::Held] {
            self.run(Script { stream, ..plain }).await;
            for step in later() {
                for (silent, mute) in [(Some(step), None), (None, Some(step))] {
                    self.run(Script {
                        silent,
                        mute,
                        stream,
                        ..plain
                    })
                    .await;
                }
                for times in [1, 2, u32::MAX] {
                    let lost = Some((step, times));
                    self.run(Script {
                        lost,
                        stream,
                        ..plain
                    })
                    .await;
                }
                let fails_at = Some(step);
                self.run(Script {
                    fails_at,
                    stream,
                    ..plain
                })
                .await;
            }
        }
        // Cancelling a completed saga sends every compensation that exists.
        let cancel = Cancel::After;
        self.undoing(Script { cancel, ..plain }, numbers().last())
            .await;
        for step in later() {
            let (fails_at, silent) = (Some(step), Some(step));
            self.undoing(Script { fails_at, ..plain }, step.before())
                .await;
            self.undoing(Script { silent, ..plain }, Some(step)).await;
        }
        self.report
    }

    /// Runs the script once for each step up to `last` and each way in which that step's compensation can fail. All
    /// these steps are undone.
    async fn undoing(&mut self, script: Script, last: Option<StepNumber>) {
        let definition = self.play.definition();
        let undone = definition
            .numbered()
            .take_while(|(number, _)| Some(*number) <= last);
        for (step, _) in undone.filter(|(_, step)| step.compensation.is_some()) {
            for undo in [
                Undo::Lost(1),
                Undo::Lost(3),
                Undo::Silent,
                Undo::Refused,
                Undo::ByHand,
            ] {
                let undo = Some((step, undo));
                self.run(Script { undo, ..script }).await;
            }
        }
    }
}

/// Runs a script, then again with each fault at each effect, with a rival orchestrator at each effect, and with a
/// cancellation at each effect.
pub async fn at_every_effect(play: &dyn Play, script: Script) -> Report {
    let mut campaign = Campaign::of(play, false);
    campaign.at_every_effect(script).await;
    campaign.report
}

/// Runs every script. The scripts cover:
///
/// - each step failing, and each compensation that follows failing;
/// - a fault, a rival orchestrator and a cancellation at every effect of these runs;
/// - each step's command never arriving, and each step's answers all lost, with events arriving at once and held back;
/// - lost commands, repeated messages, and cancellations before, during and after the saga;
/// - sagas that no timer wakes: only redelivered events wake them.
pub async fn campaign(play: &dyn Play) -> Report {
    Campaign::of(play, false).all().await
}

/// Like [`campaign`], but stops at the first script that fails. Use it to show that a planted mistake is found.
pub async fn hunt(play: &dyn Play) -> Report {
    Campaign::of(play, true).all().await
}
