//! DynamoDB Streams. A stream has one shard, which never ends.

use dynoxide::{
    DynoxideError,
    actions::{
        describe_stream::{self, DescribeStreamRequest},
        get_records,
        get_shard_iterator::{self, GetShardIteratorRequest, decode_shard_iterator},
        list_streams::{self, ListStreamsRequest},
    },
    storage::Storage,
    streams,
};

use super::{Answer, DynamoDb, requests::Call, tables::set_region};
use crate::names::{REGION, arn};

/// The id of every stream's shard. `dynoxide`'s own ids are shorter than AWS's shortest.
const SHARD: &str = "shardId-00000000000000000001-00000001";

impl DynamoDb {
    pub(super) fn list_streams(&self, call: Call<'_>) -> Result<String, Answer> {
        self.read(
            call,
            async |storage: &Storage, mut request: ListStreamsRequest| {
                let start = request.exclusive_start_stream_arn.as_mut();
                start.into_iter().for_each(set_their_region);
                let mut reply = list_streams::execute(storage, request).await?;
                let names = reply.streams.iter_mut();
                names.for_each(|stream| set_region(&mut stream.stream_arn));
                reply
                    .last_evaluated_stream_arn
                    .iter_mut()
                    .for_each(set_region);
                Ok(reply)
            },
        )
    }

    pub(super) fn describe_stream(&self, call: Call<'_>) -> Result<String, Answer> {
        self.read(
            call,
            async |storage: &Storage, request: DescribeStreamRequest| {
                table_of(storage, &request.stream_arn)?;
                let after = request.exclusive_start_shard_id.clone();
                let mut reply = describe_stream::execute(storage, request).await?;
                let shards = &mut reply.stream_description.shards;
                for shard in shards.iter_mut() {
                    SHARD.clone_into(&mut shard.shard_id);
                }
                shards.retain(|shard| after.as_ref() != Some(&shard.shard_id));
                Ok(reply)
            },
        )
    }

    pub(super) fn get_shard_iterator(&self, call: Call<'_>) -> Result<String, Answer> {
        self.read(
            call,
            async |storage: &Storage, mut request: GetShardIteratorRequest| {
                let table = table_of(storage, &request.stream_arn)?;
                if request.shard_id != SHARD {
                    return Err(not_found(&format!("Shard: {}", request.shard_id)));
                }
                request.shard_id = streams::shard_id(&table);
                get_shard_iterator::execute(storage, request).await
            },
        )
    }

    pub(super) fn get_records(&self, call: Call<'_>) -> Result<String, Answer> {
        self.read(call, async |storage: &Storage, request| {
            let mut reply = get_records::execute(storage, request).await?;
            for record in &mut reply.records {
                REGION.clone_into(&mut record.aws_region);
            }
            Ok(reply)
        })
    }

    /// The ARN of the stream that an iterator reads; `None` if the iterator or its stream is none of these here.
    pub(crate) fn stream_of_iterator(&self, iterator: &str) -> Option<String> {
        let (table, ..) = decode_shard_iterator(iterator)?;
        let data = self.storage().get_table_metadata(&table).ok()??;
        let label = data.stream_label?;
        Some(arn("dynamodb", &format!("table/{table}/stream/{label}")))
    }
}

fn set_their_region(arn: &mut String) {
    let (ours, theirs) = (
        format!(":{REGION}:"),
        format!(":{}:", streams::LOCAL_REGION),
    );
    *arn = arn.replacen(&ours, &theirs, 1);
}

/// The table whose stream has this ARN. An ARN of an earlier stream of the table is not found.
fn table_of(storage: &Storage, stream: &str) -> dynoxide::Result<String> {
    let missing = || not_found(&format!("Stream: {stream}"));
    let start = arn("dynamodb", "table/");
    let resource = stream.strip_prefix(&start).ok_or_else(missing)?;
    let (table, label) = resource.split_once("/stream/").ok_or_else(missing)?;
    let data = storage.get_table_metadata(table)?.ok_or_else(missing)?;
    if !data.stream_enabled || data.stream_label.as_deref() != Some(label) {
        return Err(missing());
    }
    Ok(table.to_owned())
}

fn not_found(what: &str) -> DynoxideError {
    DynoxideError::ResourceNotFoundException(format!(
        "Requested resource not found: {what} not found"
    ))
}
