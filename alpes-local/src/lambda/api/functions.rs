//! Functions: create, get, list, delete, and new code.

use std::{iter, path::PathBuf, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    body, no_content, ok,
    shapes::{self, Settings, architecture, configuration, updating},
};
use crate::{
    error::AwsError,
    http::{Request, Response, json_answer},
    lambda::{
        Inner,
        limits::{between, invalid},
        reference::{LATEST, PUBLISHED},
        registry::Deployment,
        spec::{Architecture, Code, FunctionSpec},
    },
    names::{FunctionName, function_arn},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NewCode {
    zip_file: Option<String>,
    s3_bucket: Option<Value>,
    s3_key: Option<Value>,
    image_uri: Option<Value>,
}

impl NewCode {
    fn decode(self) -> Result<Code, AwsError> {
        if self.s3_bucket.is_some() || self.s3_key.is_some() {
            return Err(invalid("S3Bucket: this runtime takes code as ZipFile only"));
        }
        if self.image_uri.is_some() {
            return Err(invalid("ImageUri: this runtime takes code as ZipFile only"));
        }
        let zip = self
            .zip_file
            .ok_or_else(|| invalid("ZipFile: this field is required"))?;
        let bytes = BASE64_STANDARD.decode(zip);
        let bytes = bytes.map_err(|error| invalid(format!("ZipFile: {error}")))?;
        Ok(Code::ZipBytes(bytes))
    }
}

/// `CreateFunction`, but for the settings.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    function_name: String,
    code: NewCode,
    role: String,
    package_type: Option<String>,
    architectures: Option<Vec<Architecture>>,
    #[serde(default)]
    publish: bool,
}

/// The fields of `CreateFunction` that are no settings.
const CREATE_FIELDS: [&str; 5] = [
    "FunctionName",
    "Code",
    "PackageType",
    "Architectures",
    "Publish",
];

pub(super) async fn create(inner: &Arc<Inner>, request: Request) -> Result<Response, AwsError> {
    let create: Create = body(&request)?;
    let settings = settings_of_create(&request)?;
    unpublished(create.publish)?;
    if create.package_type.is_some_and(|package| package != "Zip") {
        return Err(invalid("PackageType: this runtime has Zip only"));
    }
    let mut spec = FunctionSpec::new(create.function_name, create.code.decode()?);
    spec.role_arn = create.role;
    spec.architecture = architecture(create.architectures.as_deref())?;
    settings.apply(&mut spec)?;
    let inner = inner.clone();
    let function = blocking(move || inner.create(&spec)).await?;
    Ok(json_answer(201, "", &configuration(&function, None)))
}

fn settings_of_create(request: &Request) -> Result<Settings, AwsError> {
    let mut fields: serde_json::Map<String, Value> = body(request)?;
    fields.retain(|name, _| !CREATE_FIELDS.contains(&name.as_str()));
    let settings = serde_json::from_value(fields.into());
    settings.map_err(|error| invalid(format!("The request's body: {error}")))
}

/// `UpdateFunctionCode`, but for the code.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateCode {
    zip_file: Option<String>,
    s3_bucket: Option<Value>,
    s3_key: Option<Value>,
    image_uri: Option<Value>,
    revision_id: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    publish: bool,
}

pub(super) async fn put_code(
    inner: &Arc<Inner>,
    reference: FunctionName,
    request: Request,
) -> Result<Response, AwsError> {
    let update: UpdateCode = body(&request)?;
    unpublished(update.publish)?;
    let before = inner.existing(&reference)?;
    check_revision(update.revision_id.as_deref(), &before)?;
    let code = NewCode {
        zip_file: update.zip_file,
        s3_bucket: update.s3_bucket,
        s3_key: update.s3_key,
        image_uri: update.image_uri,
    };
    let code = code.decode()?;
    if update.dry_run {
        return Ok(ok(&configuration(&before, None)));
    }
    let inner = inner.clone();
    let function = blocking(move || inner.put_code(&reference, code)).await?;
    Ok(ok(&updating(&function)))
}

pub(super) fn check_revision(
    revision: Option<&str>,
    function: &Deployment,
) -> Result<(), AwsError> {
    if revision.is_some_and(|revision| revision != function.revision) {
        let message = "The Revision Id provided does not match the latest Revision Id. Call the \
                       GetFunction/GetAlias API to retrieve the latest Revision Id";
        return Err(AwsError::of(412, "PreconditionFailedException", message).with("Type", "User"));
    }
    Ok(())
}

fn unpublished(publish: bool) -> Result<(), AwsError> {
    if publish {
        return Err(invalid(
            "Publish: this runtime has no other version than $LATEST",
        ));
    }
    Ok(())
}

/// Runs what unpacks files on a thread that may wait for them.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AwsError> + Send + 'static,
) -> Result<T, AwsError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(AwsError::internal)?
}

pub(super) fn get(inner: &Inner, reference: &FunctionName) -> Result<Response, AwsError> {
    let function = inner.existing(reference)?;
    let folder: &PathBuf = &function.folder;
    let mut answer = json!({
        "Configuration": configuration(&function, reference.qualifier.as_deref()),
        "Code": { "RepositoryType": "S3", "Location": format!("file://{}", folder.display()) },
    });
    let reserved = function.spec.reserved_concurrency;
    if let (Some(reserved), Some(object)) = (reserved, answer.as_object_mut()) {
        let concurrency = json!({ "ReservedConcurrentExecutions": reserved });
        object.insert("Concurrency".to_owned(), concurrency);
    }
    Ok(ok(&answer))
}

pub(super) fn list(inner: &Inner, request: &Request) -> Result<Response, AwsError> {
    let most = request.parameter("MaxItems").map(|most| most.parse());
    let most: u32 = most
        .unwrap_or(Ok(50))
        .map_err(|error| invalid(format!("MaxItems: {error}")))?;
    between("maxItems", most, 1, 10_000)?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let marker = request.parameter("Marker");
    let mut functions = inner.pool.functions();
    functions.retain(|function| {
        marker
            .as_ref()
            .is_none_or(|marker| function.spec.name > *marker)
    });
    let more = functions.len() > most;
    functions.truncate(most);
    let last = functions
        .last()
        .filter(|_| more)
        .map(|last| last.spec.name.clone());
    let functions: Vec<_> = functions
        .iter()
        .map(|function| configuration(function, None))
        .collect();
    Ok(ok(&json!({ "Functions": functions, "NextMarker": last })))
}

pub(super) fn delete(inner: &Inner, reference: &FunctionName) -> Result<Response, AwsError> {
    if reference.qualifier.is_some() {
        return Err(invalid(
            "$LATEST version cannot be deleted without deleting the function.",
        ));
    }
    inner.remove(&reference.name)?;
    Ok(no_content())
}

pub(super) fn versions(inner: &Inner, reference: &FunctionName) -> Result<Response, AwsError> {
    let function = inner.existing(reference)?;
    let aliases = &function.spec.aliases;
    let published = aliases.values().any(|version| version == PUBLISHED);
    let versions = iter::once(LATEST).chain(published.then_some(PUBLISHED));
    let versions: Vec<_> = versions
        .map(|version| configuration(&function, Some(version)))
        .collect();
    Ok(ok(&json!({ "Versions": versions })))
}

pub(super) fn aliases(
    inner: &Inner,
    reference: &FunctionName,
    request: &Request,
) -> Result<Response, AwsError> {
    let function = inner.existing(reference)?;
    let wanted = request.parameter("FunctionVersion");
    let aliases = function.spec.aliases.iter();
    let aliases = aliases.filter(|(_, version)| wanted.as_ref().is_none_or(|one| one == *version));
    let aliases: Vec<_> = aliases
        .map(|(name, version)| shapes::alias(&function, name, version))
        .collect();
    Ok(ok(&json!({ "Aliases": aliases })))
}

pub(super) fn alias(
    inner: &Inner,
    reference: &FunctionName,
    name: &str,
) -> Result<Response, AwsError> {
    let function = inner.existing(reference)?;
    let Some(version) = function.spec.aliases.get(name) else {
        let arn = function_arn(&reference.name);
        let message = format!("Cannot find alias arn: {arn}:{name}");
        let error = AwsError::of(404, "ResourceNotFoundException", message);
        return Err(error.with("Type", "User"));
    };
    Ok(ok(&shapes::alias(&function, name, version)))
}
