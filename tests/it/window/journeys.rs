//! What users do, from the first start to a restored file.

use std::path::Path;
use std::time::Duration;

use sendense_fixtures::{Manifest, carve, sample_folder, unpack_sample};
use sendense_tests::{ntfs_cat, target_dir, tool, until};

use super::desk::Desk;

/// How long a small file may take to be there.
pub(super) const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
/// Enter, as WebDriver spells it.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
/// Shift+F10
const MENU_KEYS: &str = "\u{e008}\u{e03a}";

/// From the empty list to the browser in `Recovery/WindowsRE` of the sample.
pub(super) async fn open_sample(desk: &Desk, is_new: bool) {
    if is_new {
        desk.press("Add sample VM").await;
    }
    back_up(desk).await;
    browse_sample(desk).await;
}

/// From the first start to the backups of the sample, of which there is one.
pub(super) async fn back_up_sample(desk: &Desk) {
    desk.press("Add sample VM").await;
    back_up(desk).await;
}

async fn back_up(desk: &Desk) {
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.see("Protected").await;
    desk.notified("Backup of pgtest1 finished");
    desk.press("View backups").await;
}

/// From the backups of the sample to the browser in `Recovery/WindowsRE`.
pub(super) async fn browse_sample(desk: &Desk) {
    desk.press("Restore…").await;
    desk.press("Continue").await;
    desk.find("//*[@role='grid']//*[@role='row'][@aria-label]")
        .await;
    // The volume with Windows on it is the second partition.
    for name in [volume_name(desk).await.as_str(), "Recovery", "WindowsRE"] {
        desk.click(name).await;
        desk.keys(ENTER).await;
    }
    desk.find("//*[@role='row'][@aria-label='ReAgent.xml']")
        .await;
}

/// The name of the second volume, as the browser shows it.
async fn volume_name(desk: &Desk) -> String {
    let row = desk
        .find("(//*[@role='grid']//*[@role='row'][@aria-label])[2]")
        .await;
    row.attr("aria-label")
        .await
        .unwrap()
        .expect("the row has a name")
}

/// What ntfscat reads from the sample's Windows volume.
pub(super) fn original(path: &str, scratch: &Path) -> Vec<u8> {
    let images = unpack_sample(&target_dir().join("fixtures")).unwrap();
    let manifest = Manifest::load(&sample_folder()).unwrap();
    let disk = &manifest.disks[0];
    let volume = disk
        .volumes
        .iter()
        .find(|volume| volume.filesystem == "ntfs")
        .unwrap();
    let carved = scratch.join("volume.img");
    carve(
        &images.join(&disk.file),
        volume.start,
        volume.size_bytes,
        &carved,
    )
    .unwrap();
    ntfs_cat(&carved, path)
}

/// Saves `ReAgent.xml` through the system's dialog, and compares it with what ntfscat reads.
pub(super) async fn restore_file(desk: &Desk, file: &Path) {
    // The dialog would ask whether to replace it.
    drop(std::fs::remove_file(file));
    desk.click("ReAgent.xml").await;
    desk.press("Download selected").await;
    desk.save_as("Save file", file);
    until("the restored file", WRITTEN_WITHIN, || {
        file.exists().then_some(())
    });
    assert_eq!(
        std::fs::read(file).unwrap(),
        original("/Recovery/WindowsRE/ReAgent.xml", desk.home()),
        "the restored file is what ntfscat reads"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_start_to_a_restored_file() {
    let desk = Desk::start().await;
    open_sample(&desk, true).await;

    restore_file(&desk, &desk.home().join("restored.xml")).await;

    // By the keyboard alone: letters lead to a name, and a menu says what can be done with it.
    desk.keys("winre").await;
    desk.find("//*[@role='row'][@aria-label='winre.wim'][@aria-selected='true']")
        .await;
    desk.keys(MENU_KEYS).await;
    desk.find("//*[@role='menuitem'][@aria-label='Download…'][@aria-disabled='false']")
        .await;
    desk.picture("file-menu");
    desk.keys(ESCAPE).await;
    desk.gone("//*[@role='menu']").await;

    let archive = desk.home().join("folder.zip");
    desk.click_on("//select[@aria-label='Save folders as']/option[.='ZIP']")
        .await;
    desk.press("Download folder").await;
    desk.save_as("Save folder as an archive", &archive);
    until("the archive", WRITTEN_WITHIN, || {
        archive.exists().then_some(())
    });
    let listed = tool("unzip").arg("-t").arg(&archive).run();
    assert!(listed.to_string().contains("ReAgent.xml"), "{listed}");

    desk.press("Close").await;
    desk.see("No open mounts").await;
    desk.close().await;
}
