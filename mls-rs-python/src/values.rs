//! The small frozen values that Python sees.

use std::hash::{DefaultHasher, Hash, Hasher};

use mls_rs::group::proposal::Proposal as MlsProposal;
use mls_rs::identity::basic::BasicCredential;
use mls_rs::identity::{Credential as MlsCredential, SigningIdentity};
use mls_rs_core::identity::CertificateChain;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use crate::errors::{Failure, Kind};
use crate::report::Leaf;

pub type Octets = Py<PyBytes>;

pub fn octets(py: Python<'_>, bytes: &[u8]) -> Octets {
    PyBytes::new(py, bytes).unbind()
}

/// A credential (RFC 9420 §5.3): an X.509 chain of DER certificates, leaf first, or a basic identifier.
#[pyclass(frozen, eq, module = "mls_rs")]
#[derive(PartialEq, Eq)]
pub struct Credential(pub MlsCredential);

impl Credential {
    /// Basic and X.509 credentials only: no other kind can be shown to a validator.
    pub fn known(credential: &MlsCredential) -> PyResult<Self> {
        match credential {
            MlsCredential::Basic(_) | MlsCredential::X509(_) => Ok(Self(credential.clone())),
            _ => Err(Failure::new(Kind::Unsupported, "the credential is neither basic nor x509").into()),
        }
    }
}

#[pymethods]
impl Credential {
    #[staticmethod]
    fn x509(chain: Vec<PyBackedBytes>) -> PyResult<Self> {
        if chain.is_empty() {
            return Err(Failure::malformed("chain: it is empty").into());
        }
        let chain: Vec<Vec<u8>> = chain.iter().map(|certificate| certificate.to_vec()).collect();
        Ok(Self(MlsCredential::X509(CertificateChain::from(chain))))
    }

    #[staticmethod]
    fn basic(identifier: &[u8]) -> Self {
        Self(MlsCredential::Basic(BasicCredential::new(identifier.to_vec())))
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.0 {
            MlsCredential::X509(_) => "x509",
            _ => "basic",
        }
    }

    /// DER certificates, leaf first; empty for a basic credential.
    #[getter]
    fn chain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let chain = self.0.as_x509().map(|chain| chain.iter());
        PyTuple::new(
            py,
            chain
                .into_iter()
                .flatten()
                .map(|certificate| PyBytes::new(py, certificate))
                .collect::<Vec<_>>(),
        )
    }

    /// The basic credential's octets; empty for X.509.
    #[getter]
    fn identifier<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_basic().map_or(&[], |basic| basic.identifier.as_slice()))
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        match &self.0 {
            MlsCredential::X509(chain) => format!("<Credential x509, {} certificates>", chain.len()),
            _ => "<Credential basic>".into(),
        }
    }
}

/// What a validator answers: the identity of the leaf (unique in a group) and the time within which the answer may be reused.
#[pyclass(frozen, module = "mls_rs")]
#[derive(Clone)]
pub struct Approval {
    pub identity: Vec<u8>,
    #[pyo3(get)]
    not_before: u64,
    #[pyo3(get)]
    not_after: u64,
}

impl Approval {
    pub fn covers(&self, now: u64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

#[pymethods]
impl Approval {
    #[new]
    fn new(identity: &[u8], not_before: u64, not_after: u64) -> Self {
        Self {
            identity: identity.to_vec(),
            not_before,
            not_after,
        }
    }

    #[getter]
    fn identity<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.identity)
    }
}

/// A leaf of the ratchet tree that is not blank.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Member {
    index: u32,
    credential: Py<Credential>,
    signature_key: Octets,
    identity: Octets,
}

impl Member {
    pub fn new(py: Python<'_>, leaf: &Leaf) -> PyResult<Py<Self>> {
        let identity = &leaf.signing_identity;
        let member = Self {
            index: leaf.index,
            credential: Py::new(py, Credential::known(&identity.credential)?)?,
            signature_key: octets(py, &identity.signature_key),
            identity: octets(py, &leaf.identity),
        };
        Py::new(py, member)
    }
}

#[pymethods]
impl Member {
    fn __repr__(&self) -> String {
        format!("<Member at leaf {}>", self.index)
    }
}

pub fn members<'py>(py: Python<'py>, leaves: &[Leaf]) -> PyResult<Bound<'py, PyTuple>> {
    let members: PyResult<Vec<_>> = leaves.iter().map(|leaf| Member::new(py, leaf)).collect();
    PyTuple::new(py, members?)
}

pub type Triple = (u32, Py<Credential>, Octets);

pub fn triple(py: Python<'_>, index: u32, identity: &SigningIdentity) -> PyResult<Triple> {
    let (credential, key) = pair(py, identity)?;
    Ok((index, credential, key))
}

pub fn pair(py: Python<'_>, identity: &SigningIdentity) -> PyResult<(Py<Credential>, Octets)> {
    let credential = Py::new(py, Credential::known(&identity.credential)?)?;
    Ok((credential, octets(py, &identity.signature_key)))
}

/// A key package with its private part.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct KeyPackage {
    pub message: Octets,
    pub reference: Octets,
    pub secret: Octets,
    pub not_after: u64,
}

/// What an MLSMessage says of itself without any state; nothing in it is authenticated yet.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Inspected {
    pub kind: &'static str,
    pub content: Option<&'static str>,
    pub group_id: Option<Octets>,
    pub epoch: Option<u64>,
    pub cipher_suite: Option<u16>,
    pub sender: Option<&'static str>,
    pub sender_index: Option<u32>,
    pub authenticated_data: Option<Octets>,
    pub key_package_references: Py<PyTuple>,
    pub proposals: Py<PyTuple>,
    pub proposed_credentials: Py<PyTuple>,
    pub removed: Py<PyTuple>,
    pub has_path: bool,
}

/// A Welcome or GroupInfo looked into, before joining.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Preview {
    pub group_id: Octets,
    pub epoch: u64,
    pub cipher_suite: u16,
    pub signer_index: u32,
    pub context_extensions: Py<PyTuple>,
    pub members: Py<PyTuple>,
}

/// A decrypted application message.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Application {
    pub sender: Py<Member>,
    pub epoch: u64,
    pub data: Octets,
    pub authenticated_data: Octets,
}

/// A proposal received and cached; the next commit must cover it.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Proposal {
    pub sender: Option<Py<Member>>,
    pub external: Option<u32>,
    pub removed: Option<Py<Member>>,
    pub reference: Octets,
    pub epoch: u64,
    pub r#type: String,
    pub authenticated_data: Octets,
}

/// A proposal that waits in a group's cache, or that a commit carried out.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Proposed {
    pub r#type: String,
    pub sender: Option<Py<Member>>,
    pub external: Option<u32>,
    pub removed: Option<Py<Member>>,
    pub reference: Option<Octets>,
}

/// A commit applied: the group is in the epoch named here.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Commit {
    pub epoch: u64,
    pub committer: Option<Py<Member>>,
    pub external: bool,
    pub added: Py<PyTuple>,
    pub removed: Py<PyTuple>,
    pub updated: Py<PyTuple>,
    pub proposals: Py<PyTuple>,
    pub context_changed: bool,
    pub context_extensions: Py<PyTuple>,
    pub removed_self: bool,
    pub reinit: bool,
    pub authenticated_data: Octets,
}

/// A commit made but not applied. The group has not changed.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Pending {
    pub commit: Octets,
    pub welcomes: Py<PyTuple>,
    pub group_info: Octets,
    pub secrets: Octets,
    pub unused_proposals: usize,
}

/// What must be stored, in one transaction, before anything made by the group leaves the machine.
#[pyclass(frozen, get_all, module = "mls_rs")]
pub struct Delta {
    pub state: Octets,
    pub tree: Option<Octets>,
    pub epoch: u64,
    pub epoch_inserts: Py<PyTuple>,
    pub epoch_updates: Py<PyTuple>,
    pub used_key_packages: Py<PyTuple>,
    pub token: u64,
}

/// The name of a proposal's type (RFC 9420 §17.4).
pub fn proposal_type(proposal: &MlsProposal) -> String {
    match proposal {
        MlsProposal::Add(_) => "add".into(),
        MlsProposal::Update(_) => "update".into(),
        MlsProposal::Remove(_) => "remove".into(),
        MlsProposal::Psk(_) => "psk".into(),
        MlsProposal::ReInit(_) => "reinit".into(),
        MlsProposal::ExternalInit(_) => "external_init".into(),
        MlsProposal::GroupContextExtensions(_) => "group_context_extensions".into(),
        other => format!("custom:{}", other.proposal_type().raw_value()),
    }
}
