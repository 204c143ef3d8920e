//! A member's commits, made and applied, and its reading of messages.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use mls_rs::group::{CommitSecrets, ContentType, ProposalSender, ReceivedMessage, Sender};
use mls_rs::mls_rs_codec::MlsEncode;
use mls_rs::psk::ExternalPskId;
use mls_rs::time::MlsTime;
use mls_rs::{ExtensionList, MlsMessage, MlsMessageDescription};
use zeroize::Zeroizing;

use crate::device::Device;
use crate::errors::{Failure, Kind, Outcome};
use crate::incoming::{check_addressed, screen, ApplicationReport, Incoming, ProposalReport};
use crate::membership::Membership;
use crate::report::{no_member, CommitReport};
use crate::storage::locked;
use crate::stored::{digest, open_with, seal_with, KnownIdentity, Octets, Sealed, StoredPending};

/// A message that was made but not yet encoded.
pub type Sending = Outcome<MlsMessage>;

pub struct Plan {
    pub add: Vec<MlsMessage>,
    pub remove: Vec<u32>,
    pub context_extensions: Option<ExtensionList>,
    pub psks: Vec<ExternalPskId>,
    pub resumption_psks: Vec<u64>,
    pub identity: Option<Arc<Device>>,
    pub authenticated_data: Vec<u8>,
    pub path: bool,
    /// References of cached proposals that this commit does not carry out.
    pub leave_out: HashSet<Vec<u8>>,
    pub now: u64,
}

pub struct SealedCommit {
    pub commit: Vec<u8>,
    pub welcomes: Vec<Vec<u8>>,
    pub group_info: Vec<u8>,
    pub secrets: Sealed,
    pub unused_proposals: usize,
}

impl Membership {
    /// The new credential is valid, of this suite, and may follow the present one.
    pub fn check_rotation(&self, device: &Device, now: u64) -> Outcome<()> {
        if device.cipher_suite != self.group.cipher_suite() {
            return Err(Failure::new(
                Kind::Unsupported,
                "the new identity has another cipher suite",
            ));
        }
        let present = self.own_identity()?;
        let provider = &self.parts.provider;
        provider.at(now, || {
            provider.approve(&device.identity)?;
            Ok(provider.succession(&present, &device.identity)?)
        })
    }

    pub fn commit(&mut self, plan: Plan) -> Outcome<SealedCommit> {
        if let Some(device) = &plan.identity {
            self.check_rotation(device, plan.now)?;
        }
        for index in &plan.remove {
            self.group.member_at_index(*index).ok_or_else(|| no_member(*index))?;
        }
        let provider = self.parts.provider.clone();
        provider.at(plan.now, || self.build(plan))
    }

    fn build(&mut self, plan: Plan) -> Outcome<SealedCommit> {
        // RFC 9420 §12.4: a new credential travels in the path's leaf, so a rotation needs a path.
        let path = plan.path || plan.identity.is_some();
        self.parts.force_path.store(path, Ordering::Release);
        locked(&self.parts.left_out).clone_from(&plan.leave_out);
        let mut builder = self
            .group
            .commit_builder()
            .commit_time(MlsTime::from(plan.now))
            .authenticated_data(plan.authenticated_data);
        for key_package in plan.add {
            builder = builder.add_member(key_package)?;
        }
        for index in plan.remove {
            builder = builder.remove_member(index)?;
        }
        if let Some(extensions) = plan.context_extensions {
            builder = builder.set_group_context_ext(extensions)?;
        }
        for id in plan.psks {
            builder = builder.add_external_psk(id)?;
        }
        for epoch in plan.resumption_psks {
            builder = builder.add_resumption_psk(epoch)?;
        }
        if let Some(device) = plan.identity {
            builder = builder
                .set_new_signing_identity(device.signer.clone(), device.identity.clone())
                .set_leaf_node_extensions(device.leaf_extensions.clone());
        }
        let (output, secrets) = builder.build_detached()?;
        let info = output.external_commit_group_info.as_ref();
        let info = info.ok_or_else(|| Failure::new(Kind::Engine, "the commit has no GroupInfo"))?;
        let welcomes: Result<Vec<_>, _> = output.welcome_messages.iter().map(MlsMessage::to_bytes).collect();
        Ok(SealedCommit {
            commit: output.commit_message.to_bytes()?,
            welcomes: welcomes?,
            group_info: info.to_bytes()?,
            secrets: self.seal_pending(&secrets)?,
            unused_proposals: output.unused_proposals.len(),
        })
    }

    /// mls-rs does not check what a detached commit belongs to: the whole GroupContext is bound in.
    fn seal_pending(&self, secrets: &CommitSecrets) -> Outcome<Sealed> {
        let fresh = self.parts.provider.fresh().into_iter();
        let identities = fresh.map(|(print, identity)| KnownIdentity {
            fingerprint: Octets(print.to_vec()),
            identity: Octets(identity),
        });
        let head = StoredPending {
            group_id: Octets(self.group.group_id().to_vec()),
            epoch: self.epoch(),
            context_digest: self.context_digest()?,
            identities: identities.collect(),
        };
        seal_with(&head, Arc::new(Zeroizing::new(secrets.to_bytes()?)))
    }

    fn context_digest(&self) -> Outcome<Octets> {
        Ok(digest(&self.group.context().mls_encode_to_vec()?))
    }

    pub fn apply(&mut self, bytes: &[u8]) -> Outcome<CommitReport> {
        let (stored, secrets): (StoredPending, _) = open_with(bytes)?;
        let epoch = self.epoch();
        if stored.group_id.0 != self.group.group_id()
            || stored.epoch != epoch
            || stored.context_digest.0 != self.context_digest()?.0
        {
            let message = format!("the pending commit is not of epoch {epoch} of this group");
            return Err(Failure::new(Kind::StalePending, message));
        }
        for known in &stored.identities {
            let print = known.fingerprint.0.as_slice().try_into();
            let print = print.map_err(|_| Failure::malformed("pending commit"))?;
            self.parts.provider.add_fresh(print, known.identity.0.clone());
        }
        let description = self.group.apply_detached_commit(CommitSecrets::from_bytes(secrets)?)?;
        let report = self.after().report(description)?;
        self.note_departures(epoch, &report);
        Ok(report)
    }

    pub fn process(&mut self, message: MlsMessage, now: u64) -> Outcome<Incoming> {
        check_addressed(&message, self.group.context())?;
        self.refuse_own(&message)?;
        let epoch = self.epoch();
        let message_epoch = message.epoch().unwrap_or(epoch);
        if message_epoch < epoch {
            if !self.knows_since(message_epoch) {
                let message = format!("epoch {message_epoch} is over and its secrets are not here");
                return Err(Failure::new(Kind::WrongEpoch, message));
            }
            self.touch(message_epoch);
        }
        let provider = self.parts.provider.clone();
        provider.at(now, || {
            let received = self
                .group
                .process_incoming_message_with_time(message, MlsTime::from(now))?;
            self.received(received, epoch, message_epoch)
        })
    }

    fn received(&mut self, received: ReceivedMessage, epoch: u64, message_epoch: u64) -> Outcome<Incoming> {
        match received {
            ReceivedMessage::ApplicationMessage(application) => Ok(Incoming::Application(ApplicationReport {
                sender: self.leaf_in_epoch(message_epoch, application.sender_index)?,
                epoch: message_epoch,
                data: application.data().to_vec(),
                authenticated_data: application.authenticated_data.clone(),
            })),
            ReceivedMessage::Proposal(proposal) => {
                // An encrypted proposal of our own comes back from the cache, unchanged.
                if proposal.sender == ProposalSender::Member(self.group.current_member_index()) {
                    return Err(own_message());
                }
                let screened = screen(&proposal, &self.tree(), &self.parts.provider)?;
                Ok(Incoming::Proposal(ProposalReport::new(proposal, screened, epoch)))
            }
            ReceivedMessage::Commit(commit) => {
                let report = self.after().report(commit)?;
                if !report.removed_self {
                    self.note_departures(epoch, &report);
                }
                Ok(Incoming::Commit(Box::new(report)))
            }
            _ => Err(Failure::new(
                Kind::Unsupported,
                "neither application data, nor a proposal, nor a commit",
            )),
        }
    }

    /// Before mls-rs sees it: nothing has changed and the group stays usable.
    fn refuse_own(&self, message: &MlsMessage) -> Outcome<()> {
        let own = self.group.current_member_index();
        let MlsMessageDescription::PublicProtocolMessage {
            sender, content_type, ..
        } = message.description()
        else {
            return Ok(());
        };
        if content_type == ContentType::Application {
            return Err(Failure::new(
                Kind::Unsupported,
                "application data must be encrypted (RFC 9420 §6)",
            ));
        }
        if sender == Sender::Member(own) {
            return Err(own_message());
        }
        Ok(())
    }
}

fn own_message() -> Failure {
    Failure::new(Kind::OwnMessage, "this device sent the message itself")
}
