//! The first cluster of a QCOW2 image: fields, extensions, the name of the backing file, and zeros.

use super::{
    flaw::{Flaw, Trouble, flaw},
    u32_at, u64_at,
};

/// The clusters that this product writes.
pub(super) const CLUSTER_BYTES: u64 = 1 << 16;
/// What this product writes, and what QEMU writes when it repairs an image.
const HEADER_BYTES: [u32; 2] = [104, 112];
/// QEMU refuses larger tables.
const MAX_COUNT_TABLE_CLUSTERS: u32 = 128;
const MAX_L1_ENTRIES: u32 = 4 << 20;
const BACKING_FORMAT: u32 = 0xe279_2aca;
/// QEMU has room for 15 bytes and a zero.
const LONGEST_FORMAT_BYTES: u64 = 16;
const FEATURE_NAMES: u32 = 0x6803_f857;
const FEATURE_NAME_BYTES: usize = 48;
/// The names that are written: kind of feature, bit, name. They come in any order.
const FEATURES: [(u8, u8, &str); 8] = [
    (0, 0, "dirty"),
    (0, 1, "corrupt"),
    (0, 2, "external data file"),
    (0, 3, "extended compression type"),
    (0, 4, "extended L2 entries"),
    (1, 0, "lazy refcounts"),
    (2, 0, "persistent dirty bitmaps"),
    (2, 1, "raw external data file"),
];

/// What the header says about the rest.
pub(super) struct Header {
    /// 2 or 3; the hub writes 3.
    pub(super) version: u32,
    pub(super) disk_bytes: u64,
    pub(super) l1_entries: u64,
    pub(super) l1_table: u64,
    pub(super) count_table: u64,
    pub(super) count_table_clusters: u64,
}

/// Checks the first cluster: what makes programs refuse the image first.
pub(super) fn check(first: &[u8]) -> Result<Header, Trouble> {
    check_refused(first)?;
    let mut end = check_extensions(first)?;
    check_passed_by(first)?;
    let (name, name_bytes) = (u64_at(first, 8), u64::from(u32_at(first, 16)));
    if name != 0 || name_bytes != 0 {
        let name_end = name.saturating_add(name_bytes);
        if name != end as u64 || name_end > CLUSTER_BYTES {
            return Err(flaw(
                "the name of its backing file is not where it was written, says its header at byte 8"
                    .to_owned(),
            ));
        }
        end = usize::try_from(name_end).unwrap_or(first.len());
    }
    let rest = first.get(end..).unwrap_or_default();
    if let Some(position) = rest.iter().position(|byte| *byte != 0) {
        return Err(flaw(format!(
            "something lies behind its header, at byte {}",
            end.saturating_add(position)
        )));
    }
    Ok(Header {
        version: u32_at(first, 4),
        disk_bytes: u64_at(first, 24),
        l1_entries: u64::from(u32_at(first, 36)),
        l1_table: u64_at(first, 40),
        count_table: u64_at(first, 48),
        count_table_clusters: u64::from(u32_at(first, 56)),
    })
}

/// Fields for which QEMU does not open an image.
fn check_refused(first: &[u8]) -> Result<(), Trouble> {
    let count_table = u64_at(first, 48);
    let snapshots = u64_at(first, 64);
    let is_aligned = |offset: u64| offset.is_multiple_of(CLUSTER_BYTES) && offset >> 63 == 0;
    let fields = [
        (0, u32_at(first, 0) == 0x5146_49fb, "its first bytes"),
        (4, (2..=3).contains(&u32_at(first, 4)), "its version"),
        (20, u32_at(first, 20) == 16, "the size of its clusters"),
        (32, u32_at(first, 32) == 0, "its kind of encryption"),
        (
            36,
            u32_at(first, 36) <= MAX_L1_ENTRIES,
            "the size of its table of first level",
        ),
        (
            48,
            is_aligned(count_table),
            "the place of its reference counts",
        ),
        (
            56,
            (1..=MAX_COUNT_TABLE_CLUSTERS).contains(&u32_at(first, 56)),
            "the size of its table of reference counts",
        ),
        (60, u32_at(first, 60) == 0, "its number of snapshots"),
        (64, is_aligned(snapshots), "the place of its snapshots"),
        (72, u64_at(first, 72) == 0, "its set of features"),
        // Both speak of things that are not there.
        (88, u64_at(first, 88) & 3 == 0, "its set of side features"),
        (
            96,
            u32_at(first, 96) <= 6,
            "the size of its reference counts",
        ),
        (
            100,
            HEADER_BYTES.contains(&u32_at(first, 100)),
            "the length of its header",
        ),
        (
            104,
            u32_at(first, 100) == 104 || first.get(104) == Some(&0),
            "its kind of compression",
        ),
    ];
    match fields.into_iter().find(|(_, is_right, _)| !is_right) {
        None => Ok(()),
        Some((byte, _, name)) => Err(Trouble::Flaw(Flaw {
            what: format!("{name} is damaged, in its header at byte {byte}"),
            is_refused: true,
        })),
    }
}

/// Fields that readers pass by.
fn check_passed_by(first: &[u8]) -> Result<(), Trouble> {
    let fields = [
        (64, u64_at(first, 64) == 0, "the place of its snapshots"),
        (80, u64_at(first, 80) == 0, "its set of optional features"),
        (88, u64_at(first, 88) == 0, "its set of side features"),
        (
            96,
            u32_at(first, 96) == 4,
            "the size of its reference counts",
        ),
        (
            104,
            u32_at(first, 100) == 104 || u64_at(first, 104) == 0,
            "the end of its header",
        ),
    ];
    match fields.into_iter().find(|(_, is_right, _)| !is_right) {
        None => Ok(()),
        Some((byte, _, name)) => Err(flaw(format!(
            "{name} is damaged, in its header at byte {byte}"
        ))),
    }
}

/// The extensions: names of features, and the format of the backing file. Gives where they end.
fn check_extensions(first: &[u8]) -> Result<usize, Trouble> {
    let has_backing = u64_at(first, 8) != 0;
    let mut at = u32_at(first, 100) as usize;
    let mut seen = Vec::new();
    loop {
        let data = at.saturating_add(8);
        let (kind, len) = (
            u32_at(first, at),
            u32_at(first, at.saturating_add(4)) as usize,
        );
        let data_end = data.saturating_add(len);
        let refused = |what: &str| {
            Trouble::Flaw(Flaw {
                what: format!("{what}, in its header at byte {at}"),
                is_refused: true,
            })
        };
        let end = data.saturating_add(len.next_multiple_of(8));
        let (Some(content), Some(padding)) = (first.get(data..data_end), first.get(data_end..end))
        else {
            return Err(refused("an extension has no end"));
        };
        let is_known = match kind {
            0 if len == 0 => {
                let is_complete =
                    seen.contains(&FEATURE_NAMES) && seen.contains(&BACKING_FORMAT) == has_backing;
                if !is_complete {
                    return Err(flaw(format!(
                        "its header extensions end too early, at byte {at}"
                    )));
                }
                return Ok(data);
            }
            0 => return Err(refused("the end of the extensions is damaged")),
            BACKING_FORMAT if content != b"qcow2" => {
                return Err(refused("the format of its backing file is damaged"));
            }
            BACKING_FORMAT => has_backing,
            FEATURE_NAMES => are_feature_names(content),
            _ => false,
        };
        if !is_known || seen.contains(&kind) || padding.iter().any(|byte| *byte != 0) {
            return Err(Trouble::Flaw(Flaw {
                what: format!("an extension of its header is damaged, at byte {at}"),
                is_refused: are_extensions_refused(first),
            }));
        }
        seen.push(kind);
        at = end;
    }
}

/// Whether QEMU gives up at the extensions. It goes from one to the next by their lengths, and none may reach beyond
/// the name of the backing file, or the cluster (`qcow2_read_extensions` in its `block/qcow2.c`).
fn are_extensions_refused(first: &[u8]) -> bool {
    let end = match u64_at(first, 8) {
        0 => CLUSTER_BYTES,
        name => name.min(CLUSTER_BYTES),
    };
    let mut at = u64::from(u32_at(first, 100));
    while let Some(left) = end.checked_sub(at.saturating_add(8)) {
        let Ok(place) = usize::try_from(at) else {
            return true;
        };
        let (kind, len) = (
            u32_at(first, place),
            u64::from(u32_at(first, place.saturating_add(4))),
        );
        if len > left || (kind == BACKING_FORMAT && len >= LONGEST_FORMAT_BYTES) {
            return true;
        }
        if kind == 0 {
            return false;
        }
        at = at.saturating_add(8).saturating_add(len.next_multiple_of(8));
    }
    false
}

fn are_feature_names(content: &[u8]) -> bool {
    Some(content.len()) == FEATURES.len().checked_mul(FEATURE_NAME_BYTES)
        && FEATURES.iter().all(|(kind, bit, name)| {
            let mut expected = vec![*kind, *bit];
            expected.extend(name.as_bytes());
            expected.resize(FEATURE_NAME_BYTES, 0);
            content
                .chunks_exact(FEATURE_NAME_BYTES)
                .any(|found| found == expected)
        })
}
