//! The peer's requests, and a certificate chain in the form that OpenMLS leaves to the application.

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(transparent)]
pub struct Hex(#[serde(with = "hex::serde")] pub Vec<u8>);

/// A P-256 key (32-byte scalar, 65-byte point) and the DER chain that certifies it, leaf first.
#[derive(Deserialize)]
pub struct Identity {
    pub private: Hex,
    pub public: Hex,
    pub chain: Vec<Hex>,
}

/// What a commit is to contain, proposals cached before it aside.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Changes {
    pub add: Vec<Hex>,
    pub remove: Vec<u32>,
    pub path: bool,
    pub rotate: Option<Identity>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    KeyPackage,
    Create {
        group_id: Hex,
    },
    Join {
        welcome: Hex,
    },
    ExternalJoin {
        group_info: Hex,
    },
    Commit(Changes),
    Merge,
    /// An Add, a Remove, or with neither an Update.
    Propose {
        add: Option<Hex>,
        remove: Option<u32>,
    },
    Process {
        message: Hex,
    },
    Encrypt {
        data: Hex,
        authenticated_data: Option<Hex>,
    },
    GroupInfo,
    State,
    Export {
        label: String,
        context: Hex,
        length: usize,
    },
}

/// The contents of `Certificate certificates<V>` (RFC 9420 §5.3): OpenMLS writes the outer length itself.
pub fn chain_content(chain: &[Hex]) -> Vec<u8> {
    let mut content = Vec::new();
    for certificate in chain {
        content.extend(variable_length(certificate.0.len()));
        content.extend_from_slice(&certificate.0);
    }
    content
}

/// A length as RFC 9420 §2.1.2 writes it, in the shortest form.
fn variable_length(length: usize) -> Vec<u8> {
    match length {
        0..=0x3f => vec![length as u8],
        0x40..=0x3fff => (length as u16 | 0x4000).to_be_bytes().to_vec(),
        _ => (length as u32 | 0x8000_0000).to_be_bytes().to_vec(),
    }
}
