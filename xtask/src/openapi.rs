//! `cargo xtask openapi`: writes docs/openapi.json, which a test of the hub makes and compares.

use anyhow::Result;

use crate::process::quietly;
use crate::workspace::cargo;

/// Writes the document anew.
pub(crate) fn run() -> Result<()> {
    quietly(
        cargo()
            // With the libraries that everything else is tested with.
            .args(["test", "--quiet", "--workspace", "--lib"])
            .arg("openapi::the_document_on_record")
            .env("SENDENSE_WRITE_OPENAPI", "1"),
    )
    .map(drop)
}
