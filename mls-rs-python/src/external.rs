//! The extension that names who may propose from outside a group (RFC 9420 §12.1.8.1).

use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rs_codec::{MlsDecode, MlsEncode};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::errors::Failure;
use crate::values::{octets, pair, Credential, Octets};

/// The content of a GroupContext extension of type 5 that names these senders, in order.
#[pyfunction]
pub fn encode_external_senders(
    py: Python<'_>,
    senders: Vec<(PyRef<'_, Credential>, PyBackedBytes)>,
) -> PyResult<Octets> {
    let identities = senders
        .iter()
        .map(|(credential, key)| SigningIdentity::new(credential.0.clone(), key.to_vec().into()));
    let extension = ExternalSendersExt::new(identities.collect());
    Ok(octets(py, &extension.mls_encode_to_vec().map_err(Failure::from)?))
}

/// The (credential, signature key) pairs that such an extension names. Raises MalformedError.
#[pyfunction]
pub fn decode_external_senders(py: Python<'_>, content: PyBackedBytes) -> PyResult<Vec<(Py<Credential>, Octets)>> {
    let extension = ExternalSendersExt::mls_decode_exhaustive(&content);
    let extension = extension.map_err(|_| Failure::malformed("external_senders extension"))?;
    extension
        .allowed_senders()
        .iter()
        .map(|sender| pair(py, sender))
        .collect()
}
