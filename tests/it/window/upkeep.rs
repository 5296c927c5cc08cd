//! Maintaining backups: pinning, deleting, verifying, and how many are kept.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::desk::Desk;
use super::running::images_below;

/// A row of the history, counted from 1.
fn row(number: u32) -> String {
    format!("(//tr[starts-with(@aria-label, 'Backup from')])[{number}]")
}

/// Opens the menu of a row.
async fn open_menu(desk: &Desk, number: u32) {
    desk.click_on(&format!("{}//button[@aria-haspopup='menu']", row(number)))
        .await;
}

/// The sample with one full backup, and its history.
async fn back_up_sample(desk: &Desk) {
    desk.press("Add sample VM").await;
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.see("Protected").await;
    desk.press("View backups").await;
}

/// Another backup of the machine whose history is shown.
async fn back_up_again(desk: &Desk, kind: &str) {
    desk.press("Back up now").await;
    desk.click_on(&format!("//input[@aria-label='{kind}']"))
        .await;
    desk.press("Start backup").await;
    desk.find(&row(2)).await;
    desk.find(&format!(
        "{}[contains(., '{kind}')][contains(., 'Completed')]",
        row(1)
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_is_pinned_and_deleted_with_those_that_build_on_it() {
    let desk = Desk::start().await;
    back_up_sample(&desk).await;
    back_up_again(&desk, "Incremental").await;

    open_menu(&desk, 1).await;
    desk.press("Pin").await;
    desk.find(&format!("{}//*[contains(., 'Pinned')]", row(1)))
        .await;
    desk.picture("pinned");
    open_menu(&desk, 2).await;
    desk.press("Delete…").await;
    desk.press("Delete all 2").await;
    desk.see("This recovery point is pinned and cannot be deleted.")
        .await;
    desk.picture("delete-refused");
    desk.press("Cancel").await;

    open_menu(&desk, 1).await;
    desk.press("Unpin").await;
    desk.gone(&format!("{}//*[contains(., 'Pinned')]", row(1)))
        .await;
    open_menu(&desk, 2).await;
    desk.press("Delete…").await;
    desk.see("These depend on it and are deleted with it:")
        .await;
    desk.picture("delete");
    desk.press("Delete all 2").await;
    desk.see("No backups yet").await;
    let repository = desk.home().join(".local/share/sendense");
    assert_eq!(images_below(&repository), [""; 0]);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_say_what_would_go_before_it_goes() {
    let desk = Desk::start().await;
    back_up_sample(&desk).await;
    back_up_again(&desk, "Full").await;
    desk.see("Keeps all recovery points").await;
    desk.press("Retention…").await;
    desk.click("Keep only some").await;
    desk.see("Nothing would be removed now: 2 recovery points stay.")
        .await;
    for rule in ["Daily", "Weekly", "Monthly"] {
        desk.fill(rule, "0").await;
    }
    desk.fill("Last", "1").await;
    desk.see("Would be removed now: 1 of 2 recovery points")
        .await;
    desk.picture("retention");
    desk.press("Save and remove them now").await;
    desk.see("1 recovery point removed.").await;
    desk.see("Keeps the last 1").await;
    desk.gone(&row(2)).await;
    let images = images_below(&desk.home().join(".local/share/sendense"));
    assert_eq!(images.len(), 2, "one image for each disk: {images:?}");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_shows_where_a_backup_is_damaged_and_what_that_breaks() {
    let desk = Desk::start().await;
    back_up_sample(&desk).await;
    open_menu(&desk, 1).await;
    desk.press("Verify").await;
    desk.find(&format!("{}[contains(., 'Verified')]", row(1)))
        .await;
    back_up_again(&desk, "Incremental").await;
    for image in images_below(&desk.home().join(".local/share/sendense")) {
        flip_a_byte(Path::new(&image));
    }
    open_menu(&desk, 2).await;
    desk.press("Verify").await;
    desk.see("The backup is damaged").await;
    for number in [1, 2] {
        desk.find(&format!(
            "{}[contains(., 'Cannot be restored')]",
            row(number)
        ))
        .await;
    }
    desk.picture("damaged");
    desk.close().await;
}

/// Damages what an image holds, far behind its tables.
fn flip_a_byte(image: &Path) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(image)
        .unwrap();
    let place = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(place)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(place)).unwrap();
    file.write_all(&[!byte[0]]).unwrap();
}
