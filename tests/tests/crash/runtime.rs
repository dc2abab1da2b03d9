//! The local runtime, which this test starts and kills.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alpes_ports::Randomness;
use e2e::{Api, kill};
use twins::SeededRandomness;

/// The variable with the words of the command that starts the runtime, in JSON. The runtime must stop when its standard
/// input ends, so that it does not outlive this test.
const COMMAND: &str = "ALPES_LOCAL_RUNTIME";

/// The average time that the runtime lives once it answers.
const LIFE: Duration = Duration::from_millis(1_500);
/// How often the runtime dies while it starts, perhaps before it answers.
const DIES_YOUNG: f64 = 0.2;
/// The longest life of a runtime that dies while it starts.
const YOUTH: Duration = Duration::from_millis(300);
/// How long the runtime may need to answer.
const STARTS_WITHIN: Duration = Duration::from_mins(1);
/// The lines of the runtime's log that a panic shows.
const TAIL: usize = 15;

/// A local runtime. Dropping it kills it.
pub struct LocalRuntime {
    words: Vec<String>,
    log: PathBuf,
    process: Mutex<Child>,
}

impl LocalRuntime {
    /// Kills the runtime that the environment names, and starts it again, on the same port and the same data.
    pub fn take_over() -> Self {
        let command = env::var(COMMAND).unwrap_or_else(|_| {
            panic!("{COMMAND} is not set: this test runs by cargo xtask test --crash")
        });
        let words: Vec<String> = serde_json::from_str(&command).expect(COMMAND);
        let folder = PathBuf::from(env::var("ALPES_RUN").expect("ALPES_RUN"));
        let pid = fs::read_to_string(folder.join("pid")).expect("the pid of the runtime");
        assert!(kill(pid.trim()), "the runtime {pid} does not run");
        let log = folder.join("log");
        let process = Mutex::new(start(&words, &log));
        Self {
            words,
            log,
            process,
        }
    }

    /// Kills the runtime and starts it again at random moments, also while it starts, until `stop` is set. Returns how
    /// often the runtime was killed. Panics if the runtime ends by itself.
    pub fn kill_at_random(&self, api: &Api, seed: u64, stop: &AtomicBool) -> usize {
        let dice = SeededRandomness::new(seed);
        let mut killed = 0;
        while !stop.load(Ordering::Relaxed) {
            if dice.fraction() < DIES_YOUNG {
                thread::sleep(YOUTH.mul_f64(dice.fraction()));
            } else {
                self.must_answer(api);
                thread::sleep(LIFE.mul_f64(2.0 * dice.fraction()));
            }
            self.must_run();
            let mut process = self.process();
            process.kill().expect("SIGKILL");
            process.wait().expect("the end of the runtime");
            *process = start(&self.words, &self.log);
            killed += 1;
        }
        killed
    }

    /// Waits until the runtime serves its API.
    pub fn must_answer(&self, api: &Api) {
        let until = Instant::now() + STARTS_WITHIN;
        while !api.answers() {
            self.must_run();
            assert!(Instant::now() < until, "the runtime does not answer");
        }
    }

    /// Panics if the runtime has ended by itself.
    pub fn must_run(&self) {
        if let Some(status) = self.process().try_wait().unwrap() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
            panic!("the runtime ended by itself, {status}:\n{tail}");
        }
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LocalRuntime {
    fn drop(&mut self) {
        let mut process = self.process();
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn start(words: &[String], log: &Path) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("the log");
    Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("the program of the runtime")
}
