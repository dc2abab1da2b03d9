//! Creating, changing and removing functions.

use std::{
    collections::HashSet,
    sync::{Arc, MutexGuard, PoisonError},
};

use super::limits::invalid;
use super::{
    Inner, limits,
    reference::LATEST,
    registry::{self, Deployment},
    spec::{Code, FunctionSpec},
};
use crate::{
    error::AwsError,
    names::{FunctionName, function_arn},
};

impl Inner {
    /// Puts the stored functions in place and removes code that belongs to none.
    pub(super) fn load(&self) -> Result<(), AwsError> {
        for function in registry::load(&self.store, &self.code)? {
            self.pool.place(function);
        }
        for name in self.code.functions() {
            self.code.sweep(&name, &self.pool.folders(&name));
        }
        Ok(())
    }

    /// Creates or updates a function.
    pub(super) fn put(&self, spec: &FunctionSpec) -> Result<Arc<Deployment>, AwsError> {
        self.check_trust(spec)?;
        let turn = self.update_turn();
        self.put_in_turn(spec, &turn)
    }

    /// Checks that Lambda may assume the function's role.
    fn check_trust(&self, spec: &FunctionSpec) -> Result<(), AwsError> {
        let source = function_arn(&spec.name);
        let trusted = self
            .iam
            .check_trust("lambda.amazonaws.com", &source, &spec.role_arn);
        trusted
            .map_err(|_| invalid("The role defined for the function cannot be assumed by Lambda."))
    }

    /// Creates a function that does not exist.
    pub(super) fn create(&self, spec: &FunctionSpec) -> Result<Arc<Deployment>, AwsError> {
        self.check_trust(spec)?;
        let turn = self.update_turn();
        if self.pool.function(&spec.name).is_some() {
            let message = format!("Function already exist: {}", spec.name);
            let error = AwsError::of(409, "ResourceConflictException", message);
            return Err(error.with("Type", "User"));
        }
        self.put_in_turn(spec, &turn)
    }

    /// Gives a function new code.
    pub(super) fn put_code(
        &self,
        reference: &FunctionName,
        code: Code,
    ) -> Result<Arc<Deployment>, AwsError> {
        let turn = self.update_turn();
        let mut spec = self.changeable(reference)?.spec.clone();
        spec.code = code;
        self.put_in_turn(&spec, &turn)
    }

    /// Changes a function's settings.
    pub(super) fn configure(
        &self,
        reference: &FunctionName,
        change: impl FnOnce(&mut FunctionSpec) -> Result<(), AwsError>,
    ) -> Result<Arc<Deployment>, AwsError> {
        let _turn = self.update_turn();
        let before = self.changeable(reference)?;
        let mut spec = before.spec.clone();
        change(&mut spec)?;
        self.check(&spec)?;
        let new = Deployment::new(spec, before.code.clone(), &self.code, Some(&before));
        self.replace(new, Some(before))
    }

    /// The function, if the caller did not name a published version or an alias, which cannot be changed.
    fn changeable(&self, reference: &FunctionName) -> Result<Arc<Deployment>, AwsError> {
        let function = self.existing(reference)?;
        match reference.qualifier.as_deref() {
            None | Some(LATEST) => Ok(function),
            Some(_) => Err(limits::functions_only()),
        }
    }

    /// Removes a function. The code of invocations that run is removed at the next start.
    pub(super) fn remove(&self, name: &str) -> Result<(), AwsError> {
        let _turn = self.update_turn();
        let missing =
            || FunctionName::parse(name).map_or_else(|error| error, |named| named.missing());
        if !registry::delete(&self.store, name)? {
            return Err(missing());
        }
        let folders = self.pool.folders(name);
        for waiting in self.pool.remove(name) {
            waiting.finish(Err(missing()));
        }
        if self
            .watch
            .sandboxes()
            .iter()
            .all(|sandbox| sandbox.function != name)
        {
            self.code.sweep(name, &HashSet::new());
        } else {
            self.code.sweep(name, &folders);
        }
        Ok(())
    }

    fn put_in_turn(
        &self,
        spec: &FunctionSpec,
        _turn: &MutexGuard<'_, ()>,
    ) -> Result<Arc<Deployment>, AwsError> {
        self.check(spec)?;
        let code = self.code.place(&spec.name, &spec.code)?;
        let before = self.pool.function(&spec.name);
        let new = Deployment::new(spec.clone(), code, &self.code, before.as_deref());
        self.replace(new, before)
    }

    fn check(&self, spec: &FunctionSpec) -> Result<(), AwsError> {
        spec.check()?;
        match spec.reserved_concurrency {
            Some(reserved) => {
                limits::check_reserved(reserved, self.pool.reserved_by_others(&spec.name))
            }
            None => Ok(()),
        }
    }

    /// Writes the function and puts it in place, unless nothing has changed.
    fn replace(
        &self,
        new: Deployment,
        before: Option<Arc<Deployment>>,
    ) -> Result<Arc<Deployment>, AwsError> {
        if let Some(before) = before.filter(|before| before.is_like(&new)) {
            return Ok(before);
        }
        registry::save(&self.store, &new)?;
        let new = Arc::new(new);
        self.pool.place(new.clone());
        let name = &new.spec.name;
        self.code.sweep(name, &self.pool.folders(name));
        Ok(new)
    }

    fn update_turn(&self) -> MutexGuard<'_, ()> {
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
