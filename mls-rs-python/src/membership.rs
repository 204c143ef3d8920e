//! A member's group: what lies behind the lock of a Python `Group`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs::ExtensionList;
use zeroize::Zeroizing;

use crate::device::{tree, Config, Device, Parts};
use crate::errors::{Failure, Kind, Outcome};
use crate::keys::suite;
use crate::report::{no_member, After, CommitReport, Leaf};
use crate::stored::{
    identities, open_with, restore_identities, seal_with, Octets, PastLeaf, Sealed, Secret, StoredEpoch, StoredGroup,
};
use crate::tree_hash::tree_hash;

pub struct Membership {
    pub device: Arc<Device>,
    pub parts: Parts,
    pub group: mls_rs::Group<Config>,
    /// For each past epoch still known here, the leaves that the next epoch changed.
    departed: BTreeMap<u64, Vec<PastLeaf>>,
    /// Epochs that the caller gave to `load`.
    given: BTreeSet<u64>,
    /// Past epochs read since the last delta: their rows are still to be written.
    touched: BTreeSet<u64>,
    beside: Option<Beside>,
    /// Whether a commit since `beside` was filled brought, took or changed a credential or a key.
    roster_changed: bool,
    ledger: Ledger,
}

/// What is stored beside the snapshot and depends on the tree only.
struct Beside {
    tree_hash: Vec<u8>,
    identities: Vec<Octets>,
}

/// What was handed out by `delta` and not yet acknowledged.
#[derive(Default)]
struct Ledger {
    token: u64,
    rows: Vec<Row>,
    used: Vec<(u64, Vec<u8>)>,
    reported: BTreeSet<Vec<u8>>,
    trees: Vec<(u64, Vec<u8>)>,
    stored_tree: Vec<u8>,
    /// The epoch of the last delta: what came after is not written yet.
    written_epoch: u64,
}

struct Row {
    token: u64,
    insert: bool,
    epoch: u64,
    bytes: Arc<Sealed>,
}

pub struct DeltaParts {
    pub state: Sealed,
    pub tree: Option<Vec<u8>>,
    pub epoch: u64,
    pub inserts: Vec<(u64, Arc<Sealed>)>,
    pub updates: Vec<(u64, Arc<Sealed>)>,
    pub used: Vec<Vec<u8>>,
    pub token: u64,
}

impl Membership {
    pub fn new(device: Arc<Device>, parts: Parts, group: mls_rs::Group<Config>) -> Self {
        Self {
            device,
            parts,
            group,
            departed: BTreeMap::new(),
            given: BTreeSet::new(),
            touched: BTreeSet::new(),
            beside: None,
            roster_changed: true,
            ledger: Ledger::default(),
        }
    }

    /// A group from its stored state, its tree and as many past epochs as the caller kept.
    pub fn load(device: &Arc<Device>, state: &[u8], tree_bytes: &[u8], epochs: Vec<(u64, Vec<u8>)>) -> Outcome<Self> {
        let (stored, snapshot): (StoredGroup, _) = open_with(state)?;
        if stored.cipher_suite != device.cipher_suite.raw_value() {
            return Err(Failure::new(
                Kind::Unsupported,
                "the state has another cipher suite than the engine",
            ));
        }
        let exported = tree(tree_bytes)?;
        if tree_hash(&exported, &suite(device.cipher_suite)?)? != stored.tree_hash.0 {
            return Err(Failure::malformed("ratchet tree of this state"));
        }
        let parts = device.parts();
        let (rows, departed) = open_rows(epochs)?;
        let given = rows.keys().copied().collect();
        parts.states.put(Zeroizing::new(snapshot.to_vec()), rows);
        restore_identities(&exported, stored.identities, &parts.provider)?;
        let group = device
            .client(&parts)
            .load_group_with_ratchet_tree(&stored.group_id.0, exported)?;
        parts.states.drop_state();
        let mut member = Self::new(device.clone(), parts, group);
        member.departed = departed;
        member.given = given;
        member.ledger.stored_tree = member.tree_hash().to_vec();
        Ok(member)
    }

    pub fn tree_hash(&self) -> &[u8] {
        &self.group.context().tree_hash
    }

    pub fn epoch(&self) -> u64 {
        self.group.current_epoch()
    }

    pub fn tree(&self) -> ExportedTree<'_> {
        self.group.export_tree()
    }

    pub fn leaf(&self, index: u32) -> Outcome<Leaf> {
        Leaf::in_tree(&self.tree(), index, &self.parts.provider)
    }

    pub fn leaf_extensions(&self, index: u32) -> Outcome<ExtensionList> {
        let member = self.group.member_at_index(index);
        Ok(member.ok_or_else(|| no_member(index))?.extensions)
    }

    pub fn own_identity(&self) -> Outcome<SigningIdentity> {
        Ok(self.group.current_member_signing_identity()?.clone())
    }

    pub fn after(&self) -> After<'_> {
        After {
            tree: self.tree(),
            context: self.group.context(),
            provider: &self.parts.provider,
        }
    }

    /// Remembers which leaves a commit changed, for readers of late messages of `epoch`.
    pub fn note_departures(&mut self, epoch: u64, report: &CommitReport) {
        // A report of a reinitialisation names no leaves.
        self.roster_changed |= report.reinit || report.changes_leaves();
        let departed = report.departed().into_iter().map(PastLeaf::from);
        self.departed.insert(epoch, departed.collect());
    }

    pub fn touch(&mut self, epoch: u64) {
        self.touched.insert(epoch);
    }

    /// Whether the sender of a message of `epoch` could be named: every later epoch's changes are known.
    pub fn knows_since(&self, epoch: u64) -> bool {
        (epoch..self.epoch()).all(|past| self.departed.contains_key(&past))
    }

    /// The leaf as it was in `epoch`: the first later epoch that changed it tells, else it is as today.
    pub fn leaf_in_epoch(&self, epoch: u64, index: u32) -> Outcome<Leaf> {
        let changes = self.departed.range(epoch..self.epoch()).flat_map(|(_, leaves)| leaves);
        match changes.into_iter().find(|leaf| leaf.index == index) {
            Some(past) => Ok(past.into()),
            None => self.leaf(index),
        }
    }

    pub fn delta(&mut self) -> Outcome<DeltaParts> {
        self.group.write_to_storage_without_ratchet_tree()?;
        let written = self.parts.states.take_written();
        self.refresh_beside()?;
        let token = self.ledger.token + 1;
        self.ledger.token = token;
        self.ledger.written_epoch = self.epoch();
        self.touched.clear();
        for (insert, records) in [(true, written.inserts), (false, written.updates)] {
            for (epoch, secrets) in records {
                let bytes = Arc::new(self.seal_row(epoch, secrets)?);
                self.ledger.rows.push(Row {
                    token,
                    insert,
                    epoch,
                    bytes,
                });
            }
        }
        for reference in self.parts.key_packages.take_used() {
            if self.ledger.reported.insert(reference.clone()) {
                self.ledger.used.push((token, reference));
            }
        }
        let hash = self.tree_hash().to_vec();
        let changed = hash != self.ledger.stored_tree;
        self.ledger.trees.push((token, hash));
        Ok(DeltaParts {
            state: self.seal_state(written.state)?,
            tree: changed.then(|| self.tree().to_bytes()).transpose()?,
            epoch: self.epoch(),
            inserts: self.ledger.rows(true),
            updates: self.ledger.rows(false),
            used: self
                .ledger
                .used
                .iter()
                .map(|(_, reference)| reference.clone())
                .collect(),
            token,
        })
    }

    fn refresh_beside(&mut self) -> Outcome<()> {
        let tree_hash = &self.group.context().tree_hash;
        let provider = &self.parts.provider;
        match &mut self.beside {
            Some(beside) if beside.tree_hash == *tree_hash => {}
            // Most commits leave every credential and key as it was.
            Some(beside) if !self.roster_changed => {
                provider.forget_fresh();
                beside.tree_hash.clone_from(tree_hash);
            }
            _ => {
                let (identities, leaves) = identities(&self.group.export_tree(), provider)?;
                provider.settle_all(leaves);
                self.roster_changed = false;
                self.beside = Some(Beside {
                    tree_hash: tree_hash.clone(),
                    identities,
                });
            }
        }
        Ok(())
    }

    fn seal_state(&mut self, snapshot: Secret) -> Outcome<Sealed> {
        let beside = self.beside.as_mut();
        let beside = beside.ok_or_else(|| Failure::new(Kind::Engine, "the tree is unknown"))?;
        let head = StoredGroup {
            group_id: Octets(self.group.group_id().to_vec()),
            cipher_suite: self.group.cipher_suite().raw_value(),
            tree_hash: Octets(beside.tree_hash.clone()),
            identities: std::mem::take(&mut beside.identities),
        };
        let sealed = seal_with(&head, snapshot);
        beside.identities = head.identities;
        sealed
    }

    fn seal_row(&self, epoch: u64, secrets: Secret) -> Outcome<Sealed> {
        let departed = self.departed.get(&epoch).cloned().unwrap_or_default();
        seal_with(&StoredEpoch { epoch, departed }, secrets)
    }

    /// The caller's transaction with this delta is durable: forget what it holds, and the past epochs beyond the window.
    pub fn ack(&mut self, token: u64) -> Outcome<()> {
        if token == 0 || token > self.ledger.token {
            return Err(Failure::new(Kind::Engine, "no delta with this token was made").code("unknown_token"));
        }
        self.ledger.acknowledge(token);
        let oldest = self.epoch().saturating_sub(self.device.past_epochs);
        let unstored: BTreeSet<u64> = self.ledger.rows.iter().map(|row| row.epoch).collect();
        let written = self.ledger.written_epoch;
        let (given, touched) = (&self.given, &self.touched);
        let keep = |epoch: u64| {
            epoch >= oldest.min(written) || [given, touched, &unstored].iter().any(|kept| kept.contains(&epoch))
        };
        self.parts.states.retain(keep);
        self.departed.retain(|epoch, _| keep(*epoch));
        Ok(())
    }
}

impl Ledger {
    fn rows(&self, insert: bool) -> Vec<(u64, Arc<Sealed>)> {
        let rows = self.rows.iter().filter(|row| row.insert == insert);
        rows.map(|row| (row.epoch, row.bytes.clone())).collect()
    }

    fn acknowledge(&mut self, token: u64) {
        self.rows.retain(|row| row.token > token);
        self.used.retain(|(given, _)| *given > token);
        if let Some((_, hash)) = self.trees.iter().rfind(|(given, _)| *given <= token) {
            self.stored_tree = hash.clone();
        }
        self.trees.retain(|(given, _)| *given > token);
    }
}

type OpenRows = (BTreeMap<u64, Secret>, BTreeMap<u64, Vec<PastLeaf>>);

fn open_rows(epochs: Vec<(u64, Vec<u8>)>) -> Outcome<OpenRows> {
    let mut rows = BTreeMap::new();
    let mut departed = BTreeMap::new();
    for (epoch, bytes) in epochs {
        let (stored, secrets): (StoredEpoch, _) = open_with(&bytes)?;
        if stored.epoch != epoch {
            return Err(Failure::malformed("epoch row of this epoch"));
        }
        rows.insert(epoch, Arc::new(Zeroizing::new(secrets.to_vec())));
        departed.insert(epoch, stored.departed);
    }
    Ok((rows, departed))
}
