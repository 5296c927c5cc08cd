//! Documentation pages that tell users what to type: what they say is done here, exactly as written.

use std::fs;
use std::os::unix::fs::FileExt;

use sendense_tests::{repository_root, sendense, temp_dir, tool};
use serde_json::Value;

/// The shell commands of a page.
fn commands(page: &str) -> String {
    let text = fs::read_to_string(repository_root().join(page)).unwrap();
    let block = text.split("```sh\n").nth(1).expect("the page has commands");
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn pages_recovery_by_hand_gives_the_disk_of_an_incremental_point() {
    let folder = temp_dir();
    let vm = folder.path().join("vms/web");
    fs::create_dir_all(&vm).unwrap();
    let source = vm.join("disk.raw");
    fs::write(&source, vec![3; 5 << 20]).unwrap();
    let run = |args: &[&str]| -> Value {
        sendense()
            .args(["--data", "data", "--json"])
            .args(args)
            .current_dir(folder.path())
            .run()
            .json()
    };
    run(&["vm", "discover", "vms"]);
    run(&["backup", "start", "web", "--wait"]);
    let disk = fs::File::options().write(true).open(&source).unwrap();
    disk.write_all_at(b"changed since", 3 << 20).unwrap();
    let backup = run(&["backup", "start", "web", "--type", "incremental", "--wait"]);
    assert_eq!(backup["backup_type"], "incremental");

    let by_hand = folder.path().join("by hand");
    fs::create_dir(&by_hand).unwrap();
    let said = tool("sh")
        .args(["-e", "-c", &commands("docs/local-hub.md")])
        .env("IMAGE", backup["disks"][0]["qcow2_path"].as_str().unwrap())
        .current_dir(&by_hand)
        .run();
    assert_eq!(
        said.text().matches("virtual size:").count(),
        2,
        "the chain has two images: {said}"
    );
    tool("cmp").args([&source, &by_hand.join("disk.raw")]).run();
}
