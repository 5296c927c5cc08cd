//! A verdict: what the judge says, compared with what the product says.

use std::fmt;

use super::judge::Truth;
use super::product::{Seen, Volume};
use super::tree::{Kind, Node, Tree};

/// From the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Everything is as the judge has it.
    Right,
    /// Nobody could say.
    Unjudged,
    /// What is not shown or given is said, and why.
    Refused,
    /// Something is not there, and nothing said of it.
    Missing,
    /// Something is other than it is, and nothing said of it.
    Wrong,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Right => "right",
            Self::Unjudged => "unjudged",
            Self::Refused => "refused",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        })
    }
}

/// A verdict with its reason.
type Finding = (Verdict, String);

fn finding(verdict: Verdict, reason: impl Into<String>) -> Finding {
    (verdict, reason.into())
}

/// What to call something that we do not read: util-linux's name for it, and words of which one will do.
const NAMES: &[(&str, &[&str])] = &[
    ("LVM2_member", &["LVM"]),
    ("crypto_LUKS", &["LUKS"]),
    ("LUKS", &["LUKS"]),
    ("iso9660", &["ISO 9660"]),
    ("linux_raid_member", &["RAID", "md"]),
    ("zfs_member", &["ZFS"]),
    ("VMFS_volume_member", &["VMFS"]),
    ("swsuspend", &["swap", "hibernat"]),
    ("swap", &["swap"]),
    ("BitLocker", &["BitLocker"]),
    ("hfsplus", &["HFS"]),
    ("reiser4", &["Reiser4"]),
    ("reiserfs", &["ReiserFS"]),
    ("DM_snapshot_cow", &["snapshot"]),
    ("ceph_bluestore", &["BlueStore"]),
    ("drbdmanage_control_volume", &["drbdmanage"]),
    ("lsi_mega_raid_member", &["LSI"]),
    ("promise_fasttrack_raid_member", &["Promise"]),
    ("silicon_medley_raid_member", &["Silicon"]),
    ("xfs_external_log", &["XFS external log"]),
];

pub(super) fn verdict(truth: &Truth, seen: &Seen) -> Finding {
    if seen.backup == Some(false) {
        return finding(Verdict::Wrong, "the backup differs from the image");
    }
    let words = seen.all_words();
    let is_backed_up = seen.backup == Some(true);
    match truth {
        Truth::Container(format) if seen.is_taken_raw => finding(
            Verdict::Missing,
            format!("{format}: backed up as if it were raw; we: {words}"),
        ),
        Truth::Container(format) if is_backed_up => {
            finding(Verdict::Right, format!("{format}, backed up"))
        }
        Truth::Container(format) if words.is_empty() => finding(
            Verdict::Missing,
            format!("{format}: left out without a word"),
        ),
        Truth::Container(format) => finding(Verdict::Refused, format!("{format}: {words}")),
        Truth::Unknown(why) if words.is_empty() => {
            finding(Verdict::Missing, format!("left out without a word ({why})"))
        }
        Truth::Unknown(why) => finding(Verdict::Unjudged, format!("{why}; we: {words}")),
        _ if !is_backed_up && words.is_empty() => {
            finding(Verdict::Missing, "left out without a word")
        }
        _ if !is_backed_up => finding(Verdict::Refused, words),
        Truth::Table { kind, partitions } => table(kind, partitions, seen),
        truth => match seen.volumes.len() {
            0 | 1 => on_volume(truth, seen.volumes.values().next(), &words),
            count => finding(
                Verdict::Wrong,
                format!("{count} volumes are shown: {words}"),
            ),
        },
    }
}

fn table(kind: &str, partitions: &[(u32, Truth)], seen: &Seen) -> Finding {
    let words = seen.all_words();
    let shown = seen.volumes.len();
    if partitions.len() > shown {
        let verdict = match says(kind, &words) {
            true => Verdict::Refused,
            false => Verdict::Missing,
        };
        let n = partitions.len();
        let reason = format!("{shown} of {n} partitions of a {kind} table are shown: {words}");
        return finding(verdict, reason);
    }
    let findings = partitions.iter().map(|(number, truth)| {
        let volume = seen.volumes.get(&format!("partition-{number}"));
        let words = volume.map(|volume| volume.words.join(" "));
        let (verdict, reason) = on_volume(truth, volume, &words.unwrap_or_default());
        (verdict, format!("partition {number}: {reason}"))
    });
    let all = format!("a {kind} table with {} partitions", partitions.len());
    let worst = findings.max_by_key(|(verdict, _)| *verdict);
    match worst {
        None => finding(Verdict::Right, all),
        Some((verdict, reason)) => finding(verdict, format!("{all}; {reason}")),
    }
}

/// Whether words name what util-linux calls that.
fn says(kind: &str, words: &str) -> bool {
    let words = words.to_lowercase();
    let known = NAMES.iter().find(|(name, _)| *name == kind);
    match known {
        Some((_, names)) => names
            .iter()
            .any(|name| words.contains(&name.to_lowercase())),
        None => {
            let name = kind.trim_end_matches("_member").trim_end_matches("_raid");
            words.contains(&name.to_lowercase())
        }
    }
}

fn on_volume(truth: &Truth, volume: Option<&Volume>, words: &str) -> Finding {
    match truth {
        Truth::Files {
            filesystem,
            views,
            is_clean,
        } => {
            let Some(volume) = volume else {
                let is_said = says(filesystem, words) || words.contains("damaged");
                let verdict = if is_said {
                    Verdict::Refused
                } else {
                    Verdict::Missing
                };
                return finding(verdict, format!("{filesystem}: {words}"));
            };
            let is_unread = volume.tree.is_empty() && !volume.troubles.contains_key("");
            if is_unread && volume.words.len() > 1 {
                return finding(Verdict::Refused, format!("{filesystem}: {words}"));
            }
            let (verdict, reason) = files(volume, views, *is_clean);
            (verdict, format!("{filesystem}: {reason}"))
        }
        Truth::Named(kind) if says(kind, words) => {
            finding(Verdict::Refused, format!("{kind}: {words}"))
        }
        Truth::Named(kind) => finding(
            Verdict::Missing,
            format!("{kind} is not called so: {words}"),
        ),
        Truth::Unknown(why) => finding(Verdict::Right, format!("{why}; we: {words}")),
        Truth::Table { .. } | Truth::Container(_) => {
            finding(Verdict::Unjudged, "a table or image inside another")
        }
    }
}

/// Every name beside the judge's.
fn files(volume: &Volume, views: &[Tree], is_clean: bool) -> Finding {
    let mut findings = Vec::new();
    let mut n_equal = 0;
    let Some((first, others)) = views.split_first() else {
        return finding(Verdict::Unjudged, "the judge sees nothing");
    };
    for (path, node) in first {
        // A repair gathers there what has no name.
        let is_gathered = path == "lost+found" || (!is_clean && path.starts_with("lost+found/"));
        if is_gathered && !volume.tree.contains_key(path) {
            continue;
        }
        // So is what it makes up.
        let is_made = others.iter().any(|view| !view.contains_key(path));
        if is_made && !volume.tree.contains_key(path) {
            continue;
        }
        match volume.tree.get(path) {
            None => findings.push(match excuse(volume, path) {
                Some(words) => (Verdict::Refused, format!("{path} is not shown: {words}")),
                None => (Verdict::Missing, format!("{path} is not shown")),
            }),
            Some(ours) => match differs(ours, node, path, others) {
                None if volume.troubles.contains_key(path) => {
                    let words = &volume.troubles[path];
                    findings.push((Verdict::Refused, format!("{path}: {words}")));
                }
                None => n_equal += 1,
                Some(difference) => findings.push(match volume.troubles.get(path) {
                    Some(words) => (Verdict::Refused, format!("{path}: {words}")),
                    None => (Verdict::Wrong, format!("{path} is {difference}")),
                }),
            },
        }
    }
    for path in volume.tree.keys() {
        let is_known = views.iter().any(|view| view.contains_key(path));
        // ntfs-3g shows what it cannot follow as a link.
        if is_clean && !is_known && !is_below_link(first, path) {
            findings.push((Verdict::Wrong, format!("{path} is shown to nobody else")));
        }
    }
    if let Some(words) = volume.troubles.get("(archive)") {
        findings.push((Verdict::Refused, format!("the archive: {words}")));
    }
    let all = match is_clean {
        true => format!("{n_equal} of {} names", first.len()),
        false => format!("damaged, {n_equal} of {} names", first.len()),
    };
    let n_worse = findings.len();
    match findings.into_iter().max_by_key(|(verdict, _)| *verdict) {
        None => finding(Verdict::Right, all),
        Some((verdict, reason)) if n_worse == 1 => (verdict, format!("{all}; {reason}")),
        Some((verdict, reason)) => (
            verdict,
            format!("{all}; {reason}, and {} more", n_worse - 1),
        ),
    }
}

fn is_below_link(tree: &Tree, path: &str) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end);
    let mut above = ends.filter_map(|end| tree.get(&path[..end]));
    above.any(|node| node.kind == Kind::Link)
}

/// What differs from every view, in words of the first.
fn differs(ours: &Node, node: &Node, path: &str, others: &[Tree]) -> Option<String> {
    // ntfs-3g shows reparse points that it cannot follow as links, folders of clouds among them.
    let target = node.target.as_deref().unwrap_or_default();
    if target.starts_with("unsupported reparse") {
        return None;
    }
    let difference = ours.difference(node)?;
    let is_like = |view: &Tree| {
        let other = view.get(path);
        other.is_some_and(|other| ours.difference(other).is_none())
    };
    (!others.iter().any(is_like)).then_some(difference)
}

/// What was said of a folder on the way to a path.
fn excuse<'a>(volume: &'a Volume, path: &str) -> Option<&'a str> {
    let mut folder = path;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Some(words) = volume.troubles.get(folder) {
            return Some(words);
        }
        if folder.is_empty() {
            return None;
        }
    }
}
