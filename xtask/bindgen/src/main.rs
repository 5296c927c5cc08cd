//! `xtask-bindgen MODULE.wasm FOLDER`: what the `wasm-bindgen` command line does, in the version the user interface is
//! locked to, with nothing to install. A separate crate, so that other tasks need not wait for it to build.

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
