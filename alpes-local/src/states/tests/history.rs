//! The history of executions, and how they end.

use super::*;

#[test]
fn a_history_tells_every_event_with_its_data() {
    World::new().run(async |states| {
        start(states);
        end(states).await;
        let told = story(states);
        let started = [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "TaskStateEntered",
        ];
        let call = ["TaskScheduled", "TaskStarted"];
        let expected: Vec<&str> = [
            &started[..],
            &call,
            &["TaskFailed"],
            &call,
            &["TaskSucceeded", "TaskStateExited"],
            &["WaitStateEntered", "WaitStateExited"],
            &[
                "ChoiceStateEntered",
                "ChoiceStateExited",
                "TaskStateEntered",
            ],
            &call,
            &["TaskTimedOut", "TaskStateExited", "TaskStateEntered"],
            &call,
            &["TaskSucceeded", "TaskStateExited"],
            &["SucceedStateEntered", "SucceedStateExited"],
            &["ExecutionSucceeded"],
        ]
        .concat();
        assert_eq!(kinds(&told), expected);
        assert_eq!(told[1]["previousEventId"], 0);
        assert_eq!(told[2]["previousEventId"], 2);
        let whole = json!({"truncated": false});
        assert_eq!(
            told[0],
            json!({
                "id": 1, "previousEventId": 0, "type": "ExecutionStarted",
                "executionStartedEventDetails": {
                    "input": r#"{"id": 1.5e3}"#, "inputDetails": whole, "roleArn": "role",
                },
            })
        );
        let data = |event: usize, details: &str, field: &str| -> Value {
            serde_json::from_str(told[event][details][field].as_str().unwrap()).unwrap()
        };
        let before = json!({"order": 1500.0, "start": {"id": 1500.0}});
        assert_eq!(data(2, "stateExitedEventDetails", "output"), before);
        assert_eq!(data(3, "stateEnteredEventDetails", "input"), before);
        assert_eq!(
            told[4]["taskScheduledEventDetails"],
            json!({
                "resourceType": "lambda", "resource": "invoke", "region": "us-east-1",
                "parameters": r#"{"FunctionName":"pick","Payload":{"attempt":0}}"#,
            })
        );
        assert_eq!(
            told[6]["taskFailedEventDetails"],
            json!({
                "resourceType": "lambda", "resource": "invoke",
                "error": "Busy", "cause": r#"{"errorType":"Busy"}"#,
            })
        );
        assert_eq!(
            data(9, "taskSucceededEventDetails", "output"),
            json!({"ExecutedVersion": "$LATEST", "Payload": {"place": 7}, "StatusCode": 200})
        );
        let mut after = before;
        after["result"] = json!({"is": {"place": 7}});
        assert_eq!(data(10, "stateExitedEventDetails", "output"), after);
        assert_eq!(data(14, "stateExitedEventDetails", "output"), after);
        assert_eq!(told[16]["taskScheduledEventDetails"]["timeoutInSeconds"], 5);
        assert_eq!(
            told[18]["taskTimedOutEventDetails"]["error"],
            "States.Timeout"
        );
        after["error"] = json!({"Error": "States.Timeout", "Cause": ""});
        assert_eq!(data(20, "stateEnteredEventDetails", "input"), after);
        after["result"] = json!({"is": "not JSON"});
        assert_eq!(data(25, "stateEnteredEventDetails", "input"), after);
        let end = told.last().unwrap();
        assert_eq!(
            end["executionSucceededEventDetails"],
            json!({"output": r#""States.Timeout""#, "outputDetails": whole})
        );
    });
}

#[test]
fn a_history_comes_in_pages() {
    World::new().run(async |states| {
        start(states);
        end(states).await;
        let told = story(states);
        let mut pages = vec![];
        let mut request = of_order();
        request["maxResults"] = 10.into();
        request["reverseOrder"] = true.into();
        request["includeExecutionData"] = false.into();
        loop {
            let page = states.call("GetExecutionHistory", &request).unwrap();
            pages.extend(page["events"].as_array().unwrap().clone());
            let Some(next) = page.get("nextToken") else {
                break;
            };
            request["nextToken"] = next.clone();
        }
        pages.reverse();
        assert_eq!(kinds(&pages), kinds(&told));
        assert_eq!(
            pages[3]["stateEnteredEventDetails"],
            json!({"name": "Pick"})
        );
        request["nextToken"] = "no number".into();
        let error = states.call("GetExecutionHistory", &request).unwrap_err();
        assert_eq!(error.code, "InvalidToken");
    });
}

#[test]
fn failures_of_functions_end_executions() {
    World::new().run(async |states| {
        for (function, error) in [
            ("broken", "Broken"),
            ("missing", "Lambda.ResourceNotFoundException"),
        ] {
            states
                .ensure_machine(function, &calls(function), "role")
                .unwrap();
            let request = json!({"stateMachineArn": machine_arn(function)});
            let started = states.call("StartExecution", &request).unwrap();
            let request = json!({"executionArn": started["executionArn"]});
            sleep(Duration::from_secs(1)).await;
            let told = states.call("DescribeExecution", &request).unwrap();
            assert_eq!(
                (&told["status"], &told["error"]),
                (&json!("FAILED"), &json!(error))
            );
            let told = states.call("GetExecutionHistory", &request).unwrap();
            let last = told["events"].as_array().unwrap().last().unwrap();
            assert_eq!(last["executionFailedEventDetails"]["error"], error);
        }
    });
}
