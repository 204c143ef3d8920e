//! Key packages, previews and the three ways into a group, without Python.

use std::sync::Arc;

use mls_rs::crypto::HpkeSecretKey;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::extension::ExtensionType;
use mls_rs::group::{ExportedTree, GroupInfo};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rs_codec::{self, MlsDecode, MlsEncode};
use mls_rs::psk::ExternalPskId;
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuiteProvider, ExtensionList, MlsMessage, WireFormat};
use mls_rs_core::group::GroupContext;
use mls_rs_core::key_package::KeyPackageData;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use zeroize::Zeroizing;

use crate::device::{given_tree, key_package_message, parsed, tree, Device, Parts};
use crate::engine::extension_tuple;
use crate::errors::{Failure, Kind, Outcome};
use crate::keys::suite;
use crate::membership::Membership;
use crate::provider::Provider;
use crate::report::no_member;
use crate::stored::{open, seal, Octets, Sealed, StoredKeyPackage};
use crate::values::{self, octets, triple};

pub struct SealedKeyPackage {
    message: Vec<u8>,
    reference: Vec<u8>,
    secret: Sealed,
    not_after: u64,
}

impl SealedKeyPackage {
    pub fn into_value(self, py: Python<'_>) -> PyResult<values::KeyPackage> {
        Ok(values::KeyPackage {
            message: octets(py, &self.message),
            reference: octets(py, &self.reference),
            secret: self.secret.to_python(py)?,
            not_after: self.not_after,
        })
    }
}

fn seal_key_package(message: &MlsMessage, reference: Vec<u8>, data: KeyPackageData) -> Outcome<SealedKeyPackage> {
    Ok(SealedKeyPackage {
        message: message.to_bytes()?,
        not_after: data.expiration,
        secret: seal(&StoredKeyPackage {
            reference: Octets(reference.clone()),
            data,
        })?,
        reference,
    })
}

/// The key package that an mls-rs client has just put into `parts`.
pub fn sealed_key_package(parts: &Parts, message: &MlsMessage) -> Outcome<SealedKeyPackage> {
    let made = parts.key_packages.take_all().pop();
    let (reference, data) = made.ok_or_else(|| Failure::new(Kind::Engine, "no key package was made"))?;
    seal_key_package(message, reference, data)
}

pub fn import_key_package(
    bytes: &[u8],
    init_key: Zeroizing<Vec<u8>>,
    encryption_key: Zeroizing<Vec<u8>>,
) -> Outcome<SealedKeyPackage> {
    let message = key_package_message(bytes)?;
    let key_package = message
        .as_key_package()
        .ok_or_else(|| Failure::malformed("key package message"))?;
    let reference = key_package.to_reference(&suite(key_package.cipher_suite())?)?.to_vec();
    let expiration = key_package.expiration()?.seconds_since_epoch();
    let data = KeyPackageData::new(
        key_package.mls_encode_to_vec()?,
        HpkeSecretKey::from(init_key.to_vec()),
        HpkeSecretKey::from(encryption_key.to_vec()),
        expiration,
    );
    seal_key_package(&message, reference, data)
}

/// Asks for every external sender that a list of context extensions names (RFC 9420 §5.3.1, §12.1.8.1).
pub fn validate_external_senders(provider: &Provider, extensions: &ExtensionList) -> Outcome<()> {
    let senders = extensions.get_as::<ExternalSendersExt>();
    let Some(senders) = senders.map_err(|_| Failure::malformed("external_senders extension"))? else {
        return Ok(());
    };
    for sender in senders.allowed_senders() {
        provider.approve_external(sender)?;
    }
    Ok(())
}

/// A Welcome is for the engine whose key signed the key package: with another key the group would sign wrongly.
fn require_own_key_package(device: &Device, welcome: &MlsMessage, secrets: &[impl AsRef<[u8]>]) -> Outcome<()> {
    let addressed = welcome.welcome_key_package_references();
    for secret in secrets {
        let stored: StoredKeyPackage = open(secret.as_ref())?;
        if !addressed
            .iter()
            .any(|reference| reference[..] == stored.reference.0[..])
        {
            continue;
        }
        let key_package = mls_rs::KeyPackage::mls_decode_exhaustive(&stored.data.key_package_bytes)?;
        if key_package.signing_identity() == &device.identity {
            return Ok(());
        }
        let message = "the key package belongs to another credential: join with the engine that made it";
        return Err(Failure::new(Kind::KeyPackageNotFound, message));
    }
    Err(Failure::new(
        Kind::KeyPackageNotFound,
        "none of the given key packages is addressed by this Welcome",
    ))
}

pub fn join(
    device: &Arc<Device>,
    parts: Parts,
    welcome: &[u8],
    secrets: &[impl AsRef<[u8]>],
    tree: Option<&[u8]>,
    lifetimes_at: Option<u64>,
) -> Outcome<Membership> {
    let welcome = parsed(welcome, WireFormat::Welcome)?;
    device.require_suite(&welcome)?;
    let tree = given_tree(tree)?;
    require_own_key_package(device, &welcome, secrets)?;
    parts.offer(secrets)?;
    let joined = device
        .client(&parts)
        .join_group(tree, &welcome, lifetimes_at.map(MlsTime::from));
    drop(parts.key_packages.take_all());
    let (group, _) = joined?;
    Ok(Membership::new(device.clone(), parts, group))
}

pub struct ExternalJoin<'a> {
    pub group_info: &'a [u8],
    pub tree: Option<&'a [u8]>,
    pub remove: Option<u32>,
    pub psks: Vec<Vec<u8>>,
    pub authenticated_data: Vec<u8>,
    pub now: u64,
}

pub fn external_join(
    device: &Arc<Device>,
    parts: Parts,
    request: ExternalJoin<'_>,
) -> Outcome<(Membership, Vec<u8>, Vec<u8>)> {
    let message = parsed(request.group_info, WireFormat::GroupInfo)?;
    device.require_suite(&message)?;
    let given = given_tree(request.tree)?;
    parts.provider.approve(&device.identity)?;
    let mut builder = device
        .client(&parts)
        .external_commit_builder()?
        .commit_time(MlsTime::from(request.now))
        .with_authenticated_data(request.authenticated_data)
        .with_leaf_node_extensions(device.leaf_extensions.clone());
    if let Some(given) = given {
        builder = builder.with_tree_data(given);
    }
    if let Some(index) = request.remove {
        builder = builder.with_removal(index);
    }
    for id in request.psks {
        builder = builder.with_external_psk(ExternalPskId::new(id));
    }
    let (group, commit) = builder.build(message)?;
    let info = group.group_info_message_allowing_ext_commit(true)?.to_bytes()?;
    Ok((Membership::new(device.clone(), parts, group), commit.to_bytes()?, info))
}

fn tree_in_band(info: &GroupInfo) -> Outcome<Option<ExportedTree<'static>>> {
    let extension = info.extensions().get(ExtensionType::RATCHET_TREE);
    extension.map(|extension| tree(&extension.extension_data)).transpose()
}

pub struct Looked {
    context: GroupContext,
    signer: u32,
    members: Vec<(u32, SigningIdentity)>,
}

impl Looked {
    pub fn into_value(self, py: Python<'_>) -> PyResult<values::Preview> {
        let members: PyResult<Vec<_>> = self
            .members
            .iter()
            .map(|(index, identity)| triple(py, *index, identity))
            .collect();
        Ok(values::Preview {
            group_id: octets(py, &self.context.group_id),
            epoch: self.context.epoch,
            cipher_suite: self.context.cipher_suite.raw_value(),
            signer_index: self.signer,
            context_extensions: extension_tuple(py, &self.context.extensions)?.unbind(),
            members: PyTuple::new(py, members?)?.unbind(),
        })
    }
}

pub fn preview_welcome(
    device: &Device,
    parts: &Parts,
    welcome: &[u8],
    secrets: &[impl AsRef<[u8]>],
    tree: Option<&[u8]>,
) -> Outcome<Looked> {
    let welcome = parsed(welcome, WireFormat::Welcome)?;
    device.require_suite(&welcome)?;
    let given = given_tree(tree)?;
    require_own_key_package(device, &welcome, secrets)?;
    parts.offer(secrets)?;
    let info = device.client(parts).examine_welcome_message(&welcome);
    drop(parts.key_packages.take_all());
    look(device, &parts.provider, &info?, given)
}

pub fn preview_group_info(device: &Device, parts: &Parts, bytes: &[u8], tree: Option<&[u8]>) -> Outcome<Looked> {
    let message = parsed(bytes, WireFormat::GroupInfo)?;
    device.require_suite(&message)?;
    let info = message.as_group_info().ok_or_else(|| Failure::malformed("GroupInfo"))?;
    look(device, &parts.provider, info, given_tree(tree)?)
}

/// With a tree at hand, the GroupInfo's signature and its signer's credential are checked; the tree itself is checked by joining.
fn look(
    device: &Device,
    provider: &Provider,
    info: &GroupInfo,
    given: Option<ExportedTree<'static>>,
) -> Outcome<Looked> {
    let mut members = Vec::new();
    if let Some(tree) = tree_in_band(info)?.or(given) {
        let signer = tree
            .roster()
            .member_with_index(info.sender())
            .map_err(|_| no_member(info.sender()))?;
        verify_group_info(device, info, &signer.signing_identity)?;
        provider.approve(&signer.signing_identity)?;
        members = tree
            .roster()
            .members_iter()
            .map(|member| (member.index, member.signing_identity))
            .collect();
    }
    Ok(Looked {
        context: info.group_context().clone(),
        signer: info.sender(),
        members,
    })
}

#[derive(mls_rs_codec::MlsSize, mls_rs_codec::MlsEncode)]
struct SignContent<'a> {
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    label: &'a [u8],
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    content: &'a [u8],
}

/// The signature over GroupInfoTBS (RFC 9420 §12.4.3), which is the GroupInfo without its last field.
fn verify_group_info(device: &Device, info: &GroupInfo, signer: &SigningIdentity) -> Outcome<()> {
    let bytes = info.mls_encode_to_vec()?;
    let mut rest = bytes.as_slice();
    GroupContext::mls_decode(&mut rest)?;
    ExtensionList::mls_decode(&mut rest)?;
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?;
    u32::mls_decode(&mut rest)?;
    let content = &bytes[..bytes.len() - rest.len()];
    let signature = mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?;
    let label = b"MLS 1.0 GroupInfoTBS";
    let signed = SignContent { label, content }.mls_encode_to_vec()?;
    suite(device.cipher_suite)?
        .verify(&signer.signature_key, &signature, &signed)
        .map_err(|_| Failure::new(Kind::InvalidSignature, "the GroupInfo's signature does not verify"))
}
