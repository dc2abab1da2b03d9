//! Executions that are interrupted: by crashes, by stops, by waits.

use rusqlite::Transaction;

use super::*;
use crate::states::rows;

#[test]
fn an_execution_goes_on_after_a_crash_at_every_step() {
    let mut world = World::new();
    let (expected, steps) = world.run(async |states| {
        start(states);
        end(states).await;
        assert_eq!(describe(states)["output"], r#""States.Timeout""#);
        (story(states), entries(states))
    });
    let calls = world.functions.calls();
    assert_eq!(calls, ["pick 0", "pick 1", "charge 0", "undo 0"]);
    // The start, four outcomes, the pause before the retry and the wait.
    assert_eq!(steps, 7);

    for crash in 1..steps {
        let mut world = World::new();
        world.run(async |states| {
            start(states);
            while entries(states) < crash {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_millis(20)).await;
        });
        world.now += SignedDuration::from_secs(30);
        world.run(async |states| {
            assert_eq!(entries(states), crash);
            end(states).await;
            assert_eq!(story(states), expected, "after a crash at step {crash}");
            let wait = describe(states)["stopDate"].as_f64().unwrap()
                - describe(states)["startDate"].as_f64().unwrap();
            assert!((60.0..110.0).contains(&wait), "{wait}");
        });
        let again = world.functions.calls();
        let mut once = again.clone();
        once.dedup();
        assert_eq!(once, calls);
        assert!(again.len() <= calls.len() + 1, "{again:?}");
        world.run(async |states| {
            assert_eq!(states.resume(), Ok(0));
            assert_eq!(story(states), expected);
        });
    }
}

#[test]
fn a_wait_ends_at_its_time_although_the_runtime_was_down() {
    let mut world = World::new();
    world.run(async |states| {
        start(states);
        while kinds(&events(states)).last() != Some(&"WaitStateEntered") {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let entered = world.now;
    world.now += SignedDuration::from_secs(50);
    let left = world.run(async |states| {
        end(states).await;
        let events = events(states);
        let left = events
            .iter()
            .find(|event| event["type"] == "WaitStateExited");
        left.unwrap()["timestamp"].as_f64().unwrap()
    });
    let waited = left - entered.as_duration().as_secs_f64();
    assert!((59.0..=60.1).contains(&waited), "{waited}");
}

#[test]
fn a_stopped_execution_can_be_redriven_where_it_was() {
    let mut world = World::new();
    world.run(async |states| {
        start(states);
        sleep(Duration::from_millis(50)).await;
        let mut stop = of_order();
        stop["error"] = "Enough".into();
        let stopped = states.call("StopExecution", &stop).unwrap();
        let told = describe(states);
        assert_eq!(
            (&told["status"], &told["error"]),
            (&json!("ABORTED"), &json!("Enough"))
        );
        assert_eq!(told["stopDate"], stopped["stopDate"]);
        assert_eq!(told["redriveStatus"], "REDRIVABLE");
        assert_eq!(told.get("cause"), None);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(entries(states), 2, "the late answer is dropped");
        let again = states.call("StopExecution", &stop).unwrap();
        assert_eq!(again, stopped);
    });
    let before = world.functions.calls().len();
    world.run(async |states| {
        let mut redrive = of_order();
        redrive["clientToken"] = "once".into();
        let redriven = states.call("RedriveExecution", &redrive).unwrap();
        assert_eq!(states.call("RedriveExecution", &redrive), Ok(redriven));
        let error = states.call("RedriveExecution", &of_order()).unwrap_err();
        assert_eq!(error.code, "ExecutionNotRedrivable");
        assert_eq!(error.message, "Execution is RUNNING and cannot be redriven");
        sleep(Duration::from_millis(20)).await;
    });
    world.run(async |states| {
        end(states).await;
        let told = describe(states);
        assert_eq!(
            (&told["status"], &told["redriveCount"]),
            (&json!("SUCCEEDED"), &json!(1))
        );
        let events = events(states);
        assert_eq!(
            kinds(&events)[3..11],
            [
                "TaskStateEntered",
                "TaskScheduled",
                "TaskStarted",
                "ExecutionAborted",
                "ExecutionRedriven",
                "TaskScheduled",
                "TaskStarted",
                "TaskFailed",
            ]
        );
        assert_eq!(
            events[7]["executionRedrivenEventDetails"],
            json!({"redriveCount": 1})
        );
        let left = events
            .iter()
            .find(|event| event["type"] == "TaskStateExited");
        assert!(left.unwrap()["stateExitedEventDetails"]["output"].is_string());
    });
    // The call in flight at the kill is made a second time.
    assert_eq!(world.functions.calls().len(), before + 5);
    world.now += SignedDuration::from_hours(91 * 24);
    world.run(async |states| {
        let error = states.call("DescribeExecution", &of_order()).unwrap_err();
        assert_eq!(error.code, "ExecutionDoesNotExist");
    });
}

#[test]
fn a_call_that_the_end_of_the_runtime_cuts_off_is_made_again() {
    let mut world = World::new();
    let mut execution = Value::Null;
    world.run(async |states| {
        let arn = states
            .ensure_machine("one", &calls("cut off"), "role")
            .unwrap();
        let started = states.call("StartExecution", &json!({"stateMachineArn": arn}));
        execution = json!({"executionArn": started.unwrap()["executionArn"]});
        sleep(Duration::from_secs(1)).await;
        let told = states.call("DescribeExecution", &execution).unwrap();
        assert_eq!(told["status"], "RUNNING");
    });
    world.run(async |states| {
        sleep(Duration::from_secs(1)).await;
        let told = states.call("DescribeExecution", &execution).unwrap();
        assert_eq!(told["status"], "SUCCEEDED");
    });
    assert_eq!(world.functions.calls().len(), 2);
}

#[test]
fn thousands_of_executions_wait_at_once() {
    let machine = json!({"StartAt": "Rest", "States": {
        "Rest": {"Type": "Wait", "Seconds": 60, "End": true},
    }});
    let mut world = World::new();
    let running = |states: &States| states.0.store.read(|c| rows::running(c, None));
    world.run(async |states| {
        let arn = states
            .ensure_machine("many", &machine.to_string(), "role")
            .unwrap();
        for _ in 0..2000 {
            states
                .call("StartExecution", &json!({"stateMachineArn": arn}))
                .unwrap();
        }
    });
    world.run(async |states| {
        assert_eq!(running(states).unwrap().len(), 2000);
        sleep(Duration::from_secs(61)).await;
        assert_eq!(running(states).unwrap(), [0; 0]);
    });
}

#[test]
fn an_execution_ends_with_its_machine() {
    World::new().run(async |states| {
        let engine = &states.0;
        start(states);
        let ids = engine.store.read(|c| rows::running(c, None)).unwrap();
        // A deletion that ran before the execution had a task.
        let forget = |transaction: &Transaction<'_>| rows::forget_machine(transaction, "orders");
        engine.store.write(forget).unwrap();
        sleep(Duration::from_mins(2)).await;
        assert!(engine.driven(ids[0]).is_none(), "its task has ended");
    });
}

#[test]
fn no_execution_starts_without_its_machine() {
    World::new().run(async |states| {
        let arn = machine_arn("brief");
        let runtime = runtime::Handle::current();
        let both = std::sync::Barrier::new(2);
        for _ in 0..100 {
            states.ensure_machine("brief", &ended(), "role").unwrap();
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    let _runtime = runtime.enter();
                    both.wait();
                    let started = states.call("StartExecution", &json!({"stateMachineArn": arn}));
                    let refused = started.err().map(|error| error.code);
                    assert!(refused.is_none_or(|code| code == "StateMachineDoesNotExist"));
                });
                both.wait();
                states.call("DeleteStateMachine", &json!({"stateMachineArn": arn}))
            })
            .unwrap();
            let left = states.0.store.read(|connection| {
                let count = "SELECT COUNT(*) FROM states_execution";
                connection.query_row(count, [], |row| row.get::<_, i64>(0))
            });
            assert_eq!(left.unwrap(), 0);
        }
    });
}
