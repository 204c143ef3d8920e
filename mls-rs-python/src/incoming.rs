//! What a received message turned out to be.

use mls_rs::group::proposal::Proposal;
use mls_rs::group::{ContentType, ExportedTree, GroupContext, ProposalMessageDescription, ProposalSender};
use mls_rs::{MlsMessage, MlsMessageDescription};
use pyo3::prelude::*;

use crate::errors::{Failure, Kind, Outcome};
use crate::joining::validate_external_senders;
use crate::provider::Provider;
use crate::report::{CommitReport, Leaf};
use crate::values::{self, octets, proposal_type, Member};

pub struct ApplicationReport {
    pub sender: Leaf,
    pub epoch: u64,
    pub data: Vec<u8>,
    pub authenticated_data: Vec<u8>,
}

pub struct ProposalReport {
    sender: Option<Leaf>,
    external: Option<u32>,
    removed: Option<Leaf>,
    reference: Vec<u8>,
    epoch: u64,
    kind: String,
    authenticated_data: Vec<u8>,
}

/// Who proposes, and whom a Remove names.
pub struct Screened {
    sender: Option<Leaf>,
    removed: Option<Leaf>,
}

impl ProposalReport {
    pub fn new(description: ProposalMessageDescription, screened: Screened, epoch: u64) -> Self {
        Self {
            sender: screened.sender,
            external: match description.sender {
                ProposalSender::External(index) => Some(index),
                _ => None,
            },
            removed: screened.removed,
            reference: description.proposal_ref(),
            epoch,
            kind: proposal_type(&description.proposal),
            authenticated_data: description.authenticated_data,
        }
    }
}

pub enum Incoming {
    Application(ApplicationReport),
    Proposal(ProposalReport),
    Commit(Box<CommitReport>),
}

impl Incoming {
    pub fn into_value(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Application(report) => {
                let value = values::Application {
                    sender: Member::new(py, &report.sender)?,
                    epoch: report.epoch,
                    data: octets(py, &report.data),
                    authenticated_data: octets(py, &report.authenticated_data),
                };
                Ok(Py::new(py, value)?.into_any())
            }
            Self::Proposal(report) => {
                let member = |leaf: &Option<Leaf>| leaf.as_ref().map(|leaf| Member::new(py, leaf)).transpose();
                let value = values::Proposal {
                    sender: member(&report.sender)?,
                    external: report.external,
                    removed: member(&report.removed)?,
                    reference: octets(py, &report.reference),
                    epoch: report.epoch,
                    r#type: report.kind,
                    authenticated_data: octets(py, &report.authenticated_data),
                };
                Ok(Py::new(py, value)?.into_any())
            }
            Self::Commit(report) => Ok(Py::new(py, report.into_value(py)?)?.into_any()),
        }
    }
}

/// Checks group and epoch from the envelope, before any key is used; a handshake must be of the current epoch.
pub fn check_addressed(message: &MlsMessage, context: &GroupContext) -> Outcome<()> {
    let (group_id, epoch, content) = match message.description() {
        MlsMessageDescription::PrivateProtocolMessage {
            group_id,
            epoch_id,
            content_type,
        }
        | MlsMessageDescription::PublicProtocolMessage {
            group_id,
            epoch_id,
            content_type,
            ..
        } => (group_id, epoch_id, content_type),
        _ => {
            return Err(Failure::new(
                Kind::Unsupported,
                "neither a public nor a private message",
            ))
        }
    };
    if group_id != context.group_id {
        return Err(Failure::new(Kind::WrongGroup, "the message is for another group"));
    }
    if epoch > context.epoch || (content != ContentType::Application && epoch != context.epoch) {
        let message = format!(
            "the message is for epoch {epoch}, the group is in epoch {}",
            context.epoch
        );
        return Err(Failure::new(Kind::WrongEpoch, message));
    }
    Ok(())
}

/// RFC 9420 §5.3.1 wants credentials validated when a proposal arrives, mls-rs asks only when it is committed.
pub fn screen(
    description: &ProposalMessageDescription,
    tree: &ExportedTree<'_>,
    provider: &Provider,
) -> Outcome<Screened> {
    let mut removed = None;
    let sender = match description.sender {
        ProposalSender::Member(index) => Some(Leaf::in_tree(tree, index, provider)?),
        _ => None,
    };
    match &description.proposal {
        Proposal::Add(add) => drop(provider.approve(add.signing_identity())?),
        Proposal::Update(update) => {
            provider.approve(update.signing_identity())?;
            if let Some(leaf) = &sender {
                provider.succession(&leaf.signing_identity, update.signing_identity())?;
            }
        }
        Proposal::Remove(remove) => removed = Some(Leaf::in_tree(tree, remove.to_remove(), provider)?),
        Proposal::GroupContextExtensions(extensions) => {
            validate_external_senders(provider, extensions).map_err(as_proposal_error)?;
        }
        _ => {}
    }
    Ok(Screened { sender, removed })
}

/// mls-rs has cached the proposal by now: a malformed extension inside it is no longer a harmless malformed message.
fn as_proposal_error(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Malformed => Failure::new(Kind::InvalidProposal, "malformed external_senders extension"),
        _ => failure,
    }
}
