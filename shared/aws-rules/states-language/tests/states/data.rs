//! The data that states pass on.

use serde_json::json;

use crate::support::{Hand, beginning, output, task};

#[test]
fn a_task_filters_its_data_in_order() {
    let state = task(json!({
        "InputPath": "$.in",
        "Parameters": {"FunctionName": "f", "Payload": {"x.$": "$.x", "all.$": "$$.Execution.Input.out"}},
        "ResultSelector": {"kept.$": "$.Payload.answer", "status.$": "$.StatusCode"},
        "ResultPath": "$.out.result",
        "OutputPath": "$.out",
    }));
    let mut hand = Hand::new(
        &json!({"A": state}),
        json!({"in": {"x": 1, "y": 2}, "out": {"z": 3}}),
    );
    let call = hand.call();
    assert_eq!(call.function, "f");
    assert_eq!(call.payload, json!({"x": 1, "all": {"z": 3}}));
    assert_eq!(call.timeout, None);
    hand.run.answered(json!({"answer": "yes", "rest": 1}));
    assert_eq!(
        hand.output(),
        json!({"z": 3, "result": {"kept": "yes", "status": 200}}),
        "the result goes into the state's whole input, and the output is filtered last"
    );
}

#[test]
fn without_filters_a_task_hands_on_the_answer_as_lambda_gives_it() {
    let mut hand = Hand::new(&json!({"A": task(json!({}))}), json!({"a": 1}));
    assert_eq!(hand.payload(), json!({"a": 1}));
    hand.run.answered(json!("hello"));
    assert_eq!(
        hand.output(),
        json!({"ExecutedVersion": "$LATEST", "Payload": "hello", "StatusCode": 200})
    );
}

#[test]
fn a_result_can_be_left_out() {
    let mut hand = Hand::new(
        &json!({"A": task(json!({"ResultPath": null}))}),
        json!({"a": 1}),
    );
    assert_eq!(hand.answer(json!("hello")).output(), json!({"a": 1}));
}

#[test]
fn a_filter_of_null_is_an_empty_object() {
    let mut hand = Hand::new(
        &json!({"A": task(json!({"InputPath": null, "OutputPath": null}))}),
        json!({"a": 1}),
    );
    assert_eq!(hand.payload(), json!({}));
    assert_eq!(hand.answer(json!("hello")).output(), json!({}));
}

#[test]
fn a_pass_hands_on_result_parameters_or_input() {
    let input = json!({"a": {"b": 1}});
    for (state, expected) in [
        (json!({}), input.clone()),
        (json!({"InputPath": "$.a"}), json!({"b": 1})),
        (json!({"Result": {"x.$": "$.a"}}), json!({"x.$": "$.a"})),
        (
            json!({"Result": null, "ResultPath": "$.c"}),
            json!({"a": {"b": 1}, "c": null}),
        ),
        (json!({"Parameters": {"x.$": "$.a.b"}}), json!({"x": 1})),
        (
            json!({"InputPath": "$.a", "Parameters": {"x.$": "$.b"}, "ResultPath": "$.c"}),
            json!({"a": {"b": 1}, "c": {"x": 1}}),
        ),
        (json!({"Parameters": {"x.$": "$.a"}, "Result": 2}), json!(2)),
        (
            json!({"Result": 2, "ResultPath": "$.a.c", "OutputPath": "$.a"}),
            json!({"b": 1, "c": 2}),
        ),
    ] {
        let mut state = state;
        state["Type"] = json!("Pass");
        state["End"] = json!(true);
        assert_eq!(output(&state, input.clone()), Ok(expected), "{state}");
    }
}

#[test]
fn what_is_not_there_ends_the_execution() {
    for state in [
        json!({"Type": "Pass", "InputPath": "$.nobody", "End": true}),
        json!({"Type": "Pass", "OutputPath": "$.nobody", "End": true}),
        json!({"Type": "Pass", "Parameters": {"x.$": "$.nobody"}, "End": true}),
        json!({"Type": "Pass", "Parameters": {"x.$": "$$.State.RetryCount"}, "End": true}),
        json!({"Type": "Wait", "SecondsPath": "$.nobody", "End": true}),
        json!({"Type": "Wait", "SecondsPath": "$.text", "End": true}),
        json!({"Type": "Succeed", "OutputPath": "$.nobody"}),
        json!({"Type": "Fail", "ErrorPath": "$.nobody"}),
        json!({"Type": "Fail", "CausePath": "$.n"}),
    ] {
        let input = json!({"text": "a", "n": 1});
        assert_eq!(
            output(&state, input),
            Err("States.Runtime".into()),
            "{state}"
        );
    }
    let conflict = json!({"Type": "Pass", "ResultPath": "$.text.x", "End": true});
    assert_eq!(
        output(&conflict, json!({"text": "a"})),
        Err("States.ReferencePathConflict".into())
    );
}

#[test]
fn an_execution_tells_of_itself() {
    let state = task(json!({
        "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 7}],
        "Parameters": {"FunctionName": "f", "Payload": {
            "name.$": "$$.Execution.Name", "id.$": "$$.Execution.Id", "input.$": "$$.Execution.Input",
            "start.$": "$$.Execution.StartTime", "state.$": "$$.State.Name", "entered.$": "$$.State.EnteredTime",
            "retries.$": "$$.State.RetryCount", "machine.$": "$$.StateMachine.Name",
            "machine_id.$": "$$.StateMachine.Id",
        }},
    }));
    let wait = json!({"Type": "Wait", "Seconds": 60, "Next": "B"});
    let mut hand = Hand::new(&json!({"A": wait, "B": state}), json!([1]));
    hand.wait();
    let mut expected = json!({
        "name": "x-1", "id": "arn:execution:saga:x-1", "input": [1], "start": "2026-01-31T10:00:00.000Z",
        "state": "B", "entered": "2026-01-31T10:01:00.000Z", "retries": 0, "machine": "saga",
        "machine_id": "arn:stateMachine:saga",
    });
    assert_eq!(hand.payload(), expected);
    hand.fail("E").wait();
    expected["retries"] = json!(1);
    assert_eq!(
        hand.payload(),
        expected,
        "a retry does not enter the state again"
    );
}

#[test]
fn a_choice_takes_the_first_rule_that_holds() {
    let choice = |default: bool| {
        let mut choice = json!({
            "Type": "Choice", "InputPath": "$.in", "OutputPath": "$.v",
            "Choices": [
                {"And": [
                    {"Variable": "$.v", "IsPresent": true}, {"Variable": "$.v", "StringEquals": "one"},
                ], "Next": "One"},
                {"Not": {"Variable": "$.v", "IsPresent": true}, "Next": "None"},
                {"Variable": "$.v", "StringEquals": "one", "Next": "Never"},
            ],
        });
        if default {
            choice["Default"] = json!("Other");
        }
        choice
    };
    let end = |name| json!({"Type": "Fail", "Error": name});
    let states = |default| {
        json!({
            "A": choice(default), "One": end("one"), "None": end("none"), "Never": end("never"),
            "Other": {"Type": "Pass", "End": true},
        })
    };
    let error = |value, default| Hand::new(&states(default), json!({"in": value})).error();
    assert_eq!(error(json!({"v": "one"}), true), "one");
    assert_eq!(
        Hand::new(&states(true), json!({"in": {"v": 2}})).output(),
        json!(2),
        "the output is filtered"
    );
    assert_eq!(error(json!({"v": 2}), false), "States.Runtime");
    let mut nothing = Hand::new(&states(true), json!({"in": {}}));
    assert_eq!(
        nothing.error(),
        "States.Runtime",
        "its OutputPath leads nowhere"
    );
}

#[test]
fn waiting_takes_its_time() {
    for (wait, seconds) in [
        (json!({"Seconds": 30}), 30),
        (json!({"SecondsPath": "$.n"}), 5),
        (json!({"Seconds": 0}), 0),
    ] {
        let mut state = json!({"Type": "Wait", "OutputPath": "$.n", "End": true});
        crate::support::with(&mut state, wait);
        let mut hand = Hand::new(&json!({"A": state}), json!({"n": 5}));
        if seconds > 0 {
            assert_eq!(hand.wait().as_secs(), seconds);
        }
        assert_eq!(hand.output(), json!(5));
        let ended = hand.run.history().last().unwrap().when;
        assert_eq!(
            ended.duration_since(beginning()).as_secs(),
            i64::try_from(seconds).unwrap()
        );
    }
}

#[test]
fn a_fail_gives_its_error_and_cause() {
    let fail = json!({"Type": "Fail", "ErrorPath": "$.e", "Cause": "c"});
    let mut hand = Hand::new(&json!({"A": fail}), json!({"e": "Bad"}));
    assert_eq!(hand.error(), "Bad");
    assert_eq!(hand.story(), ["> A", "failed Bad"], "it is not left");
    assert_eq!(
        Hand::new(&json!({"A": {"Type": "Fail"}}), json!(1)).error(),
        ""
    );
}

#[test]
fn a_success_ends_the_execution() {
    let succeed = json!({"Type": "Succeed", "InputPath": "$.a", "OutputPath": "$.b"});
    let mut hand = Hand::new(&json!({"A": succeed}), json!({"a": {"b": 2}}));
    assert_eq!(hand.output(), json!(2));
    assert_eq!(hand.story(), ["> A", "< A", "well"]);
    assert_eq!(hand.output(), json!(2), "it stays ended");
    hand.run.answered(json!(1));
    assert_eq!(hand.output(), json!(2), "and is deaf");
    assert_eq!(hand.story().len(), 3);
}
