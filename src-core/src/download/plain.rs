//! A folder of a mount as a folder of this computer: its files and folders, each under its own name.
//!
//! All of it is made in `NAME.part`, which gets the name when everything that can be had is in it. Work that ended early
//! is gone on with: a file that has its name there is whole, if its size and time are those of the listing and the disk is
//! the same. A note beside it, `NAME.part.json`, says of which disk it is, by what the hub calls one of the files.
//!
//! Nothing is written through a link: they are made last, and a folder that is in fact one is not entered.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use sendense_types::{
    AppError, DownloadProgress, ErrorKind, FileEntry, FileKind, Listing, MountId, Retry,
};
use sendense_words as words;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::contents::is_content;
use super::measure::numbered;
use super::one_by_one::{Problems, Tree, ends_all, name_in};
use super::part::{folder_of, lock, refuse_without_room, sync_folder_of, with_ending};
use super::steps::Attributes;
use super::{
    Content, Destination, Existing, FailedFile, SavedFolder, blocking, local_failure,
    require_folder, unless_cancelled,
};
use crate::hub::normal_path;
use crate::names::{Platform, entry_name, local_name};
use crate::{HubClient, Result, shared_file};

/// The form of the note that this version writes, and the only one it understands.
const VERSION: u32 = 1;

/// Saves a folder as the files and folders in it.
///
/// What has been saved by the time that this ends early stays in `NAME.part`, and is gone on with when the same folder is
/// saved under that name again.
///
/// # Errors
/// As [`save_folder`](super::save_folder).
pub(super) async fn save(
    hub: &HubClient,
    mount_id: &MountId,
    path: &str,
    destination: &Destination,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> Result<SavedFolder> {
    let path = normal_path(path)?;
    require_folder(hub, mount_id, &path, cancel).await?;
    let listing = unless_cancelled(hub.list_tree(mount_id, &path), cancel).await?;
    let tree = Tree {
        hub,
        mount_id,
        path: &path,
        listing: &listing,
    };
    let size_bytes = tree.size_bytes();
    hub.refuse_too_late(size_bytes)?;
    let witness = witness(hub, mount_id, &listing, cancel).await?;
    let note = Note {
        version: VERSION,
        path: path.clone(),
        witness,
    };
    let wanted = destination.path.clone();
    let part = blocking(move || Part::begin(&wanted, note, size_bytes)).await?;
    let filled = Filling {
        tree,
        names: Names::new(part.path.clone(), Platform::current()),
        folders: Vec::new(),
        links: Vec::new(),
        problems: Problems::default(),
        failed: Vec::new(),
        total_bytes: size_bytes,
        done_bytes: 0,
        n_files: 0,
    };
    match filled.fill(report, cancel).await {
        Ok(filled) => blocking(move || filled.finish(part)).await,
        Err(error) => Err(match blocking(move || Ok(part.leave())).await? {
            Some(place) => error.with_hint(words::downloads::folder_kept(place.display())),
            None => error,
        }),
    }
}

/// What the hub calls the first file that has content: the same in every mount of this disk, and in no other disk. `None`
/// where it has no such names.
async fn witness(
    hub: &HubClient,
    mount_id: &MountId,
    listing: &Listing,
    cancel: &CancellationToken,
) -> Result<Option<String>> {
    let is_one = |entry: &&FileEntry| is_content(entry) && entry.size > Some(0);
    let Some(first) = listing.files.iter().find(is_one) else {
        return Ok(None);
    };
    let opened = hub.open_file(mount_id, &first.path, None, None);
    match unless_cancelled(opened, cancel).await {
        Ok(body) => Ok(body.validator()),
        Err(error) if ends_all(&error) => Err(error),
        // That one file cannot be read is a problem of its own.
        Err(_) => Ok(None),
    }
}

/// Of which folder of which disk a part is.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Note {
    version: u32,
    path: String,
    witness: Option<String>,
}

/// The folder under construction.
struct Part {
    wanted: PathBuf,
    path: PathBuf,
    note: PathBuf,
    /// Whether it can be told later of which disk it is.
    is_of_known_disk: bool,
    /// Nobody else fills it meanwhile, where the system can see to that.
    _lock: Option<File>,
}

impl Part {
    fn begin(wanted: &Path, note: Note, size_bytes: u64) -> Result<Self> {
        refuse_taken(wanted)?;
        let path = with_ending(wanted, ".part");
        let note_path = with_ending(&path, ".json");
        let failed = |error: io::Error| local_failure(wanted, &error);
        let known = shared_file::read(&note_path).map_err(failed)?;
        let known: Option<Note> = known.and_then(|known| serde_json::from_slice(&known).ok());
        let there = path.symlink_metadata().ok();
        let is_there = there.is_some();
        let is_other = there.is_some_and(|there| !there.is_dir());
        match known {
            // Whatever it is, we did not make it.
            known if is_other || (is_there && known.is_none()) => {
                return Err(taken(&path));
            }
            Some(known) if is_there && (known != note || note.witness.is_none()) => {
                tracing::info!(folder = %path.display(), "what is left of another folder is removed");
                fs::remove_dir_all(&path).map_err(failed)?;
            }
            _ => {}
        }
        let text = serde_json::to_vec(&note).map_err(|error| failed(error.into()))?;
        shared_file::write(&note_path, &text).map_err(failed)?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                drop(fs::remove_file(&note_path));
                return Err(failed(error));
            }
            _ => {}
        }
        let folder = File::open(&path).ok();
        if let Some(folder) = &folder {
            lock(folder, wanted)?;
        }
        let part = Self {
            wanted: wanted.to_path_buf(),
            path,
            note: note_path,
            is_of_known_disk: note.witness.is_some(),
            _lock: folder,
        };
        part.refuse_without_room(size_bytes)?;
        Ok(part)
    }

    /// For everything, before anything is fetched.
    fn refuse_without_room(&self, size_bytes: u64) -> Result<()> {
        let there = size_of(&self.path);
        let to_come = size_bytes.saturating_sub(there);
        refuse_without_room(&self.path, &self.wanted, to_come).inspect_err(|_| {
            if there == 0 {
                self.remove();
            }
        })
    }

    /// Removes all of it.
    fn remove(&self) {
        for removed in [fs::remove_dir_all(&self.path), fs::remove_file(&self.note)] {
            if let Err(error) = removed {
                tracing::warn!(%error, "what is left of a folder stays");
            }
        }
    }

    /// Leaves what is there, if it can be gone on with, and says where.
    fn leave(self) -> Option<PathBuf> {
        if self.is_of_known_disk && size_of(&self.path) > 0 {
            return Some(self.path);
        }
        self.remove();
        None
    }

    /// Gives it its name.
    fn keep(self) -> Result<PathBuf> {
        let failed = |error: io::Error| local_failure(&self.wanted, &error);
        // An empty folder would be replaced.
        refuse_taken(&self.wanted)?;
        fs::rename(&self.path, &self.wanted).map_err(failed)?;
        sync_folder_of(&self.wanted).map_err(failed)?;
        drop(fs::remove_file(&self.note));
        Ok(self.wanted)
    }
}

fn refuse_taken(wanted: &Path) -> Result<()> {
    match wanted.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(local_failure(wanted, &error)),
        Ok(_) => Err(taken(wanted)),
    }
}

fn taken(path: &Path) -> AppError {
    AppError::new(
        ErrorKind::Conflict,
        words::failures::file_exists(path.display()),
        Retry::Never,
    )
    .with_hint(words::failures::file_exists_hint())
}

/// Bytes in the files of a folder, as far as they can be counted.
fn size_of(folder: &Path) -> u64 {
    let mut sum = 0_u64;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => sum = sum.saturating_add(found.len()),
                Err(_) => {}
            }
        }
    }
    sum
}

/// Where entries of the disk go: under names that this system allows, each its own.
struct Names {
    root: PathBuf,
    platform: Platform,
    /// By the path within the folder that is saved.
    places: HashMap<String, PathBuf>,
    taken: HashSet<OsString>,
}

impl Names {
    fn new(root: PathBuf, platform: Platform) -> Self {
        Self {
            root,
            platform,
            places: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    /// The place of an entry by its path within the folder; the same whenever it is asked for.
    fn place_of(&mut self, inside: &str) -> PathBuf {
        let mut place = self.root.clone();
        let ends = inside.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([inside.len()]) {
            let inside = &inside[..end];
            place = match self.places.get(inside) {
                Some(known) => known.clone(),
                None => {
                    let name = inside.rsplit('/').next().unwrap_or(inside);
                    let new = self.free(&place.join(entry_name(name, self.platform)));
                    self.places.insert(inside.to_owned(), new.clone());
                    new
                }
            };
        }
        place
    }

    /// Under which name a file arrives that has this place: its part and the note beside that have longer ones, which must
    /// neither be too long nor those of other entries.
    fn arrival_of(&self, place: &Path) -> PathBuf {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let short = local_name(&name, self.platform);
        let is_free = |place: &Path| !self.taken.contains(&self.key(place));
        let may_arrive = |at: &Path| {
            let endings = [".part", ".part.json"];
            endings
                .iter()
                .all(|ending| is_free(&with_ending(at, ending)))
        };
        if short == name && may_arrive(place) {
            return place.to_path_buf();
        }
        let short = place.with_file_name(short);
        let mut others = numbered(&short).filter(|at| is_free(at) && may_arrive(at));
        others.next().unwrap_or_else(|| place.to_path_buf())
    }

    /// What is the same for two names that this system takes for one.
    fn key(&self, place: &Path) -> OsString {
        match self.platform {
            Platform::Linux => place.as_os_str().to_owned(),
            // Case is no difference there.
            Platform::MacOs | Platform::Windows => place.to_string_lossy().to_lowercase().into(),
        }
    }

    /// This place or, where another entry has it, the next one that is numbered.
    fn free(&mut self, place: &Path) -> PathBuf {
        let mut places = std::iter::once(place.to_path_buf()).chain(numbered(place));
        let free = places.find(|place| !self.taken.contains(&self.key(place)));
        let free = free.unwrap_or_else(|| place.to_path_buf());
        self.taken.insert(self.key(&free));
        free
    }
}

/// A folder on its way.
struct Filling<'t> {
    tree: Tree<'t>,
    names: Names,
    /// Those that were made, parents first: what they have is set when nothing in them changes any more.
    folders: Vec<(PathBuf, Attributes)>,
    links: Vec<(PathBuf, String)>,
    problems: Problems,
    failed: Vec<FailedFile>,
    /// Bytes of all files.
    total_bytes: u64,
    /// Bytes of those that are dealt with.
    done_bytes: u64,
    n_files: usize,
}

impl Filling<'_> {
    async fn fill(
        mut self,
        report: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<Filled> {
        let mut seen = HashSet::new();
        let mut first_failure = None;
        let mut size_bytes = 0_u64;
        for sentence in &self.tree.listing.damage {
            self.problems.add(sentence.clone());
        }
        let listing = self.tree.listing;
        // All names first: those under which files arrive keep clear of them.
        for entry in &listing.files {
            if let Some(inside) = name_in(self.tree.path, &entry.path) {
                self.names.place_of(inside);
            }
        }
        for entry in &listing.files {
            let path = entry.path.as_str();
            let Some(inside) = name_in(self.tree.path, path) else {
                self.problems.of(path, words::failures::path_refused());
                continue;
            };
            if !seen.insert(inside) {
                continue;
            }
            let place = self.names.place_of(inside);
            if let Some(reason) = &entry.unreadable {
                self.problems.of(path, reason);
                continue;
            }
            if !entry.streams.is_empty() {
                self.problems.of(path, words::downloads::streams_left_out());
            }
            self.tell_of_name(entry, &place);
            if entry.is_symlink {
                match entry.symlink_target.clone() {
                    Some(target) => self.links.push((place, target)),
                    // The hub would send what the link leads to on its own disk (contract H16).
                    None => self
                        .problems
                        .add(words::downloads::link_without_target(path)),
                }
                continue;
            }
            let is_folder = entry.kind == FileKind::Directory;
            let folder = match is_folder {
                true => place.clone(),
                false => folder_of(&place).to_path_buf(),
            };
            let root = self.names.root.clone();
            match blocking(move || make_folder(&root, &folder)).await {
                Ok(()) => {}
                Err(error) if ends_all(&error) => return Err(error),
                Err(error) => {
                    self.problems.of(path, &error.message);
                    continue;
                }
            }
            if is_folder {
                self.folders.push((place, Attributes::of(entry)));
                continue;
            }
            match self.file(entry, place.clone(), report, cancel).await {
                Ok(bytes) => {
                    self.n_files += 1;
                    size_bytes = size_bytes.saturating_add(bytes);
                }
                Err(error) if ends_all(&error) => return Err(error),
                Err(error) => {
                    self.problems.of(path, &error.message);
                    if error.retry != Retry::Never {
                        self.failed.push(self.failed_file(path, &place));
                    }
                    first_failure.get_or_insert(error);
                }
            }
            self.done_bytes = self.done_bytes.saturating_add(entry.size.unwrap_or(0));
        }
        match first_failure {
            Some(error) if self.n_files == 0 => Err(error),
            _ => Ok(Filled {
                folders: self.folders,
                links: self.links,
                problems: self.problems,
                failed: self.failed,
                n_files: self.n_files,
                size_bytes,
            }),
        }
    }

    /// One that could not be had, and where it would be.
    fn failed_file(&self, path: &str, place: &Path) -> FailedFile {
        let inside = place.strip_prefix(&self.names.root).unwrap_or(place);
        FailedFile {
            path: path.to_owned(),
            inside: inside.to_path_buf(),
        }
    }

    /// A name that this system does not allow, or that two entries share here, is another one now.
    fn tell_of_name(&mut self, entry: &FileEntry, place: &Path) {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let was = entry.path.rsplit('/').next().unwrap_or_default();
        if name != was {
            let line = words::downloads::renamed(&entry.path, &name);
            self.problems.add(line);
        }
    }

    /// Saves a file that is not there yet, and says how many bytes it has.
    async fn file(
        &mut self,
        entry: &FileEntry,
        place: PathBuf,
        report: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<u64> {
        let (there, size, modified) = (place.clone(), entry.size, entry.modified_time);
        let whole = blocking(move || Ok(size_if_whole(&there, size, modified))).await?;
        if let Some(size) = whole {
            return Ok(size);
        }
        let arrives_at = self.names.arrival_of(&place);
        let content = Content {
            hub: self.tree.hub,
            mount_id: self.tree.mount_id,
            path: &entry.path,
            stream: None,
            size: entry.size,
            modified: entry.modified_time,
        };
        let (before, total_bytes) = (self.done_bytes, Some(self.total_bytes));
        let mut of_all = |now: DownloadProgress| {
            report(DownloadProgress {
                received_bytes: before.saturating_add(now.received_bytes),
                total_bytes,
                speed_bps: now.speed_bps,
                eta_seconds: None,
            });
        };
        let destination = Destination {
            path: arrives_at.clone(),
            // What is there is not whole.
            existing: Existing::Replace,
        };
        let saved = content.save(&destination, &mut of_all, cancel).await?;
        let mode = Attributes::of(entry).mode;
        let named = move || {
            if arrives_at != place {
                let failed = |error: io::Error| local_failure(&place, &error);
                fs::rename(&arrives_at, &place).map_err(failed)?;
                sync_folder_of(&place).map_err(failed)?;
            }
            set_mode(&place, mode);
            Ok(())
        };
        blocking(named).await?;
        Ok(saved.size_bytes)
    }
}

/// Makes a folder and those above it, and enters no link.
fn make_folder(root: &Path, folder: &Path) -> Result<()> {
    let Ok(inside) = folder.strip_prefix(root) else {
        return Ok(());
    };
    let mut at = root.to_path_buf();
    for component in inside.components() {
        at.push(component);
        let made = match fs::create_dir(&at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match at.symlink_metadata() {
                    Ok(found) if found.is_dir() => Ok(()),
                    _ => Err(error),
                }
            }
            made => made,
        };
        made.map_err(|error| local_failure(&at, &error))?;
    }
    Ok(())
}

/// The size of a file that has its name already, and the size and time that it has on the disk.
fn size_if_whole(place: &Path, size: Option<u64>, modified: Option<Timestamp>) -> Option<u64> {
    let found = place.symlink_metadata().ok()?;
    let modified = SystemTime::try_from(modified?).ok()?;
    let is_it =
        found.is_file() && Some(found.len()) == size && found.modified().ok() == Some(modified);
    is_it.then_some(found.len())
}

/// All that can be had is there; what folders have, and links, are not.
struct Filled {
    folders: Vec<(PathBuf, Attributes)>,
    links: Vec<(PathBuf, String)>,
    problems: Problems,
    failed: Vec<FailedFile>,
    n_files: usize,
    size_bytes: u64,
}

impl Filled {
    fn finish(mut self, part: Part) -> Result<SavedFolder> {
        for (place, target) in &self.links {
            if let Err(error) = make_link(place, target) {
                let shown = place.strip_prefix(&part.path).unwrap_or(place);
                self.problems.add(words::downloads::link_not_made(
                    shown.display(),
                    target,
                    error,
                ));
            }
        }
        // What is in a folder first: to change that changes the time of the folder.
        for (place, attributes) in self.folders.iter().rev() {
            if let Some(modified) = attributes.modified
                && let Err(error) = set_time_of_folder(place, modified)
            {
                tracing::debug!(%error, "could not set the time of a restored folder");
            }
            set_mode(place, attributes.mode);
        }
        let path = part.keep()?;
        Ok(SavedFolder {
            path,
            n_files: self.n_files,
            size_bytes: self.size_bytes,
            problems: self.problems.text(),
            failed: self.failed,
            unchecked: None,
        })
    }
}

#[cfg(unix)]
fn make_link(place: &Path, target: &str) -> io::Result<()> {
    if fs::read_link(place).is_ok_and(|known| known == Path::new(target)) {
        return Ok(());
    }
    std::os::unix::fs::symlink(target, place)
}

#[cfg(not(unix))]
fn make_link(_place: &Path, _target: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn set_time_of_folder(place: &Path, modified: Timestamp) -> io::Result<()> {
    let modified = SystemTime::try_from(modified).map_err(io::Error::other)?;
    File::open(place)?.set_modified(modified)
}

/// Sets the permissions that an entry has on the disk, as far as this system has such; never those that let a program run
/// as somebody else.
fn set_mode(place: &Path, mode: Option<u32>) {
    #[cfg(unix)]
    if let Some(mode) = mode {
        use std::os::unix::fs::PermissionsExt;
        let permissions = fs::Permissions::from_mode(mode & 0o777);
        if let Err(error) = fs::set_permissions(place, permissions) {
            tracing::debug!(%error, "could not set the permissions of what was restored");
        }
    }
    #[cfg(not(unix))]
    let _ = (place, mode);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_a_place_of_its_own_below_the_folder() {
        let mut names = Names::new(PathBuf::from("/out"), Platform::Windows);
        for (inside, place) in [
            ("a/b", "/out/a/b"),
            ("A", "/out/A (2)"),
            ("A/b", "/out/A (2)/b"),
            ("a/b", "/out/a/b"),
            ("a/con", "/out/a/_con"),
            ("x:y", "/out/x_y"),
            ("x?y", "/out/x_y (2)"),
        ] {
            assert_eq!(names.place_of(inside), Path::new(place), "{inside}");
        }
        let mut names = Names::new(PathBuf::from("/out"), Platform::Linux);
        for inside in ["x", "x.part", "y", "y.part.json", "z", "x (2)"] {
            names.place_of(inside);
        }
        for (place, arrives_at) in [
            ("/out/x", "/out/x (3)"),
            ("/out/x.part", "/out/x.part"),
            ("/out/y", "/out/y (2)"),
            ("/out/z", "/out/z"),
        ] {
            assert_eq!(names.arrival_of(Path::new(place)), Path::new(arrives_at));
        }
        let long = Path::new("/out").join("n".repeat(255));
        let arrives_at = names.arrival_of(&long);
        assert!(
            arrives_at.file_name().unwrap().len() < 250,
            "{arrives_at:?}"
        );
        assert_eq!(names.place_of("a"), Path::new("/out/a"));
        assert_eq!(
            names.place_of("A"),
            Path::new("/out/A"),
            "they are two there"
        );
        for inside in ["..", "a\u{0}b", "\u{202e}"] {
            let place = names.place_of(inside);
            assert_eq!(place.parent(), Some(Path::new("/out")), "{place:?}");
            assert!(!place.ends_with(".."));
        }
    }
}
