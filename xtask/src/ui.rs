//! `cargo xtask ui`: the window's contents as WebAssembly, a style sheet and a page, in `target/ui/dist`.
//!
//! There are two ways to get a compiler for WebAssembly: rustup's target or, if that is not available, Debian's
//! `rustc-web` with the sources of the standard library. Set SENDENSE_WASM to `rustup` or `debian` to choose one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, program, quietly};
use crate::setup;
use crate::workspace::{self, cargo};

const TARGET: &str = "wasm32-unknown-unknown";
/// Larger, and the window opens late.
const LARGEST_MODULE_BYTES: u64 = 1_300_000;
/// Style sheets that come before all others.
const FIRST_STYLES: [&str; 2] = ["tokens.css", "base.css"];

/// Where the built window contents lie, which the shell takes up; the same whatever cargo's target folder is.
pub(crate) fn dist() -> PathBuf {
    workspace::root().join("target/ui/dist")
}

/// Builds everything.
pub(crate) fn run() -> Result<()> {
    let dist = dist();
    fs::create_dir_all(&dist).with_context(|| format!("cannot create {}", dist.display()))?;
    let build = build_folder();
    let mut command = match route()? {
        Route::Rustup => cargo(),
        Route::Debian => debian()?,
    };
    let libraries = workspace::folders_of_libraries(TARGET)?;
    command
        .args(["build", "--package", "sendense-ui"])
        .args(settings(&libraries));
    process::run(&mut command)?;
    let module = build.join(TARGET).join("ui/sendense-ui.wasm");
    let bindgen = workspace::build(&["xtask-bindgen"])?.join("xtask-bindgen");
    process::run(program(bindgen).arg(&module).arg(&dist))?;
    let built = dist.join("ui_bg.wasm");
    refuse_own_paths(&built, libraries)?;
    let size = make_smaller(&built)?;
    println!("user interface: {} KiB of WebAssembly", size / 1024);
    write_page(&workspace::root().join("src-ui"), &dist)
}

/// Writes what is no WebAssembly: the page, and all style sheets in one.
pub(crate) fn write_page(source: &Path, dist: &Path) -> Result<()> {
    for file in ["index.html", "boot.js"] {
        replace(&dist.join(file), &fs::read(source.join(file))?)?;
    }
    replace(
        &dist.join("styles.css"),
        styles(&source.join("styles"))?.as_bytes(),
    )
}

/// Whoever reads the module learns nothing about the computer that it was built on.
fn refuse_own_paths(module: &Path, libraries: BTreeSet<PathBuf>) -> Result<()> {
    let bytes = fs::read(module)?;
    for folder in libraries.into_iter().chain([workspace::root()]) {
        let path = folder.as_os_str().as_encoded_bytes();
        let is_named = bytes.windows(path.len()).any(|part| part == path);
        ensure!(!is_named, "the module names {}", folder.display());
    }
    Ok(())
}

/// Takes a tenth off the module, and says how many bytes it has. Where `wasm-opt` is missing it works as it is, and no
/// limit holds.
fn make_smaller(module: &Path) -> Result<u64> {
    if process::find("wasm-opt").is_none() {
        println!(
            "missing: wasm-opt (of Binaryen), so the window's contents are larger than need be"
        );
        return Ok(fs::metadata(module)?.len());
    }
    let mut command = program("wasm-opt");
    // Again and again, until nothing becomes smaller any more. Rust's stack lies below all data, and its last KiB is
    // never reached, so addresses may be folded into what reads from them.
    command.args(["-Oz", "--converge", "--low-memory-unused"]);
    command.arg(module).arg("--output").arg(module);
    process::run(&mut command)?;
    let size = fs::metadata(module)?.len();
    ensure!(
        size <= LARGEST_MODULE_BYTES,
        "the module has {size} bytes, more than {LARGEST_MODULE_BYTES}"
    );
    Ok(size)
}

/// Clippy over everything that becomes WebAssembly, if the compiler in use has one.
pub(crate) fn clippy() -> Result<Option<Command>> {
    Ok(match route()? {
        Route::Rustup => {
            let mut command = cargo();
            command
                .args(["clippy", "--package", "sendense-ui"])
                .args(["--package", "sendense-types"])
                .args(settings(&workspace::folders_of_libraries(TARGET)?));
            Some(command)
        }
        Route::Debian => None,
    })
}

/// Where cargo builds what becomes WebAssembly.
fn build_folder() -> PathBuf {
    workspace::root().join("target/ui")
}

/// The same for building and linting, so that both share what runs while compiling.
fn settings(libraries: &BTreeSet<PathBuf>) -> Vec<OsString> {
    let mut settings = vec![
        "--quiet".into(),
        "--profile=ui".into(),
        "--target".into(),
        TARGET.into(),
        "--target-dir".into(),
        build_folder().into(),
    ];
    // Panics name their source. Where that lies on this computer is nobody's business, and the size of the module would
    // depend on it.
    for folder in libraries {
        let flag = format!("--remap-path-prefix={}=", folder.display());
        settings.push("--config".into());
        settings.push(format!("target.{TARGET}.rustflags=[{flag:?}]").into());
    }
    settings
}

/// Which compiler makes WebAssembly.
enum Route {
    Rustup,
    Debian,
}

fn route() -> Result<Route> {
    match env::var("SENDENSE_WASM").as_deref() {
        Ok("rustup") => return Ok(Route::Rustup),
        Ok("debian") => return Ok(Route::Debian),
        Ok(other) => bail!("SENDENSE_WASM is '{other}'; it knows rustup and debian"),
        Err(_) => {}
    }
    if has_target()? {
        return Ok(Route::Rustup);
    }
    println!("missing: Rust's target {TARGET}, for the window's contents");
    let added = process::run(program("rustup").args(["target", "add", TARGET]));
    if added.is_ok() && has_target()? {
        return Ok(Route::Rustup);
    }
    println!("rustup cannot add it; Debian's compiler for it does the same");
    Ok(Route::Debian)
}

/// Whether the compiler in use has a standard library for WebAssembly.
fn has_target() -> Result<bool> {
    Ok(sysroot()?
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .is_dir())
}

fn sysroot() -> Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let path = quietly(
        program(rustc)
            .current_dir(workspace::root())
            .args(["--print", "sysroot"]),
    )?;
    let path = String::from_utf8(path).context("the folder of the compiler is not UTF-8")?;
    Ok(PathBuf::from(path.trim()))
}

/// Debian's compiler, linking with the linker that comes with ours.
fn debian() -> Result<Command> {
    setup::packages(&["cargo-web", "rust-web-src", "rustc-web"])?;
    let linker = sysroot()?.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    let mut command = program("/usr/bin/cargo");
    command
        .current_dir(workspace::root())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", "/usr/bin/rustc")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        .arg("-Zbuild-std=std,panic_abort");
    Ok(command)
}

/// All style sheets in one, the values first.
fn styles(folder: &Path) -> Result<String> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.retain(|name| name.ends_with(".css"));
    names.sort_by_key(|name| {
        let place = FIRST_STYLES.iter().position(|first| first == name);
        (place.unwrap_or(FIRST_STYLES.len()), name.clone())
    });
    let mut all = String::new();
    for name in names {
        let sheet = fs::read_to_string(folder.join(&name))
            .with_context(|| format!("cannot read {name}"))?;
        all.push_str(&sheet);
    }
    Ok(all)
}

/// Writes a file unless it says so already, so that the shell is not built again for nothing.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
