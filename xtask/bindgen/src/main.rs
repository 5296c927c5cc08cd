//! `xtask-bindgen MODULE.wasm FOLDER`: what the `wasm-bindgen` command line does, in the version the user interface is
//! locked to, with nothing to install. A separate crate, so that other tasks need not wait for it to build.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let module = arguments.next().context("which module?")?;
    let folder = arguments.next().context("into which folder?")?;
    let shown = Path::new(&module).display();
    let mut bytes = fs::read(&module).with_context(|| format!("cannot read {shown}"))?;
    forbid_reference_types(&mut bytes);
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes("ui", bytes)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("ui");
    bindgen
        .generate(&folder)
        .with_context(|| format!("cannot bind {shown}"))
}

/// Says of a module that it has no reference types, as it was compiled; the linker says otherwise, because the standard
/// library could be used with them. The `wasm-opt` of current distributions breaks a module in which they are.
fn forbid_reference_types(module: &mut [u8]) {
    // An entry of the section "target_features": its sign, its length, its name.
    const ALLOWED: &[u8] = b"+\x0freference-types";
    let place = module
        .windows(ALLOWED.len())
        .rposition(|entry| entry == ALLOWED);
    if let Some(sign) = place.and_then(|place| module.get_mut(place)) {
        *sign = b'-';
    }
}
