//! The layouts of what leaves the process as opaque bytes: a tag, a version, the body, a checksum against accidental damage.

use std::collections::HashMap;
use std::sync::Arc;

use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rs_codec::{self, MlsDecode, MlsEncode, MlsSize, VarInt};
use mls_rs_core::key_package::KeyPackageData;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;
use zeroize::{Zeroize, Zeroizing};

use crate::errors::{Failure, Outcome};
use crate::provider::{fingerprint, Fingerprint, Provider};
use crate::report::Leaf;

/// Raised when a layout, or the mls-rs features behind it, changes.
const VERSION: u16 = 2;
const CHECKSUM: usize = 16;

/// What mls-rs stores of a group grows with it: it is shared, copied once for Python and wiped when the last holder drops it.
pub type Secret = Arc<Zeroizing<Vec<u8>>>;

/// Octets that are wiped when dropped.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
pub struct Octets(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

impl Drop for Octets {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Octets {
    pub fn take(mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(std::mem::take(&mut self.0))
    }
}

pub trait Stored: MlsEncode + MlsDecode {
    const TAG: [u8; 4];
    const NAME: &'static str;
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
pub struct StoredGroup {
    pub group_id: Octets,
    pub cipher_suite: u16,
    pub tree_hash: Octets,
    pub identities: Vec<Octets>,
}

impl Stored for StoredGroup {
    const TAG: [u8; 4] = *b"MgST";
    const NAME: &'static str = "group state";
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
pub struct KnownIdentity {
    pub fingerprint: Octets,
    pub identity: Octets,
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
pub struct StoredPending {
    pub group_id: Octets,
    pub epoch: u64,
    pub context_digest: Octets,
    pub identities: Vec<KnownIdentity>,
}

impl Stored for StoredPending {
    const TAG: [u8; 4] = *b"MgPC";
    const NAME: &'static str = "pending commit";
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
pub struct StoredKeyPackage {
    pub reference: Octets,
    pub data: KeyPackageData,
}

impl Stored for StoredKeyPackage {
    const TAG: [u8; 4] = *b"MgKP";
    const NAME: &'static str = "key package secret";
}

/// A leaf as it was in one epoch, kept because the next epoch changed it.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
pub struct PastLeaf {
    pub index: u32,
    pub signing_identity: SigningIdentity,
    pub identity: Octets,
}

impl From<&PastLeaf> for Leaf {
    fn from(past: &PastLeaf) -> Self {
        Leaf {
            index: past.index,
            signing_identity: past.signing_identity.clone(),
            identity: past.identity.0.clone(),
        }
    }
}

impl From<Leaf> for PastLeaf {
    fn from(leaf: Leaf) -> Self {
        PastLeaf {
            index: leaf.index,
            signing_identity: leaf.signing_identity,
            identity: Octets(leaf.identity),
        }
    }
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
pub struct StoredEpoch {
    pub epoch: u64,
    pub departed: Vec<PastLeaf>,
}

impl Stored for StoredEpoch {
    const TAG: [u8; 4] = *b"MgEP";
    const NAME: &'static str = "epoch row";
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
pub struct StoredObserver {
    pub identities: Vec<Octets>,
}

impl Stored for StoredObserver {
    const TAG: [u8; 4] = *b"MgOB";
    const NAME: &'static str = "observer snapshot";
}

/// Bytes for the caller to store.
pub struct Sealed {
    head: Zeroizing<Vec<u8>>,
    octets: Secret,
    checksum: [u8; CHECKSUM],
}

impl Sealed {
    fn new(head: Zeroizing<Vec<u8>>, octets: Secret) -> Self {
        let checksum = checksum(&[&head, &octets]);
        Self { head, octets, checksum }
    }

    pub fn to_python(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        let parts: [&[u8]; 3] = [&self.head, &self.octets, &self.checksum];
        let length = parts.iter().map(|part| part.len()).sum();
        let bytes = PyBytes::new_with(py, length, |mut target| {
            for part in parts {
                let (here, rest) = target.split_at_mut(part.len());
                here.copy_from_slice(part);
                target = rest;
            }
            Ok(())
        });
        Ok(bytes?.unbind())
    }
}

/// XXH3, which costs little beside a state of megabytes: it is to notice accidents, and keeping out intent is the work
/// of the encryption at rest.
fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM] {
    let mut hasher = Xxh3::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.digest128().to_be_bytes()
}

pub fn seal<T: Stored>(value: &T) -> Outcome<Sealed> {
    Ok(Sealed::new(head(value, 0)?, Secret::default()))
}

/// As `seal`, with octets of mls-rs's own as the last field; they are not copied.
pub fn seal_with<T: Stored>(value: &T, octets: Secret) -> Outcome<Sealed> {
    let length = VarInt::try_from(octets.len())?;
    let mut head = head(value, length.mls_encoded_len())?;
    length.mls_encode(&mut head)?;
    Ok(Sealed::new(head, octets))
}

fn head<T: Stored>(value: &T, room: usize) -> Outcome<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.mls_encoded_len() + 6 + room));
    bytes.extend_from_slice(&T::TAG);
    VERSION.mls_encode(&mut bytes)?;
    value.mls_encode(&mut bytes)?;
    Ok(bytes)
}

pub fn open<T: Stored>(bytes: &[u8]) -> Outcome<T> {
    T::mls_decode_exhaustive(body::<T>(bytes)?).map_err(|_| Failure::malformed(T::NAME))
}

/// As `open`, for what `seal_with` has written; the octets are not copied.
pub fn open_with<T: Stored>(bytes: &[u8]) -> Outcome<(T, &[u8])> {
    let malformed = |_| Failure::malformed(T::NAME);
    let mut rest = body::<T>(bytes)?;
    let value = T::mls_decode(&mut rest).map_err(malformed)?;
    let length = u32::from(VarInt::mls_decode(&mut rest).map_err(malformed)?);
    if rest.len() != length as usize {
        return Err(Failure::malformed(T::NAME));
    }
    Ok((value, rest))
}

fn body<T: Stored>(bytes: &[u8]) -> Outcome<&[u8]> {
    let malformed = || Failure::malformed(T::NAME);
    let split = bytes.len().checked_sub(CHECKSUM).ok_or_else(malformed)?;
    let (content, expected) = bytes.split_at(split);
    let body = content
        .strip_prefix(&T::TAG)
        .and_then(|rest| rest.strip_prefix(&VERSION.to_be_bytes()));
    let body = body.ok_or_else(malformed)?;
    if checksum(&[content])[..] != *expected {
        return Err(malformed());
    }
    Ok(body)
}

pub fn digest(bytes: &[u8]) -> Octets {
    Octets(Sha256::digest(bytes).to_vec())
}

/// Identities in leaf order, and the same by fingerprint.
type TreeIdentities = (Vec<Octets>, HashMap<Fingerprint, Vec<u8>>);

/// The identities of a tree's leaves.
pub fn identities(tree: &ExportedTree<'_>, provider: &Provider) -> Outcome<TreeIdentities> {
    let mut ordered = Vec::new();
    let mut leaves = HashMap::new();
    for identity in tree.roster().member_identities_iter() {
        let print = fingerprint(identity)?;
        let known = match provider.known_by(&print) {
            Some(known) => known,
            None => provider.approve(identity)?,
        };
        ordered.push(Octets(known.clone()));
        leaves.insert(print, known);
    }
    Ok((ordered, leaves))
}

/// Gives the provider the identities that were stored beside a tree.
pub fn restore_identities(tree: &ExportedTree<'_>, stored: Vec<Octets>, provider: &Provider) -> Outcome<()> {
    let mut leaves = HashMap::with_capacity(stored.len());
    let mut stored = stored.into_iter();
    for identity in tree.roster().member_identities_iter() {
        let known = stored.next().ok_or_else(|| Failure::malformed("list of identities"))?;
        leaves.insert(fingerprint(identity)?, known.0.clone());
    }
    provider.settle_all(leaves);
    Ok(())
}
