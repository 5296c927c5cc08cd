//! What a path leads to, and its bytes: a file or part of one, or a folder as an archive.

use std::{
    io::{self, Write},
    ops::Range,
};

use jiff::Timestamp;
use sendense_disk::{DataStream, Entry, EntryKind, FileReader, FsPath, Name};

use super::{
    Error, Result,
    archive::{ArchiveFormat, ArchiveSource, write_archive},
    entry::why_unreadable,
    mounts::MountInUse,
    path::RequestPath,
    stream::Chunks,
    tree::{Folder, Found, Readers},
};

/// What is read at once: large enough for the disk, small enough to notice a client that left.
const BLOCK_BYTES: usize = 256 * 1024;

/// A file, or one of its alternate data streams, that can be read.
#[derive(Clone, Debug)]
pub struct FileHead {
    volume: u32,
    path: FsPath,
    /// An alternate data stream instead of the content.
    stream: Option<Name>,
    /// How long it is.
    pub size_bytes: u64,
    /// What it is called.
    pub name: String,
    /// When it was written last; `None` where the filesystem does not say.
    pub modified: Option<Timestamp>,
}

impl FileHead {
    fn open(&self, readers: &mut Readers) -> Result<FileReader> {
        let filesystem = readers.filesystem(self.volume)?;
        let opened = match &self.stream {
            Some(stream) => filesystem.open_stream(&self.path, stream),
            None => filesystem.open(&self.path),
        };
        Ok(opened?)
    }
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub enum Target {
    /// Something with content.
    File(FileHead),
    /// A folder, a volume or the whole disk.
    Folder,
}

impl MountInUse {
    /// Looks what a path leads to, or which stream of that name what it leads to has.
    ///
    /// # Errors
    /// When nothing is there, or it has no content that could be read.
    pub async fn target(&self, path: RequestPath, stream: Option<String>) -> Result<Target> {
        self.session()
            .ask(move |readers| match stream {
                Some(stream) => stream_target(readers, &path, &stream),
                None => target(readers, &path),
            })
            .await
    }

    /// The same for the same file of the same backup in every mount, so that reading can go on after a remount; another
    /// one where size or time differ.
    pub fn tag(&self, head: &FileHead) -> String {
        let row = self.row();
        let modified = head.modified.map(|time| time.to_string());
        let identity = serde_json::json!([
            row.backup_id,
            row.disk_index,
            head.volume,
            head.path.to_string(),
            head.stream.as_ref().map(Name::to_path_text),
            head.size_bytes,
            modified
        ]);
        let hash = blake3::hash(identity.to_string().as_bytes()).to_hex();
        hash[..32].to_owned()
    }

    /// Reads these bytes of a file that `path` led to, which must lie in it. The mount does not end meanwhile.
    ///
    /// # Errors
    /// When the beginning cannot be read; what fails later ends the chunks.
    pub async fn read(
        &self,
        head: FileHead,
        path: RequestPath,
        bytes: Range<u64>,
    ) -> Result<Chunks> {
        let guard = self.hold().await?;
        self.session()
            .stream(
                guard,
                // The beginning is read while a failure can still be answered in words.
                move |readers| Part::open(readers, &head, &path, bytes),
                move |readers, part, sink| part.copy(readers, sink),
            )
            .await
    }

    /// Makes sure that a path leads to a folder.
    ///
    /// # Errors
    /// When it does not.
    pub async fn require_folder(&self, path: RequestPath) -> Result<()> {
        self.session()
            .ask(move |readers| readers.find_folder(&path).map(drop))
            .await
    }

    /// Reads a folder as an archive, whose length nobody knows before its end. The mount does not end meanwhile.
    ///
    /// # Errors
    /// When it is no folder, or cannot be listed; what fails later ends the chunks.
    pub async fn archive(&self, path: RequestPath, format: ArchiveFormat) -> Result<Chunks> {
        let now = self.now();
        let guard = self.hold().await?;
        self.session()
            .stream(
                guard,
                move |readers| ArchiveSource::open(readers, &path),
                move |readers, source, sink| write_archive(sink, format, readers, source, now),
            )
            .await
    }

    /// What such an archive is called.
    pub fn archive_name(&self, path: &RequestPath, format: ArchiveFormat) -> String {
        let row = self.row();
        let base = match path.file_name() {
            Some(name) => name.to_owned(),
            None => format!("{}-disk{}", row.backup_id, row.disk_index),
        };
        format!("{base}.{}", format.extension())
    }
}

/// A stretch of a file, of which the beginning has been read.
struct Part {
    volume: u32,
    file: FileReader,
    /// Where to go on, and where it ends.
    offset: u64,
    end: u64,
    beginning: Vec<u8>,
}

impl Part {
    fn open(
        readers: &mut Readers,
        head: &FileHead,
        path: &RequestPath,
        bytes: Range<u64>,
    ) -> Result<Self> {
        let Range { start, end } = bytes;
        let mut file = head.open(readers)?;
        let filesystem = readers.filesystem(head.volume)?;
        let mut beginning = vec![0; (end - start).min(BLOCK_BYTES as u64) as usize];
        let mut n_read = 0;
        while n_read < beginning.len() {
            let read = file.read(filesystem, start + n_read as u64, &mut beginning[n_read..]);
            n_read += read.map_err(|error| Error::ContentUnreadable {
                path: path.to_string(),
                reason: error.to_string(),
            })?;
        }
        Ok(Self {
            volume: head.volume,
            file,
            offset: start + n_read as u64,
            end,
            beginning,
        })
    }

    fn copy(mut self, readers: &mut Readers, out: &mut impl Write) -> io::Result<()> {
        let filesystem = readers.filesystem(self.volume).map_err(io::Error::other)?;
        out.write_all(&self.beginning)?;
        let mut block = vec![0; BLOCK_BYTES];
        while self.offset < self.end {
            let n_wanted_bytes = (self.end - self.offset).min(BLOCK_BYTES as u64) as usize;
            let n_bytes = self
                .file
                .read(filesystem, self.offset, &mut block[..n_wanted_bytes])
                .map_err(io::Error::other)?;
            out.write_all(&block[..n_bytes])?;
            self.offset += n_bytes as u64;
        }
        Ok(())
    }
}

fn target(readers: &mut Readers, path: &RequestPath) -> Result<Target> {
    let (volume, fs_path, entry) = match readers.find(path)? {
        Found::Folder(_) => return Ok(Target::Folder),
        Found::Entry {
            volume,
            path: fs_path,
            entry,
        } => (volume, fs_path, entry),
    };
    if let Some(why) = why_not_sent(readers, volume, path, &fs_path, &entry)? {
        return Err(why);
    }
    Ok(Target::File(FileHead {
        volume,
        path: fs_path,
        stream: None,
        size_bytes: entry.size_bytes,
        name: entry.name.display(),
        modified: entry.modified,
    }))
}

/// A stream of a file, a folder or a link, named as listings name it.
fn stream_target(readers: &mut Readers, path: &RequestPath, stream: &str) -> Result<Target> {
    let (volume, fs_path) = match readers.find(path)? {
        Found::Folder(Folder::OnVolume { volume, path }) => (volume, path),
        Found::Entry { volume, path, .. } => (volume, path),
        Found::Folder(Folder::Disk) => {
            return Err(Error::PathMissing {
                path: format!("{path}:{stream}"),
            });
        }
    };
    let entry = readers.filesystem(volume)?.entry(&fs_path)?;
    let wanted = Name::from_path_text(stream);
    let found = entry.streams.into_iter().find(|it| it.name == wanted);
    let DataStream {
        name,
        size_bytes,
        unreadable,
    } = found.ok_or_else(|| Error::PathMissing {
        path: format!("{path}:{stream}"),
    })?;
    if let Some(reason) = unreadable {
        return Err(Error::ContentUnreadable {
            path: format!("{path}:{stream}"),
            reason,
        });
    }
    Ok(Target::File(FileHead {
        volume,
        path: fs_path,
        size_bytes,
        name: format!("{}.{}", entry.name.display(), name.display()),
        stream: Some(name),
        modified: entry.modified,
    }))
}

/// Links are never followed: the user is told where they lead and can go there.
fn why_not_sent(
    readers: &mut Readers,
    volume: u32,
    path: &RequestPath,
    fs_path: &FsPath,
    entry: &Entry,
) -> Result<Option<Error>> {
    let path = path.to_string();
    if let Some(reason) = &entry.unreadable {
        let reason = reason.clone();
        return Ok(Some(Error::ContentUnreadable { path, reason }));
    }
    let what = match entry.kind {
        EntryKind::Symlink => match readers.filesystem(volume)?.read_link(fs_path) {
            Ok(target) => Some(format!("it is a link to {}", target.display())),
            Err(error) => Some(format!("it is a link whose target cannot be read: {error}")),
        },
        _ => why_unreadable(entry),
    };
    Ok(what.map(|what| Error::NotAFile { path, what }))
}
