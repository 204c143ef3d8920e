//! The Python `Group`.

use std::sync::Arc;

use mls_rs::psk::ExternalPskId;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyTuple};

use crate::device::{key_package_message, message};
use crate::engine::{extension_list, extension_tuple, Engine, Extensions};
use crate::errors::{Failure, Kind};
use crate::guard::Guarded;
use crate::joining::validate_external_senders;
use crate::membership::Membership;
use crate::observer::check_key_package;
use crate::outgoing::{Plan, Sending};
use crate::report::{no_member, proposed, Leaf, ProposedReport};
use crate::stored::Sealed;
use crate::values::{octets, Commit, Delta, Member, Octets, Pending, Proposed};

/// One group at one epoch.
#[pyclass(frozen, module = "mls_rs")]
pub struct Group(Guarded<Membership>);

impl Group {
    pub fn new(member: Membership) -> Self {
        Self(Guarded::new(member.parts.provider.owner(), member))
    }
}

type Aad = Option<PyBackedBytes>;

fn aad(authenticated_data: &Aad) -> Vec<u8> {
    authenticated_data.as_deref().unwrap_or_default().to_vec()
}

fn rows(py: Python<'_>, rows: &[(u64, Arc<Sealed>)]) -> PyResult<Py<PyTuple>> {
    let rows = rows.iter().map(|(epoch, row)| Ok((*epoch, row.to_python(py)?)));
    Ok(PyTuple::new(py, rows.collect::<PyResult<Vec<_>>>()?)?.unbind())
}

#[pymethods]
impl Group {
    #[getter]
    fn group_id(&self, py: Python<'_>) -> PyResult<Octets> {
        let id = self.0.read(py, |member| Ok(member.group.group_id().to_vec()))?;
        Ok(octets(py, &id))
    }

    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.read(py, |member| Ok(member.epoch()))
    }

    #[getter]
    fn own_index(&self, py: Python<'_>) -> PyResult<u32> {
        self.0.read(py, |member| Ok(member.group.current_member_index()))
    }

    #[getter]
    fn cipher_suite(&self, py: Python<'_>) -> PyResult<u16> {
        self.0.read(py, |member| Ok(member.group.cipher_suite().raw_value()))
    }

    #[getter]
    fn poisoned(&self) -> bool {
        self.0.poisoned()
    }

    fn members(&self, py: Python<'_>) -> PyResult<Vec<Py<Member>>> {
        let leaves = self
            .0
            .read(py, |member| Leaf::all(&member.tree(), &member.parts.provider))?;
        leaves.iter().map(|leaf| Member::new(py, leaf)).collect()
    }

    fn member(&self, py: Python<'_>, index: u32) -> PyResult<Py<Member>> {
        let leaf = self.0.read(py, |member| member.leaf(index))?;
        Member::new(py, &leaf)
    }

    /// What a leaf carries beside its credential (RFC 9420 §7.2), in the present epoch.
    fn leaf_extensions<'py>(&self, py: Python<'py>, index: u32) -> PyResult<Bound<'py, PyTuple>> {
        let extensions = self.0.read(py, |member| member.leaf_extensions(index))?;
        extension_tuple(py, &extensions)
    }

    fn context_extensions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let extensions = self
            .0
            .read(py, |member| Ok(member.group.context().extensions.clone()))?;
        extension_tuple(py, &extensions)
    }

    fn epoch_authenticator(&self, py: Python<'_>) -> PyResult<Octets> {
        let secret = self.0.read(py, |member| Ok(member.group.epoch_authenticator()?))?;
        Ok(octets(py, secret.as_bytes()))
    }

    fn export<'py>(
        &self,
        py: Python<'py>,
        label: PyBackedBytes,
        context: PyBackedBytes,
        length: usize,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let secret = self
            .0
            .read(py, |member| Ok(member.group.export_secret(&label, &context, length)?))?;
        Ok(PyByteArray::new(py, secret.as_bytes()))
    }

    fn tree(&self, py: Python<'_>) -> PyResult<Octets> {
        let tree = self.0.read(py, |member| Ok(member.tree().to_bytes()?))?;
        Ok(octets(py, &tree))
    }

    fn tree_hash(&self, py: Python<'_>) -> PyResult<Octets> {
        let hash = self.0.read(py, |member| Ok(member.tree_hash().to_vec()))?;
        Ok(octets(py, &hash))
    }

    #[pyo3(signature = (*, with_tree=true, external=true))]
    fn group_info(&self, py: Python<'_>, with_tree: bool, external: bool) -> PyResult<Octets> {
        let info = self.0.read(py, |member| {
            let info = if external {
                member.group.group_info_message_allowing_ext_commit(with_tree)?
            } else {
                member.group.group_info_message(with_tree)?
            };
            Ok(info.to_bytes()?)
        })?;
        Ok(octets(py, &info))
    }

    fn pending_proposals(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.read(py, |member| Ok(member.group.get_cached_proposals().len()))
    }

    /// The cached proposals, one's own among them: the next commit must cover them.
    fn proposals(&self, py: Python<'_>) -> PyResult<Vec<Py<Proposed>>> {
        let reports = self.0.read(py, |member| {
            let cached = member.group.get_cached_proposals();
            ProposedReport::cached(&cached, &member.tree(), &member.parts.provider)
        })?;
        proposed(py, reports)
    }

    #[pyo3(signature = (data, authenticated_data=None), text_signature = "($self, data, authenticated_data=b'')")]
    fn encrypt(&self, py: Python<'_>, data: PyBackedBytes, authenticated_data: Aad) -> PyResult<Octets> {
        let aad = aad(&authenticated_data);
        let sealed = self.0.change(py, |member| {
            if member.group.commit_required() {
                let message = "proposals are cached: commit or forget them before sending (RFC 9420 §12.4)";
                return Err(Failure::new(Kind::CommitRequired, message));
            }
            Ok(member.group.encrypt_application_message(&data, aad)?.to_bytes()?)
        })?;
        Ok(octets(py, &sealed))
    }

    fn process(&self, py: Python<'_>, message: PyBackedBytes, now: u64) -> PyResult<Py<PyAny>> {
        let incoming = self
            .0
            .change(py, |member| member.process(self::message(&message)?, now))?;
        incoming.into_value(py)
    }

    #[pyo3(
        signature = (now, *, add=vec![], remove=vec![], context_extensions=None, psks=vec![], resumption_psks=vec![],
                     identity=None, authenticated_data=None, path=false, leave_out=vec![]),
        text_signature = "($self, now, *, add=(), remove=(), context_extensions=None, psks=(), resumption_psks=(), identity=None, authenticated_data=b'', path=False, leave_out=())"
    )]
    #[allow(clippy::too_many_arguments)]
    fn commit(
        &self,
        py: Python<'_>,
        now: u64,
        add: Vec<PyBackedBytes>,
        remove: Vec<u32>,
        context_extensions: Option<Extensions>,
        psks: Vec<PyBackedBytes>,
        resumption_psks: Vec<u64>,
        identity: Option<&Engine>,
        authenticated_data: Aad,
        path: bool,
        leave_out: Vec<PyBackedBytes>,
    ) -> PyResult<Pending> {
        let device = identity.map(|engine| engine.0.clone());
        let sealed = self.0.change(py, |member| {
            let add: Result<Vec<_>, Failure> = add.iter().map(|bytes| key_package_message(bytes)).collect();
            member.commit(Plan {
                add: add?,
                remove,
                context_extensions: context_extensions.as_ref().map(extension_list),
                psks: psks.iter().map(|id| ExternalPskId::new(id.to_vec())).collect(),
                resumption_psks,
                identity: device,
                authenticated_data: aad(&authenticated_data),
                path,
                leave_out: leave_out.iter().map(|reference| reference.to_vec()).collect(),
                now,
            })
        })?;
        let welcomes = sealed.welcomes.iter().map(|welcome| PyBytes::new(py, welcome));
        Ok(Pending {
            commit: octets(py, &sealed.commit),
            welcomes: PyTuple::new(py, welcomes.collect::<Vec<_>>())?.unbind(),
            group_info: octets(py, &sealed.group_info),
            secrets: sealed.secrets.to_python(py)?,
            unused_proposals: sealed.unused_proposals,
        })
    }

    /// Applies a pending commit of this group and this epoch. Raises StalePendingError if it belongs to another.
    fn apply(&self, py: Python<'_>, secrets: PyBackedBytes) -> PyResult<Commit> {
        let report = self.0.change(py, |member| member.apply(&secrets))?;
        report.into_value(py)
    }

    #[pyo3(
        signature = (key_package, now, authenticated_data=None),
        text_signature = "($self, key_package, now, authenticated_data=b'')"
    )]
    fn propose_add(
        &self,
        py: Python<'_>,
        key_package: PyBackedBytes,
        now: u64,
        authenticated_data: Aad,
    ) -> PyResult<Octets> {
        self.propose(py, authenticated_data, |member, aad| {
            let add = key_package_message(&key_package)?;
            member.device.require_suite(&add)?;
            let provider = member.parts.provider.clone();
            provider.at(now, || check_key_package(&provider, add.clone(), now))?;
            Ok(member.group.propose_add(add, aad)?)
        })
    }

    #[pyo3(
        signature = (index, authenticated_data=None),
        text_signature = "($self, index, authenticated_data=b'')"
    )]
    fn propose_remove(&self, py: Python<'_>, index: u32, authenticated_data: Aad) -> PyResult<Octets> {
        self.propose(py, authenticated_data, |member, aad| {
            member.group.member_at_index(index).ok_or_else(|| no_member(index))?;
            Ok(member.group.propose_remove(index, aad)?)
        })
    }

    #[pyo3(
        signature = (now, identity=None, authenticated_data=None),
        text_signature = "($self, now, identity=None, authenticated_data=b'')"
    )]
    fn propose_update(
        &self,
        py: Python<'_>,
        now: u64,
        identity: Option<&Engine>,
        authenticated_data: Aad,
    ) -> PyResult<Octets> {
        let device = identity.map(|engine| engine.0.clone());
        self.propose(py, authenticated_data, |member, aad| {
            let Some(device) = device else {
                return Ok(member.group.propose_update(aad)?);
            };
            member.check_rotation(&device, now)?;
            let (signer, identity) = (device.signer.clone(), device.identity.clone());
            Ok(member.group.propose_update_with_identity(signer, identity, aad)?)
        })
    }

    #[pyo3(
        signature = (extensions, authenticated_data=None),
        text_signature = "($self, extensions, authenticated_data=b'')"
    )]
    fn propose_context_extensions(
        &self,
        py: Python<'_>,
        extensions: Extensions,
        authenticated_data: Aad,
    ) -> PyResult<Octets> {
        self.propose(py, authenticated_data, |member, aad| {
            let extensions = extension_list(&extensions);
            validate_external_senders(&member.parts.provider, &extensions)?;
            Ok(member.group.propose_group_context_extensions(extensions, aad)?)
        })
    }

    #[pyo3(
        signature = (psk_id, authenticated_data=None),
        text_signature = "($self, psk_id, authenticated_data=b'')"
    )]
    fn propose_psk(&self, py: Python<'_>, psk_id: PyBackedBytes, authenticated_data: Aad) -> PyResult<Octets> {
        self.propose(py, authenticated_data, |member, aad| {
            Ok(member
                .group
                .propose_external_psk(ExternalPskId::new(psk_id.to_vec()), aad)?)
        })
    }

    /// A Remove proposal for one's own leaf (RFC 9420 §12.1.3); another member must commit it.
    #[pyo3(signature = (authenticated_data=None), text_signature = "($self, authenticated_data=b'')")]
    fn leave(&self, py: Python<'_>, authenticated_data: Aad) -> PyResult<Octets> {
        self.propose(py, authenticated_data, |member, aad| {
            let own = member.group.current_member_index();
            Ok(member.group.propose_remove(own, aad)?)
        })
    }

    fn forget_proposals(&self, py: Python<'_>) -> PyResult<()> {
        self.0.change(py, |member| {
            member.group.clear_proposal_cache();
            Ok(())
        })
    }

    fn delta(&self, py: Python<'_>) -> PyResult<Delta> {
        let delta = self.0.change(py, Membership::delta)?;
        let used = delta.used.iter().map(|reference| PyBytes::new(py, reference));
        Ok(Delta {
            state: delta.state.to_python(py)?,
            tree: delta.tree.as_ref().map(|tree| octets(py, tree)),
            epoch: delta.epoch,
            epoch_inserts: rows(py, &delta.inserts)?,
            epoch_updates: rows(py, &delta.updates)?,
            used_key_packages: PyTuple::new(py, used.collect::<Vec<_>>())?.unbind(),
            token: delta.token,
        })
    }

    fn ack(&self, py: Python<'_>, token: u64) -> PyResult<()> {
        self.0.change(py, |member| member.ack(token))
    }
}

impl Group {
    fn propose(
        &self,
        py: Python<'_>,
        authenticated_data: Aad,
        make: impl FnOnce(&mut Membership, Vec<u8>) -> Sending + Send,
    ) -> PyResult<Octets> {
        let aad = aad(&authenticated_data);
        let made = self.0.change(py, |member| Ok(make(member, aad)?.to_bytes()?))?;
        Ok(octets(py, &made))
    }
}
