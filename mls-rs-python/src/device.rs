//! What the engines of one device share, and how they build an mls-rs client for one call.

use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::Duration;

use mls_rs::client_builder::{
    BaseConfig, PaddingMode, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider, WithKeyPackageRepo,
    WithMlsRules, WithPskStore,
};
use mls_rs::crypto::SignatureSecretKey;
use mls_rs::extension::ExtensionType;
use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rs_codec::MlsDecode;
use mls_rs::{CipherSuite, Client, ExtensionList, MlsMessage, WireFormat};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;

use crate::errors::{Failure, Kind, Outcome};
use crate::guard::new_owner;
use crate::provider::{Judge, Provider};
use crate::storage::{KeyPackages, LeftOut, Psks, Rules, States};
use crate::stored::{open, StoredKeyPackage};

pub type Config = WithMlsRules<
    Rules,
    WithIdentityProvider<
        Provider,
        WithPskStore<
            Psks,
            WithKeyPackageRepo<
                KeyPackages,
                WithGroupStateStorage<States, WithCryptoProvider<RustCryptoProvider, BaseConfig>>,
            >,
        >,
    >,
>;

/// A leaf without a key package of its own lives for a year; the validator's answer is what limits a credential.
const LEAF_LIFETIME: u64 = 365 * 24 * 3600;

pub struct Device {
    pub cipher_suite: CipherSuite,
    pub identity: SigningIdentity,
    pub signer: SignatureSecretKey,
    pub judge: Arc<Judge>,
    pub psks: Psks,
    pub padding: PaddingMode,
    pub encrypt_handshakes: bool,
    pub extension_types: Vec<ExtensionType>,
    /// What every leaf of this device carries (RFC 9420 §7.2).
    pub leaf_extensions: ExtensionList,
    pub past_epochs: u64,
}

/// The mutable parts behind one mls-rs client.
#[derive(Clone)]
pub struct Parts {
    pub provider: Provider,
    pub states: States,
    pub key_packages: KeyPackages,
    pub force_path: Arc<AtomicBool>,
    pub left_out: LeftOut,
}

impl Parts {
    pub fn new(judge: Arc<Judge>) -> Self {
        Self {
            provider: Provider::new(new_owner(), judge),
            states: States::default(),
            key_packages: KeyPackages::default(),
            force_path: Arc::default(),
            left_out: LeftOut::default(),
        }
    }

    /// Makes the private parts of key packages available to a join.
    pub fn offer(&self, secrets: &[impl AsRef<[u8]>]) -> Outcome<()> {
        for secret in secrets {
            let stored: StoredKeyPackage = open(secret.as_ref())?;
            self.key_packages.put(stored.reference.0.clone(), stored.data);
        }
        Ok(())
    }
}

impl Device {
    pub fn parts(&self) -> Parts {
        Parts::new(self.judge.clone())
    }

    pub fn client(&self, parts: &Parts) -> Client<Config> {
        self.client_for(parts, LEAF_LIFETIME)
    }

    pub fn client_for(&self, parts: &Parts, lifetime: u64) -> Client<Config> {
        Client::builder()
            .crypto_provider(RustCryptoProvider::new())
            .group_state_storage(parts.states.clone())
            .key_package_repo(parts.key_packages.clone())
            .psk_store(self.psks.clone())
            .identity_provider(parts.provider.clone())
            .mls_rules(Rules {
                padding: self.padding,
                encrypt_handshakes: self.encrypt_handshakes,
                force_path: parts.force_path.clone(),
                left_out: parts.left_out.clone(),
            })
            .extension_types(self.extension_types.iter().copied())
            .key_package_lifetime(Duration::from_secs(lifetime))
            .signing_identity(self.identity.clone(), self.signer.clone(), self.cipher_suite)
            .build()
    }

    /// Refuses messages of another cipher suite before mls-rs works on them with our key.
    pub fn require_suite(&self, message: &MlsMessage) -> Outcome<()> {
        if message.cipher_suite() == Some(self.cipher_suite) {
            return Ok(());
        }
        Err(Failure::new(
            Kind::Unsupported,
            "the message has another cipher suite than the engine",
        ))
    }
}

pub fn message(bytes: &[u8]) -> Outcome<MlsMessage> {
    MlsMessage::from_bytes(bytes).map_err(|_| Failure::malformed("MLSMessage"))
}

pub fn key_package_message(bytes: &[u8]) -> Outcome<MlsMessage> {
    let parsed = message(bytes)?;
    if parsed.as_key_package().is_none() {
        return Err(Failure::malformed("key package message"));
    }
    Ok(parsed)
}

/// An exported ratchet tree, exactly.
pub fn tree(bytes: &[u8]) -> Outcome<ExportedTree<'static>> {
    ExportedTree::mls_decode_exhaustive(bytes).map_err(|_| Failure::malformed("ratchet tree"))
}

/// The optional tree argument of a join.
pub fn given_tree(bytes: Option<&[u8]>) -> Outcome<Option<ExportedTree<'static>>> {
    bytes.map(tree).transpose()
}

/// A message that must be of one wire format.
pub fn parsed(bytes: &[u8], format: WireFormat) -> Outcome<MlsMessage> {
    let parsed = message(bytes)?;
    let found = parsed.wire_format();
    if found == format {
        return Ok(parsed);
    }
    Err(Failure::new(
        Kind::Unsupported,
        format!("expected {format:?}, found {found:?}"),
    ))
}
