//! Backups that take a while, and backups of several VMs: found, started, watched, cancelled.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use sendense_tests::temp_dir;

use super::desk::Desk;

/// Ctrl+A and Delete
const CLEAR: &str = "\u{e009}a\u{e000}\u{e017}";
/// Long enough to be watched, even on a fast disk.
const DISK_BYTES: usize = 3 << 30;

/// A machine of one disk without zeros and without a partition table.
fn large_vm(vms: &Path) {
    fs::create_dir_all(vms).unwrap();
    let block: Vec<u8> = (1..=u8::MAX).cycle().take(1 << 20).collect();
    let mut image = BufWriter::new(File::create(vms.join("big-vm.raw")).unwrap());
    for _ in 0..DISK_BYTES / block.len() {
        image.write_all(&block).unwrap();
    }
    image.flush().unwrap();
}

/// Files that hold blocks of a backup, below a folder.
pub(super) fn images_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(images_below(&path));
        } else if path.to_string_lossy().contains(".qcow2") {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_discovered_and_its_backup_watched_and_cancelled() {
    let folder = temp_dir();
    let vms = folder.path().join("vms");
    large_vm(&vms);
    let desk = Desk::start().await;
    desk.press("Discover VMs").await;
    desk.press("Choose folder…").await;
    desk.choose_folder("Choose a folder of disk images", &vms);
    desk.see("big-vm").await;
    desk.picture("discovered");
    desk.press("Add 1 VM").await;

    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.find("//*[@role='progressbar'][@aria-label='Backing up big-vm']")
        .await;
    desk.picture_of_moving("running-list");
    desk.press("View backups").await;
    desk.find("//*[@aria-label='Progress of disk 0']").await;
    desk.picture_of_moving("running-history");
    desk.press("Cancel backup").await;
    desk.see("Backup of big-vm cancelled").await;
    desk.gone("//section[@aria-label='Running now']").await;
    desk.find("//tr[starts-with(@aria-label, 'Backup from')][contains(., 'Cancelled')]")
        .await;
    desk.picture("cancelled");
    let left = images_below(&desk.home().join(".local/share/sendense"));
    assert_eq!(left, [""; 0], "nothing of it stays");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_machines_are_backed_up_by_one_dialog() {
    let folder = temp_dir();
    for name in ["db", "web2", "web10"] {
        fs::write(folder.path().join(format!("{name}.raw")), vec![7; 1 << 20]).unwrap();
    }
    let desk = Desk::start().await;
    desk.press("Discover VMs").await;
    desk.press("Choose folder…").await;
    desk.choose_folder("Choose a folder of disk images", folder.path());
    desk.press("Add 3 VMs").await;
    let row = |number: u32, name: &str| {
        format!("(//ul[@aria-label='VMs']/li)[{number}][@aria-label='{name}']")
    };
    desk.find(&row(3, "web10")).await;
    desk.fill("Search VMs", "web").await;
    desk.gone("//li[@aria-label='db']").await;
    desk.click("Select all").await;
    desk.press("Back up selected").await;
    desk.picture("back-up-several");
    desk.press("Start 2 backups").await;
    desk.see("2 backups started").await;
    for name in ["web2", "web10"] {
        desk.find(&format!(
            "//li[@aria-label='{name}'][contains(., 'Protected')]"
        ))
        .await;
    }
    // The one without a backup is the one to look after.
    desk.click("Search VMs").await;
    desk.keys(CLEAR).await;
    desk.click("Sort by State").await;
    desk.find(&row(1, "db")).await;
    desk.close().await;
}
