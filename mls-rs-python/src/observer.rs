//! A delivery service's view of a group: public handshakes, no secrets.

use std::sync::Arc;

use mls_rs::crypto::SignatureSecretKey;
use mls_rs::external_client::builder::{ExternalBaseConfig, WithCryptoProvider, WithIdentityProvider};
use mls_rs::external_client::{ExternalClient, ExternalGroup, ExternalReceivedMessage, ExternalSnapshot};
use mls_rs::identity::SigningIdentity;
use mls_rs::time::MlsTime;
use mls_rs::{MlsMessage, WireFormat};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyTuple};
use zeroize::Zeroizing;

use crate::device::{given_tree, message, parsed};
use crate::engine::extension_tuple;
use crate::errors::{caught, Failure, Kind, Outcome};
use crate::guard::{new_owner, Guarded};
use crate::incoming::{check_addressed, screen, Incoming, ProposalReport};
use crate::keys::{absorb, signer};
use crate::provider::{Judge, Provider};
use crate::report::{no_member, proposed, After, Leaf, ProposedReport};
use crate::stored::{identities, open_with, restore_identities, seal_with, Sealed, StoredObserver};
use crate::values::{octets, Credential, Member, Octets as PyOctets, Proposed};

type Signer = (SignatureSecretKey, SigningIdentity);
type Config = WithIdentityProvider<Provider, WithCryptoProvider<RustCryptoProvider, ExternalBaseConfig>>;

fn client(provider: &Provider) -> ExternalClient<Config> {
    client_of(provider, None)
}

fn client_of(provider: &Provider, signer: Option<Signer>) -> ExternalClient<Config> {
    let builder = ExternalClient::builder()
        .crypto_provider(RustCryptoProvider::new())
        .identity_provider(provider.clone());
    match signer {
        Some((secret, identity)) => builder.signer(secret, identity).build(),
        None => builder.build(),
    }
}

/// Validates a key package as a member who is about to add it would.
pub fn check_key_package(provider: &Provider, message: MlsMessage, now: u64) -> Outcome<Leaf> {
    let key_package = client(provider).validate_key_package(message, Some(MlsTime::from(now)))?;
    Leaf::at(0, key_package.signing_identity().clone(), provider)
}

struct Watched {
    provider: Provider,
    group: ExternalGroup<Config>,
}

impl Watched {
    fn open(provider: Provider, group_info: &[u8], tree: Option<&[u8]>, now: u64) -> Outcome<Self> {
        let message = parsed(group_info, WireFormat::GroupInfo)?;
        let tree = given_tree(tree)?;
        let time = Some(MlsTime::from(now));
        let group = provider.at(now, || Ok(client(&provider).observe_group(message, tree, time)?))?;
        Ok(Self { provider, group })
    }

    fn load(provider: Provider, snapshot: &[u8]) -> Outcome<Self> {
        let (stored, snapshot): (StoredObserver, _) = open_with(snapshot)?;
        let snapshot = ExternalSnapshot::from_bytes(snapshot);
        let snapshot = snapshot.map_err(|_| Failure::malformed("observer snapshot"))?;
        let group = client(&provider).load_group(snapshot)?;
        restore_identities(&group.exported_tree(), stored.identities, &provider)?;
        Ok(Self { provider, group })
    }

    fn snapshot(&self) -> Outcome<Sealed> {
        let (ordered, leaves) = identities(&self.group.exported_tree(), &self.provider)?;
        self.provider.settle_all(leaves);
        let stored = StoredObserver { identities: ordered };
        seal_with(&stored, Arc::new(Zeroizing::new(self.group.snapshot().to_bytes()?)))
    }

    /// An external sender's Remove, made by a copy: this one caches it when it is processed, as everybody's does.
    fn propose_remove(&self, index: u32, signer: Signer, authenticated_data: Vec<u8>) -> Outcome<Vec<u8>> {
        let mut copy = client_of(&self.provider, Some(signer)).load_group(self.group.snapshot())?;
        copy.roster().member_with_index(index).map_err(|_| no_member(index))?;
        Ok(copy.propose_remove(index, authenticated_data)?.to_bytes()?)
    }

    fn process(&mut self, message: MlsMessage, now: u64) -> Outcome<Incoming> {
        let context = self.group.group_context();
        check_addressed(&message, context)?;
        if message.wire_format() != WireFormat::PublicMessage {
            return Err(Failure::new(
                Kind::Unsupported,
                "an observer reads public messages only",
            ));
        }
        let provider = self.provider.clone();
        provider.at(now, || {
            let received = self
                .group
                .process_incoming_message_with_time(message, MlsTime::from(now))?;
            match received {
                ExternalReceivedMessage::Commit(commit) => {
                    let after = After {
                        tree: self.group.exported_tree(),
                        context: self.group.group_context(),
                        provider: &self.provider,
                    };
                    Ok(Incoming::Commit(Box::new(after.report(commit)?)))
                }
                ExternalReceivedMessage::Proposal(proposal) => {
                    let tree = self.group.exported_tree();
                    let screened = screen(&proposal, &tree, &self.provider)?;
                    let epoch = self.group.group_context().epoch;
                    Ok(Incoming::Proposal(ProposalReport::new(proposal, screened, epoch)))
                }
                _ => Err(Failure::new(Kind::Unsupported, "neither a proposal nor a commit")),
            }
        })
    }
}

/// Follows a group's public handshakes without any secret: a delivery service's view (RFC 9750 §5).
#[pyclass(frozen, module = "mls_rs")]
pub struct Observer(Guarded<Watched>);

impl Observer {
    fn of(watched: Watched) -> Self {
        Self(Guarded::new(watched.provider.owner(), watched))
    }
}

fn new_provider(validate: Py<PyAny>, succeed: Option<Py<PyAny>>, external: Option<Py<PyAny>>) -> Provider {
    Provider::new(new_owner(), Judge::new(validate, succeed, external))
}

#[pymethods]
impl Observer {
    #[staticmethod]
    #[pyo3(signature = (group_info, validate, succeed, now, *, tree=None, validate_external=None))]
    fn open(
        py: Python<'_>,
        group_info: PyBackedBytes,
        validate: Py<PyAny>,
        succeed: Option<Py<PyAny>>,
        now: u64,
        tree: Option<PyBackedBytes>,
        validate_external: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let provider = new_provider(validate, succeed, validate_external);
        let watched = py.detach(|| caught(|| Watched::open(provider, &group_info, tree.as_deref(), now)))?;
        Ok(Self::of(watched))
    }

    #[staticmethod]
    #[pyo3(signature = (snapshot, validate, succeed, *, validate_external=None))]
    fn load(
        py: Python<'_>,
        snapshot: PyBackedBytes,
        validate: Py<PyAny>,
        succeed: Option<Py<PyAny>>,
        validate_external: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let provider = new_provider(validate, succeed, validate_external);
        let watched = py.detach(|| caught(|| Watched::load(provider, &snapshot)))?;
        Ok(Self::of(watched))
    }

    #[getter]
    fn group_id(&self, py: Python<'_>) -> PyResult<PyOctets> {
        let id = self
            .0
            .read(py, |watched| Ok(watched.group.group_context().group_id.clone()))?;
        Ok(octets(py, &id))
    }

    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.read(py, |watched| Ok(watched.group.group_context().epoch))
    }

    #[getter]
    fn cipher_suite(&self, py: Python<'_>) -> PyResult<u16> {
        self.0
            .read(py, |watched| Ok(watched.group.group_context().cipher_suite.raw_value()))
    }

    #[getter]
    fn poisoned(&self) -> bool {
        self.0.poisoned()
    }

    fn members(&self, py: Python<'_>) -> PyResult<Vec<Py<Member>>> {
        let leaves = self.0.read(py, |watched| {
            Leaf::all(&watched.group.exported_tree(), &watched.provider)
        })?;
        leaves.iter().map(|leaf| Member::new(py, leaf)).collect()
    }

    fn context_extensions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let extensions = self
            .0
            .read(py, |watched| Ok(watched.group.group_context().extensions.clone()))?;
        extension_tuple(py, &extensions)
    }

    /// The cached proposals: the next commit must cover them.
    fn proposals(&self, py: Python<'_>) -> PyResult<Vec<Py<Proposed>>> {
        let reports = self.0.read(py, |watched| {
            let cached = watched.group.get_cached_proposals();
            ProposedReport::cached(&cached, &watched.group.exported_tree(), &watched.provider)
        })?;
        proposed(py, reports)
    }

    fn tree<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let tree = self.0.read(py, |watched| Ok(watched.group.export_tree()?))?;
        Ok(PyBytes::new(py, &tree))
    }

    fn tree_hash(&self, py: Python<'_>) -> PyResult<PyOctets> {
        let hash = self.0.read(py, |watched| Ok(watched.group.tree_hash().to_vec()))?;
        Ok(octets(py, &hash))
    }

    /// Validates and applies one PublicMessage. After an error: PoisonedError until loaded again.
    fn process(&self, py: Python<'_>, message: PyBackedBytes, now: u64) -> PyResult<Py<PyAny>> {
        let incoming = self.0.change(py, |watched| {
            let parsed = self::message(&message)?;
            watched.process(parsed, now)
        })?;
        incoming.into_value(py)
    }

    /// A Remove proposal by an external sender that the group's context names (RFC 9420 §12.1.8.1). Changes nothing here.
    #[pyo3(
        signature = (index, credential, signing_key, authenticated_data=None),
        text_signature = "($self, index, credential, signing_key, authenticated_data=b'')"
    )]
    fn propose_remove(
        &self,
        py: Python<'_>,
        index: u32,
        credential: &Credential,
        signing_key: &Bound<'_, PyByteArray>,
        authenticated_data: Option<PyBackedBytes>,
    ) -> PyResult<PyOctets> {
        let secret = absorb(signing_key);
        let credential = credential.0.clone();
        let data = authenticated_data.as_deref().unwrap_or_default().to_vec();
        let message = self.0.read(py, |watched| {
            let (secret, public) = signer(watched.group.group_context().cipher_suite, &secret)?;
            watched.propose_remove(index, (secret, SigningIdentity::new(credential, public)), data)
        })?;
        Ok(octets(py, &message))
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<PyOctets> {
        self.0.read(py, Watched::snapshot)?.to_python(py)
    }
}
