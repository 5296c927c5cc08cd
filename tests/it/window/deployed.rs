//! A hub that speaks and behaves as deployed ones do, in the window.

use jiff::{SignedDuration, Timestamp};
use sendense_tests::{
    DeployedHub, Hazards, Hub, SESSION_TOKEN, empty_disk, sample_vm, sendense, temp_dir,
};
use tempfile::TempDir;

use super::desk::Desk;
use super::journeys::{browse_sample, restore_file};
use super::remote::{add_hub, back_up_sample, place_hub, place_hub_as};
use super::tour::pictures;

const TOKEN: &str = "token-of-the-appliance";

/// A deployed hub with a backup of the sample.
async fn deployed(hazards: Hazards) -> (DeployedHub, TempDir) {
    let folder = temp_dir();
    let hub = DeployedHub::start(&folder.path().join("data"), hazards).await;
    back_up_sample(hub.behind(), folder.path());
    (hub, folder)
}

/// Contract D2, D55, H4.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_back_from_a_deployed_hub_that_wants_a_token() {
    let (hub, _folder) = deployed(Hazards {
        appliance_token: Some(TOKEN.to_owned()),
        offset_seconds: 2 * 3600,
        ..Hazards::default()
    })
    .await;
    let desk = Desk::start().await;
    place_hub(&desk, hub.url()).await;
    desk.click_on("//select[@aria-label='Sign in with']/option[.='Appliance token']")
        .await;
    desk.fill("Token", "wrong").await;
    desk.press("Connect").await;
    desk.find("//dialog//*[@role='alert'][contains(., 'does not accept this token')]")
        .await;
    desk.picture("wrong-appliance-token");
    desk.fill("Token", TOKEN).await;
    desk.press("Connect").await;
    desk.find("//button[@aria-label='Hub: Elsewhere, connected']")
        .await;
    desk.gone("//dialog").await;
    desk.see("Protected").await;
    // Two hours ahead by the hub's own words.
    desk.see("just now").await;

    // The hub restarts and has forgotten who signed in; nobody has to notice.
    hub.forget_sessions();
    desk.press("View backups").await;
    browse_sample(&desk).await;
    restore_file(&desk, &desk.home().join("ReAgent.xml")).await;
    desk.keeps_none_of(&[TOKEN, SESSION_TOKEN]).await;
    // Leaving the browser unmounts. Whether the device is free again the hub has to say.
    desk.press("Restore").await;
    desk.see("0 of 8 mounts").await;
    desk.close().await;
}

/// Contract H10.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_not_confirmed_is_never_shown_as_done() {
    let (hub, _folder) = deployed(Hazards {
        unfinished_disks: 1,
        ..Hazards::default()
    })
    .await;
    let desk = Desk::start().await;
    add_hub(&desk, hub.url()).await;
    desk.see("Last backup not confirmed").await;
    desk.gone("//*[text()='Protected'][not(self::option)]")
        .await;
    desk.press("View backups").await;
    desk.see("Not confirmed").await;
    pictures(&desk, "not-confirmed").await;
    desk.press("Restore…").await;
    desk.find("//*[@role='status'][contains(., 'has not confirmed every disk')]")
        .await;
    pictures(&desk, "restore-not-confirmed").await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_backup_ends_on_another_hub_is_told_with_the_name_of_that_hub() {
    const RUNNING: &str = "//*[@role='progressbar'][@aria-label='Backing up pgtest1']";
    let folder = temp_dir();
    let hazards = Hazards {
        unfinished_disks: 1,
        ..Hazards::default()
    };
    let hub = DeployedHub::start(&folder.path().join("data"), hazards).await;
    sample_vm(folder.path());
    let discover = sendense().args(["--hub", hub.behind(), "vm", "discover"]);
    discover.arg(folder.path()).run();
    let other = Hub::start(&folder.path().join("other"));
    let desk = Desk::start().await;
    add_hub(&desk, hub.url()).await;
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.find(RUNNING).await;

    place_hub_as(&desk, &other.url(), "Branch office").await;
    desk.press("Connect").await;
    desk.find("//button[@aria-label='Hub: Branch office, connected']")
        .await;
    desk.see("No VMs yet").await;
    desk.gone(RUNNING).await;
    hub.change(|hazards| hazards.unfinished_disks = 0);
    desk.see("Elsewhere: Backup of pgtest1 finished").await;
    desk.gone(RUNNING).await;
    pictures(&desk, "news-of-another-hub").await;
    desk.close().await;
}

/// Contract H6.
#[tokio::test(flavor = "multi_thread")]
async fn vms_of_a_vcenter_are_found_filtered_and_added() {
    let folder = temp_dir();
    let vms = sample_vm(folder.path()).folder.parent().unwrap().to_owned();
    let long = "a-virtual-machine-with-a-name-that-says-all-about-it";
    for name in (1..=13)
        .map(|n| format!("web{n:02}"))
        .chain([long.to_owned()])
    {
        empty_disk(&vms.join(name).join("disk.qcow2"), "20G");
    }
    let hub = DeployedHub::start(&folder.path().join("data"), Hazards::default()).await;
    let desk = Desk::start().await;
    add_hub(&desk, hub.url()).await;
    desk.press("Discover VMs").await;
    desk.press("Discover").await;
    desk.find("//dialog//*[@role='alert'][contains(., 'vCenter')]")
        .await;
    desk.picture("vcenter-refused");
    hub.fill_vcenter(&vms);
    desk.press("Discover").await;
    desk.see("Its name is too long").await;
    pictures(&desk, "discover-vcenter").await;
    desk.fill("Filter by name", "WEB0").await;
    desk.gone("//li[contains(., 'pgtest1')]").await;
    desk.click_on("//label[contains(., 'Select all 9 VMs')]/input")
        .await;
    desk.click_on("//li[contains(., 'web03')]//input").await;
    desk.picture("discover-vcenter-filtered");
    desk.press("Add 8 VMs").await;
    desk.gone("//dialog").await;
    desk.see("web09").await;
    desk.gone("//*[.='web03']").await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_becomes_a_repository_of_a_deployed_hub_and_goes_again() {
    let (hub, _folder) = deployed(Hazards {
        loses_shares: true,
        quotes_passwords: true,
        ..Hazards::default()
    })
    .await;
    let desk = Desk::start().await;
    add_hub(&desk, hub.url()).await;
    desk.press("Repositories").await;
    // Capacity as the hub has it.
    desk.find(
        "//li[@aria-label='local'][contains(., 'free')]//*[@role='progressbar'][@aria-valuenow]",
    )
    .await;
    desk.press("Add repository").await;
    desk.fill("Name", "Office").await;
    desk.fill("Folder", "/proc/nowhere").await;
    desk.press("Test").await;
    desk.find("//dialog//*[@role='status'][contains(., 'cannot be created')]")
        .await;
    pictures(&desk, "remote-folder-refused").await;

    desk.click_on("//select[@aria-label='Type']/option[.='CIFS (SMB) share']")
        .await;
    desk.gone("//dialog//*[@role='status']").await;
    for (field, text) in [
        ("Server", "nas.example"),
        ("Share name", "backups"),
        ("User name", "ada"),
        ("Password", "correct horse"),
    ] {
        desk.fill(field, text).await;
    }
    desk.press("Test").await;
    desk.find("//dialog//*[@role='status'][contains(., 'only after it is added')]")
        .await;
    pictures(&desk, "remote-cifs").await;
    desk.press("Add").await;
    desk.see("has not reached the share yet").await;
    let office = "//li[@aria-label='Office'][contains(., '//nas.example/backups')]";
    desk.find(&format!("{office}[contains(., 'Free space unknown')]"))
        .await;
    pictures(&desk, "remote-repositories").await;
    desk.click_on(&format!("{office}//button[@aria-haspopup='menu']"))
        .await;
    desk.press("Test").await;
    desk.see("CIFS mount failed").await;
    desk.gone("//*[contains(text(), 'horse')]").await;

    // One that holds backups stays, with a reason.
    desk.click_on("//li[@aria-label='local']//button[@aria-haspopup='menu']")
        .await;
    desk.press("Remove…").await;
    desk.press("Remove").await;
    desk.find("//dialog//*[@role='alert'][contains(., 'There are backups in this repository')]")
        .await;
    desk.picture("remote-remove-refused");
    desk.press("Cancel").await;
    desk.click_on(&format!("{office}//button[@aria-haspopup='menu']"))
        .await;
    desk.press("Remove…").await;
    desk.press("Remove").await;
    desk.gone(office).await;

    desk.press("Add repository").await;
    desk.click_on("//select[@aria-label='Type']/option[.='NFS share']")
        .await;
    hub.change(|hazards| hazards.loses_shares = false);
    for (field, text) in [
        ("Name", "Vault"),
        ("Server", "nas.example"),
        ("Export", "/exports/backups"),
    ] {
        desk.fill(field, text).await;
    }
    pictures(&desk, "remote-nfs").await;
    desk.press("Add").await;
    desk.find("//li[@aria-label='Vault'][contains(., 'nas.example:/exports/backups')][contains(., 'free')]")
        .await;
    desk.keeps_none_of(&["horse"]).await;
    desk.close().await;
}

/// Contract D43, D44, D63.
#[tokio::test(flavor = "multi_thread")]
async fn a_mount_with_a_fixed_end_warns_twice_and_comes_back_in_the_same_folder() {
    let ends_in = |minutes| {
        let left = SignedDuration::from_mins(minutes) + SignedDuration::from_secs(8);
        Some(Timestamp::now() + left)
    };
    let (hub, _folder) = deployed(Hazards::default()).await;
    let desk = Desk::start().await;
    add_hub(&desk, hub.url()).await;
    // Else the mount would be closed by leaving the browser, and none would end by itself.
    desk.press("Settings").await;
    desk.click("Unmount when leaving the file browser").await;
    desk.press("VMs").await;
    hub.change(|hazards| hazards.mounts_end = ends_in(10));
    desk.press("View backups").await;
    browse_sample(&desk).await;
    desk.see("expires in 10 minutes").await;
    pictures(&desk, "ends-in-ten-minutes").await;
    // Nothing that is done with it helps on such a hub, and the button says so.
    desk.press("Keep open").await;
    desk.find("//button[.='Keep open'][@disabled]").await;

    hub.change(|hazards| hazards.mounts_end = ends_in(2));
    desk.press("Restore").await;
    desk.see("expires in 2 minutes").await;
    hub.change(|hazards| hazards.mounts_end = ends_in(0));
    desk.press("VMs").await;
    desk.press("Restore").await;
    let row = "//li[starts-with(@aria-label, 'pgtest1')]";
    desk.find(&format!("{row}[contains(., 'Expired')]")).await;
    pictures(&desk, "ended").await;
    hub.change(|hazards| hazards.mounts_end = None);
    desk.click_on(&format!("{row}//button[.='Remount']")).await;
    desk.find("//*[@role='row'][@aria-label='ReAgent.xml']")
        .await;
    desk.find("//button[@aria-current][contains(., 'WindowsRE')]")
        .await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_of_the_terminal_are_known_and_those_of_others_are_left_alone() {
    let (hub, folder) = deployed(Hazards::default()).await;
    let mut desk = Desk::start().await;
    add_hub(&desk, hub.url()).await;
    let listed = sendense().args(["--hub", hub.url(), "--json"]);
    let listed = listed.args(["backup", "list", "pgtest1"]).run().json();
    let backup = listed["backups"][0]["backup_id"].as_str().unwrap();
    let ours = desk.home().join(".local/share/sendense/hub");
    for (data, disk) in [(ours.as_path(), "0"), (folder.path(), "1")] {
        let mount = sendense().args(["--hub", hub.url(), "--data"]).arg(data);
        let mount = mount.args(["restore", "mount", backup, "--disk", disk]);
        mount.run();
    }
    desk.press("Restore").await;
    desk.find("//li[@aria-label='pgtest1 · Disk 0'][contains(., '20')]//button[.='Unmount'][not(@disabled)]")
        .await;
    let theirs = "//li[starts-with(@aria-label, 'Somebody else’s mount · hub’s disk no. ')]";
    for button in ["Unmount", "Keep open"] {
        desk.find(&format!("{theirs}//button[.='{button}'][@disabled]"))
            .await;
    }
    pictures(&desk, "mounts-of-others").await;
    desk.click_on(&format!("{theirs}//a[.='Browse']")).await;
    desk.find("//*[@role='grid']//*[@role='row'][@aria-label]")
        .await;
    desk.press("Close").await;
    desk.find(theirs).await;

    desk.start_app_again(|| {}).await;
    let deleted = |asked: &String| asked.starts_with("DELETE");
    assert!(!hub.asked().iter().any(deleted), "{:?}", hub.asked());
    desk.close().await;
}
