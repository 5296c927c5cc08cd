//! Reparse points: links, WSL's special files, and files whose content is supplied by other programs.
//!
//! What each tag means: [MS-FSCC] 2.1.2. Content that is not on the disk must never be read as zeros, so a file with an
//! unknown tag is trusted only if all its content is there.

use crate::{
    EntryKind, Name,
    formats::bytes::{u16_at, u32_at},
};

use super::{attribute::units, record::Piece};

const SYMLINK: u32 = 0xA000_000C;
const MOUNT_POINT: u32 = 0xA000_0003;
const WSL_SYMLINK: u32 = 0xA000_001D;
const WSL_SOCKET: u32 = 0x8000_0023;
const WSL_FIFO: u32 = 0x8000_0024;
const WSL_CHAR_DEVICE: u32 = 0x8000_0025;
const WSL_BLOCK_DEVICE: u32 = 0x8000_0026;
const WOF: u32 = 0x8000_0017;

/// The sixteen tags of cloud files differ in these bits.
const CLOUD: u32 = 0x9000_001A;
const CLOUD_BITS: u32 = 0x0000_F000;

const HEAD_BYTES: usize = 8;

pub(super) struct Reparse {
    tag: u32,
    bytes: Piece,
}

/// What a reparse point makes of its file.
pub(super) enum Meaning {
    Link,
    Special(EntryKind),
    /// Compressed by Windows; how is in [`Reparse::wof`].
    Wof,
    /// Content that may be elsewhere: where, and whether it may be read when all of it is here.
    Elsewhere {
        reason: String,
        may_be_here: bool,
    },
}

impl Reparse {
    pub(super) fn parse(bytes: Piece) -> Option<Self> {
        let tag = u32_at(&bytes, 0)?;
        Some(Self { tag, bytes })
    }

    pub(super) fn meaning(&self) -> Meaning {
        match self.tag {
            SYMLINK | MOUNT_POINT | WSL_SYMLINK => Meaning::Link,
            WSL_SOCKET => Meaning::Special(EntryKind::Socket),
            WSL_FIFO => Meaning::Special(EntryKind::Fifo),
            WSL_CHAR_DEVICE => Meaning::Special(EntryKind::CharDevice),
            WSL_BLOCK_DEVICE => Meaning::Special(EntryKind::BlockDevice),
            WOF => Meaning::Wof,
            tag => elsewhere(tag),
        }
    }

    /// The name to show where there is one, else the name that Windows follows.
    pub(super) fn target(&self) -> Option<Name> {
        let names = match self.tag {
            SYMLINK => 20,
            MOUNT_POINT => 16,
            WSL_SYMLINK => return Some(Name::from_bytes(self.bytes.get(12..)?)),
            _ => return None,
        };
        let part = |at: usize| {
            let fields = self.bytes.get(at..)?;
            let start = usize::from(u16_at(fields, 0)?);
            let len = usize::from(u16_at(fields, 2)?);
            let name = self.bytes.get(names..)?.get(start..)?.get(..len)?;
            Some(units(name).collect::<Vec<_>>())
        };
        if let Some(printed) = part(12).filter(|name| !name.is_empty()) {
            return Some(Name::from_utf16(printed));
        }
        let followed = part(8)?;
        let prefix: Vec<u16> = r"\??\".encode_utf16().collect();
        let plain = followed.strip_prefix(&prefix[..]).unwrap_or(&followed);
        Some(Name::from_utf16(plain.iter().copied()))
    }

    /// The number of the algorithm, where the content is in the file itself.
    pub(super) fn wof(&self) -> Option<u32> {
        let content = self.bytes.get(HEAD_BYTES..)?;
        let word = |place: usize| u32_at(content, place);
        (word(0)? == 1 && word(4)? == 2 && word(8)? == 1).then_some(())?;
        word(12)
    }
}

fn elsewhere(tag: u32) -> Meaning {
    let (what, may_be_here) = match tag {
        tag if tag & !CLOUD_BITS == CLOUD => (
            "in OneDrive or another cloud and not on this disk: download it there, or restore a backup \
             from when it was kept on the computer",
            true,
        ),
        0x8000_0021 => (
            "in OneDrive and not on this disk: download it from OneDrive",
            true,
        ),
        0xC000_0004 | 0x8000_0006 => (
            "in an archive (hierarchical storage) and not on this disk: recall it there",
            true,
        ),
        0x8000_001E => (
            "in Azure File Sync and not on this disk: recall it from the file share",
            true,
        ),
        0x8000_0013 => (
            "deduplicated by Windows Server, which cannot be read: attach the disk to a Windows Server \
             with Data Deduplication",
            false,
        ),
        0x8000_0007 => (
            "kept once for several files (Single Instance Storage), which cannot be read: attach the disk \
             to the Windows Server that wrote it",
            false,
        ),
        0x9000_001C | 0xA000_0022 => (
            "supplied by another program when it is opened (Projected File System) and not on this disk: \
             get it from that program's source",
            false,
        ),
        0x8000_001B => (
            "none: it stands for an app from the Microsoft Store, which has to be installed again",
            false,
        ),
        _ => {
            return Meaning::Elsewhere {
                reason: format!(
                    "another program supplies its content, by a reparse point of type {tag:#010X} that is \
                     not known here: open it on the computer it is from"
                ),
                may_be_here: true,
            };
        }
    };
    Meaning::Elsewhere {
        reason: format!("its content is {what}"),
        may_be_here,
    }
}
