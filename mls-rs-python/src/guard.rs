//! The lock around a group: GIL released first, callbacks cannot re-enter, an error poisons.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use crate::errors::{caught, Failure, Kind, Outcome};

static NEXT_OWNER: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The objects whose callback is running on this thread, innermost last.
    static CALLING_BACK: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A number for one object, shared with the callbacks that run on its behalf.
pub fn new_owner() -> u64 {
    NEXT_OWNER.fetch_add(1, Ordering::Relaxed)
}

/// Marks that this thread runs a callback of `owner` until it is dropped.
pub struct CallingBack;

impl CallingBack {
    pub fn enter(owner: u64) -> Self {
        CALLING_BACK.with_borrow_mut(|stack| stack.push(owner));
        Self
    }
}

impl Drop for CallingBack {
    fn drop(&mut self) {
        CALLING_BACK.with_borrow_mut(|stack| stack.pop());
    }
}

/// A value behind a lock. A failed change drops the value: its in-memory state may be half changed, because errors are not atomic in mls-rs.
pub struct Guarded<T> {
    owner: u64,
    poisoned: AtomicBool,
    value: Mutex<Option<T>>,
}

impl<T: Send> Guarded<T> {
    pub fn new(owner: u64, value: T) -> Self {
        Self {
            owner,
            poisoned: AtomicBool::new(false),
            value: Mutex::new(Some(value)),
        }
    }

    pub fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn refuse_reentry(&self) -> Outcome<()> {
        if CALLING_BACK.with_borrow(|stack| stack.contains(&self.owner)) {
            return Err(Failure::new(
                Kind::ReentrantCall,
                "a callback must not call into the object that is waiting for it",
            ));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the value; a failure changes nothing.
    pub fn read<R: Send>(&self, py: Python<'_>, look: impl FnOnce(&T) -> Outcome<R> + Send) -> PyResult<R> {
        self.refuse_reentry()?;
        Ok(py.detach(|| {
            let slot = self.lock();
            let value = slot.as_ref().ok_or_else(poisoned)?;
            caught(|| look(value))
        })?)
    }

    /// Changes the value; a failure poisons, unless it was found before anything was touched.
    pub fn change<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut T) -> Outcome<R> + Send) -> PyResult<R> {
        self.refuse_reentry()?;
        Ok(py.detach(|| {
            let mut slot = self.lock();
            let value = slot.as_mut().ok_or_else(poisoned)?;
            let outcome = caught(|| work(value));
            if outcome.as_ref().is_err_and(|failure| !harmless(failure)) {
                self.poisoned.store(true, Ordering::Release);
                drop(slot.take());
            }
            outcome
        })?)
    }
}

/// These are found before mls-rs changes anything.
fn harmless(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::OwnMessage | Kind::CommitRequired | Kind::Malformed)
}

fn poisoned() -> Failure {
    Failure::new(
        Kind::Poisoned,
        "an earlier error left this object unusable: load it again from its last stored state",
    )
}
