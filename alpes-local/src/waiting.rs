//! Waiting for locks and working for long, without holding up the other tasks of a thread.

use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs work that may take long. On a multi-threaded runtime, the other tasks of this thread go on meanwhile.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(work)
        }
        _ => work(),
    }
}

/// Locks a mutex. A poisoned one is locked too, so its holders must leave nothing half done when they panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let locked = match mutex.try_lock() {
        Err(TryLockError::WouldBlock) => aside(|| mutex.lock()),
        Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
        Ok(locked) => Ok(locked),
    };
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], to read.
pub(crate) fn lock_to_read<T>(shared: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    let locked = match shared.try_read() {
        Err(TryLockError::WouldBlock) => aside(|| shared.read()),
        Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
        Ok(locked) => Ok(locked),
    };
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], to write.
pub(crate) fn lock_to_write<T>(shared: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    let locked = match shared.try_write() {
        Err(TryLockError::WouldBlock) => aside(|| shared.write()),
        Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
        Ok(locked) => Ok(locked),
    };
    locked.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, sync::mpsc, time::Duration};

    use super::*;

    #[test]
    fn a_worker_that_waits_for_a_lock_leaves_its_other_tasks_to_another_thread() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let (mutex, shared) = (Arc::new(Mutex::new(())), Arc::new(RwLock::new(())));
        let (held, held_too) = (mutex.lock().unwrap(), shared.write().unwrap());
        let (one, two, three) = (mutex.clone(), shared.clone(), shared.clone());
        runtime.spawn(async move { drop(lock(&one)) });
        runtime.spawn(async move { drop(lock_to_read(&two)) });
        runtime.spawn(async move { drop(lock_to_write(&three)) });
        let (send, receive) = mpsc::channel();
        runtime.spawn(async move { send.send(()) });
        let went_on = receive.recv_timeout(Duration::from_secs(30));
        drop((held, held_too));
        assert_eq!(went_on, Ok(()));
    }
}
