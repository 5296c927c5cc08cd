//! A remote hub, and how the window shows its state.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use sendense_hub::{Auth, Clock, Config, LocalHub, Profile};
use sendense_tests::{Hub, sample_vm, sendense, temp_dir};
use tempfile::TempDir;

use super::desk::Desk;
use super::gate::{Gate, Passage};
use super::journeys::browse_sample;

const PASSWORD: &str = "correct horse battery staple";
/// What is shown while a hub is not there.
const OFFLINE: &str =
    "//*[@role='alert'][contains(., 'does not answer')][contains(., 'keeps trying')]";

/// A hub without sign-in that has a backup of the sample.
pub(super) struct Remote {
    pub(super) hub: Hub,
    _folder: TempDir,
}

impl Remote {
    pub(super) fn start() -> Self {
        let folder = temp_dir();
        let hub = Hub::start(&folder.path().join("data"));
        back_up_sample(&hub.url(), folder.path());
        Self {
            hub,
            _folder: folder,
        }
    }
}

pub(super) fn back_up_sample(url: &str, folder: &Path) {
    let vms = folder.join("vms");
    std::fs::create_dir(&vms).unwrap();
    sample_vm(&vms);
    let run = |args: &[&str]| {
        sendense().args(["--hub", url]).args(args).run();
    };
    run(&["vm", "discover", &vms.to_string_lossy()]);
    run(&["backup", "start", "pgtest1", "--wait"]);
}

/// Opens the dialog and fills in where the hub is.
pub(super) async fn place_hub(desk: &Desk, url: &str) {
    place_hub_as(desk, url, "Elsewhere").await;
}

/// The same, under a name.
pub(super) async fn place_hub_as(desk: &Desk, url: &str, name: &str) {
    desk.click_on("//button[starts-with(@aria-label, 'Hub: ')]")
        .await;
    desk.press("Add hub…").await;
    desk.fill("Address", url).await;
    desk.fill("Name", name).await;
}

/// The same, and who signs in.
async fn name_hub(desk: &Desk, url: &str, user: &str, password: &str) {
    place_hub(desk, url).await;
    desk.fill("User name", user).await;
    desk.fill("Password", password).await;
}

/// Makes this hub without sign-in the current one.
pub(super) async fn add_hub(desk: &Desk, url: &str) {
    name_hub(desk, url, "", "").await;
    desk.press("Connect").await;
    desk.find("//button[@aria-label='Hub: Elsewhere, connected']")
        .await;
}

/// The sample on a hub elsewhere, open in the browser.
pub(super) async fn open_remote_sample(desk: &Desk, url: &str) {
    add_hub(desk, url).await;
    desk.press("View backups").await;
    browse_sample(desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_the_right_one_opens() {
    let folder = temp_dir();
    let hub = Hub::start_with(
        folder.path(),
        &["--user", "operator"],
        &format!("{PASSWORD}\n"),
        &[],
    );
    let desk = Desk::start().await;
    name_hub(&desk, &hub.url(), "operator", "wrong").await;
    desk.press("Connect").await;
    desk.find("//dialog//*[@role='alert'][contains(., 'user name and password')]")
        .await;
    desk.picture("wrong-password");
    desk.fill("Password", PASSWORD).await;
    desk.press("Connect").await;
    desk.find("//button[@aria-label='Hub: Elsewhere, connected · operator']")
        .await;
    desk.gone("//dialog").await;
    desk.see("No VMs yet").await;
    desk.keeps_none_of(&[PASSWORD]).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_down_at_the_start_is_back_by_itself() {
    let folder = temp_dir();
    let hub = Hub::start_with(
        folder.path(),
        &["--user", "operator"],
        &format!("{PASSWORD}\n"),
        &[],
    );
    let gate = Gate::before(&hub.url());
    let mut desk = Desk::start().await;
    name_hub(&desk, &gate.url(), "operator", PASSWORD).await;
    desk.press("Connect").await;
    desk.find("//button[@aria-label='Hub: Elsewhere, connected · operator']")
        .await;

    desk.start_app_again(|| gate.set(Passage::Closed)).await;
    desk.find(OFFLINE).await;
    desk.picture("offline");
    // The rest of the app is there nevertheless.
    desk.press("Settings").await;
    desk.see("Notifications and tray").await;
    desk.press("VMs").await;
    gate.set(Passage::Open);
    // Nobody signs in again: the token is in the keychain.
    desk.find("//button[@aria-label='Hub: Elsewhere, connected · operator']")
        .await;
    desk.gone(OFFLINE).await;
    desk.see("No VMs yet").await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hubs_have_each_their_own_and_keep_it_while_the_other_is_shown() {
    let (one, folder) = (Remote::start(), temp_dir());
    let other = Hub::start(folder.path());
    let desk = Desk::start().await;
    // Else leaving the browser would close the mount, also by turning to another hub.
    desk.press("Settings").await;
    desk.click("Unmount when leaving the file browser").await;
    open_remote_sample(&desk, &one.hub.url()).await;

    place_hub_as(&desk, &other.url(), "Branch office").await;
    desk.press("Connect").await;
    desk.find("//button[@aria-label='Hub: Branch office, connected']")
        .await;
    desk.gone("//dialog").await;
    desk.press("VMs").await;
    desk.see("No VMs yet").await;
    desk.press("Restore").await;
    desk.see("No open mounts").await;
    desk.see("0 of 8 mounts").await;

    desk.click_on("//button[starts-with(@aria-label, 'Hub: ')]")
        .await;
    desk.click_on("//button[@role='menuitemradio'][contains(., 'Elsewhere')]")
        .await;
    desk.find("//button[@aria-label='Hub: Elsewhere, connected']")
        .await;
    desk.press("Restore").await;
    // The mount that was left open there is still ours.
    desk.see("1 of 8 mounts").await;
    desk.click_on("//li[starts-with(@aria-label, 'pgtest1')]//a[.='Browse']")
        .await;
    desk.find("//*[@role='row'][@aria-label='ReAgent.xml']")
        .await;
    desk.picture("back-on-the-first-hub");
    desk.close().await;
}

/// Contract D44.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_mount_comes_back_in_the_same_folder() {
    let folder = temp_dir();
    let clock = Clock::fixed(Clock::system().now());
    let hub = LocalHub::start(Config {
        data_dir: folder.path().join("data"),
        auth: Auth::Off,
        profile: Profile::default(),
        clock: clock.clone(),
        tls: None,
    })
    .await
    .unwrap();
    back_up_sample(hub.url(), folder.path());
    let desk = Desk::start().await;
    open_remote_sample(&desk, hub.url()).await;
    clock.advance(SignedDuration::from_hours(2));
    desk.press("Refresh").await;
    desk.see("Mount expired, please remount.").await;
    desk.picture("expired");
    desk.press("Remount").await;
    desk.gone("//*[contains(text(), 'please remount')]").await;
    desk.find("//*[@role='row'][@aria-label='ReAgent.xml']")
        .await;
    desk.find("//button[@aria-current][contains(., 'WindowsRE')]")
        .await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_hub_blocks_nothing() {
    let remote = Remote::start();
    let gate = Gate::before(&remote.hub.url());
    let desk = Desk::start().await;
    add_hub(&desk, &gate.url()).await;
    desk.press("Activity").await;
    gate.set(Passage::After(Duration::from_secs(20)));

    desk.press("VMs").await;
    desk.press("Repositories").await;
    desk.press("Settings").await;
    desk.click_on("//select[@aria-label='Theme']/option[@value='dark']")
        .await;
    desk.find("/html[@data-theme='dark']").await;
    desk.press("Downloads").await;
    desk.see("No downloads yet").await;
    // All of that while the first questions still wait for their answers.
    assert!(gate.holds_something());
    desk.press("VMs").await;
    desk.find("//li[@aria-label='pgtest1']").await;
    desk.close().await;
}
