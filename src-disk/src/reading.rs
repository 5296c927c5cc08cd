//! What is read, what is not, and what checks it: one table, for the code's answers and for docs/reading.md.

use std::fmt::Write as _;

use crate::{
    FsKind, ImageFormat,
    image::OTHERS,
    volume::{AT_END, BIOS_RAID, FIRST_SECTOR, LATER, LAYERS, UNMARKED},
};

/// One format of images or tables, or one filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// What it is for.
    pub subject: Subject,
    /// Its name, as answers and listings give it.
    pub name: String,
    /// How it is read; `None` where it is refused by name.
    pub read: Option<Read>,
    /// Of what is refused: why, and what to do.
    pub refusal: String,
}

/// What is read of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// What of it is read.
    pub what: &'static str,
    /// What of it is not, or is said to be damaged or missing.
    pub not: &'static str,
    /// Who judges it in tests.
    pub judges: &'static str,
}

/// What a format is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Files that hold a disk.
    Image,
    /// Tables that divide a disk.
    Table,
    /// What a volume holds.
    Filesystem,
}

impl Subject {
    fn title(self) -> &'static str {
        match self {
            Self::Image => "Images",
            Self::Table => "Partition tables",
            Self::Filesystem => "Filesystems",
        }
    }
}

/// All that is known by name.
pub fn support() -> Vec<Support> {
    let mut rows = Vec::new();
    let mut read = |subject, name: &str, what, not, judges| {
        rows.push(Support {
            subject,
            name: name.to_owned(),
            read: Some(Read { what, not, judges }),
            refusal: String::new(),
        });
    };
    let judge_of_images = "qemu-img compare, cmp";
    read(
        Subject::Image,
        ImageFormat::Raw.name(),
        "everything; holes are known without reading them",
        "",
        judge_of_images,
    );
    read(
        Subject::Image,
        ImageFormat::Qcow2.name(),
        "versions 2 and 3, backing files in the chosen folder, compressed clusters (deflate)",
        "encryption, zstd, data_file, extended_l2; images that were not closed cleanly (lazy_refcounts)",
        judge_of_images,
    );
    read(
        Subject::Image,
        ImageFormat::Vmdk.name(),
        "flat, in one or more parts",
        "sparse, stream-optimised and delta images",
        judge_of_images,
    );
    let judge_of_tables = "sfdisk, parted";
    read(
        Subject::Table,
        "GPT",
        "sectors of 512 and 4096 bytes; the backup at the end if the first table is damaged",
        "",
        judge_of_tables,
    );
    read(
        Subject::Table,
        "MBR",
        "sectors of 512 and 4096 bytes, logical partitions, BSD labels inside them",
        "",
        judge_of_tables,
    );
    for name in ["Sun", "SGI", "Apple", "BSD"] {
        read(Subject::Table, name, "partitions", "", judge_of_tables);
    }
    read(
        Subject::Filesystem,
        FsKind::Ntfs.as_str(),
        "clusters of 512 bytes to 2 MiB, attribute lists, hard links, alternate data streams, sparse and \
         resident files, LZNT1, WOF (XPRESS4K, 8K, 16K and LZX), links and junctions, case-sensitive \
         folders; the copies of the boot sector and of the start of the MFT",
        "EFS; content that is not on the disk (cloud files, HSM, deduplication), which is reported; the log \
         ($LogFile) is not replayed",
        "ntfs-3g and ntfscat; reparse points by their documentation ([MS-FSCC])",
    );
    for (kind, what) in [
        (FsKind::Ext2, "everything that mke2fs and the kernel write"),
        (FsKind::Ext3, "the same, with the journal replayed"),
        (
            FsKind::Ext4,
            "the same, with fast commits, inline_data, bigalloc, indexed folders and all checksums; the \
             superblock and the group descriptors from their copies",
        ),
    ] {
        read(
            Subject::Filesystem,
            kind.as_str(),
            what,
            "encrypt, casefold, verity content; journals on another disk",
            "the kernel's own mount, e2fsck, debugfs",
        );
    }
    read(
        Subject::Filesystem,
        FsKind::Fat.as_str(),
        "FAT12, FAT16 and FAT32 of any number of clusters, long names, the copy of the boot sector",
        "short names are always read as code page 437",
        "mtools, fusefat, fsck.fat",
    );
    let refused = |subject, name: &str, refusal: &str| Support {
        subject,
        name: name.to_owned(),
        read: None,
        refusal: refusal.to_owned(),
    };
    let others = OTHERS
        .iter()
        .map(|(_, name)| name.trim_start_matches("a ").trim_end_matches(" image"));
    for name in others.chain(["Apple DMG", "VHD", "VirtualBox VDI"]) {
        rows.push(refused(
            Subject::Image,
            name,
            "convert it with qemu-img to QCOW2 or raw",
        ));
    }
    let marks = [LAYERS, FIRST_SECTOR, LATER].into_iter().flatten();
    let marks = marks.map(|mark| (mark.name, mark.reason));
    let at_end = AT_END.iter().map(|mark| (mark.name, BIOS_RAID));
    for (name, reason) in marks.chain(at_end).chain(UNMARKED) {
        rows.push(refused(Subject::Filesystem, name, reason));
    }
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|row| seen.insert((row.subject, row.name.clone())));
    rows
}

/// The text of docs/reading.md.
pub fn page() -> String {
    let mut text = String::from(
        "# What is read\n\nGenerated from the table in `src-disk/src/reading.rs`, which the code uses too; a test \
         compares the two. A disk that holds anything else is backed up and restored whole, but its files \
         cannot be browsed.\n",
    );
    let rows = support();
    for subject in [Subject::Image, Subject::Table, Subject::Filesystem] {
        let of_subject = |row: &&Support| row.subject == subject;
        write!(
            text,
            "\n## {}\n\n| name | read | not read | judged by |\n|---|---|---|---|\n",
            subject.title()
        )
        .expect("writing to a String cannot fail");
        for row in rows.iter().filter(of_subject) {
            if let Some(read) = row.read {
                writeln!(
                    text,
                    "| {} | {} | {} | {} |",
                    row.name, read.what, read.not, read.judges
                )
                .expect("writing to a String cannot fail");
            }
        }
        let refused: Vec<_> = rows
            .iter()
            .filter(of_subject)
            .filter(|row| row.read.is_none())
            .collect();
        if refused.is_empty() {
            continue;
        }
        text.push_str("\nRecognised by name, and refused with the reason:\n\n");
        for row in refused {
            writeln!(text, "- {}: {}", row.name, row.refusal)
                .expect("writing to a String cannot fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_reading_md_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reading.md");
        if std::env::var_os("SENDENSE_WRITE_PAGES").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == page(),
            "run SENDENSE_WRITE_PAGES=1 cargo test -p sendense-disk reading"
        );
    }

    #[test]
    fn whatever_is_refused_says_what_to_do_or_why() {
        for row in support() {
            assert_eq!(row.read.is_none(), !row.refusal.is_empty(), "{}", row.name);
        }
    }
}
