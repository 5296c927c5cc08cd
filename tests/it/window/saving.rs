//! Saving several things at once and whole folders, and names that are taken.

use std::fs;

use sendense_tests::{tool, until};

use super::desk::Desk;
use super::journeys::{WRITTEN_WITHIN, open_sample, original};
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
    desk.choose_folder("Save 2 items to a folder", &place);
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
    assert_eq!(fs::read_dir(&place).unwrap().count(), 3);
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
    for name in ["ReAgent.xml", "winre.wim"] {
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
