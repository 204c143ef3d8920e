//! Private keys on their way in and out, and cipher suites.

use ed25519_dalek::SigningKey;
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs::{CipherSuite, CipherSuiteProvider, CryptoProvider};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyByteArrayMethods, PyBytes};
use zeroize::Zeroizing;

use crate::errors::{Failure, Kind, Outcome};

pub type Suite = <RustCryptoProvider as CryptoProvider>::CipherSuiteProvider;
const ED25519_SEED: usize = 32;

pub fn suite(cipher_suite: CipherSuite) -> Outcome<Suite> {
    RustCryptoProvider::new()
        .cipher_suite_provider(cipher_suite)
        .ok_or_else(|| {
            Failure::new(
                Kind::Unsupported,
                format!(
                    "cipher suite {} is not in this build (1, 2, 3 and 7 are)",
                    cipher_suite.raw_value()
                ),
            )
        })
}

fn is_ed25519(cipher_suite: CipherSuite) -> bool {
    matches!(
        cipher_suite,
        CipherSuite::CURVE25519_AES128 | CipherSuite::CURVE25519_CHACHA
    )
}

/// Copies a secret out of a bytearray and wipes the bytearray.
pub fn absorb(secret: &Bound<'_, PyByteArray>) -> Zeroizing<Vec<u8>> {
    let copy = Zeroizing::new(secret.to_vec());
    // SAFETY: the GIL is held and no Python code runs while the slice lives.
    unsafe { secret.as_bytes_mut() }.fill(0);
    copy
}

/// The signer in the form that RustCrypto wants, and its public key. Ed25519 keys enter as their 32-byte seed.
pub fn signer(cipher_suite: CipherSuite, secret: &[u8]) -> Outcome<(SignatureSecretKey, SignaturePublicKey)> {
    let invalid = || Failure::malformed("signature key of this cipher suite");
    let secret = if is_ed25519(cipher_suite) {
        let seed = secret.try_into().map_err(|_| invalid())?;
        SignatureSecretKey::new(SigningKey::from_bytes(seed).to_keypair_bytes().to_vec())
    } else {
        SignatureSecretKey::new_slice(secret)
    };
    let public = suite(cipher_suite)?
        .signature_key_derive_public(&secret)
        .map_err(|_| invalid())?;
    Ok((secret, public))
}

/// A fresh (private, public) signature key pair.
#[pyfunction]
pub fn generate_signature_key<'py>(
    py: Python<'py>,
    cipher_suite: u16,
) -> PyResult<(Bound<'py, PyByteArray>, Bound<'py, PyBytes>)> {
    let cipher_suite = CipherSuite::new(cipher_suite);
    let pair = suite(cipher_suite)?.signature_key_generate();
    let (secret, public) = pair.map_err(|_| Failure::new(Kind::Engine, "no signature key could be made"))?;
    let octets = secret.as_bytes();
    let length = if is_ed25519(cipher_suite) {
        ED25519_SEED
    } else {
        octets.len()
    };
    let exported = octets.get(..length).unwrap_or(octets);
    Ok((PyByteArray::new(py, exported), PyBytes::new(py, &public)))
}
