//! What messages and trees say of themselves, without any state.

use mls_rs::group::proposal::Proposal;
use mls_rs::group::{ContentType, Sender};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rs_codec::{byte_vec, Error, MlsDecode};
use mls_rs::{MlsMessage, MlsMessageDescription, WireFormat};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use crate::device::{message, tree};
use crate::errors::{caught, Failure, Outcome};
use crate::keys::suite;
use crate::values::{octets, pair, proposal_type, triple, Inspected, Triple};

#[derive(Default)]
struct Parsed {
    kind: &'static str,
    content: Option<&'static str>,
    group_id: Option<Vec<u8>>,
    epoch: Option<u64>,
    cipher_suite: Option<u16>,
    sender: Option<&'static str>,
    sender_index: Option<u32>,
    authenticated_data: Option<Vec<u8>>,
    references: Vec<Vec<u8>>,
    proposals: Vec<String>,
    credentials: Vec<SigningIdentity>,
    removed: Vec<u32>,
    has_path: bool,
}

fn kind(format: WireFormat) -> &'static str {
    match format {
        WireFormat::PublicMessage => "public_message",
        WireFormat::PrivateMessage => "private_message",
        WireFormat::Welcome => "welcome",
        WireFormat::GroupInfo => "group_info",
        _ => "key_package",
    }
}

fn content(content: ContentType) -> &'static str {
    match content {
        ContentType::Application => "application",
        ContentType::Proposal => "proposal",
        ContentType::Commit => "commit",
    }
}

fn sender(sender: Sender) -> (&'static str, Option<u32>) {
    match sender {
        Sender::Member(index) => ("member", Some(index)),
        Sender::External(_) => ("external", None),
        Sender::NewMemberProposal => ("new_member_proposal", None),
        _ => ("new_member_commit", None),
    }
}

impl Parsed {
    fn of(bytes: &[u8]) -> Outcome<Self> {
        let message = message(bytes)?;
        let mut parsed = Self {
            kind: kind(message.wire_format()),
            group_id: message.group_id().map(<[u8]>::to_vec),
            epoch: message.epoch(),
            cipher_suite: message.cipher_suite().map(|suite| suite.raw_value()),
            ..Self::default()
        };
        parsed.frame(&message, bytes)?;
        parsed.key_packages(&message)?;
        Ok(parsed)
    }

    fn frame(&mut self, message: &MlsMessage, bytes: &[u8]) -> Outcome<()> {
        match message.description() {
            MlsMessageDescription::PrivateProtocolMessage { content_type, .. } => {
                self.content = Some(content(content_type));
                let data = private_authenticated_data(bytes).map_err(|_| Failure::malformed("private message"))?;
                self.authenticated_data = Some(data);
            }
            MlsMessageDescription::PublicProtocolMessage {
                content_type,
                sender: from,
                authenticated_data,
                ..
            } => {
                self.content = Some(content(content_type));
                self.authenticated_data = Some(authenticated_data.to_vec());
                let (name, index) = sender(from);
                (self.sender, self.sender_index) = (Some(name), index);
                if content_type == ContentType::Proposal {
                    let proposal = public_proposal(bytes).map_err(|_| Failure::malformed("public proposal"))?;
                    self.proposal(&proposal);
                }
                message
                    .proposals_by_value()
                    .into_iter()
                    .for_each(|proposal| self.proposal(proposal));
                if let Some(leaf) = message.commit_path_leaf_node() {
                    self.has_path = true;
                    self.credentials.push(leaf.signing_identity.clone());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn proposal(&mut self, proposal: &Proposal) {
        self.proposals.push(proposal_type(proposal));
        match proposal {
            Proposal::Add(add) => self.credentials.push(add.signing_identity().clone()),
            Proposal::Update(update) => self.credentials.push(update.signing_identity().clone()),
            Proposal::Remove(remove) => self.removed.push(remove.to_remove()),
            _ => {}
        }
    }

    fn key_packages(&mut self, message: &MlsMessage) -> Outcome<()> {
        let addressed = message.welcome_key_package_references();
        self.references
            .extend(addressed.iter().map(|reference| reference.to_vec()));
        let Some(key_package) = message.as_key_package() else {
            return Ok(());
        };
        self.credentials.push(key_package.signing_identity().clone());
        // The reference is a hash of the suite's own kind: without the suite there is none to tell.
        if let Ok(suite) = suite(key_package.cipher_suite()) {
            self.references.push(key_package.to_reference(&suite)?.to_vec());
        }
        Ok(())
    }

    fn into_value(self, py: Python<'_>) -> PyResult<Inspected> {
        let references = self.references.iter().map(|reference| PyBytes::new(py, reference));
        let credentials: PyResult<Vec<_>> = self.credentials.iter().map(|identity| pair(py, identity)).collect();
        Ok(Inspected {
            kind: self.kind,
            content: self.content,
            group_id: self.group_id.as_ref().map(|id| octets(py, id)),
            epoch: self.epoch,
            cipher_suite: self.cipher_suite,
            sender: self.sender,
            sender_index: self.sender_index,
            authenticated_data: self.authenticated_data.as_ref().map(|data| octets(py, data)),
            key_package_references: PyTuple::new(py, references.collect::<Vec<_>>())?.unbind(),
            proposals: PyTuple::new(py, self.proposals)?.unbind(),
            proposed_credentials: PyTuple::new(py, credentials?)?.unbind(),
            removed: PyTuple::new(py, self.removed)?.unbind(),
            has_path: self.has_path,
        })
    }
}

/// mls-rs shows the proposals of a commit only: the frame of a public proposal is walked here (RFC 9420 §6).
fn public_proposal(bytes: &[u8]) -> Result<Proposal, Error> {
    let mut rest = bytes;
    u16::mls_decode(&mut rest)?; // protocol version
    u16::mls_decode(&mut rest)?; // wire format
    byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // group id
    u64::mls_decode(&mut rest)?; // epoch
    Sender::mls_decode(&mut rest)?;
    byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // authenticated data
    ContentType::mls_decode(&mut rest)?;
    Proposal::mls_decode(&mut rest)
}

/// mls-rs keeps the authenticated data of a private message to itself: its frame is walked here, too (RFC 9420 §6.3).
fn private_authenticated_data(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut rest = bytes;
    u16::mls_decode(&mut rest)?; // protocol version
    u16::mls_decode(&mut rest)?; // wire format
    byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // group id
    u64::mls_decode(&mut rest)?; // epoch
    ContentType::mls_decode(&mut rest)?;
    byte_vec::mls_decode::<Vec<u8>>(&mut rest)
}

/// Parses one MLSMessage exactly (no trailing bytes). Raises MalformedError.
#[pyfunction]
pub fn inspect(py: Python<'_>, message: PyBackedBytes) -> PyResult<Inspected> {
    let parsed = py.detach(|| caught(|| Parsed::of(&message)))?;
    parsed.into_value(py)
}

/// (leaf index, credential, signature key) for each non-blank leaf of an exported ratchet tree. Raises MalformedError.
#[pyfunction]
pub fn tree_members(py: Python<'_>, ratchet_tree: PyBackedBytes) -> PyResult<Vec<Triple>> {
    let members = py.detach(|| {
        caught(|| {
            let tree = tree(&ratchet_tree)?;
            let leaves = tree
                .roster()
                .members_iter()
                .map(|member| (member.index, member.signing_identity));
            Ok(leaves.collect::<Vec<_>>())
        })
    })?;
    members
        .iter()
        .map(|(index, identity)| triple(py, *index, identity))
        .collect()
}
