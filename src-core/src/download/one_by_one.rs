//! A folder whose files are asked for one after another and put into an archive here, where the hub cannot send one:
//! it ends each answer after 15 seconds (contract H1), or there is a pipe in the folder (H17).
//!
//! The listing is the measure of it: what it names is in the archive and whole, or named as a problem. Memory does not
//! grow with the size of a file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

use jiff::{Timestamp, tz::Offset};
use sendense_types::{
    AppError, DownloadProgress, ErrorKind, FileEntry, FileKind, Listing, MountId, Retry,
};
use sendense_words as words;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;
use zip::write::{FileOptions, FullFileOptions};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::contents::is_content;
use super::part::PartFile;
use super::steps::{ArchiveFormat, Attributes, Step};
use super::tar;
use super::{PIECES_IN_FLIGHT, Progress, incomplete, stopped, unless_cancelled};
use crate::hub::normal_path;
use crate::{HubClient, Result};

/// Fast enough to keep up with a network: what waits for it counts against the hub's 15 seconds, too.
const DEFLATE_LEVEL: i64 = 1;
/// From here on an entry needs 64 bits; Deflate may make incompressible bytes a little longer.
const LARGE_FILE_BYTES: u64 = 0xE000_0000;
/// No name in an archive is longer.
const LONGEST_NAME: usize = u16::MAX as usize;
/// More problems than anybody reads.
const MOST_PROBLEMS: usize = 1000;

const REGULAR_FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;

/// A folder of a mount, with everything that is in it.
#[derive(Clone, Copy)]
pub(super) struct Tree<'t> {
    pub(super) hub: &'t HubClient,
    pub(super) mount_id: &'t MountId,
    /// The folder, in its normal form.
    pub(super) path: &'t str,
    /// All below it.
    pub(super) listing: &'t Listing,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) n_files: usize,
    /// What is not in the archive, a line each.
    pub(super) problems: Option<String>,
}

impl Tree<'_> {
    /// What its files hold by its listing, in bytes.
    pub(super) fn size_bytes(self) -> u64 {
        let files = self.listing.files.iter().filter(|file| is_content(file));
        // A hub may say anything.
        files.fold(0, |sum, file| sum.saturating_add(file.size.unwrap_or(0)))
    }

    /// Whether a hub says of links only that they are some: what it sends in their place is not the user's (contract H16).
    pub(super) fn has_links_without_target(self) -> bool {
        let mut files = self.listing.files.iter();
        files.any(|file| file.is_symlink && file.symlink_target.is_none())
    }

    /// Puts its files into an archive, as far as the hub gives them.
    ///
    /// # Errors
    /// What ends all of it: `Cancelled`, a hub or a mount that is gone, a disk that is full. Where not one file could be
    /// had, why the first could not.
    pub(super) async fn save(
        self,
        part: PartFile,
        format: ArchiveFormat,
        report: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<(PartFile, Outcome)> {
        let (steps, arriving) = mpsc::channel(PIECES_IN_FLIGHT);
        let writer = tokio::task::spawn_blocking(move || {
            let mut part = part;
            part.fill(|file| match format {
                ArchiveFormat::Zip => write(file, arriving),
                ArchiveFormat::TarGz => tar::write(file, arriving),
            })?;
            Ok(part)
        });
        let mut filling = Filling {
            tree: self,
            format,
            steps,
            progress: Progress::new(Some(self.size_bytes())),
            report,
            cancel,
            n_files: 0,
            problems: Problems::default(),
        };
        let filled = filling.fill().await;
        let Filling {
            steps,
            progress,
            report,
            n_files,
            problems,
            ..
        } = filling;
        drop(steps);
        // Nothing takes what is written when writing has failed; its own error says why.
        let part = writer.await.map_err(|died| stopped(&died))??;
        filled?;
        report(progress.now());
        let outcome = Outcome {
            n_files,
            problems: problems.text(),
        };
        Ok((part, outcome))
    }
}

/// An archive on its way.
struct Filling<'f> {
    tree: Tree<'f>,
    format: ArchiveFormat,
    steps: Sender<Step>,
    progress: Progress,
    report: &'f mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &'f CancellationToken,
    n_files: usize,
    problems: Problems,
}

impl Filling<'_> {
    async fn fill(&mut self) -> Result<()> {
        let mut names = BTreeSet::new();
        let mut first_failure = None;
        for sentence in &self.tree.listing.damage {
            self.problems.add(sentence.clone());
        }
        for entry in &self.tree.listing.files {
            let path = entry.path.as_str();
            let name = match name_in(self.tree.path, path) {
                Some(name) if names.insert(name) => name.to_owned(),
                // One that is named twice is asked for once.
                Some(_) => continue,
                None => {
                    self.problems.of(path, words::failures::path_refused());
                    continue;
                }
            };
            let attributes = Attributes::of(entry);
            if entry.is_symlink {
                match entry.symlink_target.clone() {
                    Some(target) => self.step(Step::Link(name, target, attributes)).await?,
                    // The hub would send what the link leads to on its own disk (contract H16).
                    None => self
                        .problems
                        .add(words::downloads::link_without_target(path)),
                }
                continue;
            }
            if let Some(reason) = &entry.unreadable {
                self.problems.of(path, reason);
                continue;
            }
            if !entry.streams.is_empty() {
                self.problems.of(path, words::downloads::streams_left_out());
            }
            if entry.kind == FileKind::Directory {
                self.step(Step::Folder(name, attributes)).await?;
                continue;
            }
            match self.file(entry, &name, attributes).await {
                Ok(()) => self.n_files += 1,
                Err(error) if ends_all(&error) => return Err(error),
                Err(error) => {
                    self.problems.of(path, &error.message);
                    first_failure.get_or_insert(error);
                }
            }
        }
        match first_failure {
            Some(error) if self.n_files == 0 => Err(error),
            _ => Ok(()),
        }
    }

    /// One file, which is asked for a second time where it breaks off in the middle.
    async fn file(&mut self, entry: &FileEntry, name: &str, attributes: Attributes) -> Result<()> {
        let before = self.progress.received_bytes;
        let mut outcome = self.file_once(entry, name, attributes).await;
        // What ended at the hub's limit would end there again (contract 6.4), and silence stays silence.
        if let Err(error) = &outcome
            && error.kind == ErrorKind::Cut
            && error.retry != Retry::Never
            && self.progress.received_bytes > before
        {
            self.progress.received_bytes = before;
            outcome = self.file_once(entry, name, attributes).await;
        }
        if outcome.is_err() {
            // It is dealt with all the same.
            self.progress.received_bytes = before.saturating_add(entry.size.unwrap_or(0));
        }
        outcome
    }

    async fn file_once(
        &mut self,
        entry: &FileEntry,
        name: &str,
        attributes: Attributes,
    ) -> Result<()> {
        let Tree { hub, mount_id, .. } = self.tree;
        hub.refuse_too_large(entry.size.unwrap_or(0))?;
        let opened = hub.open_file(mount_id, &entry.path, None, None);
        let mut body = unless_cancelled(opened, self.cancel).await?;
        let announced = body.length();
        let size = entry.size.or(announced);
        if size.is_none() && self.format == ArchiveFormat::TarGz {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                words::failures::size_unknown(&entry.path),
                Retry::Never,
            ));
        }
        self.step(Step::File(name.to_owned(), size, attributes))
            .await?;
        let mut received: u64 = 0;
        let ended = loop {
            match unless_cancelled(body.next(), self.cancel).await {
                Err(error) => break Err(error),
                Ok(None) => break Ok(()),
                Ok(Some(piece)) => {
                    received = received.saturating_add(piece.len() as u64);
                    if let Some(size) = entry.size.filter(|size| received > *size) {
                        break Err(incomplete(received, size));
                    }
                    self.progress.add(piece.len() as u64, self.report);
                    self.step(Step::Piece(piece)).await?;
                }
            }
        };
        let mut expected = [announced, entry.size].into_iter().flatten();
        let outcome = ended.and_then(|()| match expected.find(|size| *size != received) {
            Some(size) => Err(incomplete(received, size)),
            None => Ok(()),
        });
        if outcome.is_err() {
            self.step(Step::Abandon).await?;
        }
        outcome
    }

    /// What writes ends early only when it failed; then that counts, and not this.
    async fn step(&mut self, step: Step) -> Result<()> {
        let sent = self.steps.send(step).await;
        sent.map_err(|_| {
            AppError::new(
                ErrorKind::Cancelled,
                words::failures::download_died(),
                Retry::Manual,
            )
        })
    }
}

/// Whether a failure is no matter of one file: the hub or the mount is gone, or nobody wants it any longer.
pub(super) fn ends_all(error: &AppError) -> bool {
    let is_of_hub = matches!(
        error.kind,
        ErrorKind::Cancelled
            | ErrorKind::Offline
            | ErrorKind::Expired
            | ErrorKind::Unauthorized
            | ErrorKind::Untrusted
            | ErrorKind::Conflict
            | ErrorKind::Full
    );
    is_of_hub || matches!(error.retry, Retry::AfterSeconds(_))
}

/// The name of an entry within its folder; `None` where that would lead out of it.
pub(super) fn name_in<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    let inside = path
        .strip_prefix(folder.trim_end_matches('/'))?
        .strip_prefix('/')?;
    let is_normal = normal_path(path).is_ok_and(|normal| normal == path);
    (is_normal && !inside.is_empty() && inside.len() < LONGEST_NAME).then_some(inside)
}

/// What is not in the archive.
#[derive(Debug, Default)]
pub(super) struct Problems {
    lines: Vec<String>,
    n_dropped: u64,
}

impl Problems {
    pub(super) fn of(&mut self, path: &str, why: impl std::fmt::Display) {
        self.add(words::downloads::not_in_archive(path, why));
    }

    pub(super) fn add(&mut self, line: String) {
        if self.lines.len() < MOST_PROBLEMS {
            self.lines.push(line);
        } else {
            self.n_dropped += 1;
        }
    }

    pub(super) fn text(mut self) -> Option<String> {
        if self.n_dropped > 0 {
            let more = words::downloads::more_not_in_archive(self.n_dropped);
            self.lines.push(more);
        }
        (!self.lines.is_empty()).then(|| self.lines.join("\n"))
    }
}

impl Attributes {
    /// The time is there twice: as DOS has it, here UTC, and in seconds since 1970, which every current reader prefers.
    fn options(self, kind: u32) -> io::Result<FullFileOptions<'static, 'static>> {
        let usual = if kind == REGULAR_FILE { 0o644 } else { 0o755 };
        let mode = self.mode.unwrap_or(usual) & 0o7777;
        let mut options: FullFileOptions<'static, 'static> = FileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(DEFLATE_LEVEL))
            .system(System::Unix)
            .external_attributes((kind | mode) << 16);
        if let Some(modified) = self.modified {
            if let Some(time) = dos_time(modified) {
                options = options.last_modified_time(time);
            }
            // Readers take the field for a signed number.
            if let Ok(seconds) = i32::try_from(modified.as_second())
                && let Ok(seconds) = u32::try_from(seconds)
            {
                options = options.with_extended_timestamp(Some(seconds), None, None)?;
            }
        }
        Ok(options)
    }
}

/// DOS knows 1980 to 2107.
fn dos_time(time: Timestamp) -> Option<DateTime> {
    let civil = Offset::UTC.to_datetime(time);
    DateTime::from_date_and_time(
        civil.year().try_into().ok()?,
        civil.month().try_into().ok()?,
        civil.day().try_into().ok()?,
        civil.hour().try_into().ok()?,
        civil.minute().try_into().ok()?,
        civil.second().try_into().ok()?,
    )
    .ok()
}

/// Writes an archive of what comes.
fn write(file: &File, mut steps: Receiver<Step>) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(file));
    while let Some(step) = steps.blocking_recv() {
        match step {
            // With the slash already there, a backslash at the end of a name is not taken for one.
            Step::Folder(name, attributes) => {
                zip.add_directory(format!("{name}/"), attributes.options(DIRECTORY)?)?;
            }
            Step::Link(name, target, attributes) => {
                // Some readers take the bytes of a link for its target as they are.
                let options = attributes.options(SYMLINK)?;
                let stored = options
                    .compression_method(CompressionMethod::Stored)
                    .compression_level(None);
                zip.start_file(name, stored)?;
                zip.write_all(target.as_bytes())?;
            }
            Step::File(name, size, attributes) => {
                let is_large = size.is_none_or(|size| size >= LARGE_FILE_BYTES);
                let options = attributes.options(REGULAR_FILE)?.large_file(is_large);
                zip.start_file(name, options)?;
            }
            Step::Piece(bytes) => zip.write_all(&bytes)?,
            Step::Abandon => zip.abort_file()?,
        }
    }
    let mut out = zip.finish()?;
    let end = out.stream_position()?;
    out.flush()?;
    // What was taken back may have reached further.
    file.set_len(end)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;
    use std::time::Duration;

    use sendense_types::FolderFormat;
    use zip::ZipArchive;

    use super::*;
    use crate::download::{Destination, Existing, SavedFolder, save_folder};
    use crate::testing::{FakeHub, StoppedClock, json, settle};

    const LISTING: &str = r#"{"files":[
        {"name":"empty","path":"/d/empty","type":"directory","size":4096,"mode":"0755"},
        {"name":"a","path":"/d/a","type":"file","size":5,"mode":"0640","modified_time":"2024-01-29T11:49:24Z"},
        {"name":"link","path":"/d/link","type":"file","size":9,"is_symlink":true},
        {"name":"pipe","path":"/d/pipe","type":"file","size":0,"mode":"0644"},
        {"name":"b","path":"/d/sub/b","type":"file","size":6}]}"#;

    fn content(bytes: &str) -> String {
        let length = bytes.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{bytes}")
    }

    fn failure(text: &str) -> String {
        json(500, "", &format!(r#"{{"error":"{text}"}}"#))
    }

    /// What a deployed hub answers of that folder, but for its archive.
    fn answer(line: &str) -> String {
        let path = line.rsplit_once("path=").map_or("", |(_, path)| path);
        if line.contains("/file-info") {
            let folder = r#"{"name":"d","path":"/d","type":"directory","size":4096}"#;
            return json(200, "", folder);
        }
        if line.contains("/files") {
            return json(200, "", LISTING);
        }
        match path {
            "%2Fd%2Fa" => content("hello"),
            "%2Fd%2Fsub%2Fb" => content("world!"),
            "%2Fd%2Fpipe" => failure("not a regular file: /d/pipe"),
            // The hub's own.
            _ => content("root:x:0:0"),
        }
    }

    fn destination(folder: &Path) -> Destination {
        Destination {
            path: folder.join("d.zip"),
            existing: Existing::Keep,
        }
    }

    fn saving(hub: &HubClient, folder: &Path) -> tokio::task::JoinHandle<Result<SavedFolder>> {
        let (hub, destination) = (hub.clone(), destination(folder));
        tokio::spawn(async move {
            let (mount, cancel) = (MountId::from("m"), CancellationToken::new());
            let zip = FolderFormat::Zip;
            save_folder(&hub, &mount, "/d", zip, &destination, &mut |_| {}, &cancel).await
        })
    }

    /// The names in an archive, with what they hold.
    fn entries(folder: &Path) -> Vec<(String, String)> {
        let file = File::open(destination(folder).path).unwrap();
        let mut archive = ZipArchive::new(file).unwrap();
        let read = |index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.name().unwrap().into_owned(), text)
        };
        (0..3).map(read).collect()
    }

    async fn asked_for_archive(fake: &FakeHub) {
        while !fake.asked().iter().any(|line| line.contains("-directory")) {
            settle().await;
        }
        settle().await;
    }

    /// Contract D47, D48, H16, H17, section 12.2.
    #[tokio::test]
    async fn a_folder_that_the_hub_never_begins_to_archive_is_saved_file_by_file() {
        let _clock = StoppedClock::new();
        let fake = FakeHub::holding(|line| match line.contains("/download-directory") {
            true => (String::new(), Duration::from_secs(3600)),
            false => (answer(line), Duration::ZERO),
        })
        .await;
        let hub = HubClient::new(&fake.address, None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let saving = saving(&hub, folder.path());
        asked_for_archive(&fake).await;
        tokio::time::advance(Duration::from_secs(31)).await;
        let saved = saving.await.unwrap().unwrap();

        assert_eq!(saved.n_files, 2);
        assert!(saved.unchecked.is_none());
        let wanted = [("empty/", ""), ("a", "hello"), ("sub/b", "world!")];
        let wanted = wanted.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(entries(folder.path()), wanted);
        let left_out = saved.problems.unwrap();
        let lines: Vec<&str> = left_out.lines().collect();
        assert_eq!(lines.len(), 2, "{left_out}");
        assert!(lines[0].starts_with("/d/link: a link."), "{left_out}");
        assert!(lines[1].starts_with("/d/pipe: "), "{left_out}");
        let asked = fake.asked();
        assert!(!asked.iter().any(|line| line.contains("link")), "{asked:?}");

        let file = File::open(&saved.path).unwrap();
        assert_eq!(file.metadata().unwrap().len(), saved.size_bytes);
        let mut archive = ZipArchive::new(file).unwrap();
        let entry = archive.by_name("a").unwrap();
        assert_eq!(entry.unix_mode(), Some(0o100_640));
        let time = entry.last_modified().unwrap();
        assert_eq!((time.year(), time.hour(), time.minute()), (2024, 11, 49));
    }

    /// Contract D53, H1.
    #[tokio::test]
    async fn a_folder_whose_archive_the_hub_ends_is_saved_file_by_file_and_then_always() {
        let _clock = StoppedClock::new();
        let begun = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n";
        let fake = FakeHub::holding(move |line| match line.contains("/download-directory") {
            true => (begun.to_owned(), Duration::from_secs(15)),
            false => (answer(line), Duration::ZERO),
        })
        .await;
        let hub = HubClient::new(&fake.address, None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let first = saving(&hub, folder.path());
        asked_for_archive(&fake).await;
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!(first.await.unwrap().unwrap().n_files, 2);

        // Four bytes came in that time: no second archive is begun for eleven.
        let elsewhere = tempfile::tempdir().unwrap();
        let second = saving(&hub, elsewhere.path()).await.unwrap().unwrap();
        assert_eq!(second.n_files, 2);
        let asked = fake.asked();
        let archives = asked.iter().filter(|line| line.contains("-directory"));
        assert_eq!(archives.count(), 1, "{asked:?}");
    }

    #[tokio::test]
    async fn an_archive_whose_connection_breaks_is_not_kept_and_not_gone_around() {
        let begun = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n";
        let fake = FakeHub::start(move |line| match line.contains("/download-directory") {
            true => begun.to_owned(),
            false => answer(line),
        })
        .await;
        let hub = HubClient::new(&fake.address, None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = saving(&hub, folder.path()).await.unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cut);
        let asked = fake.asked();
        assert!(!asked.iter().any(|line| line.contains("/download?")));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn entry(path: &str, size: u64) -> FileEntry {
        FileEntry {
            name: String::new(),
            path: path.to_owned(),
            kind: FileKind::File,
            size: Some(size),
            mode: None,
            modified_time: None,
            is_symlink: false,
            symlink_target: None,
            unreadable: None,
            streams: Vec::new(),
        }
    }

    /// Saves these files of a folder `/d`.
    async fn save(fake: &FakeHub, files: Vec<FileEntry>, folder: &Path) -> Result<Outcome> {
        let hub = HubClient::new(&fake.address, None).unwrap();
        let mount_id = MountId::from("m");
        let listing = Listing {
            mount_id: mount_id.clone(),
            path: "/d".to_owned(),
            files,
            damage: Vec::new(),
            passed_over: Vec::new(),
        };
        let tree = Tree {
            hub: &hub,
            mount_id: &mount_id,
            path: "/d",
            listing: &listing,
        };
        let part = PartFile::create(&destination(folder))?;
        let cancel = CancellationToken::new();
        let (part, outcome) = tree
            .save(part, ArchiveFormat::Zip, &mut |_| {}, &cancel)
            .await?;
        part.keep(None)?;
        Ok(outcome)
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_twice_is_named_and_the_others_are_whole() {
        let broken = "HTTP/1.1 200 OK\r\ncontent-length: 3000\r\nconnection: close\r\n\r\n";
        let broken = format!("{broken}{}", "half ".repeat(100));
        let fake = FakeHub::start(move |line| match line.contains("torn") {
            true => broken.clone(),
            false => answer(line),
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let files = vec![
            entry("/d/a", 5),
            entry("/d/torn", 3000),
            entry("/d/sub/b", 6),
            // Longer than listed.
            entry("/d/other", 3),
            entry("/d/../../x", 5),
            entry("/elsewhere/a", 5),
        ];
        let outcome = save(&fake, files, folder.path()).await.unwrap();
        assert_eq!(outcome.n_files, 2);
        let left_out = outcome.problems.unwrap();
        for path in ["/d/torn: ", "/d/other: ", "/d/../../x: ", "/elsewhere/a: "] {
            assert!(left_out.contains(path), "{left_out}");
        }
        let file = File::open(destination(folder.path()).path).unwrap();
        let contents = crate::download::zip::read_through(&file, None).unwrap();
        assert_eq!(contents.n_files, 2);
        let asked = fake.asked();
        let torn = asked.iter().filter(|line| line.contains("torn"));
        assert_eq!(torn.count(), 2, "{asked:?}");
    }

    /// Contract H13.
    #[tokio::test]
    async fn a_mount_that_goes_ends_all_of_it() {
        let fake = FakeHub::start(|line| match line.contains("Fb") {
            true => failure("mount not found: record not found"),
            false => answer(line),
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let files = vec![entry("/d/a", 5), entry("/d/sub/b", 6)];
        let error = save(&fake, files, folder.path()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Expired);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn where_no_file_could_be_had_nothing_is_kept() {
        let fake = FakeHub::start(|_| failure("not a regular file")).await;
        let folder = tempfile::tempdir().unwrap();
        let files = vec![entry("/d/a", 5), entry("/d/b", 5)];
        let error = save(&fake, files, folder.path()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert_eq!(fake.asked().len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn links_whose_target_is_listed_are_stored_as_links() {
        let fake = FakeHub::start(answer).await;
        let folder = tempfile::tempdir().unwrap();
        let link = FileEntry {
            is_symlink: true,
            symlink_target: Some("../a".to_owned()),
            ..entry("/d/sub/l", 4)
        };
        let with_stream = FileEntry {
            streams: vec![sendense_types::FileStream {
                name: "s".to_owned(),
                size: Some(1),
                unreadable: None,
            }],
            ..entry("/d/a", 5)
        };
        let outcome = save(&fake, vec![link, with_stream], folder.path())
            .await
            .unwrap();
        let left_out = outcome.problems.unwrap();
        assert!(left_out.starts_with("/d/a: "), "{left_out}");
        assert!(left_out.contains("streams"), "{left_out}");
        let file = File::open(destination(folder.path()).path).unwrap();
        let mut archive = ZipArchive::new(file).unwrap();
        let mut link = archive.by_name("sub/l").unwrap();
        assert!(link.is_symlink());
        let mut target = String::new();
        link.read_to_string(&mut target).unwrap();
        assert_eq!(target, "../a");
    }
}
