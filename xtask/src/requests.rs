//! `cargo xtask requests`: schemathesis asks a running hub whatever its OpenAPI document allows, and what it forbids.
//!
//! The hub has a sample VM with two recovery points, a second repository with copies, and an open mount. It must not
//! fail (500) and must answer nothing that the document does not say: neither a status, nor a type of content, nor a
//! field. Afterwards it must be well, and the recovery points as they were. `hooks.py` keeps requests inside the run's
//! folder, and bounds what is written and deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use sendense_fixtures::{SAMPLE_VM, unpack_sample};
use serde_json::{Value, json};

use crate::bench::Hub;
use crate::process::{self, program, quietly};
use crate::tally::Skipped;
use crate::{setup, workspace};

/// Pinned: the next version finds something else.
const VERSION: &str = "4.32.5";
const HOOKS: &str = include_str!("requests/hooks.py");
const SETTINGS: &str = include_str!("requests/schemathesis.toml");

/// For each operation and phase.
const MOST_EXAMPLES: &str = "60";
/// For all of it; requests that are under way then still end.
const MOST_SECONDS: &str = "300";
/// When something hangs.
const GIVEN_UP_SECONDS: &str = "360";

/// Inside the mount.
const PATHS: &[&str] = &[
    "/",
    "/partition-2",
    "/partition-2/Recovery/WindowsRE",
    "/Recovery/WindowsRE/ReAgent.xml",
];

/// What is not looked at, and why.
const UNCHECKED: &[(&str, &str)] = &[
    (
        "positive_data_acceptance",
        "whether there is anything by a name or at a path is in no schema",
    ),
    (
        "missing_required_header",
        "the only one is that of the token, which `ignored_auth` looks at",
    ),
];

/// How requests are chosen.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Repeats the requests of an earlier run, as far as the hub's answers allow
    #[arg(long)]
    seed: Option<u32>,
    /// Ask this `sendense` and build none
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Asks the `sendense` that was built before.
pub(crate) fn run_built() -> Result<Option<Skipped>> {
    run(&Options {
        program: Some(workspace::target()?.join("debug/sendense")),
        ..Options::default()
    })
}

/// Asks everything. It cannot be done where schemathesis cannot be had.
pub(crate) fn run(options: &Options) -> Result<Option<Skipped>> {
    let target = workspace::target()?;
    let schemathesis = match installed(&target.join("tools/schemathesis")) {
        Ok(installed) => installed,
        Err(error) => {
            return Ok(Some(Skipped {
                what: "requests by schemathesis",
                reason: format!("it cannot be installed: {}", process::last_line(&error)),
            }));
        }
    };
    let sendense = match &options.program {
        Some(program) => program.canonicalize().context("there is no such program")?,
        None => workspace::build(&["sendense"])?.join("sendense"),
    };
    let folder = target.join("requests");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove the last run in {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let place = Place::start(&sendense, &folder, &target)?;
    let seed = options.seed.unwrap_or_else(std::process::id);
    println!("`cargo xtask requests --seed {seed}` repeats this run's choices");
    let outcome = process::run(&mut place.asking(&schemathesis, seed)?);
    place.hold()?;
    outcome.context("schemathesis found faults; they are listed above")?;
    Ok(None)
}

/// The program, in an environment of its own.
fn installed(environment: &Path) -> Result<PathBuf> {
    let path = environment.join("bin/schemathesis");
    let is_there = || {
        quietly(program(&path).arg("--version"))
            .is_ok_and(|said| String::from_utf8_lossy(&said).contains(VERSION))
    };
    if is_there() {
        return Ok(path);
    }
    println!("installing schemathesis {VERSION}, which asks by the OpenAPI document");
    let make = || quietly(program("python3").args(["-m", "venv"]).arg(environment));
    if make().is_err() {
        setup::packages(&["python3", "python3-venv"])?;
        make()?;
    }
    let mut pip = program(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    quietly(pip.arg(format!("schemathesis=={VERSION}")))?;
    ensure!(is_there(), "{} does not start", path.display());
    Ok(path)
}

/// A running hub with something on it.
struct Place {
    hub: Hub,
    folder: PathBuf,
    vms: PathBuf,
    /// The second repository; the first is the hub's own.
    repositories: [String; 2],
    /// Recovery points that must be there and sound at the end, the second building on the first.
    backups: [String; 2],
    mount: String,
    /// May be closed.
    other_mount: String,
}

impl Place {
    fn start(sendense: &Path, folder: &Path, target: &Path) -> Result<Self> {
        let vms = folder.join("vms");
        fs::create_dir_all(&vms)?;
        let unpacked = unpack_sample(&target.join("fixtures"))?;
        process::run(
            program("cp")
                .args(["-R", "--sparse=always", "--reflink=auto"])
                .args([&unpacked, &vms.join(SAMPLE_VM)]),
        )?;
        let hub = Hub::start_with(sendense, folder, &[])?;
        hub.json(&["vm", "discover", "vms"])?;
        let first = text(&hub.json(&["repository", "list"])?, "/repositories/0/id")?;
        let second = text(
            &hub.json(&["repository", "add", "second", "second"])?,
            "/id",
        )?;
        let backup = || {
            let backup = hub.json(&[
                "backup",
                "start",
                SAMPLE_VM,
                "--repository",
                &first,
                "--wait",
            ])?;
            text(&backup, "/backup_id")
        };
        let backups = [backup()?, backup()?];
        for backup in &backups {
            hub.json(&["backup", "pin", backup])?;
        }
        hub.json(&["repository", "copy", &backups[1], "--to", "second"])?;
        let mount = |disk: &str| {
            let mount = hub.json(&["restore", "mount", &backups[1], "--disk", disk])?;
            text(&mount, "/mount_id")
        };
        Ok(Self {
            mount: mount("0")?,
            other_mount: mount("1")?,
            folder: folder.to_path_buf(),
            vms,
            repositories: [first, second],
            backups,
            hub,
        })
    }

    /// The command that asks.
    fn asking(&self, schemathesis: &Path, seed: u32) -> Result<Command> {
        let settings = self.folder.join("schemathesis.toml");
        fs::write(&settings, SETTINGS)?;
        fs::write(self.folder.join("hooks.py"), HOOKS)?;
        let unchecked: Vec<&str> = UNCHECKED.iter().map(|(check, _)| *check).collect();
        let mut command = program("timeout");
        command.arg(GIVEN_UP_SECONDS).arg(schemathesis);
        command.arg("--config-file").arg(&settings);
        command
            .arg("run")
            .arg(workspace::root().join("docs/openapi.json"))
            .args(["--url", self.hub.url()])
            .args(["--max-examples", MOST_EXAMPLES, "--max-time", MOST_SECONDS])
            .args(["--seed", &seed.to_string(), "--generation-database", "none"])
            .args(["--exclude-checks", &unchecked.join(",")])
            .args(["--request-timeout", "60", "--continue-on-failure"])
            .args(["--no-color", "--warnings", "off"])
            .current_dir(&self.folder)
            .env("PYTHONPATH", &self.folder)
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .env("SENDENSE_KEY", self.key()?)
            .env("SENDENSE_FACTS", self.facts().to_string());
        Ok(command)
    }

    /// The key that is always good.
    fn key(&self) -> Result<String> {
        let address = fs::read_to_string(self.folder.join("data/hub.json"))?;
        text(&serde_json::from_str(&address)?, "/key")
    }

    /// What there is, for the hooks.
    fn facts(&self) -> Value {
        let mut paths: Vec<Value> = PATHS.iter().copied().map(Value::from).collect();
        paths.extend(["second", "new/repository"].map(|name| json!(self.folder.join(name))));
        json!({
            "folder": self.folder,
            "kept": [self.backups[0], self.backups[1], self.mount],
            "known": {
                "vm": [SAMPLE_VM],
                "vm_name": [SAMPLE_VM],
                "vm_names": [SAMPLE_VM],
                "backup_id": self.backups,
                "copy_id": [1],
                "disk_index": [0, 1, 2],
                "mount_id": [self.mount, self.other_mount],
                "repository_id": self.repositories,
                "id": self.repositories,
                "folder": [self.vms],
                "path": paths,
            },
        })
    }

    /// After all that, the hub is well, and what it kept is what was backed up.
    fn hold(&self) -> Result<()> {
        for backup in &self.backups {
            let verified = self.hub.json(&["backup", "verify", backup])?;
            let status = verified["status"].as_str().unwrap_or_default();
            ensure!(status == "sound", "{backup} is no longer sound: {verified}");
        }
        self.hub.json(&["restore", "ls", &self.mount, "/"])?;
        Ok(())
    }
}

/// A text inside an answer.
fn text(answer: &Value, pointer: &str) -> Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    let text = text.with_context(|| format!("the answer has no {pointer}: {answer}"))?;
    Ok(text.to_owned())
}
