//! What a commit did, in members before and after.

use std::collections::{BTreeSet, HashSet};

use mls_rs::crypto::SignaturePublicKey;
use mls_rs::group::proposal::Proposal;
use mls_rs::group::{
    CachedProposal, CommitEffect, CommitMessageDescription, ExportedTree, GroupContext, GroupState,
    Member as MlsMember, NewEpoch, Node, Sender,
};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::ProposalSource;
use mls_rs::ExtensionList;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::engine::extension_tuple;
use crate::errors::{Failure, Kind, Outcome};
use crate::provider::Provider;
use crate::values::{self, octets, proposal_type};

/// A leaf with the identity that the validator gave it.
#[derive(Clone)]
pub struct Leaf {
    pub index: u32,
    pub signing_identity: SigningIdentity,
    pub identity: Vec<u8>,
}

impl Leaf {
    pub fn of(member: MlsMember, provider: &Provider) -> Outcome<Self> {
        Self::at(member.index, member.signing_identity, provider)
    }

    pub fn at(index: u32, signing_identity: SigningIdentity, provider: &Provider) -> Outcome<Self> {
        Ok(Self {
            index,
            identity: provider.known_or_approved(&signing_identity)?,
            signing_identity,
        })
    }

    pub fn in_tree(tree: &ExportedTree<'_>, index: u32, provider: &Provider) -> Outcome<Self> {
        let member = tree.roster().member_with_index(index);
        Self::of(member.map_err(|_| no_member(index))?, provider)
    }

    pub fn all(tree: &ExportedTree<'_>, provider: &Provider) -> Outcome<Vec<Self>> {
        tree.roster()
            .members_iter()
            .map(|member| Self::of(member, provider))
            .collect()
    }
}

pub fn no_member(index: u32) -> Failure {
    Failure::new(Kind::NotAMember, format!("no member at leaf {index}"))
}

/// A proposal, with the leaves that it is about as they are before it is carried out.
pub struct ProposedReport {
    kind: String,
    sender: Option<Leaf>,
    external: Option<u32>,
    removed: Option<Leaf>,
    reference: Option<Vec<u8>>,
}

impl ProposedReport {
    fn of(
        proposal: &Proposal,
        sender: Sender,
        reference: Option<Vec<u8>>,
        leaf: impl Fn(u32) -> Outcome<Option<Leaf>>,
    ) -> Outcome<Self> {
        let external = match sender {
            Sender::External(index) => Some(index),
            _ => None,
        };
        let sender = match sender {
            Sender::Member(index) => Some(index),
            _ => None,
        };
        let removed = match proposal {
            Proposal::Remove(remove) => Some(remove.to_remove()),
            Proposal::SelfRemove(_) => sender,
            _ => None,
        };
        Ok(Self {
            kind: proposal_type(proposal),
            sender: sender.map(&leaf).transpose()?.flatten(),
            external,
            removed: removed.map(&leaf).transpose()?.flatten(),
            reference,
        })
    }

    pub fn cached(proposals: &[CachedProposal], tree: &ExportedTree<'_>, provider: &Provider) -> Outcome<Vec<Self>> {
        let leaf = |index| Leaf::in_tree(tree, index, provider).map(Some);
        let reports = proposals.iter().map(|cached| {
            let reference = Some(cached.proposal_ref().to_vec());
            Self::of(cached.proposal(), *cached.sender(), reference, leaf)
        });
        reports.collect()
    }

    pub fn into_value(self, py: Python<'_>) -> PyResult<Py<values::Proposed>> {
        let member = |leaf: Option<Leaf>| leaf.map(|leaf| values::Member::new(py, &leaf)).transpose();
        let proposed = values::Proposed {
            r#type: self.kind,
            sender: member(self.sender)?,
            external: self.external,
            removed: member(self.removed)?,
            reference: self.reference.as_ref().map(|reference| octets(py, reference)),
        };
        Py::new(py, proposed)
    }
}

pub fn proposed(py: Python<'_>, reports: Vec<ProposedReport>) -> PyResult<Vec<Py<values::Proposed>>> {
    reports.into_iter().map(|report| report.into_value(py)).collect()
}

pub struct CommitReport {
    pub epoch: u64,
    pub committer: Option<Leaf>,
    pub external: bool,
    pub added: Vec<Leaf>,
    pub removed: Vec<Leaf>,
    pub updated: Vec<(Leaf, Leaf)>,
    pub proposals: Vec<ProposedReport>,
    pub context_changed: bool,
    pub context_extensions: ExtensionList,
    pub removed_self: bool,
    pub reinit: bool,
    pub authenticated_data: Vec<u8>,
}

/// The group after the commit, as seen by a member or an observer.
pub struct After<'a> {
    pub tree: ExportedTree<'a>,
    pub context: &'a GroupContext,
    pub provider: &'a Provider,
}

impl After<'_> {
    fn leaf(&self, index: u32) -> Option<&SigningIdentity> {
        match self.tree.nodes().get(2 * index as usize)? {
            Some(Node::Leaf(leaf)) => Some(&leaf.signing_identity),
            _ => None,
        }
    }

    pub fn report(&self, description: CommitMessageDescription) -> Outcome<CommitReport> {
        let mut report = CommitReport {
            epoch: self.context.epoch,
            committer: None,
            external: description.is_external,
            added: Vec::new(),
            removed: Vec::new(),
            updated: Vec::new(),
            proposals: Vec::new(),
            context_changed: false,
            context_extensions: self.context.extensions().clone(),
            removed_self: false,
            reinit: false,
            authenticated_data: description.authenticated_data,
        };
        let committer = description.committer;
        match description.effect {
            CommitEffect::NewEpoch(epoch) => self.applied(&mut report, &epoch, committer)?,
            CommitEffect::Removed { new_epoch, .. } => self.expelled(&mut report, &new_epoch, committer)?,
            CommitEffect::ReInit(_) => {
                report.reinit = true;
                report.committer = Some(Leaf::in_tree(&self.tree, committer, self.provider)?);
            }
        }
        Ok(report)
    }

    fn applied(&self, report: &mut CommitReport, epoch: &NewEpoch, committer: u32) -> Outcome<()> {
        let prior = epoch.prior_state();
        report.context_changed = prior.context().extensions() != self.context.extensions();
        report.proposals = self.carried_out(epoch)?;
        let removed = removed_leaves(epoch);
        report.removed = self.before(prior, &removed)?;
        report.added = self.added(epoch, report.external.then_some(committer))?;
        let committer_before = if report.external {
            None
        } else {
            self.before_one(prior, committer)?
        };
        report.updated = self.updated(epoch, committer_before.as_ref(), &removed)?;
        report.committer = match committer_before {
            Some(leaf) => Some(leaf),
            None => Some(Leaf::in_tree(&self.tree, committer, self.provider)?),
        };
        Ok(())
    }

    /// We were removed: mls-rs stays in the old epoch, so only what that epoch knows can be told.
    fn expelled(&self, report: &mut CommitReport, epoch: &NewEpoch, committer: u32) -> Outcome<()> {
        report.epoch = epoch.epoch();
        report.removed_self = true;
        report.removed = self.before(epoch.prior_state(), &removed_leaves(epoch))?;
        report.proposals = self.carried_out(epoch)?;
        if let Some(extensions) = new_extensions(epoch) {
            report.context_changed = *extensions != report.context_extensions;
            report.context_extensions.clone_from(extensions);
        }
        report.committer = self.before_one(epoch.prior_state(), committer)?;
        Ok(())
    }

    fn carried_out(&self, epoch: &NewEpoch) -> Outcome<Vec<ProposedReport>> {
        let leaf = |index| self.before_one(epoch.prior_state(), index);
        let reports = epoch.applied_proposals().iter().map(|info| {
            let reference = match &info.source {
                ProposalSource::ByReference(reference) => Some(reference.to_vec()),
                _ => None,
            };
            ProposedReport::of(&info.proposal, info.sender, reference, leaf)
        });
        reports.collect()
    }

    fn before(&self, prior: &GroupState, leaves: &BTreeSet<u32>) -> Outcome<Vec<Leaf>> {
        let members = leaves.iter().filter_map(|index| prior.member_at_index(*index));
        members.map(|member| Leaf::of(member, self.provider)).collect()
    }

    fn before_one(&self, prior: &GroupState, index: u32) -> Outcome<Option<Leaf>> {
        prior
            .member_at_index(index)
            .map(|member| Leaf::of(member, self.provider))
            .transpose()
    }

    fn added(&self, epoch: &NewEpoch, joiner: Option<u32>) -> Outcome<Vec<Leaf>> {
        let adds = epoch
            .applied_proposals()
            .iter()
            .filter_map(|info| match &info.proposal {
                Proposal::Add(add) => Some(&add.signing_identity().signature_key),
                _ => None,
            });
        let keys: HashSet<&SignaturePublicKey> = adds.collect();
        if keys.is_empty() && joiner.is_none() {
            return Ok(Vec::new());
        }
        let leaves = (0..).zip(self.tree.nodes().iter().step_by(2));
        let new = leaves.filter_map(|(index, node)| match node {
            Some(Node::Leaf(leaf)) => {
                let identity = &leaf.signing_identity;
                let is_new = joiner == Some(index) || keys.contains(&identity.signature_key);
                is_new.then(|| Leaf::at(index, identity.clone(), self.provider))
            }
            _ => None,
        });
        new.collect()
    }

    fn updated(
        &self,
        epoch: &NewEpoch,
        committer: Option<&Leaf>,
        removed: &BTreeSet<u32>,
    ) -> Outcome<Vec<(Leaf, Leaf)>> {
        let proposers = epoch
            .applied_proposals()
            .iter()
            .filter_map(|info| match (&info.proposal, info.sender) {
                (Proposal::Update(_), Sender::Member(index)) => Some(index),
                _ => None,
            });
        let mut candidates = self.before(epoch.prior_state(), &proposers.collect())?;
        candidates.extend(committer.cloned());
        let mut updated = Vec::new();
        for before in candidates {
            let after = self.leaf(before.index).filter(|_| !removed.contains(&before.index));
            if let Some(after) = after.filter(|after| **after != before.signing_identity) {
                let after = Leaf::at(before.index, after.clone(), self.provider)?;
                updated.push((before, after));
            }
        }
        updated.sort_by_key(|(before, _)| before.index);
        Ok(updated)
    }
}

fn removed_leaves(epoch: &NewEpoch) -> BTreeSet<u32> {
    let removals = epoch
        .applied_proposals()
        .iter()
        .filter_map(|info| match (&info.proposal, info.sender) {
            (Proposal::Remove(remove), _) => Some(remove.to_remove()),
            (Proposal::SelfRemove(_), Sender::Member(index)) => Some(index),
            _ => None,
        });
    removals.collect()
}

fn new_extensions(epoch: &NewEpoch) -> Option<&ExtensionList> {
    epoch.applied_proposals().iter().find_map(|info| match &info.proposal {
        Proposal::GroupContextExtensions(extensions) => Some(extensions),
        _ => None,
    })
}

impl CommitReport {
    pub fn changes_leaves(&self) -> bool {
        !(self.added.is_empty() && self.removed.is_empty() && self.updated.is_empty())
    }

    /// The leaves that the commit changed or removed, as they were: readers of late messages need them.
    pub fn departed(&self) -> Vec<Leaf> {
        let replaced = self.updated.iter().map(|(before, _)| before);
        self.removed.iter().chain(replaced).cloned().collect()
    }

    pub fn into_value(self, py: Python<'_>) -> PyResult<values::Commit> {
        let committer = self
            .committer
            .as_ref()
            .map(|leaf| values::Member::new(py, leaf))
            .transpose()?;
        let updated: PyResult<Vec<_>> = self
            .updated
            .iter()
            .map(|(before, after)| Ok((values::Member::new(py, before)?, values::Member::new(py, after)?)))
            .collect();
        Ok(values::Commit {
            epoch: self.epoch,
            committer,
            external: self.external,
            added: values::members(py, &self.added)?.unbind(),
            removed: values::members(py, &self.removed)?.unbind(),
            updated: PyTuple::new(py, updated?)?.unbind(),
            proposals: PyTuple::new(py, proposed(py, self.proposals)?)?.unbind(),
            context_changed: self.context_changed,
            context_extensions: extension_tuple(py, &self.context_extensions)?.unbind(),
            removed_self: self.removed_self,
            reinit: self.reinit,
            authenticated_data: octets(py, &self.authenticated_data),
        })
    }
}
