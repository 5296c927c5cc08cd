//! Visits every screen in light and dark, wide and narrow. `cargo xtask run --tour` leaves its screenshots.

use std::path::PathBuf;

use sendense_tests::target_dir;

use super::desk::Desk;
use super::journeys::{open_sample, restore_file};

/// Takes the same picture four times.
pub(super) async fn pictures(desk: &Desk, name: &str) {
    for (width, height) in [(1280, 800), (800, 560)] {
        desk.resize(width, height).await;
        for theme in ["light", "dark"] {
            // The look alone: the setting itself is the settings page's to change.
            let script = "document.documentElement.setAttribute('data-theme', arguments[0])";
            desk.page.execute(script, vec![theme.into()]).await.unwrap();
            desk.picture(&format!("{name}-{theme}-{width}"));
        }
    }
    let script = "document.documentElement.removeAttribute('data-theme')";
    desk.page.execute(script, Vec::new()).await.unwrap();
    desk.resize(1280, 800).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_in_light_and_dark() {
    let folder = match std::env::var_os("SENDENSE_TOUR") {
        Some(folder) => PathBuf::from(folder),
        None => target_dir().join("tour"),
    };
    std::fs::create_dir_all(&folder).unwrap();
    let desk = Desk::start_with_pictures(folder.clone()).await;
    desk.find("//button[normalize-space()='Add sample VM']")
        .await;
    pictures(&desk, "1-first-start").await;
    desk.press("Discover VMs").await;
    desk.see("Choose folder").await;
    pictures(&desk, "2-discover").await;
    desk.press("Cancel").await;
    desk.click("Hub: This computer, local hub · running").await;
    desk.press("Add hub…").await;
    pictures(&desk, "3-add-hub").await;
    desk.press("Cancel").await;

    desk.press("Add sample VM").await;
    desk.press("Back up now").await;
    desk.find("//button[normalize-space()='Start backup' and not(@disabled)]")
        .await;
    pictures(&desk, "4-back-up").await;
    desk.press("Cancel").await;
    open_sample(&desk, false).await;
    desk.click("ReAgent.xml").await;
    pictures(&desk, "5-file-browser").await;
    restore_file(&desk, &folder.join("ReAgent.xml")).await;

    for (entry, name) in [
        ("VMs", "6-virtual-machines"),
        ("Activity", "7-activity"),
        ("Restore", "8-restore"),
        ("Downloads", "9-downloads"),
        ("Repositories", "10-repositories"),
        ("Settings", "11-settings"),
    ] {
        desk.press(entry).await;
        desk.find(&format!(
            "//a[@aria-current='page'][contains(., '{entry}')]"
        ))
        .await;
        pictures(&desk, name).await;
    }
    desk.press("VMs").await;
    desk.press("View backups").await;
    desk.find("//button[normalize-space()='Restore…']").await;
    pictures(&desk, "12-backups").await;
    desk.click_on("//tr[starts-with(@aria-label, 'Backup from')]//button[@aria-haspopup='menu']")
        .await;
    desk.find("//*[@role='menuitem'][@aria-label='Verify']")
        .await;
    pictures(&desk, "13-menu").await;
    desk.press("Verify").await;
    desk.see("Verified").await;
    desk.press("Retention…").await;
    desk.click("Keep only some").await;
    desk.see("Nothing would be removed now").await;
    pictures(&desk, "14-retention").await;
    let taken = std::fs::read_dir(&folder).unwrap().count();
    assert!(taken > 14 * 4, "{taken} files in {}", folder.display());
    desk.close().await;
}
