//! Several repositories: adding one, copying to it, and what happens when it is away.

use std::fs;

use sendense_tests::temp_dir;

use super::desk::Desk;
use super::running::images_below;

/// The row of the repository that the test adds.
const ARCHIVE: &str = "//ul[@aria-label='Repositories']/li[@aria-label='Archive']";

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_is_copied_to_a_repository_that_may_be_away() {
    let disks = temp_dir();
    let (folder, away) = (disks.path().join("archive"), disks.path().join("away"));
    fs::create_dir(&folder).unwrap();
    let desk = Desk::start().await;
    desk.press("Add sample VM").await;
    desk.press("Back up now").await;
    desk.click("Verify after the backup").await;
    desk.press("Start backup").await;
    desk.see("Protected").await;

    desk.press("Repositories").await;
    desk.press("Add repository").await;
    desk.press("Choose folder…").await;
    desk.choose_folder("Choose a folder for backups", &folder);
    desk.see("Sendense can write to this folder.").await;
    desk.fill("Name", "Archive").await;
    desk.picture("add-repository");
    desk.press("Add").await;
    desk.find(ARCHIVE).await;

    desk.press("VMs").await;
    desk.press("View backups").await;
    desk.click_on("//tr[starts-with(@aria-label, 'Backup from')]//button[@aria-haspopup='menu']")
        .await;
    desk.press("Copy to another repository…").await;
    desk.see("Archive").await;
    desk.press("Copy").await;
    desk.see("Copy complete").await;
    desk.find("//h2[.='Archive']").await;
    desk.picture("copied");
    assert_eq!(images_below(&folder).len(), 2, "one for each disk");

    fs::rename(&folder, &away).unwrap();
    desk.press("Repositories").await;
    desk.find(&format!("{ARCHIVE}[contains(., 'Not connected')]"))
        .await;
    desk.picture("not-connected");
    desk.press("VMs").await;
    desk.press("View backups").await;
    desk.see("Nothing is lost").await;
    // The disk is back, elsewhere.
    desk.press("Repositories").await;
    desk.press("Find backups in a folder…").await;
    desk.choose_folder("Choose a folder of backups", &away);
    desk.see("1 recovery point is already listed.").await;
    let is_there = "not(contains(., 'Not connected'))";
    desk.find(&format!("{ARCHIVE}[contains(., '/away') and {is_there}]"))
        .await;
    desk.picture("found-elsewhere");
    desk.click_on(&format!("{ARCHIVE}//button[@aria-haspopup='menu']"))
        .await;
    desk.press("Remove…").await;
    desk.press("Remove").await;
    desk.find("//dialog//*[@role='alert']").await;
    desk.picture("remove-refused");
    desk.close().await;
}
