//! Test binaries: all built at once, then run one by one without cargo, so that each phase runs its own tests.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::{Artifact, Message};

use crate::process::{program, quietly, shown};
use crate::tally::Report;
use crate::workspace::{self, cargo};

/// One test binary that cargo built.
#[derive(Debug)]
pub(super) struct TestBinary {
    /// The package it belongs to.
    pub(super) package: String,
    /// The target's name.
    pub(super) name: String,
    /// The folder of the package, where its tests run.
    folder: PathBuf,
    /// The file to run.
    executable: PathBuf,
}

/// Builds the product and all its tests, with the same features for everybody, and says where the tests are.
pub(super) fn build() -> Result<Vec<TestBinary>> {
    let mut command = cargo();
    command.args([
        "build",
        "--workspace",
        "--all-targets",
        "--message-format=json-render-diagnostics",
    ]);
    command.stdout(Stdio::piped());
    let child = command
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(&command)))?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "`{}` failed: {}",
        shown(&command),
        output.status
    );
    let mut binaries = Vec::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message.context("cargo wrote no message")? {
            binaries.extend(test_binary(artifact));
        }
    }
    binaries.sort_by(|a, b| (&a.package, &a.name).cmp(&(&b.package, &b.name)));
    Ok(binaries)
}

/// The test binary that cargo made, if this is one.
fn test_binary(artifact: Artifact) -> Option<TestBinary> {
    // path+file:///…/src-hub#sendense-hub@0.1.0, or without the name where the folder has the same one.
    let (_, id) = artifact.package_id.repr.rsplit_once(['#', '/'])?;
    let package = id.split('@').next()?.to_owned();
    let folder = artifact.manifest_path.parent()?.to_owned().into();
    let executable = artifact.executable?.into();
    artifact.profile.test.then_some(TestBinary {
        package,
        name: artifact.target.name,
        folder,
        executable,
    })
}

impl TestBinary {
    /// The names of all its tests.
    pub(super) fn tests(&self) -> Result<Vec<String>> {
        let list = quietly(
            program(&self.executable)
                .current_dir(&self.folder)
                .args(["--list", "--format", "terse"]),
        )?;
        let list = String::from_utf8(list).context("libtest writes UTF-8")?;
        Ok(list
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect())
    }

    /// Runs exactly these tests, all of them if none is named, passing on what libtest says while it does.
    pub(super) fn run(
        &self,
        tests: &[String],
        environment: &impl Fn(&mut Command),
    ) -> Result<Report> {
        println!("\n{} ({})", self.package, self.name);
        let mut command = program(&self.executable);
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command.env("SENDENSE_BIN", workspace::target()?.join("debug/sendense"));
        environment(&mut command);
        if !tests.is_empty() {
            command.arg("--exact").args(tests);
        }
        command.stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.executable.display()))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut report = Report {
            name: format!("{} ({})", self.package, self.name),
            ..Report::default()
        };
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            report.read_line(&line);
        }
        std::io::stdout().flush()?;
        report.success = child.wait()?.success();
        Ok(report)
    }
}
