//! The events of Lambda, for watchers.

use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(
    tag = "event",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum LambdaEvent {
    /// A function got an invocation.
    InvocationStarted {
        /// The function's name.
        function: String,
        /// The id of the invocation.
        request_id: String,
        /// The process.
        pid: u32,
        /// Whether this is the first invocation of its sandbox.
        cold: bool,
        /// The time in milliseconds since 1970.
        at: u64,
    },
    /// An invocation ended.
    InvocationEnded {
        /// The function's name.
        function: String,
        /// The id of the invocation.
        request_id: String,
        /// The process.
        pid: u32,
        /// Whether this was the first invocation of its sandbox.
        cold: bool,
        /// How long it took, in milliseconds.
        duration_ms: f64,
        /// The type of the error, for example `Sandbox.Timedout`; none if the function answered.
        failure: Option<String>,
        /// The time in milliseconds since 1970.
        at: u64,
    },
    /// A sandbox started its process.
    SandboxStarted {
        /// The function's name.
        function: String,
        /// The process.
        pid: u32,
        /// The time in milliseconds since 1970.
        at: u64,
    },
    /// The process of a sandbox ended.
    SandboxEnded {
        /// The function's name.
        function: String,
        /// The process.
        pid: u32,
        /// The time in milliseconds since 1970.
        at: u64,
    },
    /// The record of an asynchronous invocation could not be sent to its destination, and is lost.
    DestinationFailed {
        /// The function's name.
        function: String,
        /// The id of the invocation.
        request_id: String,
        /// The ARN of the destination.
        destination: String,
        /// Why.
        error: String,
        /// The time in milliseconds since 1970.
        at: u64,
    },
}

/// A sandbox: a process that runs invocations of a function, one at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxInfo {
    /// The function's name.
    pub function: String,
    /// The process, which leads a process group of its own.
    pub pid: u32,
    /// The log stream.
    pub log_stream: String,
    /// The current state.
    pub state: SandboxState,
    /// Since when it does that, in milliseconds since 1970.
    pub since: u64,
    /// The number of its invocations.
    pub invocations: u64,
    /// The most memory that the process has used, in bytes, as of its last invocation.
    pub memory_bytes: u64,
}

/// The state of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SandboxState {
    /// Its process initialises.
    Starting,
    /// It waits for an invocation, and its process is stopped.
    Idle,
    /// It runs an invocation.
    Running {
        /// The id of the invocation.
        request_id: String,
    },
}
