//! The core against hubs: the whole journey in both of our own profiles, and servers that misbehave as deployed hubs do
//! (contract 7).

mod deployed;
mod faults;
mod interruptions;
mod little_work;
mod many_vms;
mod proxy;
mod tls;
mod vcenter;

use std::path::Path;

use sendense_core::download::{Destination, Existing, save_file, save_folder};
use sendense_core::{HubClient, SignIn, Token, watch_backup};
use sendense_hub::{Auth, Config, LocalHub, NewUser, Password, Profile};
use sendense_tests::{
    SampleVm, qemu_img_check, qemu_img_compare, sample_vm, sha256_file, temp_dir,
};
use sendense_types::{
    AppEvent, BackupCopy, BackupId, BackupStatus, BackupType, ErrorKind, FileKind, FolderFormat,
    MountStatus, RepositoryPlace, Verification, VerificationStatus, VmSource,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A hub with one user, on a folder that holds the sample VM.
async fn start(folder: &Path, profile: Profile) -> (LocalHub, SampleVm) {
    let sample = sample_vm(folder);
    let mut config = Config::new(folder.join("data"));
    config.profile = profile;
    config.auth = one_user();
    (LocalHub::start(config).await.unwrap(), sample)
}

fn one_user() -> Auth {
    Auth::Users(vec![NewUser {
        username: "operator".to_owned(),
        password: Password::new("correct horse"),
    }])
}

fn in_folder(folder: &Path) -> VmSource {
    VmSource::Folder {
        folder: folder.to_string_lossy().into_owned(),
    }
}

/// Backs a VM up in full, as it is now, into the first repository.
async fn back_up(hub: &HubClient, vm_name: &str) -> BackupId {
    let vm = hub.find_vm(vm_name).await.unwrap();
    let repository = hub.repositories().await.unwrap().remove(0);
    let started = hub.start_backup(&vm, &repository.id, BackupType::Full, false);
    let started = started.await.unwrap();
    let backup = watch_backup(hub, &started.backup_id, &mut |_| {}).await;
    backup.unwrap().backup_id
}

fn destination(path: &Path) -> Destination {
    Destination {
        path: path.to_path_buf(),
        existing: Existing::Keep,
    }
}

#[tokio::test]
async fn the_main_job_works_in_the_default_dialect() {
    main_job(Profile::Default).await;
}

/// Contract D2, D3, D30, D31, D51.
#[tokio::test]
async fn the_main_job_works_in_the_documented_dialect() {
    main_job(Profile::Documented).await;
}

async fn main_job(profile: Profile) {
    let folder = temp_dir();
    let (local, sample) = start(folder.path(), profile).await;
    let hub = HubClient::new(local.url(), None).unwrap();
    hub.health().await.unwrap();
    let refused = hub.vms().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unauthorized);
    let wrong = hub.sign_in("operator", "wrong").await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Unauthorized);
    let SignIn::Token { token, expires_at } =
        hub.sign_in("operator", "correct horse").await.unwrap()
    else {
        panic!("this hub wants a sign-in");
    };
    assert!(expires_at.is_some());
    let hub = hub.with_token(token);

    let vms = sample.folder.parent().unwrap();
    let found = hub.discover_vms(&in_folder(vms)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let names = [found[0].name.clone(), "no such vm".to_owned()];
    let added = hub.add_vms(&in_folder(vms), &names).await.unwrap();
    assert_eq!(added.vms.len(), 1);
    assert_eq!(added.failed[0].0, "no such vm");
    let vm = hub.find_vm("PGTEST1").await.unwrap();
    let disks = hub.vm_disks(&vm).await.unwrap();
    assert_eq!(
        disks.iter().map(|disk| disk.disk_index).collect::<Vec<_>>(),
        [0, 1]
    );

    let repository = hub.repositories().await.unwrap().remove(0);
    let started = hub
        .start_backup(&vm, &repository.id, BackupType::Full, false)
        .await
        .unwrap();
    let mut finishes = 0;
    let backup = watch_backup(&hub, &started.backup_id, &mut |event| {
        finishes += usize::from(matches!(event, AppEvent::BackupFinished { .. }));
    })
    .await
    .unwrap();
    assert_eq!(backup.status, BackupStatus::Completed);
    assert_eq!(finishes, 1, "one backup finishes once");
    assert_eq!(hub.backups(&vm).await.unwrap().len(), 1);
    let chain = hub.chain(&vm, &repository.id).await.unwrap();
    assert_eq!(chain.chain[0].is_restorable, Some(true));

    let mount = hub.mount(&started.backup_id, 0).await.unwrap();
    assert_eq!(mount.status, MountStatus::Mounted);
    assert_eq!(hub.mounts().await.unwrap()[0].mount_id, mount.mount_id);
    let listing = hub
        .list_files(&mount.mount_id, "/Recovery/WindowsRE")
        .await
        .unwrap();
    let entry = listing
        .files
        .iter()
        .find(|file| file.name == "ReAgent.xml")
        .unwrap();
    assert_eq!((entry.kind, entry.size), (FileKind::File, Some(1129)));

    let target = folder.path().join("ReAgent.xml");
    let cancel = CancellationToken::new();
    let mut last = None;
    let saved = save_file(
        &hub,
        &mount.mount_id,
        &entry.path,
        &destination(&target),
        &mut |progress| last = Some(progress),
        &cancel,
    )
    .await
    .unwrap();
    assert_eq!(saved.size_bytes, 1129);
    assert_eq!(
        last.unwrap().received_bytes,
        1129,
        "the last report is the end"
    );
    let known = &sample.manifest.disks[0].volumes[1].files[0];
    assert_eq!(sha256_file(&target), known.sha256);
    assert_eq!(
        target.metadata().unwrap().modified().unwrap(),
        std::time::SystemTime::try_from(entry.modified_time.unwrap()).unwrap(),
        "the file has the time it had"
    );

    let archive = folder.path().join("Users.zip");
    let zip = save_folder(
        &hub,
        &mount.mount_id,
        "/Users",
        FolderFormat::Zip,
        &destination(&archive),
        &mut |_| {},
        &cancel,
    )
    .await
    .unwrap();
    assert!(zip.unchecked.is_none(), "{:?}", zip.unchecked);
    assert!(zip.n_files >= 5, "{zip:?}");

    hub.unmount(&mount.mount_id).await.unwrap();
    hub.unmount(&mount.mount_id).await.unwrap();
    let gone = hub.list_files(&mount.mount_id, "/").await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::Expired);
    local.stop().await;
}

#[tokio::test]
async fn a_token_that_is_wrong_or_has_expired_asks_for_a_sign_in() {
    let folder = temp_dir();
    let (local, _) = start(folder.path(), Profile::Default).await;
    let hub = HubClient::new(local.url(), Some(Token::new("wrong"))).unwrap();
    let error = hub.check_sign_in().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(!format!("{hub:?}").contains("wrong"), "{hub:?}");
    local.stop().await;
}

#[tokio::test]
async fn a_download_that_is_stopped_leaves_nothing() {
    let folder = temp_dir();
    let (local, sample) = start(folder.path(), Profile::Default).await;
    let hub = HubClient::new(local.url(), Some(Token::new(local.key()))).unwrap();
    let vms = sample.folder.parent().unwrap();
    hub.add_vms(&in_folder(vms), &["pgtest1".to_owned()])
        .await
        .unwrap();
    let backup = back_up(&hub, "pgtest1").await;
    let mount = hub.mount(&backup, 1).await.unwrap();

    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let cancel = CancellationToken::new();
    let error = save_file(
        &hub,
        &mount.mount_id,
        "/srv/data/sparse.img",
        &destination(&out.join("sparse.img")),
        &mut |_| cancel.cancel(),
        &cancel,
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_and_copying_end_when_they_are_cancelled_and_can_be_done_again() {
    let folder = temp_dir();
    let vms = folder.path().join("vms");
    std::fs::create_dir_all(vms.join("vm")).unwrap();
    let source = vms.join("vm/disk.raw");
    // Enough to be at it for a moment.
    std::fs::write(&source, vec![5; 256 << 20]).unwrap();
    let mut config = Config::new(folder.path().join("data"));
    config.auth = Auth::Off;
    let local = LocalHub::start(config).await.unwrap();
    let hub = HubClient::new(local.url(), None).unwrap();
    hub.add_vms(&in_folder(&vms), &["vm".to_owned()])
        .await
        .unwrap();
    let id = back_up(&hub, "vm").await;

    let begun = Notify::new();
    let cancel = async {
        begun.notified().await;
        hub.cancel_verification(&id).await.unwrap();
    };
    let mut report = |_: &Verification| begun.notify_one();
    let (found, ()) = tokio::join!(hub.verify_backup(&id, &mut report), cancel);
    assert_eq!(found.unwrap().status, VerificationStatus::Cancelled);
    assert_eq!(hub.backup(&id).await.unwrap().verification, None);
    let over = hub.cancel_verification(&id).await.unwrap_err();
    assert_eq!(over.kind, ErrorKind::Conflict, "{over:?}");
    let found = hub.verify_backup(&id, &mut |_| {}).await.unwrap();
    assert_eq!(found.status, VerificationStatus::Sound);

    let path = folder.path().join("second");
    let place = RepositoryPlace::folder(path.to_str().unwrap());
    let second = hub.create_repository("second", &place).await.unwrap().id;
    let begun = Notify::new();
    let cancel = async {
        begun.notified().await;
        hub.cancel_copy(&id, &second).await.unwrap();
    };
    let mut report = |_: &BackupCopy| begun.notify_one();
    let (copied, ()) = tokio::join!(hub.copy_backup(&id, &second, &mut report), cancel);
    let cancelled = copied.unwrap_err();
    assert_eq!(cancelled.kind, ErrorKind::Cancelled, "{cancelled:?}");
    let copy = hub.copy_backup(&id, &second, &mut |_| {}).await.unwrap();
    let copy = hub.backup(&copy.backup_id.unwrap()).await.unwrap();
    let image = copy.disks[0].qcow2_path.as_deref().unwrap();
    qemu_img_check(Path::new(image));
    qemu_img_compare(&source, "raw", Path::new(image), "qcow2");
    local.stop().await;
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_offline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let hub = HubClient::new(&address.to_string(), None).unwrap();
    let error = hub.vms().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline);
    assert!(error.message.contains(&address.to_string()), "{error}");
}
