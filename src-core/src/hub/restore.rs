//! Mounts, folders and what is downloaded from them (contract 3.8).

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{IF_RANGE, RANGE};
use sendense_types::{
    AppError, BackupId, ErrorKind, FileEntry, FileKind, Listing, Mount, MountId, MountSlots,
    MountStatus, NbdExport, Retry,
};
use sendense_words as words;
use serde_json::{Value, json};

use super::{
    HubClient,
    patience::Patience,
    request::Effect,
    sending::{Body, Rest},
    session::is_missing,
    wire,
};
use crate::Result;

/// A disk that a hub opens for somebody else at this moment; it takes ten seconds at most (contract 6.2).
const MOUNTING_ATTEMPTS: u32 = 60;
const MOUNTING_PAUSE: Duration = Duration::from_secs(1);
/// Seconds after the time of a mount at which its folders are made; the disk may take ten (contract 6.2).
const MADE_AT_MOUNT: RangeInclusive<i64> = -15..=60;
/// A mount whose answer got lost is asked for once more.
const SECOND_TRY: Retry = Retry::AfterSeconds(2);

/// What a disk is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look for files.
    Files,
    /// For its bytes: on our own hub there need be no files on it that could be browsed.
    Bytes,
}

impl HubClient {
    /// Opens a disk of a backup for reading. One that is open already is shared (contract 6.2).
    ///
    /// # Errors
    /// `NotFound` without such a disk, `Full` without a free slot, `Unsupported` when nothing on the
    /// disk can be browsed.
    pub async fn mount(&self, backup_id: &BackupId, disk_index: u32) -> Result<Mount> {
        self.mount_for(Purpose::Files, backup_id, disk_index).await
    }

    /// As [`mount`](Self::mount), for a purpose.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub(crate) async fn mount_for(
        &self,
        purpose: Purpose,
        backup_id: &BackupId,
        disk_index: u32,
    ) -> Result<Mount> {
        let mut mount = match self.try_mount(purpose, backup_id, disk_index).await {
            Ok(mount) => mount,
            // Mounting twice is mounting once, so it may simply be asked for again (contract 6.2).
            Err(error) => {
                let retry = match error.kind {
                    ErrorKind::OutcomeUnknown => SECOND_TRY,
                    _ => error.retry,
                };
                if !Patience::new().wait(retry).await {
                    return Err(error);
                }
                self.try_mount(purpose, backup_id, disk_index).await?
            }
        };
        for _ in 0..MOUNTING_ATTEMPTS {
            if mount.status != MountStatus::Mounting {
                return Ok(mount);
            }
            tokio::time::sleep(MOUNTING_PAUSE).await;
            mount = self.try_mount(purpose, backup_id, disk_index).await?;
        }
        Err(AppError::new(
            ErrorKind::Internal,
            words::failures::opening_too_long(),
            Retry::Manual,
        )
        .with_hint(words::failures::close_and_mount()))
    }

    async fn try_mount(
        &self,
        purpose: Purpose,
        backup_id: &BackupId,
        disk_index: u32,
    ) -> Result<Mount> {
        let mut body = json!({ "backup_id": backup_id, "disk_index": disk_index });
        if purpose == Purpose::Bytes {
            body["for_bytes"] = Value::Bool(true);
        }
        let url = self.v1(&["restore", "mount"])?;
        let mut mount = wire::mount(&self.post(url, &body, Effect::Once).await?)?;
        // Whatever the answer leaves out is known from the question.
        mount.backup_id = Some(backup_id.clone());
        mount.disk_index = Some(disk_index);
        Ok(mount)
    }

    /// The open mounts of the hub, those of others included.
    pub async fn mounts(&self) -> Result<Vec<Mount>> {
        wire::mounts(&self.get(self.v1(&["restore", "mounts"])?).await?)
    }

    /// Whether the hub should have ended a mount by now, and has not looked yet: deployed ones look every quarter of an
    /// hour (contract 6.3).
    pub(crate) fn is_over(&self, mount: &Mount) -> bool {
        let times = mount.expires_at.zip(self.time());
        times.is_some_and(|(end, now)| end <= now)
    }

    /// How many mounts are open, of how many that may be; `None` on hubs that do not say (contract D56, D62).
    pub async fn mount_slots(&self) -> Result<Option<MountSlots>> {
        match self.get(self.v1(&["restore", "resources"])?).await {
            Err(error) if is_missing(&error) => Ok(None),
            answer => wire::mount_slots(&answer?),
        }
    }

    /// Closes a mount; one that is already gone counts as closed (contract 8.7).
    pub async fn unmount(&self, mount_id: &MountId) -> Result<()> {
        let url = self.v1(&["restore", mount_id.as_str()])?;
        match self.delete(url).await {
            Err(error) if error.kind == ErrorKind::Expired => Ok(()),
            outcome => outcome,
        }
    }

    /// Has the hub serve the disk of a mount to programs of this computer, over NBD and read-only, or says where it does.
    /// It counts as use of the mount, and so does reading from the export.
    ///
    /// # Errors
    /// `Unsupported` where the hub is another computer, whose loopback cannot be reached from here, and on hubs that do
    /// not serve disks; `Expired` when the mount is over.
    pub async fn start_nbd(&self, mount_id: &MountId) -> Result<NbdExport> {
        self.require_served_here()?;
        let url = self.v1(&["restore", mount_id.as_str(), "nbd"])?;
        let answer = self.post(url, &json!({}), Effect::Repeatable).await;
        wire::nbd_export(&answer.map_err(serves_no_disks)?)
    }

    /// Ends what [`start_nbd`](Self::start_nbd) began; whoever reads is cut off. What is over counts as ended.
    ///
    /// # Errors
    /// `Unsupported` on hubs that do not serve disks.
    pub async fn stop_nbd(&self, mount_id: &MountId) -> Result<()> {
        let url = self.v1(&["restore", mount_id.as_str(), "nbd"])?;
        match self.delete(url).await {
            Err(error) if error.kind == ErrorKind::Expired => Ok(()),
            outcome => outcome.map_err(serves_no_disks),
        }
    }

    /// Whether programs of this computer can reach what the hub would serve.
    ///
    /// # Errors
    /// `Unsupported` where the hub is another computer.
    pub fn require_served_here(&self) -> Result<()> {
        if self.is_on_this_computer() {
            return Ok(());
        }
        Err(AppError::new(
            ErrorKind::Unsupported,
            words::failures::served_elsewhere(self.address()),
            Retry::Never,
        )
        .with_hint(words::failures::serve_there()))
    }

    /// The entries of a folder, which is named by a path that the hub gave.
    pub async fn list_files(&self, mount_id: &MountId, path: &str) -> Result<Listing> {
        self.list(mount_id, path, false).await
    }

    /// Everything below a folder, in one answer without a limit (contract H31).
    ///
    /// At the root deployed hubs answer with the partitions only, and archive all that is in them (section 12): so
    /// each of them is asked for on its own.
    pub(crate) async fn list_tree(&self, mount_id: &MountId, path: &str) -> Result<Listing> {
        let mut tree = self.list(mount_id, path, true).await?;
        if tree.files.iter().all(wire::is_partition) {
            let partitions: Vec<String> = tree.files.iter().map(|row| row.path.clone()).collect();
            for partition in partitions {
                let below = self.list(mount_id, &partition, true).await?;
                tree.files.extend(below.files);
                tree.damage.extend(below.damage);
                tree.passed_over.extend(below.passed_over);
            }
        }
        Ok(tree)
    }

    async fn list(&self, mount_id: &MountId, path: &str, recursive: bool) -> Result<Listing> {
        let path = normal_path(path)?;
        let mut url = self.v1(&["restore", mount_id.as_str(), "files"])?;
        url.query_pairs_mut().append_pair("path", &path);
        if recursive {
            url.query_pairs_mut().append_pair("recursive", "true");
        }
        let answer = self.get(url).await;
        let answer = answer.map_err(|error| name_is_lost(&path, error))?;
        let listing = wire::listing(&answer, mount_id, &path)?;
        if listing.files.is_empty()
            && wire::is_partition_path(&path)
            && self.is_stale(mount_id, &path).await
        {
            return Err(AppError::new(
                ErrorKind::Expired,
                words::mounts::stale_error(),
                Retry::Manual,
            )
            .with_hint(words::mounts::stale_hint()));
        }
        Ok(listing)
    }

    /// Whether an empty partition is no longer there: after a restart of a deployed hub's computer its mounts are empty
    /// folders of the hub's own disk, and said to be open (contract 6.3, section 12).
    ///
    /// Such a folder was made when the disk was mounted. The root of a volume in a backup is older than that, however
    /// empty it is.
    async fn is_stale(&self, mount_id: &MountId, path: &str) -> bool {
        let asked = async {
            let mut root = self.v1(&["restore", mount_id.as_str(), "files"])?;
            root.query_pairs_mut().append_pair("path", "/");
            let mut folder = self.v1(&["restore", mount_id.as_str(), "file-info"])?;
            folder.query_pairs_mut().append_pair("path", path);
            let partition = wire::partition_of(&self.get(root).await?, path)?;
            Ok::<_, AppError>((partition, wire::file(&self.get(folder).await?)?))
        };
        let Ok((Some((size, mounted)), folder)) = asked.await else {
            return false;
        };
        let made = folder
            .modified_time
            .map(|made| made.duration_since(mounted));
        // Our hub gives partitions no size, and has no such folders.
        size > 0 && made.is_some_and(|after| MADE_AT_MOUNT.contains(&after.as_secs()))
    }

    /// One file or folder. Hubs without `file-info` are asked for its folder (contract D56).
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn file(&self, mount_id: &MountId, path: &str) -> Result<FileEntry> {
        let path = normal_path(path)?;
        let mut url = self.v1(&["restore", mount_id.as_str(), "file-info"])?;
        url.query_pairs_mut().append_pair("path", &path);
        match self.get(url).await {
            Err(error) if error.kind == ErrorKind::Unsupported => {}
            Err(error) => return Err(name_is_lost(&path, error)),
            Ok(answer) => return wire::file(&answer),
        }
        let parent = match path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((parent, _)) => parent,
        };
        let listing = self.list_files(mount_id, parent).await?;
        listing
            .files
            .into_iter()
            .find(|entry| entry.path == path)
            .ok_or_else(|| {
                AppError::new(
                    ErrorKind::NotFound,
                    words::failures::not_on_disk(&path),
                    Retry::Never,
                )
            })
    }

    /// The content of a file, or of one of its alternate data streams: all of it or, on hubs that can send that and
    /// unless it has changed, the rest.
    pub(crate) async fn open_file(
        &self,
        mount_id: &MountId,
        path: &str,
        stream: Option<&str>,
        rest: Option<Rest>,
    ) -> Result<Body> {
        let mut url = self.v1(&["restore", mount_id.as_str(), "download"])?;
        url.query_pairs_mut().append_pair("path", path);
        if let Some(stream) = stream {
            url.query_pairs_mut().append_pair("stream", stream);
        }
        let mut request = self.request(Method::GET, url);
        if let Some(Rest { offset, validator }) = rest {
            request = request.header(RANGE, format!("bytes={offset}-"));
            request = request.header(IF_RANGE, validator);
        }
        self.open(request, words::failures::silent_file).await
    }

    /// A folder as a zip archive, whose length is not known (contract D51).
    pub(crate) async fn open_archive(
        &self,
        mount_id: &MountId,
        path: &str,
        format: &str,
    ) -> Result<Body> {
        let mut url = self.v1(&["restore", mount_id.as_str(), "download-directory"])?;
        url.query_pairs_mut()
            .append_pair("path", path)
            .append_pair("format", format);
        let request = self.request(Method::GET, url);
        self.open(request, words::failures::silent_folder).await
    }
}

/// A path as it is sent: absolute, without `.` and doubled slashes. `..` is refused here already,
/// because deployed hubs let it lead out of the disk (contract H20).
pub(crate) fn normal_path(path: &str) -> Result<String> {
    let mut normal = String::with_capacity(path.len() + 1);
    for component in path.split('/') {
        match component {
            "" | "." => continue,
            ".." => {
                return Err(AppError::new(
                    ErrorKind::Invalid,
                    words::failures::path_not_allowed(path),
                    Retry::Never,
                )
                .with_hint(words::failures::path_rule()));
            }
            component => {
                normal.push('/');
                normal.push_str(component);
            }
        }
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(normal)
}

/// Why there is nothing at a path that the hub gave: for bytes that are no text deployed hubs write U+FFFD, and know nothing
/// of that name (contract H21).
fn name_is_lost(path: &str, error: AppError) -> AppError {
    if error.kind != ErrorKind::NotFound || !path.contains(char::REPLACEMENT_CHARACTER) {
        return error;
    }
    AppError {
        message: words::failures::name_is_lost(path),
        hint: Some(words::failures::name_is_lost_hint().to_owned()),
        ..error
    }
}

/// What it means that a hub has no such address.
fn serves_no_disks(error: AppError) -> AppError {
    if !is_missing(&error) {
        return error;
    }
    AppError {
        kind: ErrorKind::Unsupported,
        message: words::failures::serves_no_disks().to_owned(),
        hint: Some(words::failures::serves_no_disks_hint().to_owned()),
        retry: Retry::Never,
        ..error
    }
}

/// Why an entry cannot be saved as a file, in words; `None` where it can.
pub(crate) fn why_not_a_file(entry: &FileEntry) -> Option<AppError> {
    let path = &entry.path;
    let (kind, message, hint) = if entry.kind == FileKind::Directory {
        (
            ErrorKind::Invalid,
            words::failures::is_a_folder(path),
            words::failures::save_as_archive().to_owned(),
        )
    } else if entry.is_symlink {
        // Deployed hubs follow links on their own filesystem (contract H16).
        (
            ErrorKind::Unsupported,
            words::failures::is_a_link(path),
            match &entry.symlink_target {
                Some(target) => words::failures::save_link_target(target),
                None => words::failures::save_what_it_points_to().to_owned(),
            },
        )
    } else if let Some(reason) = &entry.unreadable {
        (
            ErrorKind::Unsupported,
            words::failures::unreadable(path, reason),
            words::failures::rest_restorable().to_owned(),
        )
    } else {
        return None;
    };
    Some(AppError::new(kind, message, Retry::Never).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHub, json};

    /// Contract section 12.6.
    #[tokio::test]
    async fn an_empty_partition_is_a_mount_that_is_gone_where_its_folder_is_the_hubs_own() {
        const MOUNTED: &str = "2025-10-08T21:19:37.52+01:00";
        for (size, made, is_stale) in [
            (107_374_182_400_u64, "2025-10-08T21:19:40+01:00", true),
            // A volume on which nothing is, made long ago.
            (107_374_182_400, "2024-03-01T09:00:00Z", false),
            // Our hub.
            (0, "2025-10-08T21:19:37+01:00", false),
        ] {
            let fake = FakeHub::start(move |line| {
                let row = |path: &str, size: u64, time: &str| {
                    format!(
                        r#"{{"name":"x","path":"{path}","type":"directory","size":{size},"modified_time":"{time}"}}"#
                    )
                };
                let partition = row("/partition-1", size, MOUNTED);
                let body = if line.contains("file-info") {
                    row("/partition-1", 4096, made)
                } else if line.ends_with("path=%2F") {
                    format!(r#"{{"files":[{partition}]}}"#)
                } else {
                    r#"{"files":[]}"#.to_owned()
                };
                json(200, "", &body)
            })
            .await;
            let hub = HubClient::new(&fake.address, None).unwrap();
            let mount = MountId::from("m");
            let listed = hub.list_files(&mount, "/partition-1").await;
            let kind = listed.err().map(|error| error.kind);
            assert_eq!(
                kind,
                is_stale.then_some(ErrorKind::Expired),
                "{size} {made}"
            );
            // All that is on the disk is not said to be nothing either.
            assert_eq!(
                hub.list_tree(&mount, "/partition-1").await.is_err(),
                is_stale
            );
            let asked = fake.asked().len();
            hub.list_files(&mount, "/partition-1/x").await.unwrap();
            assert_eq!(fake.asked().len(), asked + 1, "an empty folder is one");
        }
    }

    /// Contract D54, H20.
    #[test]
    fn paths_are_sent_in_their_shortest_form() {
        for (path, normal) in [
            ("", "/"),
            ("/", "/"),
            ("Recovery", "/Recovery"),
            ("//a/./b//", "/a/b"),
            ("/ a /\u{fffd}", "/ a /\u{fffd}"),
            ("/...", "/..."),
        ] {
            assert_eq!(normal_path(path).unwrap(), normal, "{path:?}");
        }
        for path in [
            "..",
            "/..",
            "/a/../b",
            "../../etc/passwd",
            "/partition-1/..",
        ] {
            assert_eq!(
                normal_path(path).unwrap_err().kind,
                ErrorKind::Invalid,
                "{path}"
            );
        }
    }
}
