//! `xtask-bindgen MODULE.wasm FOLDER`: what the `wasm-bindgen` command line does, in the version that the
//! user interface is locked to and without anything to install. A crate of its own, so that all other
//! tasks need not wait until it is built.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let module = arguments.next().context("which module?")?;
    let folder = arguments.next().context("into which folder?")?;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&module)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("ui");
    bindgen
        .generate(&folder)
        .with_context(|| format!("cannot bind {}", module.display()))
}
