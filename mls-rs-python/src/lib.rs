//! Python bindings for mls-rs: Messaging Layer Security (RFC 9420), bytes in and bytes out.

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _mls_rs {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MLS_RS_VERSION", "0.57.0")
    }
}
