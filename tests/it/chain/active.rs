//! A disk's file may change after the VM was discovered: each backup contains what the guest sees, or says why it
//! cannot tell.

use std::fs;
use std::path::{Path, PathBuf};

use sendense_tests::{qemu_img_check, qemu_img_compare, temp_dir, tool};
use serde_json::Value;

use super::{cli, image_of};

fn qemu_img(folder: &Path, arguments: &[&str]) {
    tool("qemu-img").args(arguments).current_dir(folder).run();
}

/// Writes 64 KiB into an image as a guest does.
fn write(image: &Path, place: &str, byte: u8) {
    tool("qemu-io")
        .args(["-f", "qcow2", "-c"])
        .arg(format!("write -P {byte} {place} 64k"))
        .arg(image)
        .run();
}

/// A folder with the VM `web`, which has been backed up.
fn backed_up(folder: &Path) -> PathBuf {
    let vm = folder.join("vms/web");
    fs::create_dir_all(&vm).unwrap();
    qemu_img(&vm, &["create", "-q", "-f", "qcow2", "web.qcow2", "8M"]);
    write(&vm.join("web.qcow2"), "0", 1);
    cli(folder, &["vm", "discover", "vms"]).run();
    back_up(folder, "full");
    vm
}

fn back_up(folder: &Path, kind: &str) -> Value {
    cli(
        folder,
        &["backup", "start", "web", "--type", kind, "--wait"],
    )
    .run()
    .json()
}

#[track_caller]
fn assert_holds(folder: &Path, kind: &str, image: &Path) {
    let backup = image_of(&back_up(folder, kind));
    qemu_img_check(&backup);
    qemu_img_compare(image, "qcow2", &backup, "qcow2");
}

#[track_caller]
fn assert_refused(folder: &Path, words: &[&str]) {
    let refused = cli(
        folder,
        &["backup", "start", "web", "--type", "incremental", "--wait"],
    );
    let refused = refused.outcome();
    assert_ne!(refused.code, Some(0), "{refused}");
    for word in words {
        assert!(refused.error_text().contains(word), "{word}: {refused}");
    }
}

fn snapshot(vm: &Path, base: &str, overlay: &str) -> PathBuf {
    let arguments = [
        "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay,
    ];
    qemu_img(vm, &arguments);
    vm.join(overlay)
}

#[test]
fn chain_a_snapshot_taken_after_discovery_is_followed() {
    let folder = temp_dir();
    let folder = folder.path();
    let vm = backed_up(folder);
    let first = snapshot(&vm, "web.qcow2", "web.snap1");
    write(&first, "1M", 2);
    assert_holds(folder, "incremental", &first);
    let second = snapshot(&vm, "web.snap1", "web.snap2");
    write(&second, "2M", 3);
    assert_holds(folder, "incremental", &second);
    let shown = cli(folder, &["vm", "show", "web"]).run();
    assert!(shown.text().contains("web.snap2"), "{}", shown.text());

    // Committed down to the first file, in which the guest goes on.
    qemu_img(&vm, &["commit", "-q", "web.snap2"]);
    qemu_img(&vm, &["commit", "-q", "web.snap1"]);
    write(&vm.join("web.qcow2"), "3M", 4);
    assert_holds(folder, "incremental", &vm.join("web.qcow2"));
    fs::remove_file(&second).unwrap();
    fs::remove_file(&first).unwrap();
    write(&vm.join("web.qcow2"), "4M", 5);
    assert_holds(folder, "incremental", &vm.join("web.qcow2"));
}

#[test]
fn chain_a_disk_that_was_merged_into_its_base_is_not_backed_up_as_it_was() {
    let folder = temp_dir();
    let folder = folder.path();
    let vm = folder.join("vms/web");
    fs::create_dir_all(&vm).unwrap();
    qemu_img(&vm, &["create", "-q", "-f", "qcow2", "web.qcow2", "8M"]);
    write(&vm.join("web.qcow2"), "0", 1);
    let overlay = snapshot(&vm, "web.qcow2", "web.snap1.qcow2");
    write(&overlay, "1M", 2);
    cli(folder, &["vm", "discover", "vms"]).run();
    assert_holds(folder, "full", &overlay);
    // The guest goes on in the base; what was its disk is still there.
    write(&vm.join("web.qcow2"), "1M", 3);
    assert_refused(folder, &["web.qcow2", "web.snap1.qcow2", "discover"]);
    fs::remove_file(&overlay).unwrap();
    cli(folder, &["vm", "discover", "vms"]).run();
    assert_holds(folder, "full", &vm.join("web.qcow2"));
}

#[test]
fn chain_two_snapshots_of_one_disk_are_refused_with_their_names() {
    let folder = temp_dir();
    let folder = folder.path();
    let vm = backed_up(folder);
    write(&snapshot(&vm, "web.qcow2", "web.snap1"), "1M", 2);
    write(&snapshot(&vm, "web.qcow2", "web.snap2"), "1M", 3);
    assert_refused(folder, &["web.snap1", "web.snap2", "discover"]);
}

#[test]
fn chain_a_snapshot_that_the_description_names_is_followed() {
    let folder = temp_dir();
    let folder = folder.path();
    let vm = folder.join("vms/web");
    fs::create_dir_all(&vm).unwrap();
    let describe = |file: &str| {
        let text = format!(
            "<domain type='kvm'><name>web</name><devices><disk type='file' device='disk'>\
             <driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>\
             </devices></domain>",
            vm.join(file).display()
        );
        fs::write(vm.join("web.xml"), text).unwrap();
    };
    describe("web.qcow2");
    qemu_img(&vm, &["create", "-q", "-f", "qcow2", "web.qcow2", "8M"]);
    write(&vm.join("web.qcow2"), "0", 1);
    cli(folder, &["vm", "discover", "vms"]).run();
    back_up(folder, "full");
    let overlay = snapshot(&vm, "web.qcow2", "web.snap1");
    write(&overlay, "1M", 2);
    assert_refused(folder, &["web.snap1", "description"]);
    describe("web.snap1");
    assert_holds(folder, "incremental", &overlay);

    // Renamed, and described so.
    fs::rename(&overlay, vm.join("renamed.qcow2")).unwrap();
    describe("renamed.qcow2");
    write(&vm.join("renamed.qcow2"), "2M", 3);
    assert_holds(folder, "incremental", &vm.join("renamed.qcow2"));

    // What the description says is raw is not what its guest wrote there.
    let foreign = folder.join("vms/other.qcow2");
    qemu_img(
        folder,
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            foreign.to_str().unwrap(),
            "8M",
        ],
    );
    write(&foreign, "0", 9);
    let raw = vm.join("guest.img");
    qemu_img(
        &vm,
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-F",
            "qcow2",
            "-b",
            foreign.to_str().unwrap(),
            "guest.img",
        ],
    );
    let text = fs::read_to_string(vm.join("web.xml")).unwrap();
    let text = text
        .replace("type='qcow2'", "type='raw'")
        .replace("renamed.qcow2", "guest.img");
    fs::write(vm.join("web.xml"), text).unwrap();
    let backup = image_of(&back_up(folder, "full"));
    qemu_img_compare(&raw, "raw", &backup, "qcow2");
}
