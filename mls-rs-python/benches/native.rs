//! The floor under the bindings: the same operations on mls-rs itself, without Python.
//!
//! Reads devices from a file and steps from stdin, one a line (`create`, `join`, `talk`, `advance`); answers each with
//! `{"operation": seconds, …}`. So another process can take the same steps in turns, and both meet the same weather.
//!
//! Options are those of the bindings: suite 0x0002, X.509 chains, RustCrypto, GroupInfo for external joins, detached
//! commits, a snapshot without the tree, mimalloc. Bytes go in and bytes come out. The identity provider accepts everyone.
//!
//! Run by hand: `printf 'create\njoin\ntalk\nadvance\n' | cargo bench --bench native -- DEVICES MEMBERS`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::{stdin, stdout, BufRead, Write};
use std::time::Instant;

use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithKeyPackageRepo, WithMlsRules};
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs::group::{CommitSecrets, ReceivedMessage};
use mls_rs::identity::{Credential, CredentialType, SigningIdentity};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules};
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuite, Client, ExtensionList, IdentityProvider, MlsMessage};
use mls_rs_core::identity::{CertificateChain, DerCertificate, MemberValidationContext};
use mls_rs_core::key_package::KeyPackageData;
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Members added by one commit while a group is built; the last member joins by a commit of its own.
const BATCH: usize = 250;
const MESSAGE: [u8; 1024] = [0x6d; 1024];

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Deserialize)]
struct Hex(#[serde(with = "hex::serde")] Vec<u8>);

#[derive(Deserialize)]
struct Device {
    private: Hex,
    public: Hex,
    chain: Vec<Hex>,
}

#[derive(Deserialize)]
struct Fixture {
    now: u64,
    devices: Vec<Device>,
}

#[derive(Clone)]
struct AcceptAll;

impl IdentityProvider for AcceptAll {
    type Error = Infallible;

    fn validate_member(
        &self,
        _identity: &SigningIdentity,
        _timestamp: Option<MlsTime>,
        _context: MemberValidationContext<'_>,
    ) -> Result<(), Infallible> {
        Ok(())
    }

    fn validate_external_sender(
        &self,
        _identity: &SigningIdentity,
        _timestamp: Option<MlsTime>,
        _extensions: Option<&ExtensionList>,
    ) -> Result<(), Infallible> {
        Ok(())
    }

    fn identity(&self, identity: &SigningIdentity, _extensions: &ExtensionList) -> Result<Vec<u8>, Infallible> {
        Ok(identity.signature_key.to_vec())
    }

    fn valid_successor(
        &self,
        _predecessor: &SigningIdentity,
        _successor: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> Result<bool, Infallible> {
        Ok(true)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC, CredentialType::X509]
    }
}

type Config = WithKeyPackageRepo<
    InMemoryKeyPackageStorage,
    WithMlsRules<DefaultMlsRules, WithIdentityProvider<AcceptAll, WithCryptoProvider<RustCryptoProvider, BaseConfig>>>,
>;
type Group = mls_rs::Group<Config>;

/// A client without any memory but its key packages.
fn client(device: &Device, key_packages: InMemoryKeyPackageStorage) -> Client<Config> {
    let chain = device.chain.iter();
    let chain = chain.map(|certificate| DerCertificate::from(certificate.0.clone()));
    let credential = Credential::X509(CertificateChain::from(chain.collect::<Vec<_>>()));
    let public = SignaturePublicKey::from(device.public.0.clone());
    let private = SignatureSecretKey::from(device.private.0.clone());
    Client::builder()
        .crypto_provider(RustCryptoProvider::new())
        .identity_provider(AcceptAll)
        .mls_rules(DefaultMlsRules::new().with_commit_options(CommitOptions::new().with_allow_external_commit(true)))
        .key_package_repo(key_packages)
        .signing_identity(
            SigningIdentity::new(credential, public),
            private,
            CipherSuite::P256_AES128,
        )
        .build()
}

/// Seconds of one step's operations.
#[derive(Default)]
struct Times(BTreeMap<&'static str, f64>);

impl Times {
    fn measure<T>(&mut self, operation: &'static str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let start = Instant::now();
        let result = work()?;
        self.0.insert(operation, start.elapsed().as_secs_f64());
        Ok(result)
    }
}

struct Made {
    commit: Vec<u8>,
    welcome: Option<Vec<u8>>,
    secrets: Vec<u8>,
}

fn commit(group: &mut Group, added: &[Vec<u8>], now: MlsTime) -> Outcome<Made> {
    let mut builder = group.commit_builder().commit_time(now);
    for key_package in added {
        builder = builder.add_member(MlsMessage::from_bytes(key_package)?)?;
    }
    let (output, secrets) = builder.build_detached()?;
    output
        .external_commit_group_info
        .as_ref()
        .ok_or("no GroupInfo")?
        .to_bytes()?;
    Ok(Made {
        commit: output.commit_message.to_bytes()?,
        welcome: output.welcome_messages.first().map(MlsMessage::to_bytes).transpose()?,
        secrets: secrets.to_bytes()?,
    })
}

fn apply(group: &mut Group, made: &Made) -> Outcome<()> {
    group.apply_detached_commit(CommitSecrets::from_bytes(&made.secrets)?)?;
    Ok(())
}

/// The state as it goes to the disk: without the tree, which is written only when it changed.
fn snapshot(group: &mut Group, with_tree: bool) -> Outcome<Option<Vec<u8>>> {
    group.write_to_storage_without_ratchet_tree()?;
    Ok(with_tree.then(|| group.export_tree().to_bytes()).transpose()?)
}

/// A group of everyone whose key package is given; the Welcome is the last member's.
fn create(founder: &Client<Config>, key_packages: &[Vec<u8>], now: MlsTime) -> Outcome<(Group, Vec<u8>)> {
    let none = ExtensionList::default;
    let mut group = founder.create_group_with_id(b"benchmark".to_vec(), none(), none(), Some(now))?;
    let (last, others) = key_packages.split_last().ok_or("a group has two members or more")?;
    for batch in others.chunks(BATCH) {
        let made = commit(&mut group, batch, now)?;
        apply(&mut group, &made)?;
    }
    let made = commit(&mut group, std::slice::from_ref(last), now)?;
    apply(&mut group, &made)?;
    Ok((group, made.welcome.ok_or("no Welcome")?))
}

fn talk(times: &mut Times, from: &mut Group, to: &mut Group) -> Outcome<()> {
    let sealed = times.measure("encrypt", || {
        Ok(from.encrypt_application_message(&MESSAGE, Vec::new())?.to_bytes()?)
    })?;
    times.measure("snapshot_message", || snapshot(from, false))?;
    let received = times.measure("decrypt", || {
        Ok(to.process_incoming_message(MlsMessage::from_bytes(&sealed)?)?)
    })?;
    match received {
        ReceivedMessage::ApplicationMessage(message) if message.data() == MESSAGE => Ok(()),
        _ => Err("another message came out".into()),
    }
}

fn advance(times: &mut Times, from: &mut Group, to: &mut Group, now: MlsTime) -> Outcome<()> {
    let made = times.measure("commit", || commit(from, &[], now))?;
    times.measure("apply", || apply(from, &made))?;
    times.measure("process", || {
        // What it returns holds the whole group of the epoch before: letting go of that is part of the work.
        drop(to.process_incoming_message_with_time(MlsMessage::from_bytes(&made.commit)?, now)?);
        Ok(())
    })?;
    times.measure("snapshot_commit", || snapshot(to, true))?;
    snapshot(from, true)?;
    Ok(())
}

/// The first device founds the group of all, the last one joins it by a Welcome of its own.
struct Stage {
    now: MlsTime,
    fixture: Fixture,
    key_packages: Vec<Vec<u8>>,
    joiner_secrets: Vec<(Vec<u8>, KeyPackageData)>,
    created: Option<(Group, Vec<u8>)>,
    joined: Option<Group>,
}

impl Stage {
    fn new(mut fixture: Fixture, members: usize) -> Outcome<Self> {
        let now = MlsTime::from(fixture.now);
        fixture.devices.truncate(members);
        let none = ExtensionList::default;
        let mut key_packages = Vec::new();
        let mut joiner_secrets = Vec::new();
        for device in &fixture.devices[1..] {
            let storage = InMemoryKeyPackageStorage::new();
            let message = client(device, storage.clone()).generate_key_package_message(none(), none(), Some(now))?;
            key_packages.push(message.to_bytes()?);
            joiner_secrets = storage.key_packages();
        }
        Ok(Self {
            now,
            fixture,
            key_packages,
            joiner_secrets,
            created: None,
            joined: None,
        })
    }

    fn step(&mut self, name: &str) -> Outcome<Times> {
        let mut times = Times::default();
        match name {
            "create" => self.create(&mut times)?,
            "join" => self.join(&mut times)?,
            _ => {
                let (founder, _) = self.created.as_mut().ok_or("create first")?;
                let joiner = self.joined.as_mut().ok_or("join first")?;
                match name {
                    "talk" => talk(&mut times, founder, joiner)?,
                    "advance" => advance(&mut times, founder, joiner, self.now)?,
                    _ => return Err("the steps are create, join, talk and advance".into()),
                }
            }
        }
        Ok(times)
    }

    fn create(&mut self, times: &mut Times) -> Outcome<()> {
        let founder = client(&self.fixture.devices[0], InMemoryKeyPackageStorage::new());
        let mut created = times.measure("create", || create(&founder, &self.key_packages, self.now))?;
        snapshot(&mut created.0, true)?;
        self.created = Some(created);
        Ok(())
    }

    fn join(&mut self, times: &mut Times) -> Outcome<()> {
        let (_, welcome) = self.created.as_ref().ok_or("create first")?;
        let storage = InMemoryKeyPackageStorage::new();
        for (reference, secret) in &self.joiner_secrets {
            storage.insert(reference.clone(), secret.clone());
        }
        let joiner = client(self.fixture.devices.last().ok_or("no devices")?, storage);
        let mut joined = times.measure("join", || {
            let welcome = MlsMessage::from_bytes(welcome)?;
            Ok(joiner.join_group(None, &welcome, Some(self.now))?.0)
        })?;
        snapshot(&mut joined, true)?;
        self.joined = Some(joined);
        Ok(())
    }
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let usage = "usage: native DEVICES MEMBERS";
    let (file, members) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let mut stage = Stage::new(fixture, members.parse()?)?;
    for line in stdin().lock().lines() {
        let mut out = stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&stage.step(line?.trim())?.0)?)?;
        out.flush()?;
    }
    Ok(())
}
