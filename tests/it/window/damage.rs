//! Damage and left-out files are reported where the user looks.

use std::fs::{self, File};
use std::path::Path;

use sendense_tests::{temp_dir, tool};

use super::{desk::Desk, tour::pictures};

const ENTER: &str = "\u{e007}";

/// A machine whose disk has a folder that lost its names, and beside it a file that is no disk.
fn damaged_vm(folder: &Path) {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("lost")).unwrap();
    fs::write(tree.join("lost/inside.txt"), "gone").unwrap();
    fs::write(tree.join("sound.txt"), "there").unwrap();
    let vm = folder.join("vms/worn");
    fs::create_dir_all(&vm).unwrap();
    let image = vm.join("disk0.raw");
    File::create(&image).unwrap().set_len(32 << 20).unwrap();
    tool("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-L", "worn", "-d"])
        .args([&tree, &image])
        .run();
    // The magic of the extent header, without which nobody knows where its names are.
    tool("debugfs")
        .args(["-w", "-R", "set_inode_field /lost block[0] 0"])
        .arg(&image)
        .run();
    fs::write(vm.join("install.iso"), vec![7; 2 << 20]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_folder_is_marked_and_a_file_that_is_left_out_is_named() {
    let folder = temp_dir();
    damaged_vm(folder.path());
    let desk = Desk::start().await;
    desk.press("Discover VMs").await;
    desk.press("Choose folder…").await;
    desk.choose_folder("Choose a folder of disk images", &folder.path().join("vms"));
    desk.see("install.iso").await;
    pictures(&desk, "left-out").await;
    desk.press("Add 1 VM").await;
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.see("Protected").await;
    desk.press("View backups").await;
    desk.press("Restore…").await;
    desk.press("Continue").await;
    let first = desk
        .find("(//*[@role='grid']//*[@role='row'][@aria-label])[1]")
        .await;
    let volume = first.attr("aria-label").await.unwrap();
    desk.click(&volume.expect("the row has a name")).await;
    desk.keys(ENTER).await;
    desk.find("//*[@role='row'][@aria-label='sound.txt']").await;
    desk.click("lost").await;
    desk.keys(ENTER).await;
    desk.find("//*[@role='alert'][contains(., 'This folder is damaged in this backup')]")
        .await;
    pictures(&desk, "damaged-folder").await;
    desk.close().await;
}
