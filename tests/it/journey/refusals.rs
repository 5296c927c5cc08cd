//! Bad input gets a message and an exit code, and leaves nothing behind.

use sendense_tests::{Tool, sample_vm};

use super::{Terminal, refused};

#[test]
fn unknown_vms_backups_and_mounts_are_said_to_be_unknown() {
    let terminal = Terminal::open();
    let cases: [&[&str]; 8] = [
        &["vm", "show", "no-such-vm"],
        &["backup", "start", "no-such-vm", "--wait"],
        &["backup", "list", "no-such-vm"],
        &["backup", "show", "backup-no-such-1"],
        &["restore", "mount", "backup-no-such-1", "--disk", "0"],
        &["restore", "ls", "no-such-mount", "/"],
        &["restore", "get", "no-such-mount", "/file", "-o", "file"],
        &[
            "restore",
            "get-dir",
            "no-such-mount",
            "/folder",
            "-o",
            "folder.zip",
            "--format",
            "zip",
        ],
    ];
    for args in cases {
        let words = refused(terminal.sendense(args)).to_lowercase();
        let said = [
            "not found",
            "no vm",
            "no backup",
            "unknown",
            "does not exist",
            "not there",
            "no longer",
            "expired",
            "has no",
            "does not have",
            "not open",
            "not a valid",
        ];
        assert!(
            said.iter().any(|said| words.contains(said)),
            "{args:?}: {words}"
        );
    }
    assert!(terminal.restored().is_empty(), "{:?}", terminal.restored());
}

#[test]
fn a_manual_is_not_written_where_no_folder_is() {
    let terminal = Terminal::open();
    let words = refused(terminal.sendense(&["manual", "no-such-folder"]));
    assert!(words.contains("no-such-folder"), "{words}");
}

#[test]
fn folders_that_are_not_there_are_not_discovered() {
    let terminal = Terminal::open();
    refused(terminal.sendense(&["vm", "discover", "no-such-folder"]));
}

#[test]
fn disks_files_and_paths_that_are_not_there_are_refused() {
    let terminal = Terminal::open();
    sample_vm(&terminal.vms());
    terminal.discover();
    let backup = terminal.back_up("pgtest1");
    let words = refused(terminal.sendense(&["restore", "mount", &backup, "--disk", "9"]));
    assert!(words.contains('9') || words.contains("disk"), "{words}");

    let mount = terminal.mount(&backup, 0);
    let get = |path: &str| terminal.sendense(&["restore", "get", &mount, path, "-o", "out"]);
    let get_dir = |path: &str| {
        terminal.sendense(&[
            "restore", "get-dir", &mount, path, "-o", "out", "--format", "zip",
        ])
    };
    let file = "/Recovery/WindowsRE/ReAgent.xml";
    let cases: [(&str, Tool); 6] = [
        ("a folder where a file is expected", get("/Recovery")),
        ("a file that is not there", get("/Recovery/nothing")),
        (
            "a file below a file",
            get("/Recovery/WindowsRE/ReAgent.xml/below"),
        ),
        ("a file where a folder is expected", get_dir(file)),
        ("a folder that is not there", get_dir("/nothing")),
        (
            "a file listed as a folder",
            terminal.sendense(&["restore", "ls", &mount, file]),
        ),
    ];
    for (what, tool) in cases {
        refused(tool);
        assert!(
            terminal.restored().is_empty(),
            "{what}: left {:?}",
            terminal.restored()
        );
    }
    let missing_folder =
        terminal.sendense(&["restore", "get", &mount, file, "-o", "no-such-folder/out"]);
    refused(missing_folder);
    assert!(terminal.restored().is_empty(), "{:?}", terminal.restored());
}

/// Contract D54, H20.
#[test]
fn no_spelling_of_dot_dot_leaves_the_disk() {
    let terminal = Terminal::open();
    sample_vm(&terminal.vms());
    terminal.discover();
    let mount = terminal.mount(&terminal.back_up("pgtest1"), 1);
    let spellings = spellings();
    assert!(spellings.len() >= 50, "{}", spellings.len());
    for path in &spellings {
        refused(terminal.sendense(&["restore", "get", &mount, path, "-o", "out"]));
        assert!(
            terminal.restored().is_empty(),
            "{path}: left {:?}",
            terminal.restored()
        );
        // The same without our own client, which could be what refuses.
        for call in ["files", "file-info", "download", "download-directory"] {
            for path in [percent_encoded(path), path.replace(' ', "%20")] {
                let answer = terminal
                    .hub
                    .api()
                    .get(&format!("/restore/{mount}/{call}?path={path}"));
                // What a link is may be told; where it leads is not gone.
                let is_link = answer.status == 200
                    && call == "file-info"
                    && answer.json()["is_symlink"] == true;
                assert!(
                    is_link || (400..500).contains(&answer.status),
                    "{call} of {path}: {answer:?}"
                );
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                assert!(
                    !body.contains("root:"),
                    "{call} of {path} gave a file of this machine: {body}"
                );
            }
        }
    }
}

/// Ways to spell a path out of the disk, or to a file of the hub's own machine.
fn spellings() -> Vec<String> {
    let ups = [
        "..",
        "%2e%2e",
        "%252e%252e",
        "..;",
        ".%2e",
        "....",
        "..%00",
        "\u{ff0e}\u{ff0e}",
        "%c0%ae%c0%ae",
        ".. ",
    ];
    let slashes = ["/", "%2f", "\\", "//", "%5c"];
    let mut spellings = vec![
        "../../etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "/../etc/passwd".to_owned(),
    ];
    for up in ups {
        for slash in slashes {
            spellings.push(format!("{up}{slash}{up}{slash}etc{slash}passwd"));
        }
    }
    for start in [
        "/partition-1",
        "/partition-1/srv",
        "/srv/links",
        "/partition-2",
        "/partition-0",
        "/partition-99",
    ] {
        spellings.push(format!("{start}/../../../../etc/passwd"));
    }
    // A link on the disk that points out of it.
    spellings.push("/srv/links/out of the disk".to_owned());
    spellings.push("/partition-1/srv/links/out of the disk".to_owned());
    spellings
}

/// A text as one query value.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
