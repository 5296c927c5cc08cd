//! What the product says about an image: discovered, backed up, mounted, listed, its files extracted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sendense_fixtures::{sha256, sha256_file};
use serde_json::Value;

use super::tree::{Kind, MAX_HASHED, Node, Tree};
use crate::bench::Hub;
use crate::process::{program, quietly};

/// How the product speaks of devices, pipes and sockets.
const SPECIAL: &str = "it has no content of its own";
const MAX_SECONDS: &str = "100";
/// Files that are asked for one by one after an archive was not whole.
const MAX_SINGLE: usize = 100;

/// What was seen of a disk.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What was said of the disk as a whole.
    pub(super) words: Vec<String>,
    /// Whether the backup is there, and equal to the image as qemu-img compares them.
    pub(super) backup: Option<bool>,
    /// Whether it is only equal when the image's format is not looked at.
    pub(super) is_taken_raw: bool,
    /// By the name that they have in paths.
    pub(super) volumes: BTreeMap<String, Volume>,
}

/// What was seen of a volume.
#[derive(Debug, Default)]
pub(super) struct Volume {
    pub(super) words: Vec<String>,
    pub(super) tree: Tree,
    /// What was said of paths that could not be read, in whole or in part.
    pub(super) troubles: BTreeMap<String, String>,
}

/// The product, with a hub that runs.
pub(super) struct Product {
    hub: Hub,
    work: PathBuf,
}

impl Product {
    pub(super) fn start(sendense: &Path, work: &Path) -> Result<Self> {
        let work = work.join("hub");
        fs::create_dir_all(&work)?;
        let hub = Hub::start(sendense, &work)?;
        Ok(Self { hub, work })
    }

    /// Runs a command; what it says when it fails is an answer too.
    fn ask(&self, args: &[&str]) -> Result<Result<Value, String>> {
        let command = self.hub.command(args);
        let mut bounded = program("timeout");
        bounded.arg(MAX_SECONDS).arg(command.get_program());
        bounded.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            bounded.current_dir(folder);
        }
        let output = bounded.output()?;
        // What `timeout` says when it had to end something.
        anyhow::ensure!(
            output.status.code() != Some(124),
            "no answer to `sendense {}` within {MAX_SECONDS} s",
            args.join(" ")
        );
        if output.status.success() {
            let answer = serde_json::from_slice(&output.stdout);
            return Ok(Ok(answer.context("the answer is no JSON")?));
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.trim().trim_start_matches("error: ");
        Ok(Err(words.replace('\n', " ")))
    }

    pub(super) fn read(&self, image: &Path) -> Result<Seen> {
        let mut seen = Seen::default();
        let folder = image.parent().context("an image lies in a folder")?;
        let folder = folder.to_string_lossy();
        let found = match self.ask(&["vm", "discover", &folder])? {
            Ok(found) => found,
            Err(words) => {
                seen.words.push(words);
                return Ok(seen);
            }
        };
        texts(&found["failed"], &mut seen.words);
        let vm = &found["discovered_vms"][0];
        texts(&vm["problem"], &mut seen.words);
        texts(&vm["left_out"], &mut seen.words);
        texts(&vm["disks"][0]["problem"], &mut seen.words);
        let Some(vm) = vm["name"].as_str() else {
            return Ok(seen);
        };
        let backup = match self.ask(&["backup", "start", vm, "--wait"])? {
            Ok(backup) => backup,
            Err(words) => {
                seen.words.push(words);
                return Ok(seen);
            }
        };
        texts(&backup["error_message"], &mut seen.words);
        let id = backup["backup_id"]
            .as_str()
            .context("the backup has no id")?;
        if let Some(copy) = backup["disks"][0]["qcow2_path"].as_str() {
            seen.backup = Some(is_equal(image, copy, None));
            if seen.backup == Some(false) && is_equal(image, copy, Some("raw")) {
                (seen.backup, seen.is_taken_raw) = (Some(true), true);
            }
        }
        match self.ask(&["restore", "mount", id, "--disk", "0"])? {
            Err(words) => seen.words.push(words),
            Ok(mount) => {
                texts(&mount["filesystem_type"], &mut seen.words);
                let mount = mount["mount_id"].as_str().context("the mount has no id")?;
                self.mounted(mount, &mut seen)?;
                drop(self.ask(&["restore", "unmount", mount])?);
            }
        }
        drop(self.ask(&["backup", "delete", id])?);
        Ok(seen)
    }

    fn mounted(&self, mount: &str, seen: &mut Seen) -> Result<()> {
        let top = match self.ask(&["restore", "ls", mount, "/"])? {
            Ok(top) => top,
            Err(words) => {
                seen.words.push(words);
                return Ok(());
            }
        };
        said_of(&top, &mut seen.words);
        for entry in top["files"].as_array().into_iter().flatten() {
            let path = entry["path"].as_str().unwrap_or_default().to_owned();
            let mut volume = Volume::default();
            texts(&entry["name"], &mut volume.words);
            texts(&entry["unreadable"], &mut volume.words);
            if entry["type"] == "directory" && entry["unreadable"].is_null() {
                self.list(mount, &path, &mut volume)?;
                self.get(mount, &path, &mut volume)?;
            }
            seen.volumes
                .insert(path.trim_matches('/').to_owned(), volume);
        }
        Ok(())
    }

    /// Lists everything, in the one call by which archives are checked.
    fn list(&self, mount: &str, root: &str, volume: &mut Volume) -> Result<()> {
        let call = format!("restore/{mount}/files?path={root}&recursive=true");
        let output = program("curl")
            .args(["--silent", "--show-error", "--fail-with-body", "--max-time"])
            .arg(MAX_SECONDS)
            .arg(format!("{}/api/v1/{call}", self.hub.url()))
            .output()?;
        if !output.status.success() {
            let words = [output.stdout, output.stderr].concat();
            let words = String::from_utf8_lossy(&words).replace('\n', " ");
            volume.troubles.insert(String::new(), words);
            return Ok(());
        }
        let listing: Value =
            serde_json::from_slice(&output.stdout).context("the listing is no JSON")?;
        let mut words = Vec::new();
        said_of(&listing, &mut words);
        if !words.is_empty() {
            volume.troubles.insert(String::new(), words.join(" "));
        }
        for entry in listing["files"].as_array().into_iter().flatten() {
            let path = entry["path"].as_str().unwrap_or_default();
            let inside = relative(root, path);
            let words = entry["unreadable"].as_str();
            let is_special = words.is_some_and(|words| words.ends_with(SPECIAL));
            let kind = match entry["type"].as_str() {
                _ if entry["is_symlink"] == true => Kind::Link,
                _ if is_special => Kind::Other,
                Some("directory") => Kind::Folder,
                Some("file") => Kind::File,
                _ => Kind::Other,
            };
            let mut node = Node::new(kind);
            if kind == Kind::File {
                node.size = entry["size"].as_u64();
            }
            let time = entry["modified_time"].as_str();
            let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
            node.modified = time.map(jiff::Timestamp::as_second);
            node.target = entry["symlink_target"].as_str().map(str::to_owned);
            let mut damage = Vec::new();
            texts(&entry["damage"], &mut damage);
            damage.extend(words.filter(|_| !is_special).map(str::to_owned));
            if !damage.is_empty() {
                volume.troubles.insert(inside.clone(), damage.join(" "));
            }
            volume.tree.insert(inside, node);
        }
        Ok(())
    }

    /// Takes every file out: in one archive, and one by one what is not in there.
    fn get(&self, mount: &str, root: &str, volume: &mut Volume) -> Result<()> {
        let folder = super::scratch(&self.work)?;
        let target = folder.path().join("volume.zip");
        let is_large = |node: &Node| node.size > Some(MAX_HASHED);
        if !volume.tree.values().any(is_large) {
            let to = target.to_string_lossy();
            match self.ask(&["restore", "get-dir", mount, root, "-o", &to])? {
                Ok(_) => unpack(&target, &mut volume.tree)?,
                Err(words) => drop(volume.troubles.insert("(archive)".to_owned(), words)),
            }
        }
        let wanted = volume.tree.iter().filter(|(_, node)| {
            node.kind == Kind::File && node.sha256.is_none() && !is_large(node)
        });
        let wanted: Vec<String> = wanted.map(|(path, _)| path.clone()).collect();
        let target = folder.path().join("file");
        for path in wanted.into_iter().take(MAX_SINGLE) {
            let whole = format!("{root}/{path}");
            let to = target.to_string_lossy();
            match self.ask(&["restore", "get", mount, &whole, "-o", &to])? {
                Ok(_) => {
                    let sha256 = sha256_file(&target)?;
                    fs::remove_file(&target)?;
                    if let Some(node) = volume.tree.get_mut(&path) {
                        node.sha256 = Some(sha256);
                    }
                }
                Err(words) => drop(volume.troubles.insert(path, words)),
            }
        }
        Ok(())
    }
}

fn is_equal(image: &Path, backup: &str, format: Option<&str>) -> bool {
    let mut compare = program("qemu-img");
    compare.args(["compare", "-F", "qcow2"]);
    if let Some(format) = format {
        compare.args(["-f", format]);
    }
    quietly(compare.arg(image).arg(backup)).is_ok()
}

/// Notes what the files of an archive contain.
fn unpack(archive: &Path, tree: &mut Tree) -> Result<()> {
    let mut archive = zip::ZipArchive::new(fs::File::open(archive)?)?;
    for number in 0..archive.len() {
        let mut file = archive.by_index(number)?;
        let path = file.name()?.trim_end_matches('/').to_owned();
        let node = tree.get_mut(&path);
        if let Some(node) = node.filter(|node| node.kind == Kind::File) {
            node.sha256 = Some(sha256(&mut file)?);
        }
    }
    Ok(())
}

/// A path below the volume's.
fn relative(root: &str, path: &str) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.trim_start_matches('/').to_owned()
}

/// All texts in a value.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

/// What a listing says beside its entries, whatever that is called.
fn said_of(listing: &Value, into: &mut Vec<String>) {
    for (field, value) in listing.as_object().into_iter().flatten() {
        if !["mount_id", "path", "files", "next"].contains(&field.as_str()) {
            texts(value, into);
        }
    }
}

/// For the report.
impl Seen {
    /// Everything that was said of the disk and its volumes, not of single files.
    pub(super) fn all_words(&self) -> String {
        let volumes = self.volumes.values().flat_map(|volume| &volume.words);
        let words: Vec<&str> = self
            .words
            .iter()
            .chain(volumes)
            .map(String::as_str)
            .collect();
        words.join(" ")
    }
}
