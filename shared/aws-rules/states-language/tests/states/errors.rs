//! Retriers and catchers.

use std::time::Duration;

use serde_json::{Value, json};
use states_language::Step;

use crate::support::{Hand, task};

/// A machine with one task that has this retry, and a state for its errors.
fn with_retry(retry: &Value) -> Hand {
    let catch = json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]);
    let states = json!({
        "A": task(json!({"Retry": retry, "Catch": catch})),
        "Caught": {"Type": "Pass", "End": true},
    });
    Hand::new(&states, json!({"a": 1}))
}

#[test]
fn a_call_is_tried_again_as_often_as_its_retrier_says() {
    for attempts in [0, 1, 3] {
        let retry = json!([{"ErrorEquals": ["E"], "MaxAttempts": attempts, "IntervalSeconds": 2}]);
        let mut hand = with_retry(&retry);
        for made in 0..attempts {
            let pause = hand.fail("E").wait();
            assert_eq!(pause, Duration::from_secs(2 << made));
        }
        let output = hand.fail("E").output();
        let error = json!({"Error": "E", "Cause": "why"});
        assert_eq!(output, json!({"a": 1, "error": error}), "{attempts}");
        assert_eq!(hand.run.transitions(), 2 + attempts, "{attempts}");
    }
}

#[test]
fn a_retried_task_is_entered_once() {
    let mut hand = with_retry(&json!([{"ErrorEquals": ["E"]}]));
    hand.fail("E").wait();
    hand.answer(json!(1)).output();
    let expected = ["> A", "! E", "= 1", "< A", "well"];
    assert_eq!(hand.story(), expected);
}

#[test]
fn the_first_retrier_that_matches_decides() {
    let retry = json!([
        {"ErrorEquals": ["E"], "MaxAttempts": 1, "IntervalSeconds": 5},
        {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 9},
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5, "IntervalSeconds": 1, "BackoffRate": 1},
    ]);
    let mut hand = with_retry(&retry);
    assert_eq!(hand.fail("F").wait().as_secs(), 1);
    assert_eq!(hand.fail("E").wait().as_secs(), 5, "each counts for itself");
    hand.call();
    hand.run.timed_out();
    assert_eq!(hand.wait().as_secs(), 9);
    assert_eq!(hand.fail("F").wait().as_secs(), 1);
    let output = hand.fail("E").output();
    assert_eq!(
        output["error"]["Error"], "E",
        "the wildcard has attempts left, and is not asked"
    );
}

#[test]
fn jitter_is_chance() {
    let retry = json!([{"ErrorEquals": ["E"], "IntervalSeconds": 8, "JitterStrategy": "FULL"}]);
    for (chance, seconds) in [(0.25, 2), (1.0, 8)] {
        let mut hand = with_retry(&retry);
        hand.chance = chance;
        hand.fail("E");
        let step = hand.next();
        hand.chance = 0.5;
        assert_eq!(hand.next(), step, "it is thrown once");
        assert_eq!(hand.wait().as_secs(), seconds);
    }
    let mut hand = with_retry(&retry);
    hand.chance = 0.0;
    hand.fail("E").call();
}

#[test]
fn attempts_are_counted_anew_when_the_state_is_entered_again() {
    let states = json!({
        "A": task(json!({
            "Parameters": {"FunctionName": "f", "Payload.$": "$$.State.RetryCount"},
            "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}], "Next": "A",
        })),
    });
    let mut hand = Hand::new(&states, json!({}));
    for _ in 0..3 {
        assert_eq!(hand.payload(), json!(0));
        hand.fail("E").wait();
        assert_eq!(hand.payload(), json!(1));
        hand.answer(json!(1));
    }
    hand.fail("E").wait();
    assert_eq!(hand.fail("E").error(), "E");
    assert_eq!(
        hand.run.transitions(),
        8,
        "four times entered, four retries"
    );
}

#[test]
fn a_catcher_takes_the_state_input_and_says_where_to_go() {
    let catch = json!([
        {"ErrorEquals": ["E"], "ResultPath": "$.e", "Next": "Pass"},
        {"ErrorEquals": ["States.Timeout"], "ResultPath": null, "Next": "Pass"},
        {"ErrorEquals": ["States.TaskFailed"], "Next": "Pass"},
    ]);
    let states = json!({
        "A": task(json!({"InputPath": "$.in", "OutputPath": "$.nobody", "Catch": catch})),
        "Pass": {"Type": "Pass", "End": true},
    });
    let input = json!({"in": {"x": 1}});
    let error = |name: &str| json!({"Error": name, "Cause": "why"});
    let mut hand = Hand::new(&states, input.clone());
    assert_eq!(
        hand.fail("E").output(),
        json!({"in": {"x": 1}, "e": error("E")})
    );
    assert_eq!(
        hand.story(),
        ["> A", "! E", "< A", "> Pass", "< Pass", "well"]
    );
    let mut hand = Hand::new(&states, input.clone());
    hand.call();
    hand.run.timed_out();
    assert_eq!(hand.output(), input);
    let mut hand = Hand::new(&states, input);
    assert_eq!(hand.fail("F").output(), error("F"));
}

#[test]
fn what_nobody_catches_ends_the_execution() {
    let states = json!({"A": task(json!({}))});
    let mut hand = Hand::new(&states, json!({}));
    assert_eq!(hand.fail("E").error(), "E");
    assert_eq!(hand.story(), ["> A", "! E", "failed E"]);
    let mut hand = Hand::new(&states, json!({}));
    hand.call();
    hand.run.timed_out();
    assert_eq!(hand.error(), "States.Timeout");
    assert_eq!(
        hand.story(),
        ["> A", "! States.Timeout", "failed States.Timeout"]
    );
}

#[test]
fn nothing_catches_a_path_that_leads_nowhere() {
    let caught = json!({
        "Retry": [{"ErrorEquals": ["States.ALL"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Pass"}],
    });
    for state in [
        json!({"InputPath": "$.nobody"}),
        json!({"Parameters": {"FunctionName.$": "$.nobody", "Payload": 1}}),
        json!({"Parameters": {"FunctionName.$": "$.n", "Payload": 1}}),
        json!({"ResultSelector": {"x.$": "$.Payload.nobody"}}),
        json!({"OutputPath": "$.nobody"}),
    ] {
        let mut task = task(state.clone());
        crate::support::with(&mut task, caught.clone());
        let states = json!({"A": task, "Pass": {"Type": "Pass", "End": true}});
        let mut hand = Hand::new(&states, json!({"n": 1}));
        if matches!(hand.next(), Step::Call(_)) {
            hand.run.answered(json!({}));
        }
        assert_eq!(hand.error(), "States.Runtime", "{state}");
    }
}

#[test]
fn a_result_that_finds_no_place_is_caught() {
    let states = json!({
        "A": task(json!({
            "ResultPath": "$.n.x",
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Pass"}],
        })),
        "Pass": {"Type": "Pass", "OutputPath": "$.e.Error", "End": true},
    });
    let mut hand = Hand::new(&states, json!({"n": 1}));
    assert_eq!(
        hand.answer(json!(1)).output(),
        "States.ReferencePathConflict"
    );
}

#[test]
fn a_call_is_the_same_until_something_is_known_of_it() {
    let mut hand = with_retry(&json!([{"ErrorEquals": ["E"]}]));
    assert_eq!(hand.next(), hand.next());
    assert_eq!(hand.story(), ["> A"]);
    hand.run.failed("E", "why");
    hand.run.answered(json!("too late"));
    assert_eq!(hand.next(), hand.next());
    assert_eq!(hand.story(), ["> A", "! E"]);
    hand.run.answered(json!("while it waits"));
    hand.wait();
    hand.answer(json!("in time"));
    hand.output();
    assert_eq!(hand.story()[2], "= \"in time\"");
}

#[test]
fn a_timeout_is_told_with_the_call() {
    let mut hand = Hand::new(&json!({"A": task(json!({"TimeoutSeconds": 5}))}), json!({}));
    assert_eq!(hand.call().timeout, Some(Duration::from_secs(5)));
}
