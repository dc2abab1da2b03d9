//! The processes of functions, if the runtime starts them on this machine.

use std::{collections::BTreeMap, env, fs, process::Command};

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
