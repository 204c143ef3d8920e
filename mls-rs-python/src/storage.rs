//! What mls-rs believes to be its storage: buffers that the caller empties into a transaction of its own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_rs::client_builder::PaddingMode;
use mls_rs::group::{GroupContext, Roster};
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle, ProposalSource,
};
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::{GroupStateStorage, KeyPackageStorage, MlsRules, PreSharedKeyStorage};
use mls_rs_core::group::{EpochRecord, GroupState};
use mls_rs_core::key_package::KeyPackageData;
use zeroize::Zeroizing;

use crate::stored::Secret;

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One write by mls-rs, not yet handed to the caller.
#[derive(Default)]
pub struct Written {
    pub state: Secret,
    pub inserts: Vec<(u64, Secret)>,
    pub updates: Vec<(u64, Secret)>,
}

#[derive(Default)]
struct Shelf {
    state: Option<Zeroizing<Vec<u8>>>,
    epochs: BTreeMap<u64, Secret>,
    written: Option<Written>,
}

/// The group's state and the secrets of its past epochs.
#[derive(Clone, Default)]
pub struct States(Arc<Mutex<Shelf>>);

impl States {
    /// Makes `state` and `epochs` readable for loading a group.
    pub fn put(&self, state: Zeroizing<Vec<u8>>, epochs: BTreeMap<u64, Secret>) {
        let mut shelf = locked(&self.0);
        shelf.state = Some(state);
        shelf.epochs = epochs;
    }

    /// Forgets the loaded state; past epochs stay for late messages.
    pub fn drop_state(&self) {
        locked(&self.0).state = None;
    }

    pub fn take_written(&self) -> Written {
        locked(&self.0).written.take().unwrap_or_default()
    }

    pub fn retain(&self, keep: impl Fn(u64) -> bool) {
        locked(&self.0).epochs.retain(|epoch, _| keep(*epoch));
    }
}

impl GroupStateStorage for States {
    type Error = Infallible;

    fn state(&self, _group_id: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Infallible> {
        Ok(locked(&self.0).state.clone())
    }

    fn epoch(&self, _group_id: &[u8], epoch: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Infallible> {
        let shelf = locked(&self.0);
        Ok(shelf.epochs.get(&epoch).map(|secret| Zeroizing::clone(secret)))
    }

    fn write(
        &mut self,
        state: GroupState,
        inserts: Vec<EpochRecord>,
        updates: Vec<EpochRecord>,
    ) -> Result<(), Infallible> {
        let mut shelf = locked(&self.0);
        let [inserts, updates] = [inserts, updates].map(|records| {
            let rows = records.into_iter().map(|record| (record.id, Arc::new(record.data)));
            rows.collect::<Vec<_>>()
        });
        shelf.epochs.extend(inserts.iter().chain(&updates).cloned());
        shelf.written = Some(Written {
            state: Arc::new(state.data),
            inserts,
            updates,
        });
        Ok(())
    }

    /// None: a client that re-joins a group under its old id has no contiguous history to continue.
    fn max_epoch_id(&self, _group_id: &[u8]) -> Result<Option<u64>, Infallible> {
        Ok(None)
    }
}

#[derive(Default)]
struct Drawer {
    secrets: HashMap<Vec<u8>, KeyPackageData>,
    used: Vec<Vec<u8>>,
}

/// Key packages given to a join, those made by an engine, and the references of those used up.
#[derive(Clone, Default)]
pub struct KeyPackages(Arc<Mutex<Drawer>>);

impl KeyPackages {
    pub fn put(&self, reference: Vec<u8>, data: KeyPackageData) {
        locked(&self.0).secrets.insert(reference, data);
    }

    pub fn take_all(&self) -> Vec<(Vec<u8>, KeyPackageData)> {
        locked(&self.0).secrets.drain().collect()
    }

    pub fn take_used(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut locked(&self.0).used)
    }
}

impl KeyPackageStorage for KeyPackages {
    type Error = Infallible;

    fn delete(&mut self, reference: &[u8]) -> Result<(), Infallible> {
        let mut drawer = locked(&self.0);
        drawer.secrets.remove(reference);
        drawer.used.push(reference.to_vec());
        Ok(())
    }

    fn insert(&mut self, reference: Vec<u8>, data: KeyPackageData) -> Result<(), Infallible> {
        self.put(reference, data);
        Ok(())
    }

    fn get(&self, reference: &[u8]) -> Result<Option<KeyPackageData>, Infallible> {
        Ok(locked(&self.0).secrets.get(reference).cloned())
    }
}

/// External pre-shared keys, fixed when the engine is made.
#[derive(Clone, Default)]
pub struct Psks(pub Arc<HashMap<ExternalPskId, PreSharedKey>>);

impl PreSharedKeyStorage for Psks {
    type Error = Infallible;

    fn get(&self, id: &ExternalPskId) -> Result<Option<PreSharedKey>, Infallible> {
        Ok(self.0.get(id).cloned())
    }
}

/// The references of cached proposals that the commit now being made leaves out.
pub type LeftOut = Arc<Mutex<HashSet<Vec<u8>>>>;

/// How messages are framed; no policy about proposals but the caller's own for one commit.
#[derive(Clone)]
pub struct Rules {
    pub padding: PaddingMode,
    pub encrypt_handshakes: bool,
    pub force_path: Arc<AtomicBool>,
    pub left_out: LeftOut,
}

impl MlsRules for Rules {
    type Error = Infallible;

    fn filter_proposals(
        &self,
        direction: CommitDirection,
        _source: CommitSource,
        _roster: &Roster,
        _context: &GroupContext,
        mut proposals: ProposalBundle,
    ) -> Result<ProposalBundle, Infallible> {
        let left_out = locked(&self.left_out);
        if matches!(direction, CommitDirection::Send) && !left_out.is_empty() {
            proposals.retain(|info| {
                Ok::<_, Infallible>(match &info.source {
                    ProposalSource::ByReference(reference) => !left_out.contains(&reference[..]),
                    _ => true,
                })
            })?;
        }
        Ok(proposals)
    }

    fn commit_options(
        &self,
        _roster: &Roster,
        _context: &GroupContext,
        _proposals: &ProposalBundle,
    ) -> Result<CommitOptions, Infallible> {
        Ok(CommitOptions::new()
            .with_path_required(self.force_path.load(Ordering::Acquire))
            .with_allow_external_commit(true))
    }

    fn encryption_options(&self, _roster: &Roster, _context: &GroupContext) -> Result<EncryptionOptions, Infallible> {
        Ok(EncryptionOptions::new(self.encrypt_handshakes, self.padding))
    }
}
