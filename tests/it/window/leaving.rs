//! Cancelling, closing, quitting, starting again: what happens to running work.

use std::path::Path;
use std::time::Duration;

use sendense_tests::until;

use super::desk::Desk;
use super::gate::{Gate, Passage};
use super::journeys::original;
use super::remote::{Remote, open_remote_sample};
use super::tour::pictures;

/// Some hundred pieces are a file, so that saving it takes a while.
const NARROW: Passage = Passage::After(Duration::from_millis(500));
/// Some hundred kilobytes a second.
const WIDER: Passage = Passage::After(Duration::from_millis(20));
const PATIENCE: Duration = Duration::from_secs(60);
/// The app asks so before it stops what runs.
const QUESTION: &str = "Quit Sendense";

/// Begins to save `winre.wim` through a narrow gate.
async fn begin_download(desk: &Desk, gate: &Gate, file: &Path) {
    open_remote_sample(desk, &gate.url()).await;
    gate.set(NARROW);
    desk.click("winre.wim").await;
    desk.press("Download selected").await;
    desk.save_as("Save file", file);
    desk.find("//li[@aria-label='winre.wim']//button[.='Cancel']")
        .await;
}

/// The files of a folder whose names begin like this.
fn left_behind(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("winre"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_download_leaves_nothing_behind() {
    let remote = Remote::start();
    let gate = Gate::before(&remote.hub.url());
    let desk = Desk::start().await;
    begin_download(&desk, &gate, &desk.home().join("winre.wim")).await;
    desk.click_on("//li[@aria-label='winre.wim']//button[.='Cancel']")
        .await;
    desk.press("Downloads").await;
    desk.find("//li[@aria-label='winre.wim'][contains(., 'Cancelled')]")
        .await;
    assert_eq!(left_behind(desk.home()), [""; 0]);
    // It can be had again.
    gate.set(Passage::Open);
    desk.press("Retry").await;
    desk.find("//li[@aria-label='winre.wim'][contains(., 'Saved')]")
        .await;
    assert_eq!(left_behind(desk.home()), ["winre.wim"]);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_download_is_resumed_after_a_restart_of_the_app() {
    let remote = Remote::start();
    let gate = Gate::before(&remote.hub.url());
    let mut desk = Desk::start().await;
    let file = desk.home().join("winre.wim");
    begin_download(&desk, &gate, &file).await;
    gate.set(WIDER);
    let part = desk.home().join("winre.wim.part");
    until("more than a beginning", PATIENCE, || {
        let length = std::fs::metadata(&part).ok()?.len();
        (length > 3 << 19).then_some(())
    });
    desk.click_on("//li[@aria-label='winre.wim']//button[.='Pause']")
        .await;
    desk.press("Downloads").await;
    desk.find("//li[@aria-label='winre.wim'][contains(., 'Paused')]")
        .await;
    pictures(&desk, "paused-download").await;
    let beginning = std::fs::read(&part).unwrap();

    desk.start_app_again(|| gate.set(Passage::Open)).await;
    // It moves the entries below it, under the pointer.
    desk.find("//nav//*[@title='pgtest1 · Disk 0']").await;
    desk.press("Downloads").await;
    desk.find("//li[@aria-label='winre.wim'][contains(., 'Paused')]")
        .await;
    assert_eq!(std::fs::read(&part).unwrap(), beginning);
    desk.press("Resume").await;
    desk.find("//li[@aria-label='winre.wim'][contains(., 'Saved')]")
        .await;
    let restored = std::fs::read(&file).unwrap();
    assert!(restored == original("/Recovery/WindowsRE/winre.wim", desk.home()));
    assert_eq!(left_behind(desk.home()), ["winre.wim"]);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_while_a_download_runs_goes_to_the_tray_and_a_second_start_comes_back() {
    let remote = Remote::start();
    let gate = Gate::before(&remote.hub.url());
    let desk = Desk::start().await;
    let file = desk.home().join("winre.wim");
    begin_download(&desk, &gate, &file).await;
    desk.close_window();
    desk.window_is_shown(false);
    desk.notified("Sendense keeps running in the tray");
    desk.start_a_second_time();
    desk.window_is_shown(true);
    // The first one, as it was.
    desk.find("//li[@aria-label='winre.wim']//button[.='Cancel']")
        .await;
    gate.set(Passage::Open);
    until("the file", PATIENCE, || file.exists().then_some(()));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_asks_while_a_download_runs() {
    let remote = Remote::start();
    let gate = Gate::before(&remote.hub.url());
    let desk = Desk::start().await;
    begin_download(&desk, &gate, &desk.home().join("winre.wim")).await;
    desk.press("Settings").await;
    desk.click("Stay in the tray if the window is closed while work is running")
        .await;
    let settings = desk
        .home()
        .join(".config/com.sendense.desktop/settings.json");
    until("the setting to be kept", PATIENCE, || {
        let kept = std::fs::read_to_string(&settings).unwrap_or_default();
        let kept = kept.split_whitespace().collect::<String>();
        kept.contains(r#""close_to_tray":false"#).then_some(())
    });
    desk.close_window();
    desk.answer(QUESTION, "Escape");
    // Still there, and still at it.
    desk.press("Downloads").await;
    desk.find("//li[@aria-label='winre.wim']//button[.='Cancel']")
        .await;
    desk.close_window();
    desk.answer(QUESTION, "Return");
    desk.window_is_shown(false);
    assert_eq!(left_behind(desk.home()), [""; 0]);
    desk.close().await;
}
