//! The reasons for which a request fails.

use alpes_event_store::{HandleError, StreamError};
use alpes_messages::Problem;
use alpes_ports::{ExecutionError, TableError};
use alpes_saga::{LoadError, SaveError, Trouble};
use events::kinds;
use lambda_http::{Body, Response};

/// The reason for which a request fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is at fault, or the state of its resource does not allow it.
    Problem(Problem),
    /// The infrastructure failed.
    Failure(HandleError),
}

impl Refusal {
    /// The HTTP answer. The error text of the infrastructure goes to the log and not to the client.
    #[must_use]
    pub fn answer(&self) -> Response<Body> {
        match self {
            Self::Problem(problem) => super::problem(problem),
            Self::Failure(error) => {
                tracing::error!(%error, "the request failed");
                let kind = match error {
                    HandleError::Contention(_) => kinds::CONTENTION,
                    HandleError::Unavailable(_) | HandleError::NotAppended => kinds::UNAVAILABLE,
                    HandleError::Broken(_) => kinds::INTERNAL,
                };
                super::problem(&Problem::of(kind))
            }
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<HandleError> for Refusal {
    fn from(error: HandleError) -> Self {
        Self::Failure(error)
    }
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        HandleError::from(error).into()
    }
}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        HandleError::from(error).into()
    }
}

impl From<ExecutionError> for Refusal {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::Unavailable(_) => HandleError::Unavailable(error.to_string()).into(),
            ExecutionError::Refused(_) => HandleError::Broken(error.to_string()).into(),
        }
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Table(error) => error.into(),
            // The saga was begun by a newer build that is still being deployed. Once the deployment ends, a repetition
            // of the request can succeed.
            LoadError::UnknownDefinition(..) => HandleError::Unavailable(error.to_string()).into(),
            LoadError::Malformed(..) => HandleError::Broken(error.to_string()).into(),
        }
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Load(error) => error.into(),
            Trouble::Save(SaveError::Table(error)) => error.into(),
            Trouble::Save(error @ SaveError::Overtaken) => {
                HandleError::Unavailable(error.to_string()).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alpes_messages::StreamId;
    use alpes_saga::SagaId;
    use events::{IdReserva, VUELOS};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_says_whether_to_try_again_and_nothing_of_the_infrastructure() {
        let text = || "arn:aws:dynamodb".to_owned();
        let (down, refused) = (TableError::Unavailable(text()), TableError::Refused(text()));
        let stream = StreamId::new(VUELOS, IdReserva(Uuid::nil()));
        let saga = SagaId(Uuid::nil());
        let newer = LoadError::UnknownDefinition(saga, text(), 2);
        let malformed = LoadError::Malformed(saga, text());
        for (refusal, status) in [
            (Refusal::from(Problem::of(kinds::STATE)), 409),
            (HandleError::Contention(stream).into(), 409),
            (HandleError::NotAppended.into(), 503),
            (down.clone().into(), 503),
            (refused.clone().into(), 500),
            (StreamError::Table(down.clone()).into(), 503),
            (StreamError::Malformed(stream, text()).into(), 500),
            (LoadError::Table(down.clone()).into(), 503),
            (newer.clone().into(), 503),
            (malformed.clone().into(), 500),
            (Trouble::Load(newer).into(), 503),
            (Trouble::Load(malformed).into(), 500),
            (Trouble::Save(SaveError::Overtaken).into(), 503),
            (Trouble::Save(SaveError::Table(down)).into(), 503),
            (Trouble::Save(SaveError::Table(refused)).into(), 500),
        ] {
            let answer = refusal.answer();
            assert_eq!(answer.status(), status, "{refusal:?}");
            let retry = answer.headers().contains_key("retry-after");
            assert_eq!(retry, status == 503, "{refusal:?}");
            let Body::Text(body) = answer.body() else {
                panic!("an answer is text");
            };
            assert!(!body.contains("arn:"), "{body}");
        }
    }
}
