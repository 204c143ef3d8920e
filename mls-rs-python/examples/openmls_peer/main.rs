//! One OpenMLS client that speaks JSON lines: a request on stdin, its answer on stdout, bytes as hexadecimal.
//!
//! It is the independent implementation that `tests/test_openmls.py` talks with. Suite 0x0002, X.509 credentials,
//! handshakes as PublicMessage, the ratchet tree inside Welcome and GroupInfo. A refusal is `{"error": "…"}`.

mod request;

use std::error::Error;
use std::io::{stdin, stdout, BufRead, Write};

use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    Capabilities, Ciphersuite, Credential, CredentialType, CredentialWithKey, GroupId, KeyPackage, KeyPackageIn,
    LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig, MlsMessageBodyIn,
    MlsMessageIn, MlsMessageOut, NewSignerBundle, OpenMlsProvider, ProcessedMessageContent, ProtocolVersion, Sender,
    SignatureScheme, StagedWelcome, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use serde_json::{json, Value};

use crate::request::{chain_content, Changes, Hex, Identity, Request};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256;
const PADDING: usize = 64;
const NO_GROUP: &str = "no group yet";

type Answer = Result<Value, Box<dyn Error>>;

/// A signer together with the credential that names its key.
struct Device {
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

impl From<Identity> for Device {
    fn from(identity: Identity) -> Self {
        let scheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
        let credential = Credential::new(CredentialType::X509, chain_content(&identity.chain));
        let signature_key = identity.public.0.clone().into();
        Device {
            signer: SignatureKeyPair::from_raw(scheme, identity.private.0, identity.public.0),
            credential: CredentialWithKey {
                credential,
                signature_key,
            },
        }
    }
}

fn capabilities() -> Capabilities {
    let credentials = [CredentialType::X509];
    Capabilities::new(None, Some(&[SUITE]), None, None, Some(&credentials))
}

fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .use_ratchet_tree_extension(true)
        .build()
}

fn create_config() -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .capabilities(capabilities())
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .use_ratchet_tree_extension(true)
        .build()
}

fn hex_of(message: &MlsMessageOut) -> Result<String, Box<dyn Error>> {
    Ok(hex::encode(message.tls_serialize_detached()?))
}

fn body_of(message: &Hex) -> Result<MlsMessageBodyIn, Box<dyn Error>> {
    Ok(MlsMessageIn::tls_deserialize_exact(&message.0)?.extract())
}

struct Client {
    provider: OpenMlsRustCrypto,
    device: Device,
    successor: Option<Device>,
    group: Option<MlsGroup>,
}

impl Client {
    fn new(device: Device) -> Self {
        Client {
            provider: OpenMlsRustCrypto::default(),
            device,
            successor: None,
            group: None,
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::KeyPackage => self.key_package(),
            Request::Create { group_id } => self.create(&group_id),
            Request::Join { welcome } => self.join(&welcome),
            Request::ExternalJoin { group_info } => self.external_join(&group_info),
            Request::Commit(changes) => self.commit(changes),
            Request::Merge => self.merge(),
            Request::Propose { add, remove } => self.propose(add, remove),
            Request::Process { message } => self.process(&message),
            Request::Encrypt {
                data,
                authenticated_data,
            } => self.encrypt(&data, authenticated_data),
            Request::GroupInfo => self.group_info(),
            Request::State => self.state(),
            Request::Export { label, context, length } => self.export(&label, &context, length),
        }
    }

    fn key_package(&self) -> Answer {
        let bundle = KeyPackage::builder().leaf_node_capabilities(capabilities()).build(
            SUITE,
            &self.provider,
            &self.device.signer,
            self.device.credential.clone(),
        )?;
        let message = MlsMessageOut::from(bundle.key_package().clone());
        Ok(json!({ "message": hex_of(&message)? }))
    }

    fn create(&mut self, group_id: &Hex) -> Answer {
        self.group = Some(MlsGroup::new_with_group_id(
            &self.provider,
            &self.device.signer,
            &create_config(),
            GroupId::from_slice(&group_id.0),
            self.device.credential.clone(),
        )?);
        Ok(json!({}))
    }

    fn join(&mut self, welcome: &Hex) -> Answer {
        let MlsMessageBodyIn::Welcome(welcome) = body_of(welcome)? else {
            return Err("not a Welcome".into());
        };
        let staged = StagedWelcome::build_from_welcome(&self.provider, &join_config(), welcome)?;
        self.group = Some(staged.build()?.into_group(&self.provider)?);
        Ok(json!({}))
    }

    fn external_join(&mut self, group_info: &Hex) -> Answer {
        let MlsMessageBodyIn::GroupInfo(group_info) = body_of(group_info)? else {
            return Err("not a GroupInfo".into());
        };
        let leaf = LeafNodeParameters::builder().with_capabilities(capabilities());
        let provider = &self.provider;
        let (group, bundle) = MlsGroup::external_commit_builder()
            .with_config(join_config())
            .build_group(provider, group_info, self.device.credential.clone())?
            .leaf_node_parameters(leaf.build())
            .load_psks(provider.storage())?
            .build(provider.rand(), provider.crypto(), &self.device.signer, |_| true)?
            .finalize(provider)?;
        self.group = Some(group);
        Ok(json!({ "commit": hex_of(bundle.commit())? }))
    }

    fn commit(&mut self, changes: Changes) -> Answer {
        let successor = changes.rotate.map(Device::from);
        let added = changes.add.iter().map(|message| self.validated(message));
        let added = added.collect::<Result<Vec<_>, _>>()?;
        let group = self.group.as_mut().ok_or(NO_GROUP)?;
        let (rand, crypto) = (self.provider.rand(), self.provider.crypto());
        let builder = group
            .commit_builder()
            .propose_adds(added)
            .propose_removals(changes.remove.into_iter().map(LeafNodeIndex::new))
            .force_self_update(changes.path)
            .load_psks(self.provider.storage())?;
        let signer = &self.device.signer;
        let complete = match &successor {
            None => builder.build(rand, crypto, signer, |_| true)?,
            Some(new) => {
                let bundle = NewSignerBundle {
                    signer: &new.signer,
                    credential_with_key: new.credential.clone(),
                };
                builder.build_with_new_signer(rand, crypto, signer, bundle, |_| true)?
            }
        };
        let (commit, welcome, _) = complete.stage_commit(&self.provider)?.into_messages();
        self.successor = successor;
        let welcome = welcome.as_ref().map(hex_of).transpose()?;
        Ok(json!({ "commit": hex_of(&commit)?, "welcome": welcome }))
    }

    fn validated(&self, message: &Hex) -> Result<KeyPackage, Box<dyn Error>> {
        let MlsMessageBodyIn::KeyPackage(key_package) = body_of(message)? else {
            return Err("not a KeyPackage".into());
        };
        Ok(KeyPackageIn::validate(
            key_package,
            self.provider.crypto(),
            ProtocolVersion::Mls10,
        )?)
    }

    /// Applies the commit that this client made; a rotated credential is used from here on.
    fn merge(&mut self) -> Answer {
        let group = self.group.as_mut().ok_or(NO_GROUP)?;
        group.merge_pending_commit(&self.provider)?;
        if let Some(successor) = self.successor.take() {
            self.device = successor;
        }
        Ok(json!({}))
    }

    fn propose(&mut self, add: Option<Hex>, remove: Option<u32>) -> Answer {
        let added = add.map(|message| self.validated(&message)).transpose()?;
        let group = self.group.as_mut().ok_or(NO_GROUP)?;
        let (provider, signer) = (&self.provider, &self.device.signer);
        let (message, _) = match (added, remove) {
            (Some(key_package), _) => group.propose_add_member(provider, signer, &key_package)?,
            (None, Some(index)) => group.propose_remove_member(provider, signer, LeafNodeIndex::new(index))?,
            (None, None) => group.propose_self_update(provider, signer, LeafNodeParameters::default())?,
        };
        Ok(json!({ "message": hex_of(&message)? }))
    }

    fn process(&mut self, message: &Hex) -> Answer {
        let message = MlsMessageIn::tls_deserialize_exact(&message.0)?.try_into_protocol_message()?;
        let group = self.group.as_mut().ok_or(NO_GROUP)?;
        let processed = group.process_message(&self.provider, message)?;
        let sender = match processed.sender() {
            Sender::Member(index) => Some(index.u32()),
            _ => None,
        };
        let authenticated_data = hex::encode(processed.aad());
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(data) => Ok(json!({
                "kind": "application",
                "sender": sender,
                "data": hex::encode(data.into_bytes()),
                "authenticated_data": authenticated_data,
            })),
            ProcessedMessageContent::ProposalMessage(proposal) => {
                group.store_pending_proposal(self.provider.storage(), *proposal)?;
                Ok(json!({ "kind": "proposal", "sender": sender }))
            }
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                let removed_self = commit.self_removed();
                group.merge_staged_commit(&self.provider, *commit)?;
                Ok(json!({ "kind": "commit", "sender": sender, "removed_self": removed_self }))
            }
            _ => Err("a message this client does not expect".into()),
        }
    }

    fn encrypt(&mut self, data: &Hex, authenticated_data: Option<Hex>) -> Answer {
        let group = self.group.as_mut().ok_or(NO_GROUP)?;
        group.set_aad(authenticated_data.map_or_else(Vec::new, |octets| octets.0));
        let message = group.create_message(&self.provider, &self.device.signer, &data.0)?;
        Ok(json!({ "message": hex_of(&message)? }))
    }

    fn group_info(&self) -> Answer {
        let group = self.group.as_ref().ok_or(NO_GROUP)?;
        let message = group.export_group_info(self.provider.crypto(), &self.device.signer, true)?;
        Ok(json!({ "message": hex_of(&message)? }))
    }

    fn state(&self) -> Answer {
        let group = self.group.as_ref().ok_or(NO_GROUP)?;
        let members: Vec<Value> = group
            .members()
            .map(|member| {
                json!({
                    "index": member.index.u32(),
                    "credential": hex::encode(member.credential.serialized_content()),
                    "signature_key": hex::encode(&member.signature_key),
                })
            })
            .collect();
        Ok(json!({
            "active": group.is_active(),
            "epoch": group.epoch().as_u64(),
            "epoch_authenticator": hex::encode(group.epoch_authenticator().as_slice()),
            "members": members,
        }))
    }

    fn export(&self, label: &str, context: &Hex, length: usize) -> Answer {
        let group = self.group.as_ref().ok_or(NO_GROUP)?;
        let secret = group.export_secret(self.provider.crypto(), label, &context.0, length)?;
        Ok(json!({ "secret": hex::encode(secret) }))
    }
}

/// The first line is the client's identity, every other line one request.
fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = stdin().lock().lines();
    let first = lines.next().ok_or("an identity is expected")??;
    let mut client = Client::new(serde_json::from_str::<Identity>(&first)?.into());
    for line in lines {
        let request = serde_json::from_str::<Request>(&line?);
        let answer = request.map_err(Into::into).and_then(|request| client.answer(request));
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        let mut out = stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
