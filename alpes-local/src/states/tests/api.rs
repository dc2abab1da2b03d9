//! The operations of the API, with their errors.

use super::*;

#[test]
fn starts_are_idempotent_while_the_execution_runs() {
    World::new().run(async |states| {
        start(states);
        let code = |request: Value| states.call("StartExecution", &request).unwrap_err().code;
        let arn = machine_arn("orders");
        let mut same = json!({"stateMachineArn": arn, "name": "o-1", "input": "{\"id\":1500.0}"});
        let first = describe(states)["startDate"].clone();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(states.call("StartExecution", &same).unwrap()["startDate"], first);
        same["input"] = "{}".into();
        assert_eq!(code(same), "ExecutionAlreadyExists");
        end(states).await;
        let same = json!({"stateMachineArn": arn, "name": "o-1", "input": "{\"id\":1500.0}"});
        assert_eq!(code(same), "ExecutionAlreadyExists");
        for (more, expected) in [
            (json!({"name": "a b"}), "InvalidName"),
            (json!({"input": "{"}), "InvalidExecutionInput"),
            (json!({"input": format!("\"{}\"", "a".repeat(262_143))}), "InvalidExecutionInput"),
            (json!({"stateMachineArn": machine_arn("none")}), "StateMachineDoesNotExist"),
            (json!({"stateMachineArn": "orders"}), "InvalidArn"),
            (json!({"inputs": "{}"}), "ValidationException"),
        ] {
            let mut request = json!({"stateMachineArn": arn});
            let more = more.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(more);
            assert_eq!(code(request), expected);
        }
        let limit = json!({
            "stateMachineArn": arn, "name": "limit", "input": format!("\"{}\"", "a".repeat(262_142)),
        });
        assert!(states.call("StartExecution", &limit).is_ok());
        for (operation, code) in [
            ("StartSyncExecution", "StateMachineTypeNotSupported"),
            ("SendTaskSuccess", "UnknownOperationException"),
        ] {
            assert_eq!(states.call(operation, &json!({})).unwrap_err().code, code);
        }
    });
}

#[test]
fn lists_have_pages_with_the_newest_first() {
    World::new().run(async |states| {
        let arn = states.ensure_machine("quick", &ended(), "role").unwrap();
        for name in ["a", "b", "c"] {
            let request = json!({"stateMachineArn": arn, "name": name});
            states.call("StartExecution", &request).unwrap();
        }
        let list = |more: Value| {
            let mut request = json!({"stateMachineArn": arn});
            let more = more.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(more);
            let answer = states.call("ListExecutions", &request).unwrap();
            let names: String = answer["executions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect();
            (names, answer["nextToken"].clone())
        };
        let (first, next) = list(json!({"maxResults": 2, "statusFilter": "SUCCEEDED"}));
        assert_eq!(first, "cb");
        assert_eq!(
            list(json!({"maxResults": 2, "nextToken": next})),
            ("a".into(), Value::Null)
        );
        assert_eq!(list(json!({"statusFilter": "RUNNING"})).0, "");
        assert_eq!(list(json!({"redriveFilter": "REDRIVEN"})).0, "");
        assert_eq!(list(json!({"redriveFilter": "NOT_REDRIVEN"})).0, "cba");
        for (more, code) in [
            (json!({"statusFilter": "DONE"}), "ValidationException"),
            (json!({"maxResults": 1001}), "ValidationException"),
            (json!({"nextToken": "x"}), "InvalidToken"),
            (json!({"mapRunArn": "x"}), "ValidationException"),
        ] {
            let mut request = json!({"stateMachineArn": arn});
            let more = more.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(more);
            let error = states.call("ListExecutions", &request).unwrap_err();
            assert_eq!(error.code, code);
        }
        let page = states
            .call("ListStateMachines", &json!({"maxResults": 1}))
            .unwrap();
        assert_eq!(page["stateMachines"][0]["name"], "orders");
        let rest = json!({"nextToken": page["nextToken"]});
        let rest = states.call("ListStateMachines", &rest).unwrap();
        assert_eq!(rest["stateMachines"][0]["stateMachineArn"], arn);
        assert_eq!(rest.get("nextToken"), None);
    });
}

#[test]
fn machines_keep_updates_over_deployments_of_the_same_template() {
    let mut world = World::new();
    let arn = machine_arn("made");
    let definition = |states: &States| {
        let request = json!({"stateMachineArn": machine_arn("made")});
        let told = states.call("DescribeStateMachine", &request).unwrap();
        told["definition"].as_str().unwrap().to_owned()
    };
    world.run(async |states| {
        let create = json!({"name": "made", "definition": ended(), "roleArn": "role"});
        let created = states.call("CreateStateMachine", &create).unwrap();
        assert_eq!(created["stateMachineArn"], arn);
        assert_eq!(states.call("CreateStateMachine", &create), Ok(created));
        let mut other = create.clone();
        other["definition"] = calls("f").into();
        let error = states.call("CreateStateMachine", &other).unwrap_err();
        assert_eq!(error.code, "StateMachineAlreadyExists");
        other["type"] = "EXPRESS".into();
        let error = states.call("CreateStateMachine", &other).unwrap_err();
        assert_eq!(error.code, "StateMachineTypeNotSupported");

        states
            .ensure_machine("made", &calls("deployed"), "role")
            .unwrap();
        assert_eq!(definition(states), calls("deployed"));
        let start = json!({"stateMachineArn": arn, "name": "x"});
        states.call("StartExecution", &start).unwrap();
        let update = json!({"stateMachineArn": arn, "definition": ended()});
        states.call("UpdateStateMachine", &update).unwrap();
        let nothing = json!({"stateMachineArn": arn});
        let error = states.call("UpdateStateMachine", &nothing).unwrap_err();
        assert_eq!(error.code, "MissingRequiredParameter");
        let wrong = calls("f").replace("\"Do\":", "\"Else\":");
        let update = json!({"stateMachineArn": arn, "definition": wrong});
        let error = states.call("UpdateStateMachine", &update).unwrap_err();
        assert_eq!(error.code, "InvalidDefinition");
        assert!(error.message.contains("StartAt"), "{}", error.message);
    });
    world.run(async |states| {
        assert_eq!(definition(states), ended());
        let execution = json!({"executionArn": execution_arn("made", "x")});
        let told = states
            .call("DescribeStateMachineForExecution", &execution)
            .unwrap();
        assert_eq!(
            told["definition"],
            calls("deployed"),
            "the execution keeps its revision"
        );
        states
            .ensure_machine("made", &calls("later"), "role")
            .unwrap();
        assert_eq!(definition(states), calls("later"));

        let request = json!({"stateMachineArn": arn});
        states.call("DeleteStateMachine", &request).unwrap();
        states.call("DeleteStateMachine", &request).unwrap();
        let error = states.call("DescribeStateMachine", &request).unwrap_err();
        assert_eq!(error.code, "StateMachineDoesNotExist");
        let error = states.call("DescribeExecution", &execution).unwrap_err();
        assert_eq!(error.code, "ExecutionDoesNotExist");
    });
}
