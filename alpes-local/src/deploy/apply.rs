//! The deployment: brings the services to what a plan asks for.
//!
//! A deployment changes what the templates ask otherwise than before, and makes what is missing. So what was changed by
//! an API stays, until the template asks for something else; only the code of functions always becomes that of the
//! folder of artifacts.
//!
//! A deployment only adds and changes streams, tables, buckets, topics, queues, keys and parameters: what a template no
//! longer has keeps its data, as with the deletion policy `Retain`. Resources of all other kinds are removed if an earlier
//! deployment declared them and this one does not.

use std::{collections::BTreeMap, path::Path};

use super::{
    Plan, convert,
    declared::{Asked, Declared},
    resources::{Kind, LogGroup, Resource},
};
use crate::{error::AwsError, services::Services, store::Store};

/// The reason why a plan could not be deployed: the resource, and the service's error.
pub type Failed = (String, AwsError);

impl Plan {
    /// Brings the services to what the plan asks for. If a resource fails, those before it are deployed; the same
    /// deployment can be done again.
    ///
    /// # Errors
    ///
    /// The first resource that failed, with the service's error.
    pub async fn apply(
        &self,
        services: &Services,
        store: &Store,
        artifacts: &Path,
    ) -> Result<(), Failed> {
        let resources = self.resources(artifacts)?;
        let declared = Declared::new(store).map_err(of("the deployment"))?;
        let all = resources.iter().map(|resource| asked(&**resource));
        let all: Vec<_> = all.collect::<Result<_, _>>()?;
        declared.begin(&all).map_err(of("the deployment"))?;
        for (resource, asked) in resources.iter().zip(&all) {
            let brought = bring(&**resource, asked, services, &declared).await;
            brought.map_err(of(&asked.id))?;
        }
        remove_others(&all, services, &declared).await
    }

    /// The aliases of a function by name, each with its version.
    fn aliases_of(&self, function: &str) -> BTreeMap<String, String> {
        let aliases = self.aliases.iter();
        let own = aliases.filter(|alias| alias.function == function);
        own.map(|alias| (alias.name.clone(), alias.version.clone()))
            .collect()
    }

    /// The resources in the order of dependence, so that nothing refers to what is not there yet.
    fn resources(&self, artifacts: &Path) -> Result<Vec<Box<dyn Resource>>, Failed> {
        let mut all: Vec<Box<dyn Resource>> = vec![];
        all.extend(self.log_groups.iter().cloned().map(LogGroup).map(boxed));
        all.extend(self.buckets.iter().cloned().map(boxed));
        all.extend(self.streams.iter().cloned().map(boxed));
        all.extend(self.tables.iter().cloned().map(boxed));
        all.extend(self.queues.iter().cloned().map(boxed));
        all.extend(self.topics.iter().cloned().map(boxed));
        all.extend(self.keys.iter().cloned().map(boxed));
        all.extend(self.key_aliases.iter().cloned().map(boxed));
        all.extend(self.parameters.iter().cloned().map(boxed));
        for function in &self.functions {
            let spec = convert::function(function, artifacts);
            let mut spec = spec.map_err(of(&function.name))?;
            spec.aliases = self.aliases_of(&function.name);
            all.push(boxed(spec));
        }
        all.extend(self.subscriptions.iter().cloned().map(boxed));
        let mappings = self.stream_mappings.iter();
        all.extend(mappings.map(convert::from_stream).map(boxed));
        for mapping in &self.queue_mappings {
            let spec = convert::from_queue(mapping);
            all.push(boxed(spec.map_err(of(&mapping.id))?));
        }
        all.extend(self.state_machines.iter().cloned().map(boxed));
        all.extend(self.apis.iter().cloned().map(boxed));
        all.extend(self.schedules.iter().cloned().map(boxed));
        Ok(all)
    }
}

fn boxed(resource: impl Resource + 'static) -> Box<dyn Resource> {
    Box::new(resource)
}

fn asked(resource: &dyn Resource) -> Result<Asked, Failed> {
    let id = resource.id();
    let properties = resource.asked().map_err(of(&id))?;
    let kind = resource.kind();
    Ok(Asked {
        kind,
        id,
        properties,
    })
}

/// Brings a service to what is asked of it, unless an earlier deployment asked for the same and it is still there.
async fn bring(
    resource: &dyn Resource,
    asked: &Asked,
    services: &Services,
    declared: &Declared<'_>,
) -> Result<(), AwsError> {
    if declared.is_made(asked)? && resource.exists(services)? {
        return resource.refresh(services).await;
    }
    resource.ensure(services).await?;
    declared.made(asked)
}

/// Removes what an earlier deployment declared and this one does not.
async fn remove_others(
    wanted: &[Asked],
    services: &Services,
    declared: &Declared<'_>,
) -> Result<(), Failed> {
    for kind in Kind::ALL {
        let others = declared.others(kind, wanted);
        for id in others.map_err(of("the deployment"))? {
            kind.remove(&id, services).await.map_err(of(&id))?;
            declared.forget(kind, &id).map_err(of(&id))?;
        }
    }
    Ok(())
}

/// Names the resource that failed.
fn of(what: &str) -> impl FnOnce(AwsError) -> Failed {
    let what = what.to_owned();
    move |error| (what, error)
}
