//! One device: key packages, creating and joining groups.

use std::sync::Arc;

use mls_rs::client_builder::PaddingMode;
use mls_rs::extension::recommended::LastResortKeyPackageExt;
use mls_rs::extension::ExtensionType;
use mls_rs::identity::SigningIdentity;
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuite, Extension, ExtensionList};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyTuple};

use crate::device::{key_package_message, Device, Parts};
use crate::errors::{caught, Outcome};
use crate::group::Group;
use crate::joining;
use crate::keys::{absorb, signer};
use crate::membership::Membership;
use crate::observer::check_key_package;
use crate::provider::Judge;
use crate::storage::Psks;
use crate::values::{octets, Credential, KeyPackage, Member, Octets, Preview};

/// Peers whose clocks are slow must not refuse a new key package.
const BACK_DATING: u64 = 3600;

/// One device: a cipher suite, a signing identity and the rule that decides whom to believe.
#[pyclass(frozen, module = "mls_rs")]
pub struct Engine(pub Arc<Device>);

pub type Extensions = Vec<(u16, PyBackedBytes)>;

pub fn extension_list(extensions: &Extensions) -> ExtensionList {
    let listed = extensions
        .iter()
        .map(|(kind, data)| Extension::new(ExtensionType::new(*kind), data.to_vec()));
    ExtensionList::from(listed.collect::<Vec<_>>())
}

pub fn extension_tuple<'py>(py: Python<'py>, extensions: &ExtensionList) -> PyResult<Bound<'py, PyTuple>> {
    let listed = extensions.iter().map(|extension| {
        (
            extension.extension_type.raw_value(),
            PyBytes::new(py, &extension.extension_data),
        )
    });
    PyTuple::new(py, listed.collect::<Vec<_>>())
}

fn padding_mode(name: &str) -> PyResult<PaddingMode> {
    match name {
        "step" => Ok(PaddingMode::StepFunction),
        "padme" => Ok(PaddingMode::Padme),
        "none" => Ok(PaddingMode::None),
        _ => Err(PyValueError::new_err("padding is \"step\", \"padme\" or \"none\"")),
    }
}

fn absorb_psks(psks: Option<&Bound<'_, PyMapping>>) -> PyResult<Psks> {
    let mut absorbed = Psks::default();
    let Some(psks) = psks else { return Ok(absorbed) };
    let mut keys = std::collections::HashMap::new();
    for item in psks.items()?.iter() {
        let (id, secret): (PyBackedBytes, Bound<'_, PyByteArray>) = item.extract()?;
        keys.insert(ExternalPskId::new(id.to_vec()), PreSharedKey::from(absorb(&secret)));
    }
    absorbed.0 = Arc::new(keys);
    Ok(absorbed)
}

impl Engine {
    /// Runs one call of this engine without the GIL, at the caller's time.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        now: u64,
        work: impl FnOnce(&Arc<Device>, Parts) -> Outcome<T> + Send,
    ) -> PyResult<T> {
        let parts = self.0.parts();
        let provider = parts.provider.clone();
        Ok(py.detach(|| caught(|| provider.at(now, || work(&self.0, parts))))?)
    }

    fn group(
        &self,
        py: Python<'_>,
        now: u64,
        work: impl FnOnce(&Arc<Device>, Parts) -> Outcome<Membership> + Send,
    ) -> PyResult<Group> {
        self.run(py, now, work).map(Group::new)
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(
        signature = (cipher_suite, credential, signing_key, validate, succeed=None, *, validate_external=None, padding="step",
                     encrypt_handshakes=false, psks=None, extension_types=vec![], leaf_extensions=vec![],
                     past_epochs=0),
        text_signature = "(cipher_suite, credential, signing_key, validate, succeed=None, *, validate_external=None, padding='step', encrypt_handshakes=False, psks=..., extension_types=(), leaf_extensions=(), past_epochs=0)"
    )]
    #[allow(clippy::too_many_arguments)]
    fn new(
        cipher_suite: u16,
        credential: &Credential,
        signing_key: &Bound<'_, PyByteArray>,
        validate: Py<PyAny>,
        succeed: Option<Py<PyAny>>,
        validate_external: Option<Py<PyAny>>,
        padding: &str,
        encrypt_handshakes: bool,
        psks: Option<&Bound<'_, PyMapping>>,
        extension_types: Vec<u16>,
        leaf_extensions: Extensions,
        past_epochs: u64,
    ) -> PyResult<Self> {
        let cipher_suite = CipherSuite::new(cipher_suite);
        let signing_key = absorb(signing_key);
        let psks = absorb_psks(psks)?;
        let padding = padding_mode(padding)?;
        let (signer, public) = signer(cipher_suite, &signing_key)?;
        let mut extension_types: Vec<_> = extension_types.into_iter().map(ExtensionType::new).collect();
        if !extension_types.contains(&ExtensionType::LAST_RESORT_KEY_PACKAGE) {
            extension_types.push(ExtensionType::LAST_RESORT_KEY_PACKAGE);
        }
        Ok(Self(Arc::new(Device {
            cipher_suite,
            identity: SigningIdentity::new(credential.0.clone(), public),
            signer,
            judge: Judge::new(validate, succeed, validate_external),
            psks,
            padding,
            encrypt_handshakes,
            extension_types,
            leaf_extensions: extension_list(&leaf_extensions),
            past_epochs,
        })))
    }

    #[getter]
    fn cipher_suite(&self) -> u16 {
        self.0.cipher_suite.raw_value()
    }

    #[getter]
    fn credential(&self) -> Credential {
        Credential(self.0.identity.credential.clone())
    }

    #[getter]
    fn signature_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.identity.signature_key)
    }

    #[getter]
    fn leaf_extensions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        extension_tuple(py, &self.0.leaf_extensions)
    }

    /// The same device with a new credential; both engines share the validator's memory and the PSKs.
    #[pyo3(signature = (credential, signing_key, *, leaf_extensions=None))]
    fn rotate(
        &self,
        credential: &Credential,
        signing_key: &Bound<'_, PyByteArray>,
        leaf_extensions: Option<Extensions>,
    ) -> PyResult<Self> {
        let (signer, public) = signer(self.0.cipher_suite, &absorb(signing_key))?;
        Ok(Self(Arc::new(Device {
            cipher_suite: self.0.cipher_suite,
            identity: SigningIdentity::new(credential.0.clone(), public),
            signer,
            judge: self.0.judge.clone(),
            psks: self.0.psks.clone(),
            padding: self.0.padding,
            encrypt_handshakes: self.0.encrypt_handshakes,
            extension_types: self.0.extension_types.clone(),
            leaf_extensions: match leaf_extensions {
                Some(extensions) => extension_list(&extensions),
                None => self.0.leaf_extensions.clone(),
            },
            past_epochs: self.0.past_epochs,
        })))
    }

    /// A signed key package, valid from one hour before `now` for `lifetime` seconds.
    #[pyo3(signature = (now, *, lifetime, last_resort=false))]
    fn key_package(&self, py: Python<'_>, now: u64, lifetime: u64, last_resort: bool) -> PyResult<KeyPackage> {
        let start = now.saturating_sub(BACK_DATING);
        let length = (now - start)
            .checked_add(lifetime)
            .filter(|length| start.checked_add(*length).is_some());
        let length = length.ok_or_else(|| PyValueError::new_err("the lifetime is too long"))?;
        let made = self.run(py, now, |device, parts| {
            let mut extensions = ExtensionList::new();
            if last_resort {
                extensions
                    .set_from(LastResortKeyPackageExt)
                    .map_err(mls_rs::error::MlsError::from)?;
            }
            let client = device.client_for(&parts, length);
            let leaf_extensions = device.leaf_extensions.clone();
            let message =
                client.generate_key_package_message(extensions, leaf_extensions, Some(MlsTime::from(start)))?;
            joining::sealed_key_package(&parts, &message)
        })?;
        made.into_value(py)
    }

    /// Validates another client's key package, credential included. Raises.
    fn check_key_package(&self, py: Python<'_>, message: PyBackedBytes, now: u64) -> PyResult<Py<Member>> {
        let leaf = self.run(py, now, |device, parts| {
            let message = key_package_message(&message)?;
            device.require_suite(&message)?;
            check_key_package(&parts.provider, message, now)
        })?;
        Member::new(py, &leaf)
    }

    #[pyo3(signature = (welcome, secrets, now, *, tree=None))]
    fn preview(
        &self,
        py: Python<'_>,
        welcome: PyBackedBytes,
        secrets: Vec<PyBackedBytes>,
        now: u64,
        tree: Option<PyBackedBytes>,
    ) -> PyResult<Preview> {
        let looked = self.run(py, now, |device, parts| {
            joining::preview_welcome(device, &parts, &welcome, &secrets, tree.as_deref())
        })?;
        looked.into_value(py)
    }

    #[pyo3(signature = (group_info, now, *, tree=None))]
    fn preview_group_info(
        &self,
        py: Python<'_>,
        group_info: PyBackedBytes,
        now: u64,
        tree: Option<PyBackedBytes>,
    ) -> PyResult<Preview> {
        let looked = self.run(py, now, |device, parts| {
            joining::preview_group_info(device, &parts, &group_info, tree.as_deref())
        })?;
        looked.into_value(py)
    }

    #[pyo3(
        signature = (group_id, now, *, context_extensions=vec![]),
        text_signature = "($self, group_id, now, *, context_extensions=())"
    )]
    fn create(
        &self,
        py: Python<'_>,
        group_id: PyBackedBytes,
        now: u64,
        context_extensions: Extensions,
    ) -> PyResult<Group> {
        self.group(py, now, |device, parts| {
            let extensions = extension_list(&context_extensions);
            joining::validate_external_senders(&parts.provider, &extensions)?;
            let group = device.client(&parts).create_group_with_id(
                group_id.to_vec(),
                extensions,
                device.leaf_extensions.clone(),
                // As for a key package: a joiner whose clock is slow must not refuse our leaf.
                Some(MlsTime::from(now.saturating_sub(BACK_DATING))),
            )?;
            Ok(Membership::new(device.clone(), parts, group))
        })
    }

    #[pyo3(signature = (welcome, secrets, now, *, tree=None, lifetimes=true))]
    fn join(
        &self,
        py: Python<'_>,
        welcome: PyBackedBytes,
        secrets: Vec<PyBackedBytes>,
        now: u64,
        tree: Option<PyBackedBytes>,
        lifetimes: bool,
    ) -> PyResult<Group> {
        self.group(py, now, |device, parts| {
            let at = lifetimes.then_some(now);
            joining::join(device, parts, &welcome, &secrets, tree.as_deref(), at)
        })
    }

    /// Joins by an external commit: (group, commit, GroupInfo of the new epoch with the tree).
    #[pyo3(
        signature = (group_info, now, *, tree=None, remove=None, psks=vec![], authenticated_data=None),
        text_signature = "($self, group_info, now, *, tree=None, remove=None, psks=(), authenticated_data=b'')"
    )]
    #[allow(clippy::too_many_arguments)]
    fn external_join(
        &self,
        py: Python<'_>,
        group_info: PyBackedBytes,
        now: u64,
        tree: Option<PyBackedBytes>,
        remove: Option<u32>,
        psks: Vec<PyBackedBytes>,
        authenticated_data: Option<PyBackedBytes>,
    ) -> PyResult<(Group, Octets, Octets)> {
        let request = joining::ExternalJoin {
            group_info: &group_info,
            tree: tree.as_deref(),
            remove,
            psks: psks.iter().map(|id| id.to_vec()).collect(),
            authenticated_data: authenticated_data.as_deref().unwrap_or_default().to_vec(),
            now,
        };
        let joined = self.run(py, now, |device, parts| joining::external_join(device, parts, request))?;
        let (member, commit, info) = joined;
        Ok((Group::new(member), octets(py, &commit), octets(py, &info)))
    }

    #[pyo3(signature = (state, tree, *, epochs=None), text_signature = "($self, state, tree, *, epochs=...)")]
    fn load(
        &self,
        py: Python<'_>,
        state: PyBackedBytes,
        tree: PyBackedBytes,
        epochs: Option<&Bound<'_, PyMapping>>,
    ) -> PyResult<Group> {
        let epochs = epoch_rows(epochs)?;
        let device = self.0.clone();
        let member = py.detach(|| caught(|| Membership::load(&device, &state, &tree, epochs)))?;
        Ok(Group::new(member))
    }

    fn __repr__(&self) -> String {
        format!("<Engine, cipher suite {}>", self.0.cipher_suite.raw_value())
    }
}

fn epoch_rows(epochs: Option<&Bound<'_, PyMapping>>) -> PyResult<Vec<(u64, Vec<u8>)>> {
    let Some(epochs) = epochs else { return Ok(Vec::new()) };
    let rows = epochs.items()?;
    rows.iter()
        .map(|item| {
            let (epoch, row): (u64, PyBackedBytes) = item.extract()?;
            Ok((epoch, row.to_vec()))
        })
        .collect()
}

/// A key package made elsewhere, with its raw private keys, in the form that `Engine.join` takes.
#[pyfunction]
pub fn import_key_package(
    py: Python<'_>,
    message: PyBackedBytes,
    init_key: &Bound<'_, PyByteArray>,
    encryption_key: &Bound<'_, PyByteArray>,
) -> PyResult<KeyPackage> {
    let (init_key, encryption_key) = (absorb(init_key), absorb(encryption_key));
    let imported = py.detach(|| caught(|| joining::import_key_package(&message, init_key, encryption_key)))?;
    imported.into_value(py)
}
