//! The tree hash of an exported tree (RFC 9420 §7.8), by which a stored state knows its tree.

use mls_rs::error::{IntoAnyError, MlsError};
use mls_rs::group::{ExportedTree, Node};
use mls_rs::mls_rs_codec::{byte_vec, MlsEncode};
use mls_rs::CipherSuiteProvider;

use crate::errors::{Failure, Outcome};
use crate::keys::Suite;

const LEAF: u8 = 1;
const PARENT: u8 = 2;

pub fn tree_hash(tree: &ExportedTree<'_>, suite: &Suite) -> Outcome<Vec<u8>> {
    let width = tree.total_leaf_count() as usize;
    let nodes = tree.nodes();
    Hashed { nodes, suite }.subtree(width - 1, width / 2)
}

struct Hashed<'a> {
    nodes: &'a [Option<Node>],
    suite: &'a Suite,
}

impl Hashed<'_> {
    /// The hash of the node at `index`, whose children are at `reach` to both sides; 0 for a leaf. Blanks at the end are
    /// not exported.
    fn subtree(&self, index: usize, reach: usize) -> Outcome<Vec<u8>> {
        let node = self.nodes.get(index).and_then(Option::as_ref);
        let mut input = Vec::new();
        if reach == 0 {
            LEAF.mls_encode(&mut input)?;
            (index as u32 / 2).mls_encode(&mut input)?;
            let leaf = node.map(|node| match node {
                Node::Leaf(leaf) => Ok(leaf),
                Node::Parent(_) => Err(misplaced()),
            });
            leaf.transpose()?.mls_encode(&mut input)?;
        } else {
            PARENT.mls_encode(&mut input)?;
            let parent = node.map(|node| match node {
                Node::Parent(parent) => Ok(parent),
                Node::Leaf(_) => Err(misplaced()),
            });
            parent.transpose()?.mls_encode(&mut input)?;
            byte_vec::mls_encode(&self.subtree(index - reach, reach / 2)?, &mut input)?;
            byte_vec::mls_encode(&self.subtree(index + reach, reach / 2)?, &mut input)?;
        }
        let hash = self.suite.hash(&input);
        hash.map_err(|error| MlsError::CryptoProviderError(error.into_any_error()).into())
    }
}

fn misplaced() -> Failure {
    Failure::malformed("ratchet tree: a node is not where its kind belongs")
}
