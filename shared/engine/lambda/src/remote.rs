//! A consumer that runs in another function: the timers redrive its parked records by calling that function.

use std::{slice, sync::Arc};

use alpes_consumer::{Parked, Parking, Redrive, Redriven};
use alpes_messages::{Catalogue, DomainEvent, Event};
use alpes_ports::{FunctionName, Functions, LogRecord, TableError};
use async_trait::async_trait;
use aws_lambda_events::streams::KinesisEventResponse;

use crate::kinesis;

/// A consumer that runs in another function. To retry a record that this consumer parked, `redrive` calls the function
/// with a batch of this record alone, in the form in which the event source mapping delivers batches.
pub struct RemoteConsumer<P> {
    /// Calls the function.
    pub functions: Arc<dyn Functions>,
    /// The function, whose name is also the consumer's name in the parking lot.
    pub function: FunctionName,
    /// The parking lot.
    pub parking: Parking,
    /// The event types that this build decodes. For an event that this build cannot decode, the function is not called.
    pub catalogue: Catalogue<P>,
}

impl<P: DomainEvent> RemoteConsumer<P> {
    /// The consumers of these functions.
    #[must_use]
    pub fn of(
        names: impl IntoIterator<Item = FunctionName>,
        functions: &Arc<dyn Functions>,
        parking: &Parking,
        catalogue: &Catalogue<P>,
    ) -> Vec<Self> {
        let remote = |function| Self {
            functions: functions.clone(),
            function,
            parking: parking.clone(),
            catalogue: catalogue.clone(),
        };
        names.into_iter().map(remote).collect()
    }

    async fn call(&self, record: &LogRecord) -> Result<(), Redriven> {
        let batch = kinesis::batch_of(slice::from_ref(record)).to_string();
        let answer = match self.functions.call(self.function, batch.as_bytes()).await {
            Ok(answer) => answer,
            // A failure, a timeout or a crash is no verdict, since the cause may be temporary. If the record itself is
            // the cause, every attempt fails, and the pauses between attempts grow.
            Err(error) => return Err(Redriven::NotNow(error.to_string())),
        };
        match serde_json::from_slice::<KinesisEventResponse>(&answer) {
            Ok(response) if response.batch_item_failures.is_empty() => Ok(()),
            Ok(_) => Err(Redriven::NotNow("it could not be handled now".into())),
            Err(error) => Err(Redriven::NotNow(format!("no answer: {error}"))),
        }
    }
}

#[async_trait]
impl<P: DomainEvent> Redrive for RemoteConsumer<P> {
    fn owns(&self, parked: &Parked) -> bool {
        parked.owner == self.function.0
    }

    async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError> {
        let Some(record) = self.parking.record(parked).await? else {
            return Ok(Redriven::StillParked("it has no bytes".into()));
        };
        if let Err(error) = Event::decode(&record.data, &self.catalogue) {
            return Ok(Redriven::StillParked(error.to_string()));
        }
        if let Err(not_done) = self.call(&record).await {
            return Ok(not_done);
        }
        // The function also reports success for a record that it parked again, because its build does not know the
        // event or cannot handle it.
        if self.parking.remove_tried(parked).await? {
            return Ok(Redriven::Done);
        }
        let anew = format!("{} has parked it again", self.function.0);
        Ok(Redriven::StillParked(anew))
    }
}
