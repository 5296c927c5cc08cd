//! Requested verifications: how far along they are, and what they found. The verdict is recorded in the database; the
//! details are kept in memory until the hub stops.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::verifier::{Finding, Verifier, verdict};
use crate::{
    repository::manifest::Manifest,
    store::{
        backups::{Backup, BackupDisk, Verdict},
        repositories::Repository,
    },
};

/// One verification.
#[derive(Debug)]
pub(crate) struct Check {
    state: Mutex<State>,
    /// Ends it, when it is cancelled or the hub stops.
    pub(crate) stopping: CancellationToken,
}

/// Where a verification stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// It has ended, one way or the other.
    pub is_over: bool,
    /// So much of its disks has been read.
    pub checked_bytes: u64,
    /// So much there is to read.
    pub total_bytes: u64,
    /// What was found, disk by disk.
    pub findings: Vec<(u32, Finding)>,
    /// After damage: the backups of this VM in this repository that cannot be restored.
    pub broken: Vec<String>,
    /// And those that can.
    pub intact: Vec<String>,
}

impl State {
    /// What was found, in a word; `None` while it goes on, and when it ended early.
    pub fn verdict(&self) -> Option<Verdict> {
        verdict(self.findings.iter().map(|(_, finding)| finding)).filter(|_| self.is_over)
    }
}

impl Check {
    pub(crate) fn of(backup: &Backup, stopping: CancellationToken) -> Self {
        Self {
            stopping,
            state: Mutex::new(State {
                total_bytes: backup.disks.iter().map(|disk| disk.capacity_bytes).sum(),
                ..State::default()
            }),
        }
    }

    /// Where it stands now.
    pub(crate) fn state(&self) -> State {
        self.update(|state| state.clone())
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics under this lock.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Verifies the backup, and after damage all of its VM too, which may share what is damaged. Tells what was
    /// found before anybody can see that it is over. Blocks.
    pub(crate) fn run(
        &self,
        backup: &Backup,
        all: &[Backup],
        repository: &Repository,
        tell: impl FnOnce(&State),
    ) {
        let mut verifier = Verifier::new(&repository.config.path, &self.stopping);
        for disk in &backup.disks {
            let finding = verify_disk(&mut verifier, disk, &mut |bytes| {
                self.update(|state| state.checked_bytes += bytes);
            });
            self.update(|state| state.findings.push((disk.disk_index, finding)));
        }
        if let Some(why) = manifest_flaw(backup) {
            self.update(|state| {
                // What is wrong with the disk itself matters more.
                if let Some((_, finding @ Finding::Sound)) = state.findings.first_mut() {
                    *finding = Finding::Flawed(why);
                }
            });
        }
        let of_disks =
            self.update(|state| verdict(state.findings.iter().map(|(_, finding)| finding)));
        if matches!(of_disks, Some(Verdict::Damaged | Verdict::Flawed)) {
            for other in all {
                let id = other.backup_id.clone();
                let found = if id == backup.backup_id {
                    of_disks
                } else {
                    let findings: Vec<Finding> = other
                        .disks
                        .iter()
                        .map(|disk| verify_disk(&mut verifier, disk, &mut |_| {}))
                        .collect();
                    verdict(&findings)
                };
                self.update(|state| match found {
                    Some(Verdict::Damaged) => state.broken.push(id),
                    Some(Verdict::Sound | Verdict::Flawed) => state.intact.push(id),
                    // Nobody can tell.
                    Some(Verdict::Unproven) | None => {}
                });
            }
        }
        let found = State {
            is_over: true,
            ..self.state()
        };
        tell(&found);
        self.update(|state| *state = found);
    }

    /// Ends a verification before it has begun.
    pub(crate) fn never_began(&self) {
        self.update(|state| {
            state.findings.push((0, Finding::Stopped));
            state.is_over = true;
        });
    }

    /// Ends a verification whose thread died.
    pub(crate) fn give_up(&self) {
        let why = "verifying stopped unexpectedly because of an error in the hub";
        self.update(|state| {
            state.findings.push((0, Finding::Unproven(why.to_owned())));
            state.is_over = true;
        });
    }
}

/// What is wrong with the file that describes a backup. Its disks do not need it.
fn manifest_flaw(backup: &Backup) -> Option<String> {
    let path = backup.manifest_path()?;
    let why = Manifest::read(&path).err()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!(
        "{name}: {why}; the disks are unharmed, and the hub writes it anew when it starts"
    ))
}

fn verify_disk(
    verifier: &mut Verifier<'_>,
    disk: &BackupDisk,
    checked: &mut dyn FnMut(u64),
) -> Finding {
    match &disk.qcow2_path {
        None => Finding::Damaged("there is no image on record".to_owned()),
        Some(image) => verifier.verify(image, checked),
    }
}
