//! Rooms: a crate's top-level modules, each with everything below it, and which of them may name which.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::Modules;

/// What the rooms of a crate may name: a line for each room that names another.
type Rooms = &'static [(&'static str, &'static [&'static str])];

/// Which room may name which, for each crate that has rooms. What the crate's own file defines is free for all, and
/// that file may name all. The table says no more than the code does, so that a new line is a decision.
const ROOMS: &[(&str, Rooms)] = &[
    (
        "sendense-types",
        &[
            (
                "app",
                &[
                    "backup",
                    "error",
                    "ids",
                    "repository",
                    "time",
                    "trust",
                    "vm",
                ],
            ),
            ("backup", &["failure", "ids", "time"]),
            (
                "commands",
                &[
                    "app",
                    "backup",
                    "event",
                    "full_restore",
                    "ids",
                    "repository",
                    "restore",
                    "secret",
                    "trust",
                    "vm",
                ],
            ),
            ("error", &["trust"]),
            (
                "event",
                &[
                    "app",
                    "backup",
                    "error",
                    "full_restore",
                    "ids",
                    "repository",
                ],
            ),
            ("full_restore", &["failure", "ids", "time"]),
            ("repository", &["failure", "ids", "secret"]),
            ("restore", &["ids", "time"]),
            ("size", &["app"]),
            ("trust", &["time"]),
            ("vm", &["ids", "time"]),
        ],
    ),
    (
        "sendense-engine",
        &[
            (
                "backup",
                &[
                    "chain",
                    "claims",
                    "clock",
                    "discovery",
                    "error",
                    "failure",
                    "files",
                    "ids",
                    "image",
                    "live",
                    "removal",
                    "repository",
                    "retention",
                    "shared",
                    "source",
                    "store",
                    "transfer",
                    "verify",
                ],
            ),
            ("chain", &["store"]),
            ("code", &["error", "failure", "restore", "store"]),
            (
                "copy",
                &[
                    "claims",
                    "error",
                    "failure",
                    "files",
                    "ids",
                    "image",
                    "repository",
                    "shared",
                    "store",
                    "verify",
                ],
            ),
            ("discovery", &["error", "store", "unclear"]),
            (
                "engine",
                &[
                    "backup",
                    "clock",
                    "copy",
                    "error",
                    "failure",
                    "full_restore",
                    "live",
                    "removal",
                    "repository",
                    "restore",
                    "retention",
                    "shared",
                    "store",
                    "users",
                    "verify",
                    "vms",
                ],
            ),
            ("error", &["failure", "files", "restore", "store"]),
            ("failure", &["unclear"]),
            (
                "full_restore",
                &[
                    "claims",
                    "error",
                    "failure",
                    "files",
                    "ids",
                    "image",
                    "repository",
                    "restore",
                    "shared",
                    "source",
                    "store",
                ],
            ),
            ("image", &["files"]),
            (
                "live",
                &[
                    "chain",
                    "claims",
                    "error",
                    "files",
                    "image",
                    "repository",
                    "restore",
                    "shared",
                    "source",
                    "store",
                ],
            ),
            ("marker", &["failure", "files", "store"]),
            ("removal", &["error", "files", "image", "store"]),
            (
                "repository",
                &[
                    "claims", "clock", "error", "failure", "files", "ids", "image", "marker",
                    "shared", "store",
                ],
            ),
            ("restore", &["clock", "failure", "nbd", "store"]),
            (
                "retention",
                &[
                    "chain",
                    "claims",
                    "error",
                    "failure",
                    "files",
                    "image",
                    "live",
                    "removal",
                    "repository",
                    "shared",
                    "source",
                    "store",
                    "transfer",
                    "verify",
                ],
            ),
            (
                "shared",
                &["claims", "clock", "error", "restore", "store", "unrecorded"],
            ),
            ("source", &["discovery", "failure", "image", "store"]),
            ("store", &["files", "ids"]),
            ("transfer", &["failure", "image", "source"]),
            ("unrecorded", &["clock", "removal", "store"]),
            ("users", &["clock", "error", "store"]),
            (
                "verify",
                &[
                    "claims",
                    "error",
                    "failure",
                    "image",
                    "repository",
                    "shared",
                    "source",
                    "store",
                ],
            ),
            ("vms", &["discovery", "error", "shared", "store"]),
        ],
    ),
    (
        "sendense-hub",
        &[
            ("api", &["connections", "error", "hub", "profile"]),
            ("auth", &["config", "error", "secret"]),
            ("config", &["profile", "tls"]),
            ("data_dir", &["error", "secret"]),
            ("hub", &["auth", "config", "error", "profile", "secret"]),
            (
                "server",
                &[
                    "api",
                    "config",
                    "connections",
                    "data_dir",
                    "error",
                    "hub",
                    "profile",
                    "secret",
                    "tls",
                ],
            ),
            ("tls", &["error"]),
        ],
    ),
    (
        "sendense-core",
        &[
            ("backup_record", &["record"]),
            ("backups", &["hub", "session", "watch"]),
            (
                "diagnostics",
                &["download", "hub", "saved_hubs", "settings_file"],
            ),
            (
                "download",
                &[
                    "events",
                    "hub",
                    "mounts",
                    "names",
                    "record",
                    "session",
                    "shared_file",
                    "speed",
                ],
            ),
            ("full_restores", &["hub", "session"]),
            ("hub", &["backup_record"]),
            ("keychain", &["hub", "secrets"]),
            ("mounts", &["hub", "record", "session"]),
            ("record", &["shared_file"]),
            ("saved_hubs", &["hub", "settings_file"]),
            ("secrets", &["hub"]),
            (
                "session",
                &["backup_record", "events", "hub", "saved_hubs", "secrets"],
            ),
            ("settings_file", &["shared_file"]),
            ("watch", &["hub", "speed"]),
        ],
    ),
    (
        "sendense",
        &[
            (
                "commands",
                &[
                    "args",
                    "connection",
                    "hubs",
                    "output",
                    "progress",
                    "secrets",
                ],
            ),
            ("connection", &["args", "hubs", "output", "secrets"]),
            ("progress", &["output"]),
        ],
    ),
    (
        "sendense-desktop",
        &[
            (
                "commands",
                &[
                    "diagnostics",
                    "dialogs",
                    "local_hub",
                    "logs",
                    "opening",
                    "places",
                    "preferences",
                    "sample",
                    "work",
                ],
            ),
            ("diagnostics", &["local_hub", "logs"]),
            ("dialogs", &["window"]),
            ("news", &["notifications", "preferences", "tray", "window"]),
            ("notifications", &["window"]),
            ("places", &["dialogs", "preferences"]),
            ("sample", &["local_hub"]),
            ("tray", &["notifications", "window", "work"]),
            (
                "work",
                &[
                    "dialogs",
                    "local_hub",
                    "notifications",
                    "preferences",
                    "window",
                ],
            ),
        ],
    ),
    (
        "sendense-tests",
        &[
            ("hub", &["tool"]),
            ("recording", &["random", "strace", "tool"]),
            ("small_disk", &["tool"]),
            ("user", &["tool"]),
        ],
    ),
    (
        "xtask",
        &[
            ("bench", &["process", "setup", "workspace"]),
            ("breakages", &["process", "tally", "ui", "workspace"]),
            ("bundle", &["process", "setup", "tools", "ui", "workspace"]),
            (
                "check",
                &["process", "tally", "tidy", "tools", "ui", "workspace"],
            ),
            ("contract", &["breakages", "workspace"]),
            ("corpus", &["bench", "process", "setup", "workspace"]),
            ("fixtures", &["process", "setup", "workspace"]),
            ("icons", &["process", "setup", "workspace"]),
            ("journey", &["process", "setup", "workspace"]),
            ("openapi", &["process", "workspace"]),
            (
                "requests",
                &["bench", "process", "setup", "tally", "workspace"],
            ),
            ("setup", &["process", "workspace"]),
            (
                "suite",
                &[
                    "breakages",
                    "check",
                    "corpus",
                    "process",
                    "requests",
                    "setup",
                    "tally",
                    "tidy",
                    "ui",
                    "workspace",
                ],
            ),
            ("tidy", &["contract", "workspace"]),
            ("tools", &["process", "workspace"]),
            ("ui", &["process", "setup", "workspace"]),
            (
                "window",
                &["journey", "process", "setup", "ui", "workspace"],
            ),
            ("workspace", &["process"]),
        ],
    ),
    (
        "sendense-disk",
        &[
            ("entry", &["path"]),
            (
                "filesystem",
                &["entry", "error", "formats", "guard", "path", "slice"],
            ),
            ("formats", &["entry", "error", "path", "slice"]),
            ("guard", &["error"]),
            ("image", &["error", "guard"]),
            ("path", &["error"]),
            ("reading", &["entry", "image", "volume"]),
            ("slice", &["guard", "image"]),
            (
                "volume",
                &[
                    "entry",
                    "error",
                    "filesystem",
                    "formats",
                    "guard",
                    "image",
                    "slice",
                ],
            ),
        ],
    ),
    (
        "sendense-ui",
        &[
            (
                "app",
                &[
                    "components",
                    "dom",
                    "hooks",
                    "ipc",
                    "pages",
                    "route",
                    "state",
                ],
            ),
            (
                "components",
                &["dom", "format", "hooks", "ipc", "route", "state"],
            ),
            ("format", &["dom"]),
            ("hooks", &["ipc"]),
            (
                "pages",
                &[
                    "components",
                    "dom",
                    "format",
                    "hooks",
                    "ipc",
                    "route",
                    "state",
                ],
            ),
            ("state", &["format"]),
        ],
    ),
];

/// Adds to `findings` where the rooms of a package's crates are not as the table says.
pub(super) fn check(package: &str, crates: &[Modules], findings: &mut Vec<String>) {
    let rooms = ROOMS.iter().find(|(known, _)| *known == package);
    compare(
        package,
        rooms.map_or(&[], |(_, rooms)| *rooms),
        crates,
        findings,
    );
}

fn compare(
    package: &str,
    rooms: &[(&str, &[&str])],
    crates: &[Modules],
    findings: &mut Vec<String>,
) {
    let mut allowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (room, others) in rooms {
        if allowed
            .insert(room, others.iter().copied().collect())
            .is_some()
        {
            findings.push(format!("{package}: rooms.rs has two lines for {room}"));
        }
    }
    let mut unused = allowed.clone();
    for modules in crates {
        for naming in modules.namings() {
            let (Some(from), Some(to)) = (modules.room(naming.from), modules.room(naming.to))
            else {
                continue;
            };
            if from == to {
                continue;
            }
            if let Some(others) = unused.get_mut(from) {
                others.remove(to);
            }
            // Each pair is told once: allowing it, or not, is one decision.
            if allowed.entry(from).or_default().insert(to) {
                findings.push(format!(
                    "{}:{}: {from} names {to} ({}), which xtask/src/tidy/rooms.rs does not allow",
                    modules.files()[naming.from].path.display(),
                    naming.line,
                    naming.path
                ));
            }
        }
    }
    for (room, others) in unused {
        for other in others {
            findings.push(format!(
                "{package}: rooms.rs lets {room} name {other}, which it does not"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// What is wrong with a crate whose room `a` names `b`, and whose `b` names nobody.
    fn findings(rooms: &[(&str, &[&str])]) -> Vec<String> {
        let files = [
            ("src/lib.rs", "mod a; mod b; pub use b::B; pub struct Top;"),
            ("src/a.rs", "mod below; use crate::Top;"),
            (
                "src/a/below.rs",
                "use super::super::B;\nuse crate::b::B as _;",
            ),
            ("src/b.rs", "pub struct B; use crate::Top;"),
        ];
        let sources = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect();
        let modules =
            Modules::read(Path::new("src/lib.rs"), &sources).expect("all files are there");
        let mut findings = Vec::new();
        compare("shop", rooms, &[modules], &mut findings);
        findings
    }

    #[test]
    fn naming_a_room_is_found_unless_the_table_allows_it() {
        assert_eq!(
            findings(&[]),
            [
                "src/a/below.rs:1: a names b (super::super::B), which xtask/src/tidy/rooms.rs does not allow"
            ]
        );
        assert_eq!(findings(&[("a", &["b"])]), [""; 0]);
    }

    #[test]
    fn the_table_allows_no_more_than_there_is() {
        assert_eq!(
            findings(&[("a", &["b"]), ("b", &["a"]), ("gone", &["b"])]),
            [
                "shop: rooms.rs lets b name a, which it does not",
                "shop: rooms.rs lets gone name b, which it does not"
            ]
        );
        assert!(findings(&[("a", &["b"]), ("a", &["b"])])[0].contains("two lines for a"));
    }
}
