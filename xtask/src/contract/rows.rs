//! The rows of the contract: what each is about and, where no test holds it or not all of it, why.

use super::{Id, Part};

/// A row of the contract.
pub(super) struct Row {
    pub(super) id: Id,
    /// What it is about, in a few words.
    pub(super) about: &'static str,
    pub(super) note: Note,
}

/// What is to be said beside the tests of a row.
#[derive(Clone, Copy)]
pub(super) enum Note {
    /// Tests hold all of it.
    None,
    /// It asks nothing of the client, for this reason; no test can hold it.
    Nothing(&'static str),
    /// No test holds this part of it, or any of it.
    Missing(&'static str),
}

const fn differs(number: u32, about: &'static str, note: Note) -> Row {
    Row::new(Part::Difference, number, about, note)
}

const fn hazard(number: u32, about: &'static str, note: Note) -> Row {
    Row::new(Part::Hazard, number, about, note)
}

const fn shown(number: u32, about: &'static str, note: Note) -> Row {
    Row::new(Part::Shown, number, about, note)
}

impl Row {
    pub(super) const fn new(part: Part, number: u32, about: &'static str, note: Note) -> Self {
        Self {
            id: Id { part, number },
            about,
            note,
        }
    }
}

/// All rows, in their order.
pub(super) const ROWS: &[Row] = &[
    differs(
        1,
        "health is asked for at `/health`, and below `/api/v1` where it is not there",
        Note::None,
    ),
    differs(
        2,
        "signing in takes a name and a password, or the token of an appliance",
        Note::None,
    ),
    differs(3, "the token comes under several names", Note::None),
    differs(
        4,
        "a refused sign-in says why under a name of its own",
        Note::None,
    ),
    differs(5, "a hub may want no sign-in at all", Note::None),
    differs(
        6,
        "failures come in five shapes, plain text among them",
        Note::None,
    ),
    differs(
        7,
        "what is missing is often answered with 500, and known by its text",
        Note::None,
    ),
    differs(
        8,
        "times of backups are wall times that pretend to be UTC",
        Note::None,
    ),
    differs(
        9,
        "ids of VMs have several forms",
        Note::Nothing("ids are texts to the client, which takes none apart"),
    ),
    differs(10, "the status of a VM is any word", Note::None),
    differs(11, "most fields of a VM may be missing or null", Note::None),
    differs(
        12,
        "disks of a VM are asked for by its id, by its name where that gives none",
        Note::None,
    ),
    differs(
        13,
        "disks come without index and label, in order",
        Note::None,
    ),
    differs(14, "the list of disks ends in other fields", Note::None),
    differs(
        15,
        "disks of a backup that was started have their number under either name",
        Note::None,
    ),
    differs(
        16,
        "the answer to a start is full of zeros and an empty type",
        Note::None,
    ),
    differs(
        17,
        "a running backup is `running` or `in_progress`",
        Note::None,
    ),
    differs(
        18,
        "a status may be any word, and one that is not known counts as running",
        Note::None,
    ),
    differs(19, "a backup does not list its disks", Note::None),
    differs(
        20,
        "percentages have fractions and may be over 100",
        Note::None,
    ),
    differs(
        21,
        "the end of a running backup is null or missing",
        Note::None,
    ),
    differs(22, "lists may be null", Note::None),
    differs(
        23,
        "phase, speed and last sign of life may be missing",
        Note::None,
    ),
    differs(24, "the length of a list has two names", Note::None),
    differs(25, "the size of a backup is in GB or in bytes", Note::None),
    differs(26, "the number of disks has two names", Note::None),
    differs(
        27,
        "a list of backups goes by one filter only, and is empty without any",
        Note::None,
    ),
    differs(
        28,
        "an unknown name ends the connection, so backups are listed by the id of their VM",
        Note::None,
    ),
    differs(
        29,
        "a VM with `-disk` in its name has no listed backups",
        Note::None,
    ),
    differs(30, "a chain has two addresses", Note::None),
    differs(31, "a chain is asked for by VM and repository", Note::None),
    differs(
        32,
        "the backups of a chain come under two names",
        Note::None,
    ),
    differs(
        33,
        "the totals of a chain have two names",
        Note::Nothing("the client reads no totals of chains"),
    ),
    differs(
        34,
        "a deployed chain is the oldest full backup of any repository",
        Note::None,
    ),
    differs(
        35,
        "what only some hubs offer is left out on the others",
        Note::None,
    ),
    differs(36, "there is no way to cancel a backup", Note::None),
    differs(
        37,
        "a backup is always of all disks",
        Note::Nothing("the client offers no choice of disks, and sends none"),
    ),
    differs(38, "a mount names its disk, also the first", Note::None),
    differs(
        39,
        "a second mount of a disk is answered with the first",
        Note::None,
    ),
    differs(
        40,
        "a disk may still be opening when the answer comes",
        Note::None,
    ),
    differs(
        41,
        "a disk that is not there is known by a text within others",
        Note::None,
    ),
    differs(
        42,
        "a list of mounts does not say what they are of",
        Note::None,
    ),
    differs(
        43,
        "a mount ends an hour after it was made, whatever is done with it",
        Note::None,
    ),
    differs(44, "a mount that ended is mounted again", Note::None),
    differs(
        45,
        "at the root of a disk are folders of its partitions, opened by their path",
        Note::None,
    ),
    differs(46, "the size of a folder means nothing", Note::None),
    differs(47, "the mode of a file is any octal number", Note::None),
    differs(48, "where a link leads is mostly not said", Note::None),
    differs(
        49,
        "a listing of everything below an empty folder is null",
        Note::None,
    ),
    differs(
        50,
        "a folder that is downloaded as a file is an archive",
        Note::None,
    ),
    differs(51, "archives have no length", Note::None),
    differs(52, "only two formats of archives exist", Note::None),
    differs(
        53,
        "what takes longer than 15 seconds to send is cut off",
        Note::None,
    ),
    differs(
        54,
        "`..` is not sent, and refused by our own hub",
        Note::None,
    ),
    differs(
        55,
        "an unmount succeeds although the device stays busy",
        Note::None,
    ),
    differs(
        56,
        "details of a file, and what is in use, may not be offered",
        Note::None,
    ),
    differs(57, "ids of repositories are texts or numbers", Note::None),
    differs(
        58,
        "a repository with backups is not deleted, which is known by the text",
        Note::None,
    ),
    differs(59, "the room of a repository has two names", Note::None),
    differs(
        60,
        "an incremental backup without a full one says so in several ways",
        Note::None,
    ),
    differs(
        61,
        "the filesystem of a mount is that of its first partition, or empty",
        Note::None,
    ),
    differs(62, "a hub has eight mounts for everybody", Note::None),
    differs(
        63,
        "browsing keeps mounts open on some hubs and not on others, which is found out",
        Note::None,
    ),
    differs(64, "deleting a backup leaves its mounts behind", Note::None),
    hazard(1, "answers are lost while the work goes on", Note::None),
    hazard(
        2,
        "an unknown name looks like a hub that was too slow",
        Note::None,
    ),
    hazard(3, "null, missing and empty values are common", Note::None),
    hazard(4, "wall times that pretend to be UTC", Note::None),
    hazard(
        5,
        "a VM with `-disk` in its name has no history",
        Note::None,
    ),
    hazard(6, "long names cannot be backed up", Note::None),
    hazard(
        7,
        "two backups of one VM destroy each other",
        Note::Missing("the client lets nobody override the refusal"),
    ),
    hazard(
        8,
        "a backup that never began runs for ever",
        Note::Missing("the client offers no way to hide it"),
    ),
    hazard(9, "the chain of a VM may be lost", Note::None),
    hazard(10, "completed is said before all disks are", Note::None),
    hazard(
        11,
        "a mount that failed is in the way of later ones",
        Note::Missing("the client does mount backups that are not confirmed"),
    ),
    hazard(
        12,
        "deleting a backup with open mounts breaks later ones",
        Note::None,
    ),
    hazard(
        13,
        "mounts are shared with others, who may close them",
        Note::None,
    ),
    hazard(14, "a mount ends in the middle of a download", Note::None),
    hazard(
        15,
        "archives end as if they were whole after errors",
        Note::None,
    ),
    hazard(16, "links are followed on the hub's own disk", Note::None),
    hazard(
        17,
        "a pipe in a folder stops its archive for ever",
        Note::None,
    ),
    hazard(18, "a listing may be answered with nothing", Note::None),
    hazard(
        19,
        "the name of a download is not to be trusted",
        Note::Nothing("the client does not read that header: files are named after their path"),
    ),
    hazard(20, "`..` leads a hub out of the disk", Note::None),
    hazard(21, "names may be anything", Note::None),
    hazard(22, "some addresses are shadowed by others", Note::None),
    hazard(
        23,
        "backups of other repositories slip into lists",
        Note::None,
    ),
    hazard(
        24,
        "repositories come in any order, or not at all",
        Note::None,
    ),
    hazard(25, "ids and paths may hold any character", Note::None),
    hazard(
        26,
        "progress may be too large, go back or be no number",
        Note::None,
    ),
    hazard(27, "sizes of disks in GB are rounded", Note::None),
    hazard(28, "failures may be plain text or escaped", Note::None),
    hazard(29, "web pages cannot ask a hub", Note::None),
    hazard(30, "lists are expensive to answer", Note::None),
    hazard(31, "folders may have any number of entries", Note::None),
    hazard(32, "two VMs may have one name", Note::None),
    hazard(
        33,
        "what is left out of a request may mean the worst",
        Note::None,
    ),
    hazard(
        34,
        "secrets come back in answers, and travel unencrypted",
        Note::None,
    ),
    hazard(
        35,
        "signing in twice at once can bring a hub down",
        Note::None,
    ),
    hazard(36, "the clock of a hub is not ours", Note::None),
    hazard(37, "backups of the same second have no order", Note::None),
    hazard(38, "listing copies may fail", Note::None),
    hazard(39, "a hub may restart during a backup", Note::None),
    hazard(40, "a healthy hub may not have its database", Note::None),
    hazard(
        41,
        "an incremental backup may build on the wrong repository",
        Note::None,
    ),
    hazard(42, "a completed backup may never be finished", Note::None),
    shown(
        1,
        "an address with another method is one that is not there",
        Note::None,
    ),
    shown(
        2,
        "what is being sent is cut after 15 seconds; what has not begun may never come",
        Note::None,
    ),
    shown(
        3,
        "a completed backup may still be copying, and only change ids prove a disk",
        Note::None,
    ),
    shown(
        4,
        "bytes of a backup are those of its last disk",
        Note::None,
    ),
    shown(5, "on most hubs no incremental backup works", Note::None),
    shown(
        6,
        "after a restart of the hub's computer partitions are empty",
        Note::None,
    ),
    shown(
        7,
        "a mount is refused because an earlier one failed, and nobody can say which",
        Note::None,
    ),
    shown(
        8,
        "the time of the newest backup has the true offset",
        Note::Nothing("the offset is learned from the times of VMs, which every hub has"),
    ),
    shown(
        9,
        "a backup that is not heard of stays running; later it is said to have stalled",
        Note::None,
    ),
    shown(
        10,
        "everything below the root is the partitions, its archive is all",
        Note::None,
    ),
    shown(
        11,
        "archives hold what links lead to, and short files",
        Note::None,
    ),
    shown(
        12,
        "the session token counts after somebody has signed in",
        Note::None,
    ),
    shown(13, "change ids cross repositories", Note::None),
    shown(
        14,
        "a name that is too long is refused in the words of the database",
        Note::None,
    ),
    shown(15, "labels of partitions are escaped", Note::None),
    shown(
        16,
        "a second mount has the end of the first, which may be over",
        Note::None,
    ),
    shown(
        17,
        "not tried there: H12, H18, one name twice, and mounts that end during downloads",
        Note::Nothing("the rows say what the client does"),
    ),
];
