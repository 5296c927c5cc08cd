//! Other people's backup programs, with their default settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::measure::{Run, timed};
use crate::process::{program, quietly};

/// A restic repository.
pub(super) struct Restic {
    folder: PathBuf,
}

/// A borg repository, without encryption, as fast as it gets.
pub(super) struct Borg {
    folder: PathBuf,
}

impl Restic {
    /// An empty repository below that folder.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let restic = Self {
            folder: folder.to_path_buf(),
        };
        quietly(restic.command().arg("init"))?;
        Ok(restic)
    }

    /// `restic backup`.
    pub(super) fn back_up(&self, file: &Path) -> Result<Run> {
        let mut backup = self.command();
        backup.args(["backup", "--quiet"]).arg(file);
        timed(backup, || Ok(()))
    }

    fn command(&self) -> Command {
        let mut command = program("restic");
        command
            .env("RESTIC_REPOSITORY", self.folder.join("restic"))
            .env("RESTIC_PASSWORD", "bench")
            .env("RESTIC_CACHE_DIR", self.folder.join("restic-cache"));
        command
    }
}

impl Borg {
    /// An empty repository below that folder.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let borg = Self {
            folder: folder.to_path_buf(),
        };
        let repository = borg.repository();
        quietly(
            borg.command()
                .args(["init", "--encryption", "none", &repository]),
        )?;
        Ok(borg)
    }

    /// `borg create`, under that name.
    pub(super) fn back_up(&self, file: &Path, name: &str) -> Result<Run> {
        let mut create = self.command();
        create
            .arg("create")
            .arg(format!("{}::{name}", self.repository()));
        create.arg(file);
        timed(create, || Ok(()))
    }

    fn repository(&self) -> String {
        self.folder.join("borg").display().to_string()
    }

    fn command(&self) -> Command {
        let mut command = program("borg");
        command
            .env("BORG_BASE_DIR", self.folder.join("borg-home"))
            .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        command
    }
}

/// Which versions are measured.
pub(super) fn versions() -> Result<String> {
    let mut versions = Vec::new();
    for (name, argument) in [
        ("qemu-img", "--version"),
        ("restic", "version"),
        ("borg", "--version"),
    ] {
        let said = quietly(program(name).arg(argument))?;
        let said = String::from_utf8_lossy(&said);
        versions.push(said.lines().next().unwrap_or_default().to_owned());
    }
    Ok(versions.join("; "))
}
