//! Tests of the twin of Step Functions.

#![cfg(test)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use alpes_ports::{
    CallError, Clock, Ending, ExecutionError, Executions, FunctionName, Functions, Happened,
    Progress, Tasks, World,
};
use async_trait::async_trait;
use futures::{executor::block_on, future::BoxFuture};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulation::{Dice, Fault, Faults, Scheduler, VirtualTasks};
use twins::{MachineError, ManualClock, MemoryExecutions, MemoryFunctions, suite};

const F: FunctionName = FunctionName("function-f");

/// A task that passes its whole input to `f`. The task has the fields of `more`, and ends the machine unless `more` has
/// a field `Next`.
fn task(more: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "f", "Payload.$": "$"},
    });
    let (Value::Object(fields), Value::Object(more)) = (&mut task, more) else {
        unreachable!("states are objects")
    };
    if more.contains_key("Next") {
        fields.remove("End");
    }
    fields.extend(more);
    task
}

/// A machine that begins in the state `A`.
fn machine(states: &Value) -> Value {
    json!({"StartAt": "A", "States": states})
}

/// 2026-01-31T10:00:00Z
fn beginning() -> Timestamp {
    Timestamp::from_second(1_769_853_600).unwrap()
}

fn executions(
    states: &Value,
    functions: Arc<dyn Functions>,
    world: World,
) -> Result<MemoryExecutions, MachineError> {
    let names = BTreeMap::from([("f".to_owned(), F)]);
    MemoryExecutions::new(&machine(states), names, functions, world)
}

/// Executions in virtual time, with a function that records the time and payload of each call.
struct Bench {
    executions: MemoryExecutions,
    functions: Arc<MemoryFunctions>,
    clock: Arc<ManualClock>,
    tasks: Arc<VirtualTasks>,
    processes: Scheduler<()>,
    done: Arc<Mutex<Vec<(i64, Value)>>>,
}

impl Bench {
    /// A bench whose function takes as many seconds as the field `takes` of its payload says.
    fn new(states: &Value) -> Self {
        let (ambient, clock) = twins::world(1);
        let tasks = Arc::new(VirtualTasks::new(clock.clone()));
        let world = World {
            tasks: tasks.clone(),
            ..ambient
        };
        let functions = Arc::new(MemoryFunctions::new());
        let done = Arc::<Mutex<Vec<_>>>::default();
        let context = (done.clone(), clock.clone(), tasks.clone());
        functions.deploy(F, move |payload| {
            let (done, clock, tasks) = context.clone();
            async move {
                let payload: Value = serde_json::from_slice(&payload).unwrap();
                let takes = payload["takes"].as_u64().unwrap_or(0);
                tasks.sleep(Duration::from_secs(takes)).await;
                done.lock().unwrap().push((since(clock.now()), payload));
                Ok(b"{\"well\": \"done\"}".to_vec())
            }
        });
        Self {
            executions: executions(states, functions.clone(), world).unwrap(),
            functions,
            clock,
            tasks,
            processes: Scheduler::default(),
            done,
        }
    }

    fn start(&self, name: &str, input: &Value) {
        block_on(self.executions.start(name, input)).unwrap();
    }

    /// Lets `seconds` pass, and runs the processes in an order that the seed decides.
    fn pass(&mut self, seconds: u64, seed: u64) {
        let dice = Dice::new(seed);
        for _ in 0..seconds * 2 {
            for process in self.executions.take_started() {
                self.processes.spawn(process);
            }
            for _ in 0..100 {
                self.processes.step(&dice, 0);
            }
            self.clock.advance(Duration::from_millis(500));
        }
        assert!(self.tasks.take_spawned().is_empty());
    }

    fn progress(&self, name: &str) -> Progress {
        block_on(self.executions.progress(name)).unwrap()
    }

    /// The events of an execution, each with the second at which it happened.
    fn history(&self, name: &str) -> Vec<(i64, Happened)> {
        let history = block_on(self.executions.history(name)).unwrap().unwrap();
        let told = history.into_iter();
        told.map(|event| (since(event.when), event.what)).collect()
    }

    fn done(&self) -> Vec<(i64, Value)> {
        self.done.lock().unwrap().clone()
    }
}

fn since(when: Timestamp) -> i64 {
    when.duration_since(beginning()).as_secs()
}

fn entered(name: &str) -> Happened {
    Happened::Entered(name.into())
}

fn left(name: &str) -> Happened {
    Happened::Left(name.into())
}

/// Tasks whose `sleep` runs the started executions to their ends.
struct RunsThem(MemoryExecutions);

#[async_trait]
impl Tasks for RunsThem {
    async fn sleep(&self, _: Duration) {
        for process in self.0.take_started() {
            process.await;
        }
    }

    fn spawn(&self, _: BoxFuture<'static, ()>) {
        unreachable!("this test spawns nothing");
    }
}

#[test]
fn executions_in_memory() {
    for (more, end) in [
        (json!({}), "Succeed"),
        (json!({"ResultPath": null}), "Fail"),
    ] {
        let mut first = task(json!({"Next": "B"}));
        let fields = first.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let bench = Bench::new(&json!({"A": first, "B": {"Type": end}}));
        let runs = RunsThem(bench.executions.clone());
        block_on(suite::executions(
            &bench.executions,
            &runs,
            &json!({"a": 1}),
            "run",
        ));
        assert_eq!(bench.done().len(), 1, "it ran once");
    }
}

#[test]
fn an_execution_goes_on_with_the_clock() {
    let wait = json!({"Type": "Wait", "Seconds": 30, "Next": "B"});
    let mut bench = Bench::new(&json!({"A": wait, "B": task(json!({"OutputPath": "$.Payload"}))}));
    bench.start("x", &json!({"takes": 3}));
    assert_eq!(bench.progress("x"), Progress::Running);
    bench.pass(31, 1);
    assert_eq!(bench.progress("x"), Progress::Running);
    assert_eq!(bench.done(), []);
    bench.pass(10, 1);
    let output = json!({"well": "done"});
    let ending = Ending::Succeeded {
        output: output.clone(),
    };
    assert_eq!(bench.progress("x"), Progress::Ended(ending.clone()));
    assert_eq!(
        bench.history("x"),
        [
            (0, entered("A")),
            (30, left("A")),
            (30, entered("B")),
            (33, Happened::Answered(output)),
            (33, left("B")),
            (33, Happened::Ended(ending)),
        ]
    );
    assert_eq!(bench.executions.transitions("x"), 2);
    assert_eq!(bench.executions.transitions("nobody"), 0);
}

#[test]
fn a_call_that_takes_too_long_goes_on_without_its_execution() {
    let mut bench = Bench::new(&json!({
        "A": task(json!({
            "TimeoutSeconds": 5,
            "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 2}],
        })),
    }));
    bench.start("x", &json!({"takes": 8}));
    bench.pass(30, 1);
    let timeout = Happened::CallFailed {
        error: "States.Timeout".into(),
        cause: String::new(),
    };
    let ending = Ending::Failed {
        error: "States.Timeout".into(),
        cause: String::new(),
    };
    assert_eq!(
        bench.history("x"),
        [
            (0, entered("A")),
            (5, timeout.clone()),
            (12, timeout),
            (12, Happened::Ended(ending)),
        ]
    );
    let done: Vec<_> = bench.done().into_iter().map(|(when, _)| when).collect();
    assert_eq!(done, [8, 15], "both calls took effect");
}

#[test]
fn an_execution_that_failed_goes_on_where_it_did() {
    let mut bench = Bench::new(&json!({
        "A": task(json!({"ResultPath": null, "Next": "B"})),
        "B": task(json!({
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}],
        })),
    }));
    assert!(!bench.executions.redrive("x"), "there is none");
    bench.start("x", &json!({}));
    assert!(!bench.executions.redrive("x"), "it runs");
    bench.pass(1, 1);
    assert!(!bench.executions.redrive("x"), "it has ended well");

    let calls = Arc::<Mutex<u32>>::default();
    let counted = calls.clone();
    bench.functions.deploy(F, move |_| {
        let count = {
            let mut calls = counted.lock().unwrap();
            *calls += 1;
            *calls
        };
        async move {
            match count {
                1 | 5 => Ok(b"1".to_vec()),
                _ => Err(CallError::Unavailable("down".into())),
            }
        }
    });
    bench.start("y", &json!({}));
    bench.pass(5, 1);
    assert!(matches!(
        bench.progress("y"),
        Progress::Ended(Ending::Failed { .. })
    ));
    assert!(bench.executions.redrive("y"));
    assert_eq!(bench.progress("y"), Progress::Running);
    bench.pass(5, 1);
    assert!(matches!(
        bench.progress("y"),
        Progress::Ended(Ending::Succeeded { .. })
    ));
    assert_eq!(
        *calls.lock().unwrap(),
        5,
        "A once, and B with both of its attempts, twice"
    );
    let history = bench.history("y");
    let entered_b = history.iter().filter(|(_, what)| *what == entered("B"));
    assert_eq!(entered_b.count(), 1);
}

#[test]
fn an_execution_that_was_stopped_goes_on_and_hears_no_answer_to_what_it_asked_before() {
    let mut bench = Bench::new(&json!({
        "A": task(json!({"Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}]})),
    }));
    assert!(!bench.executions.stop("x", "", ""), "there is none");
    bench.start("x", &json!({"takes": 5}));
    bench.pass(1, 1);
    assert!(!bench.executions.forget("x"), "it runs");
    assert!(bench.executions.stop("x", "", "somebody"));
    assert!(!bench.executions.stop("x", "", "somebody"), "it has ended");
    let stopped = Ending::Failed {
        error: String::new(),
        cause: "somebody".into(),
    };
    assert_eq!(bench.progress("x"), Progress::Ended(stopped.clone()));
    bench.pass(1, 1);
    assert!(bench.executions.redrive("x"));
    bench.pass(20, 1);
    assert!(matches!(
        bench.progress("x"),
        Progress::Ended(Ending::Succeeded { .. })
    ));
    let answers: Vec<_> = bench.history("x");
    assert!(
        answers.contains(&(1, Happened::Ended(stopped))),
        "{answers:?}"
    );
    let answered = answers
        .iter()
        .filter(|(_, what)| matches!(what, Happened::Answered(_)));
    let answered: Vec<_> = answered.map(|(when, _)| *when).collect();
    assert_eq!(answered, [7], "the second call alone");
    let done: Vec<_> = bench.done().into_iter().map(|(when, _)| when).collect();
    assert_eq!(done, [5, 7], "both calls took effect");

    assert!(bench.executions.forget("x"));
    assert_eq!(bench.progress("x"), Progress::Unknown);
    assert!(!bench.executions.redrive("x"), "it is forgotten");
    assert!(bench.executions.names().is_empty());
}

#[test]
fn executions_run_side_by_side() {
    let mut orders = vec![];
    for seed in 0..8 {
        let mut bench = Bench::new(&json!({"A": task(json!({}))}));
        for name in ["a", "b", "c"] {
            bench.start(name, &json!({"name": name}));
        }
        bench.pass(5, seed);
        let order: Vec<_> = bench
            .done()
            .iter()
            .map(|(_, payload)| payload.to_string())
            .collect();
        assert_eq!(order.len(), 3);
        orders.push(order);
    }
    orders.sort();
    orders.dedup();
    assert!(orders.len() > 1, "the scheduler decides which runs first");
}

#[test]
fn errors_of_calls_have_the_names_that_aws_gives_them() {
    let failed = |error_type: &str| CallError::Failed {
        error_type: error_type.into(),
        message: "why \"so\"".into(),
    };
    let cause = json!({"errorMessage": "why \"so\"", "errorType": "Participante.Roto"}).to_string();
    for (error, name, expected) in [
        (
            failed("Participante.Roto"),
            "Participante.Roto",
            cause.as_str(),
        ),
        (failed(""), "Lambda.Unknown", "why \"so\""),
        (
            CallError::Unavailable("gone".into()),
            "Lambda.ServiceException",
            "gone",
        ),
        (
            CallError::Refused("f".into()),
            "Lambda.ResourceNotFoundException",
            "Function not found: f",
        ),
    ] {
        let mut bench = Bench::new(&json!({"A": task(json!({}))}));
        bench.functions.deploy(F, move |_| {
            let error = error.clone();
            async move { Err(error) }
        });
        bench.start("x", &json!({}));
        bench.pass(1, 1);
        let ending = Ending::Failed {
            error: name.into(),
            cause: expected.into(),
        };
        assert_eq!(bench.progress("x"), Progress::Ended(ending));
    }
}

#[test]
fn an_answer_that_is_no_json_is_text() {
    let mut bench = Bench::new(&json!({"A": task(json!({"OutputPath": "$.Payload"}))}));
    bench
        .functions
        .deploy(F, |_| async { Ok(b"hello".to_vec()) });
    bench.start("x", &json!({}));
    bench.pass(1, 1);
    let ending = Ending::Succeeded {
        output: json!("hello"),
    };
    assert_eq!(bench.progress("x"), Progress::Ended(ending));
}

#[test]
fn a_function_that_there_is_not_is_refused_or_fails() {
    let named = |parameters: Value| json!({"A": task(json!({"Parameters": parameters}))});
    let functions = || Arc::new(MemoryFunctions::new());
    let fixed = named(json!({"FunctionName": "g", "Payload": 1}));
    let error = executions(&fixed, functions(), twins::world(1).0).err();
    assert_eq!(error, Some(MachineError::UnknownFunction("g".into())));
    let bad = json!({"A": {"Type": "Map"}});
    let error = executions(&bad, functions(), twins::world(1).0).err();
    assert!(matches!(error, Some(MachineError::Definition(_))));
    let mut bench = Bench::new(&named(json!({"FunctionName.$": "$.f", "Payload": 1})));
    bench.start("good", &json!({"f": "f"}));
    bench.start("bad", &json!({"f": "g"}));
    bench.pass(1, 1);
    assert!(matches!(
        bench.progress("good"),
        Progress::Ended(Ending::Succeeded { .. })
    ));
    let ending = Ending::Failed {
        error: "Lambda.ResourceNotFoundException".into(),
        cause: "Function not found: g".into(),
    };
    assert_eq!(bench.progress("bad"), Progress::Ended(ending));
}

#[test]
fn names_and_inputs_have_limits() {
    let bench = Bench::new(&json!({"A": {"Type": "Succeed"}}));
    let start = |name: &str, input: &Value| block_on(bench.executions.start(name, input));
    for name in ["", "a b", "a.b", "ñ", &"x".repeat(81)] {
        assert!(
            matches!(start(name, &json!({})), Err(ExecutionError::Refused(_))),
            "{name}"
        );
    }
    assert_eq!(start(&"x-_9".repeat(20), &json!({})), Ok(()));
    let text = |bytes: usize| json!("x".repeat(bytes - 2));
    assert_eq!(start("fits", &text(256 * 1024)), Ok(()));
    assert!(matches!(
        start("large", &text(256 * 1024 + 1)),
        Err(ExecutionError::Refused(_))
    ));
    assert_eq!(bench.executions.take_started().len(), 2);
    assert_eq!(bench.progress("large"), Progress::Unknown);
}

#[test]
fn asking_fails_as_planned() {
    for (fault, answered, runs) in [
        (Fault::FailBefore, false, 0),
        (Fault::FailAfter, false, 1),
        (Fault::Twice, true, 1),
        (Fault::Late, false, 0),
    ] {
        let bench = Bench::new(&json!({"A": task(json!({}))}));
        let faults = Faults::once(0, fault);
        let asked = faults.executions(Arc::new(bench.executions.clone()));
        let started = block_on(asked.start("x", &json!({})));
        assert_eq!(started.is_ok(), answered, "{fault:?}");
        assert_eq!(bench.executions.take_started().len(), runs, "{fault:?}");
        let late = faults.take_late();
        assert_eq!(late.is_empty(), fault != Fault::Late);
        late.into_iter().for_each(block_on);
        assert_eq!(
            block_on(asked.progress("x")).unwrap() == Progress::Unknown,
            fault == Fault::FailBefore
        );
        assert_eq!(
            block_on(asked.history("x")).unwrap().is_none(),
            fault == Fault::FailBefore
        );
        assert_eq!(faults.trace(), ["execute x", "progress x", "history x"]);
    }
}
