//! What a volume contains, by the marks that filesystems and other formats leave at fixed positions.
//!
//! Marks outlive what made them, because formatting a volume overwrites only the positions the new format needs. So
//! there may be several, and the order below decides which one counts. It is that of libblkid, except that of two
//! filesystems, the one counts whose creation would have overwritten the other.

use super::{Content, Unreadable};
use crate::{
    FsKind, Result, Slice,
    formats::{
        bytes::{u32_at, u64_at},
        ext, fat,
    },
};

/// A mark of what is known and cannot be read.
pub(crate) struct Signature {
    /// From the beginning of the volume, in bytes.
    offset: u64,
    bytes: &'static [u8],
    /// What it is called.
    pub(crate) name: &'static str,
    /// Why it cannot be read.
    pub(crate) reason: &'static str,
}

#[cfg(test)]
impl Signature {
    pub(super) fn write(&self, disk: &mut [u8]) {
        let offset = usize::try_from(self.offset).unwrap();
        disk[offset..offset + self.bytes.len()].copy_from_slice(self.bytes);
    }
}

const fn mark(
    offset: u64,
    bytes: &'static [u8],
    name: &'static str,
    reason: &'static str,
) -> Signature {
    Signature {
        offset,
        bytes,
        name,
        reason,
    }
}

const ENCRYPTED: &str = "it is encrypted and cannot be opened here";
const NOT_YET: &str = "this filesystem cannot be read yet";
const LVM: &str = "logical volumes cannot be read yet";
const RAID: &str = "it is a member of a software RAID, whose other members are needed";
const VMFS: &str = "VMware's filesystem cannot be read yet: back up the VMs on it instead";
const VDO: &str = "it is stored by a layer that cannot be read yet (VDO)";
const CEPH: &str = "it is storage of a Ceph cluster, which cannot be read alone";
const DRBD: &str = "it holds what DRBD keeps for itself, and no files";
const XFS_LOG: &str =
    "it is the log of an XFS filesystem on another disk and holds no files of its own";
const CACHE: &str = "it is the cache or the backing device of a cache, which cannot be read yet";

/// Layers below filesystems: what lies inside them is not for others, so they count first.
pub(crate) const LAYERS: &[Signature] = &[
    mark(3, b"-FVE-FS-", "BitLocker", ENCRYPTED),
    mark(0, b"LUKS\xba\xbe", "LUKS", ENCRYPTED),
    mark(0, b"LABELONE", "LVM", LVM),
    mark(512, b"LABELONE", "LVM", LVM),
    mark(1024, b"LABELONE", "LVM", LVM),
    mark(1536, b"LABELONE", "LVM", LVM),
    mark(0, b"\xfc\x4e\x2b\xa9", "RAID", RAID),
    mark(4096, b"\xfc\x4e\x2b\xa9", "RAID", RAID),
    mark(
        4096 + 24,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
        "bcache",
        CACHE,
    ),
    mark(0, b"dmvdo001", "VDO", VDO),
    mark(0, b"bluestore block device", "Ceph BlueStore", CEPH),
    mark(0, b"$DRBDmgr=q", "drbdmanage control volume", DRBD),
    mark(0, b"\xfe\xed\xba\xbe", "XFS external log", XFS_LOG),
    mark(4640, b"\xf0\x16\x78\x5a", "RAID (HPT37x)", BIOS_RAID),
    mark(4640, b"\xfd\x16\x78\x5a", "RAID (HPT37x)", BIOS_RAID),
    mark(0x10_0000, b"\x0d\xd0\x01\xc0", "VMFS", VMFS),
    mark(0x20_0000, b"\x5e\xf1\xab\x2f", "VMFS", VMFS),
];

/// Filesystems whose mark is in the first sector: nobody formats a volume and leaves that.
pub(crate) const FIRST_SECTOR: &[Signature] = &[
    mark(0, b"XFSB", "XFS", NOT_YET),
    mark(3, b"EXFAT   ", "exFAT", NOT_YET),
    mark(3, b"ReFS\0\0\0\0", "ReFS", NOT_YET),
    mark(32, b"NXSB", "APFS", NOT_YET),
    mark(0, b"hsqs", "squashfs", NOT_YET),
    mark(0, b"\x45\x3d\xcd\x28", "cramfs", NOT_YET),
    mark(0, b"-rom1fs-", "romfs", NOT_YET),
    mark(0, b"\x28\xcd\x3d\x45", "cramfs", NOT_YET),
    mark(0, b"\xce\xfa\xad\x1b", "BFS", NOT_YET),
    mark(0, b"mpoolDev", "mpool", NOT_YET),
    mark(0, b"UBI#", "UBI", NOT_YET),
    mark(0, b"\x31\x18\x10\x06", "UBIFS", NOT_YET),
    mark(0, b"SFOZ", "zonefs", NOT_YET),
];

/// Others, which may be left from before.
pub(crate) const LATER: &[Signature] = &[
    mark(1024, b"H+\0\x04", "HFS+", NOT_YET),
    mark(1024, b"HX\0\x05", "HFS+", NOT_YET),
    mark(1024, b"BD", "HFS", NOT_YET),
    mark(1024, b"\x10\x20\xf5\xf2", "F2FS", NOT_YET),
    mark(1024, b"\xe2\xe1\xf5\xe0", "EROFS", NOT_YET),
    mark(1024 + 6, b"\x34\x34", "NILFS2", NOT_YET),
    mark(1024 + 16, b"\x7f\x13", "Minix", NOT_YET),
    mark(1024 + 16, b"\x8f\x13", "Minix", NOT_YET),
    mark(1024 + 16, b"\x68\x24", "Minix", NOT_YET),
    mark(1024 + 16, b"\x78\x24", "Minix", NOT_YET),
    mark(1024 + 24, b"\x5a\x4d", "Minix", NOT_YET),
    mark(1024 + 16, b"\x13\x7f", "Minix", NOT_YET),
    mark(1024 + 16, b"\x13\x8f", "Minix", NOT_YET),
    mark(1024 + 16, b"\x24\x68", "Minix", NOT_YET),
    mark(1024 + 16, b"\x24\x78", "Minix", NOT_YET),
    mark(1024 + 24, b"\x4d\x5a", "Minix", NOT_YET),
    mark(0x1_0040, b"_BHRfS_M", "Btrfs", NOT_YET),
    mark(
        4096 + 24,
        b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
        "bcachefs",
        NOT_YET,
    ),
    mark(8192 + 1372, b"\x54\x19\x01\0", "UFS", NOT_YET),
    mark(8192 + 1372, b"\0\x01\x19\x54", "UFS", NOT_YET),
    mark(65536 + 1372, b"\x19\x01\x54\x19", "UFS", NOT_YET),
    mark(65536 + 1372, b"\x19\x54\x01\x19", "UFS", NOT_YET),
    mark(65536 + 1372, b"\x54\x19\x01\0", "UFS", NOT_YET),
    mark(32768, b"JFS1", "JFS", NOT_YET),
    mark(8192 + 52, b"ReIsErFs", "ReiserFS", NOT_YET),
    mark(65536 + 52, b"ReIsErFs", "ReiserFS", NOT_YET),
    mark(65536 + 52, b"ReIsEr2Fs", "ReiserFS", NOT_YET),
    mark(65536 + 52, b"ReIsEr3Fs", "ReiserFS", NOT_YET),
    mark(65536, b"ReIsEr4", "Reiser4", NOT_YET),
    mark(65536, b"\x01\x16\x19\x70", "GFS2", NOT_YET),
    mark(1024, b"OCFSV2", "OCFS2", NOT_YET),
    mark(2048, b"OCFSV2", "OCFS2", NOT_YET),
    mark(4096, b"OCFSV2", "OCFS2", NOT_YET),
    mark(8192, b"OCFSV2", "OCFS2", NOT_YET),
    mark(8, b"OracleCFS", "OCFS", NOT_YET),
    mark(512 + 32, b"1SFB", "BeFS", NOT_YET),
    mark(512 + 32, b"BFS1", "BeFS", NOT_YET),
    mark(32, b"1SFB", "BeFS", NOT_YET),
    mark(0x2000, b"\x49\xe8\x95\xf9", "HPFS", NOT_YET),
    mark(4096, b"SPB5", "NSS (NetWare)", NOT_YET),
    mark(0x8001, b"CD001", "ISO 9660", NOT_YET),
    mark(
        4086,
        b"SWAPSPACE2",
        "swap",
        "it is swap space and holds no files",
    ),
    mark(
        4086,
        b"SWAP-SPACE",
        "swap",
        "it is swap space and holds no files",
    ),
];

const SECTOR_BYTES: usize = 512;
pub(crate) const BIOS_RAID: &str =
    "it is a member of a RAID of the computer's firmware, whose other members are needed";

/// A mark behind whose place at the end of a disk there is nothing more.
pub(crate) struct EndMark {
    /// Where it is: so many bytes before the end, and so many on from there.
    before_end: u64,
    offset: u64,
    bytes: &'static [u8],
    pub(crate) name: &'static str,
}

impl EndMark {
    fn is_on(&self, slice: &mut Slice) -> bool {
        // A backup ends with a whole sector, its disk perhaps somewhere in that: a mark that is long enough to
        // be none by accident is looked for in all of it. Zeros before it say nothing: those are everywhere, also
        // before the random numbers of a GPT.
        let n_telling = self.bytes.iter().filter(|byte| **byte != 0).count();
        let n_places = match n_telling {
            ..4 => 1,
            _ => SECTOR_BYTES,
        };
        let end = slice.len_bytes();
        let Some(at) = (end & !511).checked_sub(self.before_end) else {
            return false;
        };
        let n_before = n_places.saturating_sub(1);
        let at = at.saturating_add(self.offset);
        let at = at.saturating_sub(n_before as u64);
        let mut bytes = vec![0; self.bytes.len().saturating_add(n_before)];
        slice.read_at(at, &mut bytes).is_ok()
            && bytes
                .windows(self.bytes.len())
                .any(|found| found == self.bytes)
    }
}

const fn at_end(before_end: u64, offset: u64, bytes: &'static [u8], name: &'static str) -> EndMark {
    EndMark {
        before_end,
        offset,
        bytes,
        name,
    }
}

/// RAIDs of firmwares, by the names that blkid gives them.
pub(crate) const AT_END: &[EndMark] = &[
    at_end(512, 0, b"\x37\xfc\x4d\x1e", "RAID (Adaptec)"),
    at_end(512, 0, b"\x55\xaa", "RAID (VIA)"),
    at_end(512, 0, b"\xde\x11\xde\x11", "RAID (DDF)"),
    at_end(257 * 512, 0, b"\xde\x11\xde\x11", "RAID (DDF)"),
    at_end(1024, 0, b"Intel Raid ISM Cfg Sig. ", "RAID (ISW, Intel)"),
    at_end(512, 0, b"$XIDE$", "RAID (LSI)"),
    at_end(1024, 0, b"NVIDIA  ", "RAID (NVIDIA)"),
    at_end(512, 0, b"JM", "RAID (JMicron)"),
    at_end(512, 0x60, b"\0\0\0\x2f", "RAID (Silicon)"),
    at_end(11 * 512, 0, b"\xf3\x16\x78\x5a", "RAID (HPT45x)"),
    at_end(11 * 512, 0, b"\xfd\x16\x78\x5a", "RAID (HPT45x)"),
    at_end(63 * 512, 0, b"Promise Technology, Inc.", "RAID (Promise)"),
    at_end(4096, 60, b"\x83\x74\x02\x6b", "DRBD"),
    at_end(4096, 60, b"\x83\x74\x02\x6c", "DRBD"),
    at_end(4096, 60, b"\x83\x74\x02\x6d", "DRBD"),
];

/// The names that no mark at a fixed place stands for.
pub(crate) const UNMARKED: [(&str, &str); 3] = [ZFS, UDF, EXT_JOURNAL];
const ZFS: (&str, &str) = ("ZFS", NOT_YET);
const UDF: (&str, &str) = ("UDF", NOT_YET);
const EXT_JOURNAL: (&str, &str) = (
    "ext journal",
    "it is the journal (jbd) of an ext filesystem on another disk and holds no files of its own",
);
const ZFS_FIRST: u64 = 128 << 10;
const ZFS_STEP: usize = 1024;
const ZFS_MAGIC: u64 = 0x00BA_B10C;

/// What a volume holds, and the names of older marks on it that do not count.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) content: Content,
    pub(super) passed_over: Vec<String>,
    /// Whether the first sector is that of a filesystem, and so holds no partition table.
    pub(super) has_first_sector: bool,
}

/// Looks at a volume.
pub(super) fn inspect(slice: &mut Slice) -> Result<Seen> {
    let mut head = vec![0; 4096.min(usize::try_from(slice.len_bytes()).unwrap_or(4096))];
    slice.read_at(0, &mut head)?;
    let has = |offset: usize, bytes: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(bytes))
    };

    // In the order in which they count.
    let mut found: Vec<Content> = Vec::new();
    let mut named = |signatures: &[Signature], found: &mut Vec<Content>| -> Result<()> {
        for signature in signatures {
            let mut bytes = vec![0; signature.bytes.len()];
            let end = signature.offset.saturating_add(bytes.len() as u64);
            if slice.len_bytes() < end {
                continue;
            }
            slice.read_at(signature.offset, &mut bytes)?;
            if bytes == signature.bytes {
                found.push(unreadable(signature.name, signature.reason));
            }
        }
        Ok(())
    };
    named(LAYERS, &mut found)?;
    let n_layers = found.len();
    named(FIRST_SECTOR, &mut found)?;
    let is_encrypted = found
        .iter()
        .any(|layer| matches!(name_of(layer), "BitLocker" | "LUKS"));
    if has(3, b"NTFS    ") {
        found.push(Content::Readable(FsKind::Ntfs));
    }
    let mut later = Vec::new();
    named(LATER, &mut later)?;
    let fat = fat::find_boot(slice);
    if fat.as_ref().is_some_and(|(_, is_backup)| !is_backup) {
        found.push(Content::Readable(FsKind::Fat));
    }
    let has_first_sector = found.len() > n_layers || is_encrypted;
    if let Some(content) = ext_by_superblock(&head) {
        found.push(content);
    }
    if has_udf(slice)? {
        found.push(unreadable(UDF.0, UDF.1));
    }
    found.append(&mut later);
    if has_zfs(slice)? {
        found.push(unreadable(ZFS.0, ZFS.1));
    }
    // The first sector is lost, and its backup is not: but it may be older than a partition table.
    if fat.is_some_and(|(_, is_backup)| is_backup) && !has(510, &[0x55, 0xAA]) {
        found.push(Content::Readable(FsKind::Fat));
    }
    for mark in AT_END {
        if mark.is_on(slice) {
            // Some of these marks are short: they hide nothing that can be read.
            let place = match found.first() {
                Some(Content::Readable(_)) => found.len(),
                _ => 0,
            };
            found.insert(place, unreadable(mark.name, BIOS_RAID));
        }
    }
    if found.is_empty() && ext::has_copy(slice) {
        found.push(Content::Readable(FsKind::Ext4));
    }
    match raid_at_end(slice)? {
        // Each member of a mirror holds the filesystem from its beginning.
        Some(1) if matches!(found.first(), Some(Content::Readable(_))) => {
            found.push(unreadable("RAID", RAID));
        }
        Some(_) => found.insert(0, unreadable("RAID", RAID)),
        None => {}
    }
    let mut found = found.into_iter();
    let content = match found.next() {
        Some(first) => first,
        None if head.iter().all(|byte| *byte == 0) => {
            unreadable("empty", "nothing has been written to its beginning")
        }
        None => unreadable("unknown", "its content is not recognised"),
    };
    let mut passed_over: Vec<String> = found.map(|content| name_of(&content).to_owned()).collect();
    passed_over.dedup();
    passed_over.retain(|name| name != name_of(&content));
    Ok(Seen {
        content,
        passed_over,
        has_first_sector,
    })
}

pub(super) fn unreadable(name: &str, reason: &str) -> Content {
    Content::Unreadable(Unreadable {
        name: name.to_owned(),
        reason: reason.to_owned(),
    })
}

pub(super) fn name_of(content: &Content) -> &str {
    match content {
        Content::Readable(kind) => kind.as_str(),
        Content::Unreadable(what) => &what.name,
    }
}

/// Whether it is something that has a name.
pub(super) fn is_known(content: &Content) -> bool {
    !matches!(name_of(content), "unknown" | "empty")
}

/// The ext superblock lies at 1024: magic at 56, compatible features at 92, incompatible at 96.
fn ext_by_superblock(head: &[u8]) -> Option<Content> {
    const SUPERBLOCK: usize = 1024;
    const JOURNAL_DEVICE: u8 = 0x08;
    (head.get(SUPERBLOCK + 56..SUPERBLOCK + 58)? == [0x53, 0xEF]).then_some(())?;
    let has_journal = head
        .get(SUPERBLOCK + 92)
        .is_some_and(|byte| byte & 0x04 != 0);
    // Extents, 64bit, flex_bg: none of them exists before ext4.
    let incompatible = head
        .get(SUPERBLOCK + 96..SUPERBLOCK + 98)
        .unwrap_or(&[0, 0]);
    if incompatible[0] & JOURNAL_DEVICE != 0 {
        return Some(unreadable(EXT_JOURNAL.0, EXT_JOURNAL.1));
    }
    let is_ext4 = incompatible[0] & 0xC0 != 0 || incompatible[1] & 0x02 != 0;
    Some(Content::Readable(match (is_ext4, has_journal) {
        (true, _) => FsKind::Ext4,
        (false, true) => FsKind::Ext3,
        (false, false) => FsKind::Ext2,
    }))
}

/// UDF says what it is in a list of sectors of 2 KiB that often names ISO 9660 first, for older systems.
fn has_udf(slice: &mut Slice) -> Result<bool> {
    for at in (16 * 2048..48 * 2048).step_by(2048) {
        let mut name = [0; 6];
        if slice.len_bytes().saturating_sub(at) < 6 {
            break;
        }
        slice.read_at(at, &mut name)?;
        if name[1..].starts_with(b"NSR0") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// ZFS has a ring of 128 headers behind its first label; each that was used begins with a number.
fn has_zfs(slice: &mut Slice) -> Result<bool> {
    if slice.len_bytes() < 2 * ZFS_FIRST {
        return Ok(false);
    }
    let mut ring = vec![0; usize::try_from(ZFS_FIRST).unwrap_or(0)];
    slice.read_at(ZFS_FIRST, &mut ring)?;
    let is_header = |at: &usize| {
        let number = u64_at(&ring, *at).unwrap_or(0);
        number == ZFS_MAGIC || number == ZFS_MAGIC.swap_bytes()
    };
    // One may be content of something else that looks so.
    Ok((0..ring.len()).step_by(ZFS_STEP).filter(is_header).count() >= 2)
}

/// The level of a software RAID whose header is at the end of its members: versions 0.90 and 1.0.
fn raid_at_end(slice: &mut Slice) -> Result<Option<u32>> {
    const MAGIC: u32 = 0xA92B_4EFC;
    let len = slice.len_bytes();
    let of_0_90 = (len & !0xFFFF).checked_sub(0x1_0000).map(|at| (at, 28));
    let of_1_0 = ((len & !0xFFF).checked_sub(0x2000)).map(|at| (at, 72));
    for (at, level) in [of_0_90, of_1_0].into_iter().flatten() {
        let mut header = [0; 128];
        slice.read_at(at, &mut header)?;
        // Version 0.90 is in the order of the computer that wrote it.
        match u32_at(&header, 0) {
            Some(MAGIC) => return Ok(u32_at(&header, level)),
            Some(magic) if magic.swap_bytes() == MAGIC => {
                return Ok(u32_at(&header, level).map(u32::swap_bytes));
            }
            _ => {}
        }
    }
    Ok(None)
}
