//! Programs from the registry that checks and packages need, each in a fixed version, kept in the target folder.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process::{self, program};
use crate::workspace::{self, cargo};

/// A program of a crate of the registry.
pub(crate) struct Tool {
    /// The crate, whose program has the same name or that in `program`.
    pub(crate) name: &'static str,
    /// The program, without the system's ending.
    pub(crate) program: &'static str,
    /// The version that is used; another one may find or make something else.
    pub(crate) version: &'static str,
    /// What it is for, to be read after "which".
    pub(crate) purpose: &'static str,
    /// Whether it works so hard that it pays to wait for an optimised build.
    pub(crate) is_optimised: bool,
}

impl Tool {
    /// Where it is; it is built the first time.
    pub(crate) fn installed(&self) -> Result<PathBuf> {
        let root = workspace::target()?.join("tools");
        let path =
            root.join("bin")
                .join(format!("{}{}", self.program, std::env::consts::EXE_SUFFIX));
        let is_there = || {
            // Some of cargo's commands want their own name as first argument, and all of them answer then.
            program(&path)
                .arg("--version")
                .output()
                .is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(self.version))
        };
        if is_there() {
            return Ok(path);
        }
        println!(
            "building {} {}, which {}; this takes some minutes",
            self.name, self.version, self.purpose
        );
        let mut install = cargo();
        install
            .args(["install", self.name, "--locked", "--force", "--quiet"])
            .args(["--version", self.version, "--root"])
            .arg(&root)
            // Its build must not wait for one of the workspace, nor stay after it.
            .env_remove("CARGO_TARGET_DIR");
        if !self.is_optimised {
            install
                .arg("--debug")
                .env("CARGO_PROFILE_DEV_DEBUG", "false")
                .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        }
        process::run(&mut install).with_context(|| format!("{} cannot be installed", self.name))?;
        ensure!(is_there(), "{} does not start", path.display());
        Ok(path)
    }
}
