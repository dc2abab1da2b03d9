//! Prints the orders of a batch. Fails at a record that is not JSON.

use aws_lambda_events::kinesis::KinesisEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(orders)).await
}

async fn orders(event: LambdaEvent<KinesisEvent>) -> Result<(), Error> {
    for record in &event.payload.records {
        let order: serde_json::Value = serde_json::from_slice(&record.kinesis.data)?;
        println!("order {order}");
    }
    Ok(())
}
