//! Starts the hub on what a crash left, and checks whether anything is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sendense_core::HubClient;
use sendense_disk::{AllowedRoots, Image};
use sendense_hub::{Auth, Config, LocalHub};
use sendense_tests::{qemu_img_check, qemu_img_compare, until};
use sendense_types::{Backup, BackupStatus, BackupType, Vm};
use tokio::runtime::Runtime;

use super::bench::{Bench, Disks};

/// Why a state is wrong.
type Result<T, E = String> = std::result::Result<T, E>;

pub(super) struct Judge<'b> {
    bench: &'b Bench,
    runtime: Runtime,
    before: &'b BTreeSet<String>,
    after: &'b BTreeSet<String>,
    /// The disks as the next backup will find them.
    next: Disks,
}

impl<'b> Judge<'b> {
    /// Knows which recovery points there were before the work, and which after it.
    pub(super) fn new(
        bench: &'b Bench,
        before: &'b BTreeSet<String>,
        after: &'b BTreeSet<String>,
    ) -> Self {
        Self {
            bench,
            runtime: Runtime::new().unwrap(),
            before,
            after,
            next: bench.disks(),
        }
    }

    /// Starts the hub on the files that are there, looks at everything and makes the next backup.
    pub(super) fn look(&self, is_done: bool, ask_qemu: bool) -> Result<()> {
        self.runtime.block_on(async {
            let mut config = Config::new(self.bench.data());
            config.auth = Auth::Off;
            let hub = LocalHub::start(config)
                .await
                .map_err(|error| format!("the hub does not start: {error}"))?;
            let client = HubClient::new(hub.url(), None).unwrap();
            let looked = self.look_at(&client, is_done, ask_qemu).await;
            hub.stop().await;
            looked
        })?;
        // The last answer may hold the database for a moment longer, and its end would remove this file from
        // the next state.
        let log = self.bench.data().join("hub.db-wal");
        until("the database to be closed", Duration::from_secs(30), || {
            (!log.exists()).then_some(())
        });
        Ok(())
    }

    async fn look_at(&self, client: &HubClient, is_done: bool, ask_qemu: bool) -> Result<()> {
        let vm = client.find_vm("vm").await.map_err(words("no VM"))?;
        let points = self.points(client, &vm).await?;
        let ids: BTreeSet<String> = points.iter().map(id).collect();
        // Points that are copied come one after the other.
        let is_between = ids.is_superset(self.before) && ids.is_subset(self.after);
        if ids != *self.after && (is_done || !(ids == *self.before || is_between)) {
            return Err(format!(
                "there are {ids:?}; before {:?}, after {:?}, done: {is_done}",
                self.before, self.after
            ));
        }
        for point in &points {
            self.compare(point, &self.bench.known[&id(point)], ask_qemu)?;
        }
        self.no_other_files(&points)?;

        let next = self.back_up(client, &vm, !points.is_empty()).await?;
        // Which a backup begins by itself. Files that go while they are looked at are no fault.
        client
            .settle_retention(&vm)
            .await
            .map_err(words("retention"))?;
        let points = self.points(client, &vm).await?;
        if !points.iter().any(|point| point.backup_id == next.backup_id) {
            return Err(format!("{} is gone", id(&next)));
        }
        for point in &points {
            // Within one second the next backup may have been given an id from the record.
            match point.backup_id == next.backup_id {
                true => self.compare(point, &self.next, ask_qemu)?,
                false => self.compare(point, &self.bench.known[&id(point)], false)?,
            }
        }
        self.no_other_files(&points)
    }

    /// The finished backups; what did not finish has failed and says why.
    async fn points(&self, client: &HubClient, vm: &Vm) -> Result<Vec<Backup>> {
        let mut points = Vec::new();
        for backup in client.backups(vm).await.map_err(words("no list"))? {
            match backup.status {
                BackupStatus::Completed => {
                    let detail = client.backup(&backup.backup_id).await;
                    points.push(detail.map_err(words("no detail"))?);
                }
                BackupStatus::Failed if backup.error_message.is_some() => {}
                _ => return Err(format!("a backup is left as {backup:?}")),
            }
        }
        Ok(points)
    }

    /// Every disk of a point is what it was.
    fn compare(&self, point: &Backup, disks: &Disks, ask_qemu: bool) -> Result<()> {
        if point.disks.len() != disks.len() {
            return Err(format!("{} has {} disks", id(point), point.disks.len()));
        }
        for (disk, expected) in point.disks.iter().zip(disks) {
            let image = disk.qcow2_path.as_ref().ok_or("no image on record")?;
            let image = Path::new(image);
            let content = read(image).map_err(words(&format!("{}", image.display())))?;
            let (same, rest) = content.split_at(expected.len().min(content.len()));
            if same != expected || rest.iter().any(|byte| *byte != 0) {
                return Err(format!("{} is not what was backed up", image.display()));
            }
            if ask_qemu {
                let raw = self.bench.folder.path().join("expected.raw");
                fs::write(&raw, expected).unwrap();
                qemu_img_check(image);
                qemu_img_compare(&raw, "raw", image, "qcow2");
            }
        }
        Ok(())
    }

    /// Every file of the repository belongs to a finished backup.
    fn no_other_files(&self, points: &[Backup]) -> Result<()> {
        let mut files = Vec::new();
        list(&self.bench.data().join("repository"), &mut files);
        let other: Vec<_> = files
            .iter()
            .filter(|file| {
                let name = file.file_name().unwrap().to_string_lossy();
                // Within one second the id of one backup is what another's begins with.
                let is_known = points.iter().any(|point| {
                    let id = point.backup_id.as_str();
                    let rest = name.strip_prefix(id);
                    rest.is_some_and(|rest| rest == ".json" || rest.starts_with("-disk"))
                });
                let is_marker = name == "sendense-repository.json";
                name.ends_with(".partial") || !(is_known || is_marker)
            })
            .collect();
        match other.is_empty() {
            true => Ok(()),
            false => Err(format!("files that belong to nothing: {other:?}")),
        }
    }

    async fn back_up(&self, client: &HubClient, vm: &Vm, onto_another: bool) -> Result<Backup> {
        let repositories = client.repositories().await.map_err(words("repositories"))?;
        let kind = match onto_another {
            true => BackupType::Incremental,
            false => BackupType::Full,
        };
        let started = client
            .start_backup(vm, &repositories[0].id, kind, false)
            .await
            .map_err(words("the next backup does not start"))?;
        loop {
            let backup = client.backup(&started.backup_id).await;
            let backup = backup.map_err(words("no detail"))?;
            match backup.status {
                BackupStatus::Active => tokio::time::sleep(Duration::from_millis(3)).await,
                BackupStatus::Completed if backup.backup_type == kind => return Ok(backup),
                _ => return Err(format!("the next backup: {backup:?}")),
            }
        }
    }
}

/// The whole disk of an image.
fn read(image: &Path) -> Result<Vec<u8>, sendense_disk::Error> {
    let folder = image.parent().unwrap().to_path_buf();
    let image = Image::open(image, &AllowedRoots::new([folder]))?;
    let mut content = vec![0; usize::try_from(image.size_bytes()).unwrap()];
    image.read_at(0, &mut content)?;
    Ok(content)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => list(&path, files),
            false => files.push(path),
        }
    }
}

fn id(point: &Backup) -> String {
    point.backup_id.to_string()
}

fn words<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> String + use<'_, E> {
    move |error| format!("{what}: {error}")
}
