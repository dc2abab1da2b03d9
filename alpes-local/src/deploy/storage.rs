//! S3 buckets and log groups.

use serde::Serialize;
use template::{Resource, TemplateError};

use super::draft::{Draft, Source};

/// An S3 bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The name.
    pub name: String,
}

pub(super) fn bucket(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        draft.skip(
            set,
            &[
                "AccelerateConfiguration",
                "AccessControl",
                "AnalyticsConfigurations",
                "BucketEncryption",
                "IntelligentTieringConfigurations",
                "InventoryConfigurations",
                "LifecycleConfiguration",
                "LoggingConfiguration",
                "MetricsConfigurations",
                "OwnershipControls",
                "PublicAccessBlockConfiguration",
                "Tags",
            ],
        );
        set.text("BucketName")?;
        set.within("VersioningConfiguration", |versioning| {
            match versioning.text("Status")?.as_deref() {
                Some("Suspended") | None => Ok(()),
                Some(_) => Err(versioning.unsupported("Status", "objects have one version here")),
            }
        })
    })?;
    let name = resource.name.clone();
    draft.plan.buckets.push(Bucket { name });
    Ok(())
}

pub(super) fn log_group(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        let without_meaning = ["DataProtectionPolicy", "KmsKeyId", "LogGroupClass"];
        draft.skip(set, &without_meaning);
        draft.skip(set, &["RetentionInDays", "Tags"]);
        set.text("LogGroupName")
    })?;
    draft.plan.log_groups.push(resource.name.clone());
    Ok(())
}
