//! Invocations with batches, and their ends.

use std::sync::Arc;

use bytes::Bytes;
use source_mapping::{Outcome, SequenceNumber, Verdict, judge};

use super::{
    core::Core,
    effects::number,
    status::{Act, Counts},
};
use crate::{
    error::AwsError,
    invoke::{Failure, Invoked},
};

/// Invokes a function in a task of its own, which goes on if the mapping is changed meanwhile. A panic of the invoker is
/// an error of the service.
pub(super) async fn invoke(
    core: &Arc<Core>,
    function: &str,
    event: String,
) -> Result<Invoked, AwsError> {
    let (invoker, function) = (core.invoker.clone(), function.to_owned());
    let run = tokio::spawn(async move { invoker.invoke(&function, Bytes::from(event)).await });
    run.await
        .unwrap_or_else(|panic| Err(AwsError::internal(panic)))
}

/// The meaning of an invocation's end for its batch.
pub(super) fn outcome(ended: &Result<Invoked, AwsError>) -> Outcome {
    match ended {
        Ok(Invoked {
            failure, payload, ..
        }) => match failure {
            None => Outcome::Returned(payload.to_vec()),
            Some(Failure::Error) => Outcome::FunctionError,
            Some(Failure::TimedOut) => Outcome::TimedOut,
            Some(Failure::Exited) => Outcome::Killed,
        },
        Err(error) if did_not_reach(error) => Outcome::Throttled,
        // The function can never take this batch, so the attempt counts.
        Err(_) => Outcome::FunctionError,
    }
}

/// True if the function may take the same batch later: it is throttled, missing, or the service failed.
fn did_not_reach(error: &AwsError) -> bool {
    matches!(error.status, 404 | 429 | 500..)
}

/// The event of an invocation's end.
pub(super) fn told(ended: &Result<Invoked, AwsError>, size: usize) -> Act {
    let end = match ended {
        Err(error) => error.code.clone(),
        Ok(Invoked { failure, .. }) => match failure {
            None => "returned",
            Some(Failure::Error) => "error",
            Some(Failure::TimedOut) => "timed out",
            Some(Failure::Exited) => "exited",
        }
        .to_owned(),
    };
    let request_id = ended.as_ref().ok().map(|run| run.request_id.clone());
    Act::Ended {
        request_id,
        end,
        size,
    }
}

/// `LastProcessingResult` after an invocation.
pub(super) fn result(ended: &Result<Invoked, AwsError>) -> String {
    match ended {
        Ok(Invoked { failure: None, .. }) => "OK".to_owned(),
        Ok(_) => "PROBLEM: Function call failed".to_owned(),
        Err(error) => format!("PROBLEM: {error}"),
    }
}

/// The metrics of an invocation with a batch of a stream. `reports` is true if the function's answer may name failures.
pub(super) fn counts(outcome: &Outcome, batch: &[&SequenceNumber], reports: bool) -> Counts {
    let failed = match outcome {
        Outcome::Returned(_) if !reports => 0,
        Outcome::Returned(answer) => match judge(answer, batch).0 {
            Verdict::Done => 0,
            Verdict::DoneBefore(place) => batch.len() - place,
            Verdict::Failed => batch.len(),
        },
        _ => batch.len(),
    };
    Counts {
        invoked: number(batch.len()),
        failed_invoke: number(failed),
        ..Counts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(failure: Option<Failure>) -> Outcome {
        outcome(&Ok(Invoked {
            request_id: "id".to_owned(),
            executed_version: "$LATEST".to_owned(),
            payload: Bytes::from_static(b"{}"),
            failure,
            log_tail: String::new(),
        }))
    }

    #[test]
    fn only_what_can_still_succeed_is_no_attempt() {
        assert_eq!(meaning(None), Outcome::Returned(b"{}".to_vec()));
        assert_eq!(meaning(Some(Failure::Exited)), Outcome::Killed);
        let refused = |status| outcome(&Err(AwsError::of(status, "Code", "")));
        for status in [404, 429, 500, 503] {
            assert_eq!(refused(status), Outcome::Throttled);
        }
        assert_eq!(refused(413), Outcome::FunctionError);
    }

    #[test]
    fn a_partial_answer_counts_the_records_that_come_again() {
        let numbers: Vec<SequenceNumber> = (1..=4).map(SequenceNumber::from).collect();
        let batch: Vec<_> = numbers.iter().collect();
        let partial = Outcome::failed_at([&numbers[1]]);
        assert_eq!(counts(&partial, &batch, true).failed_invoke, 3);
        assert_eq!(counts(&partial, &batch, false).failed_invoke, 0);
        assert_eq!(counts(&Outcome::TimedOut, &batch, true).failed_invoke, 4);
    }
}
