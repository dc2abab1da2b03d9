//! The environment of a function's process, as AWS's `provided.al2023` has it.

use std::{ffi::OsString, path::Path};

use crate::{iam::Keys, lambda::reference::LATEST, lambda::registry::Deployment, names::REGION};

/// The variables of a function's process. The function's own variables win over those that it may set.
pub(super) fn variables(
    deployment: &Deployment,
    keys: &Keys,
    endpoint: &str,
    runtime_api: &str,
    log_stream: &str,
) -> Vec<(String, OsString)> {
    let spec = &deployment.spec;
    let task_root = &deployment.folder;
    let mut variables: Vec<(String, OsString)> = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .into();
    variables.push(("PATH".to_owned(), path()));
    variables.push(("LD_LIBRARY_PATH".to_owned(), library_path(task_root)));
    let own = spec.environment.iter();
    variables.extend(own.map(|(name, value)| (name.clone(), value.into())));
    let memory = spec.memory_mb.to_string();
    let log_group = spec.log_group();
    let fixed = [
        ("AWS_ACCESS_KEY_ID", &*keys.id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret),
        ("AWS_SESSION_TOKEN", &keys.token),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_VERSION", LATEST),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("_HANDLER", &spec.handler),
    ];
    variables.extend(fixed.map(|(name, value)| (name.to_owned(), value.into())));
    variables.push(("LAMBDA_TASK_ROOT".to_owned(), task_root.into()));
    variables
}

/// AWS's path, and then the host's, whose programs may be in other places.
fn path() -> OsString {
    followed_by_host("/usr/local/bin:/usr/bin/:/bin:/opt/bin".into(), "PATH")
}

fn library_path(task_root: &Path) -> OsString {
    let mut path = OsString::from("/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:");
    path.push(task_root);
    path.push(":");
    path.push(task_root.join("lib"));
    path.push(":/opt/lib");
    followed_by_host(path, "LD_LIBRARY_PATH")
}

fn followed_by_host(mut path: OsString, variable: &str) -> OsString {
    if let Some(host) = std::env::var_os(variable).filter(|host| !host.is_empty()) {
        path.push(":");
        path.push(host);
    }
    path
}
