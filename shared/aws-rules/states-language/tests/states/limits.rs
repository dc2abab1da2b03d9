//! The limits that AWS sets.

use serde_json::{Value, json};
use states_language::{Ending, Happened};

use crate::support::{Hand, output, task};

/// A JSON text of this many bytes.
fn text(bytes: usize) -> Value {
    Value::String("x".repeat(bytes - 2))
}

const LIMIT: usize = 256 * 1024;
const TOO_LARGE: &str = "States.DataLimitExceeded";

#[test]
fn what_a_state_hands_on_has_a_limit() {
    let state = json!({"Type": "Pass", "ResultPath": "$.r", "Result": 1, "End": true});
    // {"a":…,"r":1}
    let around = r#"{"a":,"r":1}"#.len();
    let fits = output(&state, json!({"a": text(LIMIT - around)}));
    assert_eq!(fits.unwrap().to_string().len(), LIMIT);
    let too_large = output(&state, json!({"a": text(LIMIT - around + 1)}));
    assert_eq!(too_large, Err(TOO_LARGE.into()));
    let pass = json!({"Type": "Pass", "OutputPath": "$.a", "End": true});
    let umlauts = json!({"a": "ñ".repeat(LIMIT / 2 - 1)});
    assert!(output(&pass, umlauts.clone()).is_ok());
    let one_more = json!({"a": format!("{}x", umlauts["a"].as_str().unwrap())});
    assert_eq!(
        output(&pass, one_more),
        Err(TOO_LARGE.into()),
        "bytes, not characters"
    );
}

#[test]
fn data_within_data_has_an_end() {
    let state = json!({"Type": "Pass", "Parameters": {"all.$": "$"}, "Next": "A"});
    let mut hand = Hand::new(&json!({"A": state}), json!({}));
    assert_eq!(hand.error(), TOO_LARGE);
    assert_eq!(hand.run.transitions(), 257);
}

/// A task with a catcher that leads from `States.ALL` to the state `All`. If `named` is true, another catcher leads
/// from the limit's own error to the state `Named`.
fn task_with_catch(named: bool) -> Value {
    let mut catch = vec![json!({"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "All"})];
    if named {
        catch.insert(
            0,
            json!({"ErrorEquals": [TOO_LARGE], "ResultPath": null, "Next": "Named"}),
        );
    }
    json!({
        "A": task(json!({"Catch": catch, "ResultPath": "$.r"})),
        "All": {"Type": "Fail", "Error": "all"}, "Named": {"Type": "Fail", "Error": "named"},
    })
}

#[test]
fn an_answer_and_parameters_have_it_too() {
    for (named, error) in [(false, TOO_LARGE), (true, "named")] {
        let mut hand = Hand::new(&task_with_catch(named), json!({}));
        assert_eq!(hand.answer(text(LIMIT + 1)).error(), error);
        assert_eq!(hand.story()[1], format!("! {TOO_LARGE}"), "a failed call");
        let mut hand = Hand::new(&task_with_catch(named), text(LIMIT));
        assert_eq!(hand.error(), error, "the payload with the function's name");
        assert_eq!(
            hand.story()[1],
            if named {
                "< A".into()
            } else {
                format!("failed {TOO_LARGE}")
            }
        );
        let mut hand = Hand::new(&task_with_catch(named), json!({"a": text(LIMIT / 2)}));
        assert_eq!(
            hand.answer(text(LIMIT / 2)).error(),
            error,
            "each fits, and not both"
        );
    }
    let mut hand = Hand::new(&json!({"A": task(json!({"ResultPath": null}))}), json!({}));
    assert_eq!(hand.answer(text(LIMIT)).output(), json!({}));
}

#[test]
fn a_history_has_a_limit() {
    let mut hand = Hand::new(&json!({"A": {"Type": "Pass", "Next": "A"}}), json!({}));
    assert_eq!(hand.error(), "States.Runtime");
    // The start counts as an event too, but the history of a `Run` does not have this event.
    assert_eq!(hand.run.history().len(), 24_999);
    let Happened::Ended(Ending::Failed { cause, .. }) = &hand.run.history()[24_998].what else {
        panic!("it has not ended");
    };
    assert!(cause.contains("25000"), "{cause}");
}

#[test]
fn a_call_takes_three_events() {
    let retry = json!([{"ErrorEquals": ["E"], "MaxAttempts": 99_999, "MaxDelaySeconds": 2}]);
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "A"}]);
    let states = json!({"A": task(json!({"Retry": retry, "Catch": catch}))});
    let mut hand = Hand::new(&states, json!({}));
    // Two events for the start and the first state, three for each call, and one for the end.
    for _ in 0..8_332 {
        hand.fail("E").wait();
    }
    assert_eq!(hand.run.ending(), None);
    assert_eq!(hand.error(), "States.Runtime");
}

#[test]
fn transitions_are_states_entered_and_retries() {
    let states = json!({
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": true, "Next": "C"}]},
        "C": task(json!({"Retry": [{"ErrorEquals": ["E"]}], "Next": "D"})),
        "D": {"Type": "Succeed"},
    });
    let mut hand = Hand::new(&states, json!({"a": 1}));
    hand.fail("E").wait();
    hand.fail("E").wait();
    hand.answer(json!(1)).output();
    assert_eq!(hand.run.transitions(), 6);
}
