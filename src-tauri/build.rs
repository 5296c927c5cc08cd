//! Gives every command of the table a permission of its own: what the capability file does not name
//! is denied.

use std::path::Path;

fn main() {
    let interface = Path::new("../target/ui/dist/index.html");
    println!("cargo::rerun-if-changed={}", interface.display());
    assert!(
        interface.exists(),
        "the user interface is not built yet: run `cargo xtask ui`"
    );
    let commands = tauri_build::AppManifest::new().commands(sendense_types::commands::COMMANDS);
    let attributes = tauri_build::Attributes::new().app_manifest(commands);
    tauri_build::try_build(attributes)
        .expect("the configuration and the capability file are right");
}
