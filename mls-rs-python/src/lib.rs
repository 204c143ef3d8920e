//! Python bindings for mls-rs: Messaging Layer Security (RFC 9420), bytes in and bytes out.

mod device;
mod engine;
mod errors;
mod group;
mod guard;
mod incoming;
mod inspect;
mod joining;
mod keys;
mod membership;
mod observer;
mod outgoing;
mod provider;
mod report;
mod storage;
mod stored;
mod values;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _mls_rs {
    use super::*;

    #[pymodule_export]
    use super::engine::{import_key_package, Engine};
    #[pymodule_export]
    use super::group::Group;
    #[pymodule_export]
    use super::inspect::{inspect, tree_members};
    #[pymodule_export]
    use super::keys::generate_signature_key;
    #[pymodule_export]
    use super::observer::Observer;
    #[pymodule_export]
    use super::values::{
        Application, Approval, Commit, Credential, Delta, Inspected, KeyPackage, Member, Pending, Preview, Proposal,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MLS_RS_VERSION", "0.57.0")?;
        errors::register(module)
    }
}
