//! Python bindings for mls-rs: Messaging Layer Security (RFC 9420), bytes in and bytes out.

mod device;
mod engine;
mod errors;
mod external;
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
mod tree_hash;
mod values;

use pyo3::prelude::*;

/// mls-rs copies the whole tree at each commit and snapshot, in thousands of small pieces: the system's allocator took as long
/// over that as the rest of the work did.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule(gil_used = false)]
mod _mls_rs {
    use super::*;
    use pyo3::types::{PyBytes, PyInt, PyList};

    #[pymodule_export]
    use super::engine::{import_key_package, Engine};
    #[pymodule_export]
    use super::external::{decode_external_senders, encode_external_senders};
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
        Proposed,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MLS_RS_VERSION", "0.57.0")?;
        callables(module)?;
        errors::register(module)
    }

    /// The types of the two callables, for annotations.
    fn callables(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let (octets, integer) = (py.get_type::<PyBytes>(), py.get_type::<PyInt>());
        let (credential, approval) = (py.get_type::<Credential>(), py.get_type::<Approval>());
        let callable = py.import("collections.abc")?.getattr("Callable")?;
        let asked = PyList::new(py, [credential.as_any(), octets.as_any(), integer.as_any()])?;
        module.add("Validate", callable.get_item((&asked, approval))?)?;
        module.add("ValidateExternal", callable.get_item((asked, py.None()))?)?;
        let asked = [
            credential.as_any(),
            octets.as_any(),
            credential.as_any(),
            octets.as_any(),
        ];
        module.add("Succeed", callable.get_item((PyList::new(py, asked)?, py.None()))?)
    }
}
