//! The processes of functions, if the runtime starts them on this machine.

use std::{
    collections::BTreeMap,
    env, fs,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use alpes_ports::Randomness;
use twins::SeededRandomness;

use crate::setting;

/// The pids of this stack's functions, by function name without the stack's name. Empty if the functions run on another
/// machine.
pub fn processes() -> BTreeMap<String, Vec<String>> {
    let endpoint = env::var("AWS_ENDPOINT_URL").unwrap_or_default();
    let prefix = format!("{}-", setting("ALPES_STACK"));
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(variables) = fs::read(entry.path().join("environ")) else {
            continue;
        };
        let variables = String::from_utf8_lossy(&variables).into_owned();
        let value = |name: &str| {
            let prefix = format!("{name}=");
            variables
                .split('\0')
                .find_map(|variable| variable.strip_prefix(&prefix))
                .unwrap_or_default()
        };
        let same =
            value("AWS_ENDPOINT_URL").trim_end_matches('/') == endpoint.trim_end_matches('/');
        if same && let Some(function) = value("AWS_LAMBDA_FUNCTION_NAME").strip_prefix(&prefix) {
            let pid = entry.file_name().to_string_lossy().into_owned();
            found.entry(function.to_owned()).or_default().push(pid);
        }
    }
    found
}

/// Kills a process; false if the process had ended already.
pub fn kill(pid: &str) -> bool {
    let kill = Command::new("kill").args(["-KILL", pid]).output();
    kill.unwrap().status.success()
}

/// Kills one process after the other until `stop` is set, a process every `pause` on average. Returns how many processes
/// of each function were killed.
pub fn kill_at_random(seed: u64, pause: Duration, stop: &AtomicBool) -> BTreeMap<String, usize> {
    let dice = SeededRandomness::new(seed);
    let mut killed = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(pause.mul_f64(2.0 * dice.fraction()));
        let alive: Vec<_> = processes().into_iter().collect();
        let pick = |count: usize| usize::try_from(dice.bits()).unwrap() % count;
        if alive.is_empty() {
            continue;
        }
        // Pick each function equally often, whatever its number of processes.
        let (function, processes) = &alive[pick(alive.len())];
        if kill(&processes[pick(processes.len())]) {
            *killed.entry(function.clone()).or_default() += 1;
        }
    }
    killed
}
