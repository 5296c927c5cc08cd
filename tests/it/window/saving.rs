//! Saving several things at once and whole folders, and names that are taken.

use std::fs;

use sendense_fixtures::{Manifest, sample_folder, unpack_sample};
use sendense_tests::{target_dir, tool, until};

use super::desk::Desk;
use super::journeys::{WRITTEN_WITHIN, back_up_sample, open_sample, original};
use super::tour::pictures;

/// Control, and A.
const SELECT_ALL: &str = "\u{e009}a";
const INSIDE: &str = "/Recovery/WindowsRE";

async fn save_folders_as(desk: &Desk, format: &str) {
    desk.click_on(&format!(
        "//select[@aria-label='Save folders as']/option[.='{format}']"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_together_asks_about_names_that_are_taken() {
    let desk = Desk::start().await;
    open_sample(&desk, true).await;
    let place = desk.home().join("place");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("ReAgent.xml"), "somebody's").unwrap();
    fs::write(place.join("winre.wim"), "somebody's").unwrap();

    desk.click("ReAgent.xml").await;
    desk.keys(SELECT_ALL).await;
    desk.press("Download selected").await;
    desk.choose_folder("Save 3 items to a folder", &place);
    desk.press("Downloads").await;
    let row = |name: &str| format!("//li[@aria-label='{name}']");
    let taken = |name: &str| format!("{}[contains(., 'Name taken')]", row(name));
    desk.find(&taken("ReAgent.xml")).await;
    desk.find(&taken("winre.wim")).await;
    pictures(&desk, "names-taken").await;

    // One stays beside the new one, the other is replaced.
    desk.click_on(&format!("{}//button[.='Keep both']", row("ReAgent.xml")))
        .await;
    desk.click_on(&format!("{}//button[.='Replace']", row("winre.wim")))
        .await;
    for name in ["ReAgent (2).xml", "winre.wim"] {
        desk.find(&format!("{}[contains(., 'Saved')]", row(name)))
            .await;
    }
    let read = |name: &str| fs::read(place.join(name)).unwrap();
    let wanted = |name: &str| original(&format!("{INSIDE}/{name}"), desk.home());
    assert_eq!(read("ReAgent.xml"), b"somebody's");
    assert_eq!(read("ReAgent (2).xml"), wanted("ReAgent.xml"));
    assert!(read("winre.wim") == wanted("winre.wim"));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 4);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_saved_as_a_folder_and_as_tar_gz() {
    let desk = Desk::start().await;
    open_sample(&desk, true).await;
    let place = desk.home().join("place");
    fs::create_dir(&place).unwrap();
    pictures(&desk, "folder-formats").await;

    desk.press("Download folder").await;
    desk.choose_folder("Save 1 item to a folder", &place);
    let folder = place.join("WindowsRE");
    until("the folder", WRITTEN_WITHIN, || {
        folder.exists().then_some(())
    });
    for name in ["boot.sdi", "ReAgent.xml", "winre.wim"] {
        let saved = fs::read(folder.join(name)).unwrap();
        assert!(saved == original(&format!("{INSIDE}/{name}"), desk.home()));
    }

    save_folders_as(&desk, "TAR.GZ").await;
    let archive = desk.home().join("folder.tar.gz");
    desk.press("Download folder").await;
    desk.save_as("Save folder as an archive", &archive);
    until("the archive", WRITTEN_WITHIN, || {
        archive.exists().then_some(())
    });
    let unpacked = desk.home().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let unpack = tool("tar")
        .args(["-xzf"])
        .arg(&archive)
        .arg("-C")
        .arg(&unpacked)
        .run();
    assert_eq!(unpack.error_text(), "");
    tool("diff")
        .arg("--recursive")
        .args([&folder, &unpacked])
        .run();
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_disks_are_restored_to_a_folder() {
    let desk = Desk::start().await;
    back_up_sample(&desk).await;
    let place = desk.home().join("disks");
    fs::create_dir(&place).unwrap();

    desk.press("Restore…").await;
    desk.click_on("//label[contains(., 'Full VM restore')]/input")
        .await;
    desk.click_on("//select[@aria-label='Save disks as']/option[@value='vdi']")
        .await;
    desk.press("Choose folder…").await;
    desk.choose_folder("Restore to a folder", &place);
    desk.find("//*[@role='status'][contains(., 'is free there')]")
        .await;
    pictures(&desk, "full-restore").await;
    desk.click_on("//form//button[.='Restore']").await;
    desk.find(
        "//li[@aria-label='pgtest1 as VDI (VirtualBox)'][contains(., 'Restored and verified')]",
    )
    .await;
    pictures(&desk, "full-restored").await;

    let images = unpack_sample(&target_dir().join("fixtures")).unwrap();
    let manifest = Manifest::load(&sample_folder()).unwrap();
    for (index, disk) in manifest.disks.iter().enumerate() {
        let restored = place.join(format!("pgtest1-disk{index}.vdi"));
        tool("qemu-img")
            .args(["compare", "-F", "vdi", "-f", "raw"])
            .arg(images.join(&disk.file))
            .arg(&restored)
            .run();
    }
    desk.close().await;
}
