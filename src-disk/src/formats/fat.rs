//! FAT12, FAT16 and FAT32: folders, entries and files.
//!
//! We read these ourselves because the existing library (`fatfs` 0.3) decodes every byte of a short name above 0x7F to
//! the same character, so that the path of one file led to the content of another. It also refuses small FAT32 volumes
//! and boot sectors without a type name, and a broken entry ends its folder. The format: Microsoft's "FAT32 File System
//! Specification", and what the Linux kernel accepts.

mod boot;
mod folder;
mod name;
mod table;

use std::rc::Rc;

use self::{
    boot::{Boot, Width},
    folder::{Folder, Row, label},
    table::{Chain, Table},
};
use crate::{Entry, EntryKind, Error, FsPath, Listing, Name, Result, Slice};

/// FAT holds 65 536 entries of 32 bytes in a folder.
const MAX_FOLDER_BYTES: u64 = 2 << 20;
/// Folders that are kept, newest at the end: opening every file of one would read it as often as it has
/// files.
const MAX_KEPT_FOLDERS: usize = 8;
/// Where FAT32 keeps a second boot sector, in sectors.
const BACKUP_SECTOR: u64 = 6;

pub(crate) struct Fat {
    slice: Slice,
    boot: Boot,
    table: Table,
    label: String,
    folders: Vec<(u32, Rc<Folder>)>,
    /// The file that was read last: reading on goes on from its clusters.
    file: Option<Chain>,
}

/// The boot sector, or its backup where FAT32 keeps one; whether it is the backup.
pub(crate) fn find_boot(slice: &mut Slice) -> Option<(Boot, bool)> {
    let mut sector = [0; 512];
    slice.read_at(0, &mut sector).ok()?;
    if let Some(boot) = Boot::parse(&sector) {
        return Some((boot, false));
    }
    for sector_bytes in [512, 1024, 2048, 4096] {
        // Not every slice is that long.
        if slice
            .read_at(BACKUP_SECTOR.saturating_mul(sector_bytes), &mut sector)
            .is_err()
        {
            break;
        }
        let is_boot = sector.ends_with(&[0x55, 0xAA]) && sector[82..].starts_with(b"FAT32");
        if is_boot && let Some(boot) = Boot::parse(&sector) {
            return Some((boot, true));
        }
    }
    None
}

impl Fat {
    pub(crate) fn open(mut slice: Slice) -> Result<Self> {
        let (boot, _) = find_boot(&mut slice)
            .ok_or_else(|| Error::corrupt("FAT filesystem: its boot sector contradicts itself"))?;
        if boot.content_start >= slice.len_bytes() {
            return Err(Error::corrupt(
                "FAT filesystem: its content lies beyond the end of the volume",
            ));
        }
        let mut fat = Self {
            slice,
            boot,
            table: Table::new(),
            label: String::new(),
            folders: Vec::new(),
            file: None,
        };
        // A damaged root folder is said when it is listed.
        let in_root = fat.folder(0).ok().and_then(|root| root.label.clone());
        let in_boot = fat.boot.label.map(|raw| label(&raw));
        fat.label = in_root
            .or(in_boot.filter(|label| label != "NO NAME"))
            .unwrap_or_default();
        Ok(fat)
    }

    pub(crate) fn label(&self) -> String {
        self.label.clone()
    }

    /// A folder's entries, and the first clusters of the folders from below the root to it.
    pub(crate) fn read_dir(&mut self, path: &FsPath) -> Result<(Listing, Vec<u32>)> {
        let mut way = Vec::new();
        let folder = match self.follow(path, |row| way.push(row.first))? {
            None => self.folder(0),
            Some(row) if row.is_folder => self.folder_of(&row),
            Some(_) => {
                return Err(Error::NotADirectory {
                    path: path.to_string(),
                });
            }
        };
        let folder = folder.map_err(|error| damaged(path, &error))?;
        let listing = Listing {
            entries: folder.rows.iter().map(Row::entry).collect(),
            damage: folder.damage.clone(),
        };
        Ok((listing, way))
    }

    pub(crate) fn entry(&mut self, path: &FsPath) -> Result<Entry> {
        Ok(match self.row(path)? {
            None => Entry::new(Name::from_bytes("/"), EntryKind::Directory),
            Some(row) => row.entry(),
        })
    }

    /// Where the content of a file begins.
    pub(crate) fn first_cluster(&mut self, path: &FsPath) -> Result<u32> {
        Ok(self.row(path)?.map_or(0, |row| row.first))
    }

    /// Reads from the content that begins with a cluster; less than was asked for where its chain breaks.
    /// The caller knows its size.
    pub(crate) fn read(
        &mut self,
        first: u32,
        path: &FsPath,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let mut chain = match self.file.take() {
            Some(chain) if chain.first() == first => chain,
            _ => Chain::new(first),
        };
        let read = self.read_chain(&mut chain, offset, buffer);
        let damage = chain.damage().map(str::to_owned);
        self.file = Some(chain);
        match read {
            Ok(0) if !buffer.is_empty() => Err(Error::Corrupt {
                what: format!(
                    "{path} breaks off after {offset} bytes: {}",
                    damage
                        .as_deref()
                        .unwrap_or("its chain of clusters ends there")
                ),
                offset: None,
            }),
            Ok(n_read) => Ok(n_read),
            Err(error) => Err(damaged(path, &error)),
        }
    }

    fn read_chain(&mut self, chain: &mut Chain, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let cluster_bytes = self.boot.cluster_bytes;
        let end = offset.saturating_add(buffer.len() as u64);
        let n_wanted = u32::try_from(end.div_ceil(cluster_bytes)).unwrap_or(u32::MAX);
        self.table
            .follow(&mut self.slice, &self.boot, chain, n_wanted)?;
        let mut n_read = 0;
        while n_read < buffer.len() {
            let at = offset.saturating_add(n_read as u64);
            let index = at.checked_div(cluster_bytes).unwrap_or(u64::MAX);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let Some(run) = chain.run_of(index) else {
                break;
            };
            let within = at.saturating_sub(u64::from(run.index).saturating_mul(cluster_bytes));
            let run_bytes = u64::from(run.n_clusters).saturating_mul(cluster_bytes);
            let left = run_bytes.saturating_sub(within);
            let rest = &mut buffer[n_read..];
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let place = self.boot.start_of(run.cluster).saturating_add(within);
            match self.slice.read_at(place, &mut rest[..len]) {
                Ok(()) => n_read = n_read.saturating_add(len),
                // What was read is right; the error comes with the next call.
                Err(_) if n_read > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(n_read)
    }

    /// What a path leads to; `None` for the root. Component by component: no name here means another.
    fn row(&mut self, path: &FsPath) -> Result<Option<Row>> {
        self.follow(path, |_| {})
    }

    fn follow(&mut self, path: &FsPath, mut seen: impl FnMut(&Row)) -> Result<Option<Row>> {
        let mut found: Option<Row> = None;
        for name in path.names() {
            let folder = match &found {
                None => self.folder(0),
                Some(row) if row.is_folder => self.folder_of(row),
                Some(_) => {
                    return Err(Error::NotADirectory {
                        path: path.to_string(),
                    });
                }
            };
            let folder = folder.map_err(|error| damaged(path, &error))?;
            let row = folder.find(name).ok_or_else(|| Error::NotFound {
                path: path.to_string(),
            })?;
            seen(row);
            found = Some(row.clone());
        }
        Ok(found)
    }

    /// The folder behind a row; one that claims to begin where the root does has no content.
    fn folder_of(&mut self, row: &Row) -> Result<Rc<Folder>> {
        if !self.boot.has(row.first) {
            return Err(Error::corrupt(
                "the folder has no content: its first cluster is not on the volume",
            ));
        }
        self.folder(row.first)
    }

    /// The folder that begins with a cluster; 0 is the root.
    fn folder(&mut self, first: u32) -> Result<Rc<Folder>> {
        if let Some(at) = self.folders.iter().position(|(known, _)| *known == first) {
            let known = self.folders.remove(at);
            let folder = Rc::clone(&known.1);
            self.folders.push(known);
            return Ok(folder);
        }
        let is_fat32 = self.boot.width == Width::ThirtyTwo;
        let (bytes, damage) = match first {
            0 if !is_fat32 => {
                let mut bytes = vec![0; usize::try_from(self.boot.root_bytes).unwrap_or(0)];
                self.slice.read_at(self.boot.root_start, &mut bytes)?;
                (bytes, None)
            }
            0 => self.clusters(self.boot.root_cluster)?,
            first => self.clusters(first)?,
        };
        let mut folder = Folder::parse(&bytes, is_fat32, first == 0);
        folder.damage.extend(damage);
        let folder = Rc::new(folder);
        if self.folders.len() >= MAX_KEPT_FOLDERS {
            self.folders.remove(0);
        }
        self.folders.push((first, Rc::clone(&folder)));
        Ok(folder)
    }

    /// The bytes of a folder, and what is wrong with it.
    fn clusters(&mut self, first: u32) -> Result<(Vec<u8>, Option<String>)> {
        let cluster_bytes = self.boot.cluster_bytes;
        let most = u32::try_from(MAX_FOLDER_BYTES.div_ceil(cluster_bytes)).unwrap_or(1);
        let mut chain = Chain::new(first);
        self.table.follow(
            &mut self.slice,
            &self.boot,
            &mut chain,
            most.saturating_add(1),
        )?;
        let mut damage = chain
            .damage()
            .map(|damage| format!("the folder breaks off, entries may be missing: {damage}"));
        if chain.n_clusters() > most {
            damage =
                Some("the folder is longer than FAT allows: the rest is not listed".to_owned());
        }
        let len = u64::from(chain.n_clusters().min(most)).saturating_mul(cluster_bytes);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let mut n_read = 0;
        while n_read < bytes.len() {
            match self.read_chain(&mut chain, n_read as u64, &mut bytes[n_read..]) {
                Ok(0) => break,
                Ok(n) => n_read = n_read.saturating_add(n),
                Err(error) if n_read == 0 => return Err(error),
                Err(error) => {
                    damage = Some(format!(
                        "the folder breaks off, entries may be missing: {error}"
                    ));
                    break;
                }
            }
        }
        bytes.truncate(n_read);
        if bytes.is_empty() {
            return Err(Error::corrupt(
                damage.unwrap_or_else(|| "the folder has no content".to_owned()),
            ));
        }
        Ok((bytes, damage))
    }
}

fn damaged(path: &FsPath, error: &Error) -> Error {
    match error {
        Error::Corrupt { what, offset } => Error::Corrupt {
            what: format!("{path}: {what}"),
            offset: *offset,
        },
        other => Error::corrupt(format!("{path}: {other}")),
    }
}

#[cfg(test)]
mod tests;
