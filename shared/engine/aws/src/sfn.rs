//! Executions on Step Functions.

use std::fmt::Debug;

use alpes_ports::{Ending, ExecutionError, Executions, Happened, HistoryEvent, Progress};
use async_trait::async_trait;
use aws_sdk_sfn::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionStatus, HistoryEvent as Event, HistoryEventType as Type},
};
use serde_json::Value;

use crate::{
    error::{OF_STEP_FUNCTIONS, ServiceError, sorted},
    time::timestamp,
};

/// Step Functions' limit on the events of one page.
const PAGE: i32 = 1000;
/// The error name of a timeout.
const TIMEOUT: &str = "States.Timeout";

/// Executions of one state machine.
pub struct SfnExecutions {
    client: Client,
    state_machine_arn: String,
}

impl SfnExecutions {
    /// Executions of the state machine with this ARN.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, state_machine_arn: String) -> Self {
        Self {
            client: Client::new(config),
            state_machine_arn,
        }
    }

    fn execution_arn(&self, name: &str) -> String {
        execution_arn(&self.state_machine_arn, name)
    }
}

fn execution_arn(state_machine_arn: &str, name: &str) -> String {
    let executions = state_machine_arn.replacen(":stateMachine:", ":execution:", 1);
    format!("{executions}:{name}")
}

fn execution_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> ExecutionError {
    sorted(
        error,
        OF_STEP_FUNCTIONS,
        ExecutionError::Refused,
        ExecutionError::Unavailable,
    )
}

/// The answer; `None` if Step Functions answers that the execution does not exist.
fn unless_unknown<T, E: ServiceError, R: Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> Result<Option<T>, ExecutionError> {
    match answer {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code() == Some("ExecutionDoesNotExist") => Ok(None),
        Err(error) => Err(execution_error(&error)),
    }
}

/// JSON data in a text field. If the data are too large, Step Functions omits the field, and the result is null.
fn json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The error and the cause in the details of a history event.
macro_rules! told {
    ($details:expr) => {
        $details.map_or((None, None), |told| (told.error(), told.cause()))
    };
}

fn texts((error, cause): (Option<&str>, Option<&str>)) -> (String, String) {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error), text(cause))
}

fn timed_out((error, cause): (Option<&str>, Option<&str>)) -> (String, String) {
    texts((error.or(Some(TIMEOUT)), cause))
}

fn failed((error, cause): (String, String)) -> Ending {
    Ending::Failed { error, cause }
}

fn call_failed((error, cause): (String, String)) -> Happened {
    Happened::CallFailed { error, cause }
}

fn progress(told: &DescribeExecutionOutput) -> Result<Progress, ExecutionError> {
    let error = (told.error(), told.cause());
    Ok(match told.status() {
        // A redrive starts a failed execution again, so an execution with a pending redrive counts as running.
        ExecutionStatus::Running | ExecutionStatus::PendingRedrive => Progress::Running,
        ExecutionStatus::Succeeded => Progress::Ended(Ending::Succeeded {
            output: json(told.output()),
        }),
        ExecutionStatus::Failed | ExecutionStatus::Aborted => Progress::Ended(failed(texts(error))),
        ExecutionStatus::TimedOut => Progress::Ended(failed(timed_out(error))),
        other => {
            return Err(ExecutionError::Unavailable(format!(
                "the execution has the unknown status {other}"
            )));
        }
    })
}

/// The history event in the port's form; `None` if [`Happened`] has no variant for the event.
fn happened(event: &Event) -> Option<Happened> {
    Some(match event.r#type() {
        Type::TaskSucceeded => {
            let told = event.task_succeeded_event_details();
            Happened::Answered(payload(json(told.and_then(|told| told.output()))))
        }
        Type::LambdaFunctionSucceeded => {
            let told = event.lambda_function_succeeded_event_details();
            Happened::Answered(json(told.and_then(|told| told.output())))
        }
        Type::ExecutionSucceeded => {
            let told = event.execution_succeeded_event_details();
            Happened::Ended(Ending::Succeeded {
                output: json(told.and_then(|told| told.output())),
            })
        }
        Type::ExecutionFailed | Type::ExecutionAborted | Type::ExecutionTimedOut => {
            Happened::Ended(failed(end_error(event)))
        }
        kind => return state_change(event).or_else(|| call_error(kind, event)),
    })
}

fn state_change(event: &Event) -> Option<Happened> {
    let entered = event.state_entered_event_details();
    let left = event.state_exited_event_details();
    entered
        .map(|state| Happened::Entered(state.name().to_owned()))
        .or_else(|| left.map(|state| Happened::Left(state.name().to_owned())))
}

/// The payload of the function's answer, without the fields that the Lambda integration adds.
fn payload(mut output: Value) -> Value {
    match output.get_mut("Payload") {
        Some(payload) => payload.take(),
        None => output,
    }
}

fn end_error(event: &Event) -> (String, String) {
    match event.r#type() {
        Type::ExecutionTimedOut => timed_out(told!(event.execution_timed_out_event_details())),
        Type::ExecutionAborted => texts(told!(event.execution_aborted_event_details())),
        _ => texts(told!(event.execution_failed_event_details())),
    }
}

fn call_error(kind: &Type, event: &Event) -> Option<Happened> {
    Some(call_failed(match kind {
        Type::TaskFailed => texts(told!(event.task_failed_event_details())),
        Type::TaskStartFailed => texts(told!(event.task_start_failed_event_details())),
        Type::TaskSubmitFailed => texts(told!(event.task_submit_failed_event_details())),
        Type::TaskTimedOut => timed_out(told!(event.task_timed_out_event_details())),
        Type::LambdaFunctionFailed => texts(told!(event.lambda_function_failed_event_details())),
        Type::LambdaFunctionScheduleFailed => {
            texts(told!(event.lambda_function_schedule_failed_event_details()))
        }
        Type::LambdaFunctionStartFailed => {
            texts(told!(event.lambda_function_start_failed_event_details()))
        }
        Type::LambdaFunctionTimedOut => {
            timed_out(told!(event.lambda_function_timed_out_event_details()))
        }
        _ => return None,
    }))
}

#[async_trait]
impl Executions for SfnExecutions {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        let start = self.client.start_execution();
        let start = start.state_machine_arn(&self.state_machine_arn).name(name);
        match start.input(input.to_string()).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ExecutionAlreadyExists") => Ok(()),
            Err(error) => Err(execution_error(&error)),
        }
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        let describe = self.client.describe_execution();
        let describe = describe.execution_arn(self.execution_arn(name));
        match unless_unknown(describe.send().await)? {
            Some(told) => progress(&told),
            None => Ok(Progress::Unknown),
        }
    }

    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        let (mut history, mut next) = (vec![], None);
        loop {
            let page = self.client.get_execution_history();
            let page = page.execution_arn(self.execution_arn(name));
            let page = page.max_results(PAGE).include_execution_data(true);
            let answer = page.set_next_token(next).send().await;
            let Some(page) = unless_unknown(answer)? else {
                return Ok(None);
            };
            history.extend(page.events().iter().filter_map(|event| {
                Some(HistoryEvent {
                    when: timestamp(Some(event.timestamp())),
                    what: happened(event)?,
                })
            }));
            next = page.next_token;
            if next.is_none() {
                return Ok(Some(history));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::{
        error::{ConnectorError, ErrorMetadata},
        operation::start_execution::StartExecutionError,
        primitives::DateTime,
        types::{
            ExecutionAbortedEventDetails, ExecutionFailedEventDetails,
            ExecutionSucceededEventDetails, ExecutionTimedOutEventDetails,
            LambdaFunctionFailedEventDetails, LambdaFunctionScheduleFailedEventDetails,
            LambdaFunctionStartFailedEventDetails, LambdaFunctionSucceededEventDetails,
            LambdaFunctionTimedOutEventDetails, StateEnteredEventDetails, StateExitedEventDetails,
            TaskFailedEventDetails, TaskStartFailedEventDetails, TaskSubmitFailedEventDetails,
            TaskSucceededEventDetails, TaskTimedOutEventDetails, builders::HistoryEventBuilder,
        },
    };
    use serde_json::json;

    use super::*;

    const FORM: &str =
        r#"{"ExecutedVersion": "$LATEST", "Payload": {"a": [1, "ñ"]}, "StatusCode": 200}"#;

    fn seen(
        kind: &str,
        details: impl FnOnce(HistoryEventBuilder) -> HistoryEventBuilder,
    ) -> Option<Happened> {
        let event = Event::builder().id(1).timestamp(DateTime::from_secs(1));
        happened(&details(event.r#type(Type::from(kind))).build().unwrap())
    }

    fn bare(kind: &str) -> Option<Happened> {
        seen(kind, |event| event)
    }

    fn error(error: &str, cause: &str) -> Happened {
        call_failed((error.into(), cause.into()))
    }

    fn end(error: &str, cause: &str) -> Happened {
        Happened::Ended(failed((error.into(), cause.into())))
    }

    #[test]
    fn states_are_entered_and_left_whatever_their_type() {
        for kind in ["Task", "Choice", "Pass", "Wait", "Succeed"] {
            let details = StateEnteredEventDetails::builder().name("Pay").input("{}");
            let details = details.build().unwrap();
            let entered = seen(&format!("{kind}StateEntered"), |event| {
                event.state_entered_event_details(details)
            });
            assert_eq!(entered, Some(Happened::Entered("Pay".into())));
            let details = StateExitedEventDetails::builder().name("Pay").output("{}");
            let details = details.build().unwrap();
            let left = seen(&format!("{kind}StateExited"), |event| {
                event.state_exited_event_details(details)
            });
            assert_eq!(left, Some(Happened::Left("Pay".into())));
        }
    }

    #[test]
    fn an_answer_is_the_functions_payload() {
        let task = |output: Option<&str>| {
            let details = TaskSucceededEventDetails::builder();
            let details = details.resource_type("lambda").resource("invoke");
            let details = details.set_output(output.map(str::to_owned));
            seen("TaskSucceeded", |event| {
                event.task_succeeded_event_details(details.build().unwrap())
            })
        };
        let answered = |value| Some(Happened::Answered(value));
        assert_eq!(task(Some(FORM)), answered(json!({"a": [1, "ñ"]})));
        assert_eq!(task(Some("[7]")), answered(json!([7])));
        assert_eq!(task(None), answered(Value::Null), "too large to tell");
        assert_eq!(bare("TaskSucceeded"), answered(Value::Null));
        let details = LambdaFunctionSucceededEventDetails::builder().output(FORM);
        let whole = seen("LambdaFunctionSucceeded", |event| {
            event.lambda_function_succeeded_event_details(details.build())
        });
        assert_eq!(whole, answered(serde_json::from_str(FORM).unwrap()));
    }

    /// A history event with details of this type and the error "Boom".
    macro_rules! boom {
        ($kind:literal, $with:ident, $details:ident) => {{
            let details = $details::builder().error("Boom").cause("why").build();
            seen($kind, |event| event.$with(details))
        }};
        ($kind:literal, $with:ident, $details:ident, $resource:literal) => {{
            let details = $details::builder().resource_type("lambda");
            let details = details.resource($resource).error("Boom").cause("why");
            seen($kind, |event| event.$with(details.build().unwrap()))
        }};
    }

    #[test]
    fn a_call_fails_in_eight_ways() {
        let told = [
            boom!(
                "TaskFailed",
                task_failed_event_details,
                TaskFailedEventDetails,
                "invoke"
            ),
            boom!(
                "TaskStartFailed",
                task_start_failed_event_details,
                TaskStartFailedEventDetails,
                "invoke"
            ),
            boom!(
                "TaskSubmitFailed",
                task_submit_failed_event_details,
                TaskSubmitFailedEventDetails,
                "invoke"
            ),
            boom!(
                "TaskTimedOut",
                task_timed_out_event_details,
                TaskTimedOutEventDetails,
                "invoke"
            ),
            boom!(
                "LambdaFunctionFailed",
                lambda_function_failed_event_details,
                LambdaFunctionFailedEventDetails
            ),
            boom!(
                "LambdaFunctionScheduleFailed",
                lambda_function_schedule_failed_event_details,
                LambdaFunctionScheduleFailedEventDetails
            ),
            boom!(
                "LambdaFunctionStartFailed",
                lambda_function_start_failed_event_details,
                LambdaFunctionStartFailedEventDetails
            ),
            boom!(
                "LambdaFunctionTimedOut",
                lambda_function_timed_out_event_details,
                LambdaFunctionTimedOutEventDetails
            ),
        ];
        for told in told {
            assert_eq!(told, Some(error("Boom", "why")));
        }
        for untold in ["TaskFailed", "TaskSubmitFailed", "LambdaFunctionFailed"] {
            assert_eq!(bare(untold), Some(error("", "")));
        }
        for untold in ["TaskTimedOut", "LambdaFunctionTimedOut"] {
            assert_eq!(bare(untold), Some(error(TIMEOUT, "")));
        }
    }

    #[test]
    fn an_execution_ends_in_four_ways() {
        let details = ExecutionSucceededEventDetails::builder().output(r#"{"fin": true}"#);
        let succeeded = seen("ExecutionSucceeded", |event| {
            event.execution_succeeded_event_details(details.build())
        });
        let output = json!({"fin": true});
        let expected = Some(Happened::Ended(Ending::Succeeded { output }));
        assert_eq!(succeeded, expected);
        let told = [
            boom!(
                "ExecutionFailed",
                execution_failed_event_details,
                ExecutionFailedEventDetails
            ),
            boom!(
                "ExecutionAborted",
                execution_aborted_event_details,
                ExecutionAbortedEventDetails
            ),
            boom!(
                "ExecutionTimedOut",
                execution_timed_out_event_details,
                ExecutionTimedOutEventDetails
            ),
        ];
        for told in told {
            assert_eq!(told, Some(end("Boom", "why")));
        }
        assert_eq!(bare("ExecutionFailed"), Some(end("", "")));
        assert_eq!(bare("ExecutionAborted"), Some(end("", "")));
        assert_eq!(bare("ExecutionTimedOut"), Some(end(TIMEOUT, "")));
    }

    #[test]
    fn what_there_is_no_word_for_is_passed_by() {
        for kind in [
            "ExecutionStarted",
            "TaskScheduled",
            "TaskStarted",
            "ExecutionRedriven",
            "Novelty",
        ] {
            assert_eq!(bare(kind), None, "{kind}");
        }
    }

    #[test]
    fn an_execution_is_told_by_its_status() {
        let standing = |status: &str| {
            let told = DescribeExecutionOutput::builder()
                .execution_arn("arn")
                .state_machine_arn("arn")
                .start_date(DateTime::from_secs(1))
                .status(ExecutionStatus::from(status));
            let told = match status {
                "SUCCEEDED" => told.output("[1]"),
                "FAILED" => told.error("Boom").cause("why"),
                _ => told,
            };
            progress(&told.build().unwrap())
        };
        let ended =
            |error: &str, cause: &str| Ok(Progress::Ended(failed((error.into(), cause.into()))));
        assert_eq!(standing("RUNNING"), Ok(Progress::Running));
        assert_eq!(standing("PENDING_REDRIVE"), Ok(Progress::Running));
        let output = json!([1]);
        let succeeded = Progress::Ended(Ending::Succeeded { output });
        assert_eq!(standing("SUCCEEDED"), Ok(succeeded));
        assert_eq!(standing("FAILED"), ended("Boom", "why"));
        assert_eq!(standing("ABORTED"), ended("", ""));
        assert_eq!(standing("TIMED_OUT"), ended(TIMEOUT, ""));
        let novelty = standing("NOVELTY");
        assert!(
            matches!(novelty, Err(ExecutionError::Unavailable(_))),
            "{novelty:?}"
        );
    }

    #[test]
    fn an_executions_arn_follows_from_its_machines() {
        assert_eq!(
            execution_arn(
                "arn:aws:states:us-east-1:000000000000:stateMachine:saga",
                "a-1"
            ),
            "arn:aws:states:us-east-1:000000000000:execution:saga:a-1"
        );
    }

    #[test]
    fn what_will_not_get_better_is_refused() {
        let told = |code: &str| {
            let meta = ErrorMetadata::builder().code(code).build();
            execution_error(&SdkError::service_error(
                StartExecutionError::generic(meta),
                (),
            ))
        };
        for code in [
            "StateMachineDoesNotExist",
            "InvalidExecutionInput",
            "InvalidName",
            "AccessDeniedException",
        ] {
            assert!(matches!(told(code), ExecutionError::Refused(_)), "{code}");
        }
        for code in [
            "ExecutionLimitExceeded",
            "ThrottlingException",
            "KmsThrottlingException",
        ] {
            assert!(
                matches!(told(code), ExecutionError::Unavailable(_)),
                "{code}"
            );
        }
        let silence = ConnectorError::timeout("no answer".into());
        let silence = SdkError::<StartExecutionError, ()>::dispatch_failure(silence);
        assert!(matches!(
            execution_error(&silence),
            ExecutionError::Unavailable(_)
        ));
    }

    #[test]
    fn an_execution_that_is_not_there_is_no_error() {
        let answer = |code: &str| {
            let meta = ErrorMetadata::builder().code(code).build();
            let error = SdkError::service_error(StartExecutionError::generic(meta), ());
            unless_unknown(Err::<u8, _>(error))
        };
        assert_eq!(answer("ExecutionDoesNotExist"), Ok(None));
        assert!(matches!(
            answer("InvalidArn"),
            Err(ExecutionError::Refused(_))
        ));
    }
}
