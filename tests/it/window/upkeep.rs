//! Keeping backups in order: a recovery point is pinned, and one is deleted with what builds on it.

use super::desk::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_is_pinned_and_deleted_with_those_that_build_on_it() {
    let desk = Desk::start().await;
    desk.press("Add sample VM").await;
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.see("Protected").await;
    desk.press("View backups").await;
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    let row = |number: u32| format!("(//tr[starts-with(@aria-label, 'Backup of')])[{number}]");
    desk.find(&format!(
        "{}[contains(., 'Incremental')][contains(., 'Completed')]",
        row(1)
    ))
    .await;
    let menu = |number: u32| format!("{}//button[@aria-haspopup='menu']", row(number));

    desk.find(&menu(1)).await.click().await.unwrap();
    desk.press("Pin").await;
    desk.find(&format!("{}//*[contains(., 'Pinned')]", row(1)))
        .await;
    desk.picture("pinned");
    desk.find(&menu(2)).await.click().await.unwrap();
    desk.press("Delete…").await;
    desk.press("Delete all 2").await;
    desk.see("A pinned recovery point is not deleted.").await;
    desk.picture("delete-refused");
    desk.press("Cancel").await;

    desk.find(&menu(1)).await.click().await.unwrap();
    desk.press("Unpin").await;
    desk.gone(&format!("{}//*[contains(., 'Pinned')]", row(1)))
        .await;
    desk.find(&menu(2)).await.click().await.unwrap();
    desk.press("Delete…").await;
    desk.see("These build on it and are deleted with it:").await;
    desk.picture("delete");
    desk.press("Delete all 2").await;
    desk.see("No backups yet").await;
    let repository = desk.home().join(".local/share/sendense");
    assert_eq!(super::running::images_below(&repository), [""; 0]);
    desk.close().await;
}
