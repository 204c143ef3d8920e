//! The floor under the bindings: the same operations on mls-rs itself, without Python.
//!
//! Reads devices from a file, measures one group size and prints `{"operation": [seconds, …]}`. Options are those of the
//! bindings: suite 0x0002, X.509 chains, RustCrypto, GroupInfo for external joins, detached commits, a snapshot
//! without the tree. Bytes go in and bytes come out, as over a network. The identity provider accepts everyone.
//!
//! Run: `cargo bench --bench native -- DEVICES MEMBERS CREATES JOINS MESSAGES COMMITS`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::time::Instant;

use mls_rs::client_builder::MlsConfig;
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs::group::{CommitSecrets, ReceivedMessage};
use mls_rs::identity::{Credential, CredentialType, SigningIdentity};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules};
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuite, Client, ExtensionList, Group, IdentityProvider, MlsMessage};
use mls_rs_core::identity::{CertificateChain, DerCertificate, MemberValidationContext};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use serde::Deserialize;

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

fn client(device: &Device) -> Client<impl MlsConfig> {
    let chain = device
        .chain
        .iter()
        .map(|certificate| DerCertificate::from(certificate.0.clone()));
    let credential = Credential::X509(CertificateChain::from(chain.collect::<Vec<_>>()));
    let public = SignaturePublicKey::from(device.public.0.clone());
    Client::builder()
        .crypto_provider(RustCryptoProvider::new())
        .identity_provider(AcceptAll)
        .mls_rules(DefaultMlsRules::new().with_commit_options(CommitOptions::new().with_allow_external_commit(true)))
        .signing_identity(
            SigningIdentity::new(credential, public),
            SignatureSecretKey::from(device.private.0.clone()),
            CipherSuite::P256_AES128,
        )
        .build()
}

#[derive(Default)]
struct Times(BTreeMap<&'static str, Vec<f64>>);

impl Times {
    fn measure<T>(&mut self, operation: &'static str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let start = Instant::now();
        let result = work()?;
        self.0.entry(operation).or_default().push(start.elapsed().as_secs_f64());
        Ok(result)
    }
}

struct Made {
    commit: Vec<u8>,
    welcome: Option<Vec<u8>>,
    secrets: Vec<u8>,
}

fn commit(group: &mut Group<impl MlsConfig>, added: &[Vec<u8>], now: MlsTime) -> Outcome<Made> {
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

fn apply(group: &mut Group<impl MlsConfig>, made: &Made) -> Outcome<()> {
    group.apply_detached_commit(CommitSecrets::from_bytes(&made.secrets)?)?;
    Ok(())
}

/// The state as it goes to the disk: without the tree, which is written only when it changed.
fn snapshot(group: &mut Group<impl MlsConfig>, with_tree: bool) -> Outcome<Option<Vec<u8>>> {
    group.write_to_storage_without_ratchet_tree()?;
    Ok(with_tree.then(|| group.export_tree().to_bytes()).transpose()?)
}

/// A group of everyone whose key package is given; the Welcome is the last member's.
fn create<C: MlsConfig>(founder: &Client<C>, key_packages: &[Vec<u8>], now: MlsTime) -> Outcome<(Group<C>, Vec<u8>)> {
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

fn talk(times: &mut Times, from: &mut Group<impl MlsConfig>, to: &mut Group<impl MlsConfig>) -> Outcome<()> {
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

fn advance(
    times: &mut Times,
    from: &mut Group<impl MlsConfig>,
    to: &mut Group<impl MlsConfig>,
    now: MlsTime,
) -> Outcome<()> {
    let made = times.measure("commit", || commit(from, &[], now))?;
    times.measure("apply", || apply(from, &made))?;
    times.measure("process", || {
        Ok(to.process_incoming_message_with_time(MlsMessage::from_bytes(&made.commit)?, now)?)
    })?;
    times.measure("snapshot_commit", || snapshot(to, true))?;
    snapshot(from, true)?;
    Ok(())
}

fn run(fixture: &Fixture, [members, creates, joins, messages, commits]: [usize; 5]) -> Outcome<Times> {
    let now = MlsTime::from(fixture.now);
    let clients: Vec<_> = fixture.devices.iter().take(members).map(client).collect();
    let none = ExtensionList::default;
    let key_packages: Result<Vec<_>, _> = clients[1..]
        .iter()
        .map(|client| {
            client
                .generate_key_package_message(none(), none(), Some(now))?
                .to_bytes()
        })
        .collect();
    let key_packages = key_packages?;
    let mut times = Times::default();
    let mut created = None;
    for _ in 0..creates {
        created = Some(times.measure("create", || create(&clients[0], &key_packages, now))?);
    }
    let (mut founder, welcome) = created.ok_or("at least one creation is needed")?;
    let mut joined = None;
    for _ in 0..joins {
        joined = Some(times.measure("join", || {
            Ok(clients[members - 1]
                .join_group(None, &MlsMessage::from_bytes(&welcome)?, Some(now))?
                .0)
        })?);
    }
    let mut joiner = joined.ok_or("at least one join is needed")?;
    snapshot(&mut founder, true)?;
    snapshot(&mut joiner, true)?;
    for _ in 0..messages {
        talk(&mut times, &mut founder, &mut joiner)?;
    }
    for _ in 0..commits {
        advance(&mut times, &mut founder, &mut joiner, now)?;
    }
    Ok(times)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let (file, numbers) = arguments
        .split_first()
        .ok_or("usage: native DEVICES MEMBERS CREATES JOINS MESSAGES COMMITS")?;
    let numbers: Result<Vec<usize>, _> = numbers.iter().map(|number| number.parse()).collect();
    let numbers: [usize; 5] = numbers?.try_into().map_err(|_| "five numbers are expected")?;
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    println!("{}", serde_json::to_string(&run(&fixture, numbers)?.0)?);
    Ok(())
}
