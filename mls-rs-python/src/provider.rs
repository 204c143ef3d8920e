//! The identity provider: asks the application's callables, remembers what they answered.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_rs::identity::{CredentialType, SigningIdentity};
use mls_rs::mls_rs_codec::MlsEncode;
use mls_rs::time::MlsTime;
use mls_rs::{ExtensionList, IdentityProvider};
use mls_rs_core::identity::MemberValidationContext;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sha2::{Digest, Sha256};

use crate::errors::{Failure, Kind, Outcome, Refused};
use crate::guard::CallingBack;
use crate::values::{Approval, Credential};

/// SHA-256 over the encoded credential and signature key.
pub type Fingerprint = [u8; 32];

/// Above this many remembered answers, all are forgotten and asked again: the memory of a long-lived process stays bounded.
const REMEMBERED: usize = 65_536;

pub fn fingerprint(identity: &SigningIdentity) -> Outcome<Fingerprint> {
    Ok(Sha256::digest(identity.mls_encode_to_vec()?).into())
}

/// The application's callables and their memory, shared by the engines of one device.
pub struct Judge {
    validate: Py<PyAny>,
    succeed: Option<Py<PyAny>>,
    external: Option<Py<PyAny>>,
    approvals: Mutex<HashMap<Fingerprint, Approval>>,
    successions: Mutex<HashSet<(Fingerprint, Fingerprint)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Judge {
    pub fn new(validate: Py<PyAny>, succeed: Option<Py<PyAny>>, external: Option<Py<PyAny>>) -> Arc<Self> {
        Arc::new(Self {
            validate,
            succeed,
            external,
            approvals: Mutex::default(),
            successions: Mutex::default(),
        })
    }

    fn remembered(&self, print: &Fingerprint, now: u64) -> Option<Approval> {
        locked(&self.approvals)
            .get(print)
            .filter(|approval| approval.covers(now))
            .cloned()
    }

    fn remember(&self, print: Fingerprint, approval: Approval) {
        let mut approvals = locked(&self.approvals);
        if approvals.len() >= REMEMBERED {
            approvals.clear();
        }
        approvals.insert(print, approval);
    }
}

#[derive(Default)]
struct Identities {
    settled: HashMap<Fingerprint, Vec<u8>>,
    fresh: HashMap<Fingerprint, Vec<u8>>,
}

struct Seat {
    owner: u64,
    now: AtomicU64,
    judge: Arc<Judge>,
    interrupt: Mutex<Option<PyErr>>,
    identities: Mutex<Identities>,
}

/// What one group or observer believes about its leaves.
#[derive(Clone)]
pub struct Provider(Arc<Seat>);

impl Provider {
    pub fn new(owner: u64, judge: Arc<Judge>) -> Self {
        Self(Arc::new(Seat {
            owner,
            now: AtomicU64::new(0),
            judge,
            interrupt: Mutex::default(),
            identities: Mutex::default(),
        }))
    }

    pub fn owner(&self) -> u64 {
        self.0.owner
    }

    /// Runs `work` with the caller's time: mls-rs passes no time on some paths, the callables always get this one.
    pub fn at<T>(&self, now: u64, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        self.0.now.store(now, Ordering::Release);
        let outcome = work();
        match locked(&self.0.interrupt).take() {
            Some(error) => Err(Failure::python(error)),
            None => outcome,
        }
    }

    /// The validator's identity for a leaf, asked now if its last answer has run out.
    pub fn approve(&self, identity: &SigningIdentity) -> Result<Vec<u8>, Refused> {
        self.approve_by(printed(identity)?, identity)
    }

    /// An entry of `external_senders` (RFC 9420 §12.1.8.1) is nobody's leaf: where there is a callable for it, its answer is not kept.
    pub fn approve_external(&self, identity: &SigningIdentity) -> Result<(), Refused> {
        let Some(external) = &self.0.judge.external else {
            return self.approve(identity).map(drop);
        };
        let now = self.0.now.load(Ordering::Acquire);
        self.call(Kind::CredentialRefused, |py| {
            let credential = Credential::known(&identity.credential)?;
            let key = PyBytes::new(py, &identity.signature_key);
            external.bind(py).call1((credential, key, now)).map(drop)
        })
    }

    fn approve_by(&self, print: Fingerprint, identity: &SigningIdentity) -> Result<Vec<u8>, Refused> {
        let now = self.0.now.load(Ordering::Acquire);
        let approval = match self.0.judge.remembered(&print, now) {
            Some(approval) => approval,
            None => self.ask(print, identity, now)?,
        };
        self.settle(print, approval.identity)
    }

    fn ask(&self, print: Fingerprint, identity: &SigningIdentity, now: u64) -> Result<Approval, Refused> {
        let approval = self.call(Kind::CredentialRefused, |py| {
            let credential = Credential::known(&identity.credential)?;
            let key = PyBytes::new(py, &identity.signature_key);
            let answer = self.0.judge.validate.bind(py).call1((credential, key, now))?;
            let approval = answer
                .cast::<Approval>()
                .map_err(|_| PyTypeError::new_err("validate must return an Approval"))?;
            Ok(approval.get().clone())
        })?;
        if approval.covers(now) {
            self.0.judge.remember(print, approval.clone());
        }
        Ok(approval)
    }

    /// An identity is an index in the ratchet tree: the same leaf must not change its name while the group lives.
    fn settle(&self, print: Fingerprint, identity: Vec<u8>) -> Result<Vec<u8>, Refused> {
        let mut identities = locked(&self.0.identities);
        let known = identities.settled.get(&print).or_else(|| identities.fresh.get(&print));
        match known {
            Some(known) if *known == identity => Ok(identity),
            Some(_) => Err(refusal("the validator named another identity for the same leaf")),
            None => {
                identities.fresh.insert(print, identity.clone());
                Ok(identity)
            }
        }
    }

    /// May `new` follow `old`? The same credential and key always may.
    pub fn succession(&self, old: &SigningIdentity, new: &SigningIdentity) -> Result<(), Refused> {
        if old == new {
            return Ok(());
        }
        let pair = (printed(old)?, printed(new)?);
        let Some(succeed) = &self.0.judge.succeed else {
            return self.same_identity(old, new);
        };
        if locked(&self.0.judge.successions).contains(&pair) {
            return Ok(());
        }
        self.call(Kind::SuccessorRefused, |py| {
            let (before, after) = (Credential::known(&old.credential)?, Credential::known(&new.credential)?);
            let old_key = PyBytes::new(py, &old.signature_key);
            let new_key = PyBytes::new(py, &new.signature_key);
            succeed.bind(py).call1((before, old_key, after, new_key)).map(drop)
        })?;
        let mut successions = locked(&self.0.judge.successions);
        if successions.len() >= REMEMBERED {
            successions.clear();
        }
        successions.insert(pair);
        Ok(())
    }

    fn same_identity(&self, old: &SigningIdentity, new: &SigningIdentity) -> Result<(), Refused> {
        if self.known_or_approved(old)? == self.approve(new)? {
            return Ok(());
        }
        Err(Refused {
            kind: Kind::SuccessorRefused,
            message: "the new credential has another identity",
            cause: None,
        })
    }

    fn call<T>(&self, kind: Kind, ask: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T, Refused> {
        let _marked = CallingBack::enter(self.0.owner);
        Python::attach(|py| {
            ask(py).map_err(|error| {
                if !error.is_instance_of::<PyException>(py) {
                    *locked(&self.0.interrupt) = Some(error.clone_ref(py));
                }
                Refused {
                    kind,
                    message: "the application refused the credential",
                    cause: Some(Arc::new(error)),
                }
            })
        })
    }

    pub fn known_or_approved(&self, identity: &SigningIdentity) -> Result<Vec<u8>, Refused> {
        let print = printed(identity)?;
        match self.known_by(&print) {
            Some(known) => Ok(known),
            None => self.approve_by(print, identity),
        }
    }

    /// The identity settled for a leaf earlier, without asking: a leaf may be removed after its credential has expired.
    pub fn known_by(&self, print: &Fingerprint) -> Option<Vec<u8>> {
        let identities = locked(&self.0.identities);
        let known = identities.settled.get(print).or_else(|| identities.fresh.get(print));
        known.cloned()
    }

    /// The tree's leaves are as they were when they were settled; nothing else is in it.
    pub fn forget_fresh(&self) {
        locked(&self.0.identities).fresh.clear();
    }

    /// The identities of leaves that no stored state names yet.
    pub fn fresh(&self) -> Vec<(Fingerprint, Vec<u8>)> {
        let identities = locked(&self.0.identities);
        identities
            .fresh
            .iter()
            .map(|(print, identity)| (*print, identity.clone()))
            .collect()
    }

    pub fn add_fresh(&self, print: Fingerprint, identity: Vec<u8>) {
        locked(&self.0.identities).fresh.insert(print, identity);
    }

    /// Replaces the memory by the leaves of the present tree.
    pub fn settle_all(&self, leaves: HashMap<Fingerprint, Vec<u8>>) {
        *locked(&self.0.identities) = Identities {
            settled: leaves,
            fresh: HashMap::new(),
        };
    }
}

fn printed(identity: &SigningIdentity) -> Result<Fingerprint, Refused> {
    fingerprint(identity).map_err(|_| refusal("the credential cannot be encoded"))
}

fn refusal(message: &'static str) -> Refused {
    Refused {
        kind: Kind::CredentialRefused,
        message,
        cause: None,
    }
}

impl IdentityProvider for Provider {
    type Error = Refused;

    fn validate_member(
        &self,
        identity: &SigningIdentity,
        _timestamp: Option<MlsTime>,
        _context: MemberValidationContext<'_>,
    ) -> Result<(), Refused> {
        self.approve(identity).map(drop)
    }

    fn validate_external_sender(
        &self,
        identity: &SigningIdentity,
        _timestamp: Option<MlsTime>,
        _extensions: Option<&ExtensionList>,
    ) -> Result<(), Refused> {
        self.approve_external(identity)
    }

    fn identity(&self, identity: &SigningIdentity, _extensions: &ExtensionList) -> Result<Vec<u8>, Refused> {
        self.known_or_approved(identity)
    }

    fn valid_successor(
        &self,
        predecessor: &SigningIdentity,
        successor: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> Result<bool, Refused> {
        self.succession(predecessor, successor).map(|()| true)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC, CredentialType::X509]
    }
}
