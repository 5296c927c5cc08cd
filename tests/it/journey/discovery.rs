//! What is found in a folder: every VM once, by its name, and every disk or the reason why it is left out.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use sendense_tests::{Tool, empty_disk, qemu_img_compare, sendense, temp_dir, tool};
use serde_json::Value;

/// `sendense` with a hub, and a home, in a folder.
fn command(folder: &Path, arguments: &[&str]) -> Tool {
    sendense()
        .env("HOME", folder.join("home"))
        .args(["--data", "data", "--json"])
        .args(arguments)
        .current_dir(folder)
}

fn discover(folder: &Path, place: &str) -> Vec<Value> {
    let found = command(folder, &["vm", "discover", place]).run().json();
    found["discovered_vms"].as_array().unwrap().clone()
}

fn names(found: &[Value]) -> Vec<&str> {
    found
        .iter()
        .map(|vm| vm["name"].as_str().unwrap())
        .collect()
}

/// File names of the disks, and of what is left out.
fn files(vm: &Value) -> (Vec<String>, Vec<String>) {
    let of = |list: &Value| -> Vec<String> {
        let paths = list.as_array().into_iter().flatten();
        paths
            .map(|it| Path::new(it["path"].as_str().unwrap()))
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    (of(&vm["disks"]), of(&vm["left_out"]))
}

fn blank(path: &Path) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().set_len(8 << 20).unwrap();
    path.to_owned()
}

fn ext4(path: &Path) -> PathBuf {
    blank(path);
    tool("mke2fs")
        .args(["-q", "-F", "-t", "ext4"])
        .arg(path)
        .run();
    path.to_owned()
}

fn qcow2(path: &Path) -> PathBuf {
    empty_disk(path, "8M");
    path.to_owned()
}

fn domain(name: &str, disks: &[(&str, &Path)]) -> String {
    let disks: String = disks
        .iter()
        .map(|(format, path)| {
            format!(
                "<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{}'/>\
                 <target dev='vda'/></disk>",
                path.display()
            )
        })
        .collect();
    format!("<domain type='kvm'><name>{name}</name><devices>{disks}</devices></domain>")
}

#[test]
fn a_link_to_a_description_and_other_xml_files_make_no_more_vms() {
    let folder = temp_dir();
    let folder = folder.path();
    let vms = folder.join("vms");
    let disk = qcow2(&vms.join("images/web.qcow2"));
    fs::write(vms.join("web.xml"), domain("web", &[("qcow2", &disk)])).unwrap();
    fs::create_dir(vms.join("autostart")).unwrap();
    symlink(vms.join("web.xml"), vms.join("autostart/web.xml")).unwrap();
    qcow2(&vms.join("db/first.qcow2"));
    qcow2(&vms.join("db/second.qcow2"));
    fs::write(vms.join("db/notes.xml"), "<notes/>").unwrap();
    let found = discover(folder, "vms");
    assert_eq!(names(&found), ["db", "web"]);
    assert_eq!(files(&found[0]).0, ["first.qcow2", "second.qcow2"]);
}

#[test]
fn every_large_file_of_a_vm_is_a_disk_or_left_out_with_a_reason() {
    let folder = temp_dir();
    let folder = folder.path();
    let vms = folder.join("vms");
    qcow2(&vms.join("one/disk.0"));
    blank(&vms.join("one/disk.1"));
    ext4(&vms.join("one/0f2c8a6e-4b1d-4a55-9f0a-6f4f7f6b1c11"));
    blank(&vms.join("one/data.dd"));
    blank(&vms.join("one/web.img.1"));
    fs::write(vms.join("one/dump"), vec![7; 3 << 20]).unwrap();
    fs::write(vms.join("one/install.iso"), vec![7; 3 << 20]).unwrap();
    fs::write(vms.join("one/small"), "nobody misses it").unwrap();
    let found = discover(folder, "vms");
    assert_eq!(names(&found), ["one"]);
    let (mut disks, left_out) = files(&found[0]);
    disks.sort();
    assert_eq!(
        disks,
        [
            "0f2c8a6e-4b1d-4a55-9f0a-6f4f7f6b1c11",
            "data.dd",
            "disk.0",
            "disk.1",
            "web.img.1"
        ]
    );
    assert_eq!(left_out, ["dump", "install.iso"]);
    let shown = command(folder, &["vm", "show", "one"]).run().text();
    assert!(
        shown.contains("install.iso") && shown.contains("CD or DVD"),
        "{shown}"
    );
}

#[test]
fn a_flat_vmdk_without_its_descriptor_is_a_disk() {
    let folder = temp_dir();
    let folder = folder.path();
    let flat = ext4(&folder.join("vms/lost/lost-flat.vmdk"));
    fs::write(folder.join("vms/lost/lost-s001.vmdk"), vec![7; 2 << 20]).unwrap();
    let found = discover(folder, "vms");
    assert_eq!(names(&found), ["lost"]);
    assert_eq!(
        files(&found[0]),
        (
            vec!["lost-flat.vmdk".to_owned()],
            vec!["lost-s001.vmdk".to_owned()]
        )
    );
    let backup = command(folder, &["backup", "start", "lost", "--wait"])
        .run()
        .json();
    let image = PathBuf::from(backup["disks"][0]["qcow2_path"].as_str().unwrap());
    qemu_img_compare(&flat, "raw", &image, "qcow2");
}

#[test]
fn a_disk_that_cannot_be_read_is_left_out_and_the_others_are_backed_up() {
    let folder = temp_dir();
    let folder = folder.path();
    let vms = folder.join("vms");
    let first = qcow2(&vms.join("web/first.qcow2"));
    let third = ext4(&vms.join("web/third.qcow2"));
    let gone = vms.join("web/gone.qcow2");
    let disks: [(&str, &Path); 3] = [("qcow2", &first), ("qcow2", &gone), ("raw", &third)];
    fs::write(vms.join("web/web.xml"), domain("web", &disks)).unwrap();
    let found = discover(folder, "vms");
    assert_eq!(names(&found), ["web"]);
    assert_eq!(
        files(&found[0]),
        (
            // Called like a QCOW2 image, and described as raw.
            vec!["first.qcow2".to_owned(), "third.qcow2".to_owned()],
            vec!["gone.qcow2".to_owned()]
        )
    );
    for kind in ["full", "incremental"] {
        let order = ["backup", "start", "web", "--type", kind, "--wait"];
        let backup = command(folder, &order).run().json();
        let image = PathBuf::from(backup["disks"][1]["qcow2_path"].as_str().unwrap());
        qemu_img_compare(&third, "raw", &image, "qcow2");
    }
    let shown = command(folder, &["vm", "show", "web"]).run().text();
    assert!(
        shown.contains("gone.qcow2") && shown.contains("does not exist"),
        "{shown}"
    );
}

#[test]
fn choosing_the_place_of_libvirts_descriptions_or_of_its_images_is_choosing_both() {
    let folder = temp_dir();
    let folder = folder.path();
    let home = folder.join("home");
    let descriptions = home.join(".config/libvirt/qemu");
    fs::create_dir_all(&descriptions).unwrap();
    let disk = qcow2(&home.join(".local/share/libvirt/images/web.qcow2"));
    fs::write(
        descriptions.join("web.xml"),
        domain("web", &[("qcow2", &disk)]),
    )
    .unwrap();
    let elsewhere = qcow2(&folder.join("elsewhere.qcow2"));
    fs::write(
        descriptions.join("far.xml"),
        domain("far", &[("qcow2", &elsewhere)]),
    )
    .unwrap();
    let found = discover(folder, "home/.config/libvirt/qemu");
    assert_eq!(names(&found), ["far", "web"]);
    let problem = found[0]["problem"].as_str().unwrap();
    assert!(problem.contains("lies outside"), "{problem}");
    assert_eq!(found[1]["problem"], Value::Null);
    command(folder, &["backup", "start", "web", "--wait"]).run();

    let found = discover(folder, "home/.local/share/libvirt/images");
    assert_eq!(names(&found), ["web"]);
    assert!(
        found[0]["path"].as_str().unwrap().ends_with("web.xml"),
        "{found:?}"
    );
}

#[test]
fn utm_and_ovirt_say_what_their_vms_are_called() {
    let folder = temp_dir();
    let folder = folder.path();
    let vms = folder.join("vms");
    qcow2(&vms.join("Debian 13.utm/Data/8A7C1C0E.qcow2"));
    let image = vms.join("9b2c/images/5f1e/77d0");
    // A guest's bytes say that it is an image of something else; oVirt says that it is raw.
    let raw = qcow2(&image);
    fs::write(
        image.with_extension("meta"),
        "DOMAIN=9b2c\nFORMAT=RAW\nDESCRIPTION={\"DiskAlias\":\"mail_Disk1\"}\nEOF\n",
    )
    .unwrap();
    File::options()
        .write(true)
        .open(&raw)
        .unwrap()
        .set_len(4 << 20)
        .unwrap();
    let found = discover(folder, "vms");
    assert_eq!(names(&found), ["Debian 13", "mail_Disk1"]);
    let backup = command(folder, &["backup", "start", "mail_Disk1", "--wait"])
        .run()
        .json();
    let backed_up = PathBuf::from(backup["disks"][0]["qcow2_path"].as_str().unwrap());
    qemu_img_compare(&raw, "raw", &backed_up, "qcow2");
}
