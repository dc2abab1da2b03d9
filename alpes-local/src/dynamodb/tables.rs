//! Making, changing and deleting tables.

use dynoxide::{
    DynoxideError,
    actions::{
        TableDescription,
        create_table::{self, CreateTableRequest},
        delete_table::{self, DeleteTableRequest},
        describe_table,
        update_table::{self, UpdateTableRequest},
    },
    storage::Storage,
    streams::LOCAL_REGION,
};

use super::{Answer, DynamoDb, commits::in_one_commit, requests::Call, run};
use crate::names::REGION;

impl DynamoDb {
    pub(super) fn create_table(&self, call: Call<'_>) -> Result<String, Answer> {
        let request: CreateTableRequest = call.request()?;
        let name = request.table_name.clone();
        let mut reply = self.writing(|storage| {
            refuse_taken(storage, &name)?;
            self.keys.forget(&name);
            in_one_commit(storage, || run(create_table::execute(storage, request)))
        })?;
        with_our_region(&mut reply.table_description);
        Ok(serde_json::to_string(&reply)?)
    }

    pub(super) fn delete_table(&self, call: Call<'_>) -> Result<String, Answer> {
        let request: DeleteTableRequest = call.request()?;
        let name = request.table_name.clone();
        let mut reply = self.writing(|storage| {
            self.keys.forget(&name);
            in_one_commit(storage, || {
                let reply = run(delete_table::execute(storage, request, &self.vectors))?;
                forget_stream(storage, &name)?;
                Ok::<_, DynoxideError>(reply)
            })
        })?;
        with_our_region(&mut reply.table_description);
        Ok(serde_json::to_string(&reply)?)
    }

    pub(super) fn update_table(&self, call: Call<'_>) -> Result<String, Answer> {
        let request: UpdateTableRequest = call.request()?;
        let name = request.table_name.clone();
        let streams = request
            .stream_specification
            .as_ref()
            .map(|stream| stream.stream_enabled);
        let mut reply = self.writing(|storage| {
            refuse_stream(storage, &name, streams)?;
            // A new stream must not begin with the records of the one before it. They go first, in a commit of their
            // own: if the process dies in between, the table has no stream and no old records.
            if streams == Some(true) {
                forget_stream(storage, &name)?;
            }
            run(update_table::execute(storage, request, &self.vectors))
        })?;
        with_our_region(&mut reply.table_description);
        Ok(serde_json::to_string(&reply)?)
    }

    pub(super) fn describe_table(&self, call: Call<'_>) -> Result<String, Answer> {
        self.read(call, async |storage: &Storage, request| {
            let mut reply = describe_table::execute(storage, request, &self.vectors).await?;
            with_our_region(&mut reply.table);
            Ok(reply)
        })
    }
}

/// Refuses to enable a stream that is there, and to disable one that is not.
fn refuse_stream(storage: &Storage, name: &str, enable: Option<bool>) -> dynoxide::Result<()> {
    let enabled = storage
        .get_table_metadata(name)?
        .map(|table| table.stream_enabled);
    let wrong = match (enable, enabled) {
        (Some(true), Some(true)) => "Table already has an enabled stream",
        (Some(false), Some(false)) => "Table has no stream to disable",
        _ => return Ok(()),
    };
    Err(DynoxideError::ValidationException(format!(
        "{wrong}: TableName: {name}"
    )))
}

fn forget_stream(storage: &Storage, table: &str) -> rusqlite::Result<usize> {
    let connection = storage.conn();
    connection.execute("DELETE FROM _stream_records WHERE table_name = ?", [table])
}

/// Refuses a name that the data file has already. `dynoxide` keeps a table's items in an SQLite table of the same
/// name, and SQLite does not tell letters by their case.
fn refuse_taken(storage: &Storage, name: &str) -> dynoxide::Result<()> {
    let mut find = storage.conn().prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE)",
    )?;
    let taken: bool = find.query_row([name], |row| row.get(0))?;
    let reserved = name.to_ascii_lowercase().starts_with("sqlite_");
    if reserved || (taken && !storage.table_exists(name)?) {
        return Err(DynoxideError::ValidationException(format!(
            "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: this runtime's \
             data file uses this name, or a table has it with other capital letters"
        )));
    }
    Ok(())
}

/// Sets the region in a description's ARNs.
fn with_our_region(table: &mut TableDescription) {
    set_region(&mut table.table_arn);
    let globals = table.global_secondary_indexes.iter_mut().flatten();
    globals.for_each(|index| set_region(&mut index.index_arn));
    let locals = table.local_secondary_indexes.iter_mut().flatten();
    locals.for_each(|index| set_region(&mut index.index_arn));
    let vectors = table.vector_indexes.iter_mut().flatten();
    vectors.for_each(|index| set_region(&mut index.index_arn));
    let encryption = table.sse_description.iter_mut();
    let keys = encryption.filter_map(|encryption| encryption.kms_master_key_arn.as_mut());
    keys.for_each(set_region);
    table.latest_stream_arn.iter_mut().for_each(set_region);
}

/// Replaces the region in an ARN of `dynoxide`.
pub(super) fn set_region(arn: &mut String) {
    *arn = arn.replacen(&format!(":{LOCAL_REGION}:"), &format!(":{REGION}:"), 1);
}
