//! Several files and folders saved at once, and what is done where a name is taken.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sendense_types::commands::SaveItem;
use sendense_types::{
    AppError, Download, DownloadId, DownloadKind, DownloadState, ErrorKind, FolderFormat, MountId,
    Occupant, OnConflict, Retry,
};
use sendense_words as words;

use super::{Downloads, Job, NewDownload, shown};
use crate::download::measure::{free_name, numbered};
use crate::download::{Destination, Existing};
use crate::{Platform, Result, local_name};

impl Downloads {
    /// Puts files and folders of one mount at the end of the queue, to be saved in one folder. What has a name that is
    /// taken there waits for somebody to [`decide`](Self::decide).
    pub fn add_items(
        &self,
        mount_id: &MountId,
        items: Vec<SaveItem>,
        format: FolderFormat,
        folder: &Path,
    ) -> Vec<Download> {
        let mut taken = HashSet::new();
        let mut added = Vec::new();
        for item in items {
            let kind = match item.is_folder {
                true => DownloadKind::Folder(format),
                false => DownloadKind::File,
            };
            let place = folder.join(name_for(&item.name, kind));
            // Two names of the backup may be one on this system; neither replaces the other.
            let free = std::iter::once(place.clone())
                .chain(numbered(&place))
                .find(|place| taken.insert(as_one(place)));
            added.push(
                self.add(NewDownload {
                    mount_id: mount_id.clone(),
                    path: item.path,
                    kind,
                    destination: Destination {
                        path: free.unwrap_or(place),
                        existing: Existing::Keep,
                    },
                    size_bytes: item.size_bytes,
                    modified_time: item
                        .modified_ms
                        .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
                }),
            );
        }
        added
    }

    /// Says what to do with a download whose name is taken, or with all of them. A folder is replaced by nothing: of all,
    /// it waits on.
    ///
    /// # Errors
    /// When there is no such download, its name is not taken, or what is there cannot be replaced.
    pub fn decide(&self, id: DownloadId, decision: OnConflict, for_all: bool) -> Result<()> {
        let mut queue = self.queue();
        let of_one = queue.job(id)?;
        let DownloadState::Taken { there } = &of_one.download.state else {
            return Err(conflict(words::failures::nothing_to_decide()));
        };
        if decision == OnConflict::Replace && !there.may_be_replaced && !for_all {
            let place = of_one.destination.path.display();
            return Err(conflict(words::failures::not_replaced(place)));
        }
        let is_meant = |job: &&mut Job| {
            let DownloadState::Taken { there } = &job.download.state else {
                return false;
            };
            (for_all || job.download.download_id == id)
                && (decision != OnConflict::Replace || there.may_be_replaced)
        };
        let mut names: Vec<PathBuf> = Vec::new();
        if decision == OnConflict::KeepBoth {
            let jobs = queue.jobs.values();
            names.extend(jobs.map(|job| job.destination.path.clone()));
        }
        let mut decided = Vec::new();
        for job in queue.jobs.values_mut().filter(is_meant) {
            match decision {
                OnConflict::Skip => {}
                OnConflict::Replace => job.destination.existing = Existing::Replace,
                OnConflict::KeepBoth => {
                    let free = free_name(&job.destination.path, &names);
                    names.push(free.clone());
                    (job.download.name, _) = shown(&free);
                    job.destination.path = free;
                }
            }
            if decision != OnConflict::Skip {
                let mounts = &self.inner.mounts;
                job.download.mount_id = mounts.current_id(&job.download.mount_id);
                job.hold = Some(mounts.hold(&job.download.mount_id));
                job.download.state = DownloadState::Queued;
            }
            decided.push(job.download.clone());
        }
        drop(queue);
        for download in &decided {
            match decision {
                OnConflict::Skip => self.forget(download.download_id)?,
                _ => self.publish(download),
            }
        }
        self.start_next();
        Ok(())
    }

    /// Asks again for the files of a saved folder that could not be had, each as a download of its own.
    ///
    /// # Errors
    /// When there is no such download, or nothing of it failed.
    pub fn retry_failed(&self, id: DownloadId) -> Result<Vec<Download>> {
        let mut queue = self.queue();
        let job = queue.job(id)?;
        let failed = std::mem::take(&mut job.failed);
        let DownloadState::Done { n_failed, .. } = &mut job.download.state else {
            return Err(conflict(words::failures::nothing_to_retry()));
        };
        if failed.is_empty() {
            return Err(conflict(words::failures::nothing_to_retry()));
        }
        *n_failed = 0;
        let (download, source) = (job.download.clone(), job.source.clone());
        let folder = job.destination.path.clone();
        drop(queue);
        self.publish(&download);
        let files = failed.into_iter().map(|file| NewDownload {
            mount_id: download.mount_id.clone(),
            path: file.path,
            kind: DownloadKind::File,
            destination: Destination {
                path: folder.join(file.inside),
                existing: Existing::Keep,
            },
            size_bytes: None,
            modified_time: None,
        });
        Ok(files
            .map(|new| self.add_from(new, source.clone()))
            .collect())
    }
}

fn conflict(message: impl Into<String>) -> AppError {
    AppError::new(ErrorKind::Conflict, message, Retry::Never)
}

/// The name of a file or folder on this computer.
pub fn name_for(name: &str, kind: DownloadKind) -> String {
    let name = local_name(name, Platform::current());
    match kind {
        DownloadKind::File => name,
        DownloadKind::Folder(format) => name + format.ending(),
    }
}

/// The same for names that some system takes for one.
fn as_one(path: &Path) -> String {
    path.to_string_lossy().to_lowercase()
}

/// What lies under the name that is wanted, where that is to stay.
pub(super) fn occupant(destination: &Destination, kind: DownloadKind) -> Option<Occupant> {
    if destination.existing == Existing::Replace {
        return None;
    }
    let there = destination.path.symlink_metadata().ok()?;
    let modified = there.modified().ok();
    Some(Occupant {
        may_be_replaced: !there.is_dir() && kind != DownloadKind::Folder(FolderFormat::Files),
        size_bytes: there.is_file().then_some(there.len()),
        modified_time: modified.and_then(|time| Timestamp::try_from(time).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::no_downloads;
    use super::*;

    fn item(path: &str, name: &str, is_folder: bool) -> SaveItem {
        SaveItem {
            path: path.to_owned(),
            name: name.to_owned(),
            is_folder,
            size_bytes: (!is_folder).then_some(9),
            modified_ms: None,
        }
    }

    fn added(downloads: &Downloads, folder: &Path) -> Vec<Download> {
        let items = [
            item("/1", "a.txt", false),
            item("/2", "A.TXT", false),
            item("/3", "b.txt", false),
            item("/4", "../c", false),
            item("/5", "d", true),
        ];
        let mount_id = MountId::new("m1");
        downloads.add_items(&mount_id, items.to_vec(), FolderFormat::Files, folder)
    }

    #[test]
    fn items_saved_together_get_names_of_their_own() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let downloads = no_downloads(&runtime);
        let folder = tempfile::tempdir().unwrap();
        let added = added(&downloads, folder.path());
        let names: Vec<&str> = added.iter().map(|added| added.name.as_str()).collect();
        assert_eq!(names[..3], ["a.txt", "A (2).TXT", "b.txt"]);
        let place = folder.path().to_string_lossy();
        assert!(added.iter().all(|added| added.folder == place), "{added:?}");
    }

    fn waiting(downloads: &Downloads) -> Vec<String> {
        let waiting = downloads.list().into_iter().rev();
        waiting
            .filter(|download| matches!(download.state, DownloadState::Taken { .. }))
            .map(|download| download.name)
            .collect()
    }

    #[test]
    fn what_is_there_stays_until_somebody_decides_otherwise() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let downloads = no_downloads(&runtime);
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["a.txt", "b.txt"] {
            std::fs::write(at(name), "somebody's").unwrap();
        }
        std::fs::create_dir(at("d")).unwrap();
        let added = added(&downloads, folder.path());
        assert_eq!(waiting(&downloads), ["a.txt", "b.txt", "d"]);
        let DownloadState::Taken { there } = &added[0].state else {
            panic!("{added:?}");
        };
        assert!(there.may_be_replaced && there.size_bytes == Some(10));

        // A folder is not replaced, neither alone nor with others.
        let of_folder = added[4].download_id;
        let replace = OnConflict::Replace;
        let refused = downloads.decide(of_folder, replace, false).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict);
        downloads
            .decide(added[0].download_id, OnConflict::KeepBoth, false)
            .unwrap();
        assert_eq!(
            downloads.queue().jobs[&added[0].download_id]
                .destination
                .path,
            at("a (3).txt")
        );
        downloads
            .decide(added[2].download_id, replace, true)
            .unwrap();
        assert_eq!(waiting(&downloads), ["d"]);
        let destination = downloads.queue().jobs[&added[2].download_id]
            .destination
            .clone();
        assert_eq!(
            (destination.path, destination.existing),
            (at("b.txt"), Existing::Replace)
        );

        downloads.decide(of_folder, OnConflict::Skip, true).unwrap();
        assert!(downloads.list().iter().all(|download| download.name != "d"));
        let again = downloads.decide(added[0].download_id, replace, false);
        assert_eq!(again.unwrap_err().kind, ErrorKind::Conflict);
        for name in ["a.txt", "b.txt"] {
            assert_eq!(std::fs::read(at(name)).unwrap(), b"somebody's");
        }
    }
}
