//! The core against a hub that speaks and behaves as deployed ones do (contract 12), with real images behind it.

mod mounts;
mod repositories;
mod switches;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sendense_core::download::{SavedFolder, save_file, save_folder};
use sendense_core::{Backups, Events, HubClient, HubSession, MemorySecrets, Token, watch_backup};
use sendense_tests::{
    DeployedHub, Hazards, SampleVm, empty_disk, sample_vm, sendense, sha256_file, temp_dir, tool,
};
use sendense_types::commands::Credentials;
use sendense_types::{
    AppError, AppEvent, Backup, BackupStatus, BackupType, ErrorKind, FolderFormat, HubId,
    RepositoryId, RepositoryPlace, Secret, SessionState, SignInKind, Trust, Vm, VmState,
};
use tokio_util::sync::CancellationToken;

use super::{destination, in_folder};

/// A deployed hub that knows the sample VM, and a client of it.
struct Site {
    deployed: DeployedHub,
    hub: HubClient,
    /// The hub behind it, for what has to be arranged.
    behind: HubClient,
    vm: Vm,
    sample: SampleVm,
    folder: tempfile::TempDir,
}

impl Site {
    /// How often somebody signed in so far.
    fn logins(&self) -> usize {
        let asked = self.deployed.asked().into_iter();
        asked.filter(|line| line.contains("/auth/login")).count()
    }

    async fn open(hazards: Hazards) -> Self {
        Self::with_vm("pgtest1", hazards).await
    }

    /// With the sample VM under a name of its own.
    async fn with_vm(name: &str, hazards: Hazards) -> Self {
        let folder = temp_dir();
        let mut sample = sample_vm(folder.path());
        let place = sample.folder.with_file_name(name);
        std::fs::rename(&sample.folder, &place).unwrap();
        sample.folder = place;
        let deployed = DeployedHub::start(&folder.path().join("data"), hazards).await;
        let behind = HubClient::new(deployed.behind(), None).unwrap();
        let vms = sample.folder.parent().unwrap();
        let names = [name.to_owned()];
        let added = behind.add_vms(&in_folder(vms), &names).await.unwrap();
        let hub = HubClient::new(deployed.url(), None).unwrap();
        Self {
            deployed,
            hub,
            behind,
            vm: added.vms.into_iter().next().unwrap(),
            sample,
            folder,
        }
    }

    async fn repository(&self) -> RepositoryId {
        self.hub.repositories().await.unwrap().remove(0).id
    }

    /// A second repository.
    async fn another_repository(&self) -> RepositoryId {
        let place = self.folder.path().join("elsewhere");
        std::fs::create_dir(&place).unwrap();
        let place = RepositoryPlace::folder(place.to_str().unwrap());
        let made = self.behind.create_repository("elsewhere", &place).await;
        made.unwrap().id
    }

    /// A backup that is over, whatever the hub in front says of it.
    async fn back_up(&self, kind: BackupType, repository: &RepositoryId) -> Backup {
        let started = self
            .behind
            .start_backup(&self.vm, repository, kind, false)
            .await
            .unwrap();
        watch_backup(&self.behind, &started.backup_id, &mut |_| {})
            .await
            .unwrap()
    }
}

/// Contract D1, D5, D11, D45, section 12.4.
#[tokio::test]
async fn the_main_job_works_on_a_deployed_hub() {
    let site = Site::open(Hazards::default()).await;
    site.hub.health().await.unwrap();
    let vm = site.hub.find_vm("pgtest1").await.unwrap();
    assert_eq!(site.hub.vm_disks(&vm).await.unwrap().len(), 2);
    let repository = site.repository().await;
    let started = site
        .hub
        .start_backup(&vm, &repository, BackupType::Full, false)
        .await
        .unwrap();
    let backup = watch_backup(&site.hub, &started.backup_id, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(backup.status, BackupStatus::Completed);
    assert_eq!(
        backup.bytes_transferred, None,
        "that of the last disk is no size"
    );
    let history = site.hub.history(&vm).await.unwrap();
    assert_eq!(history.backups.len(), 1);
    assert!(!history.is_partial);

    let mount = site.hub.mount(&started.backup_id, 0).await.unwrap();
    let root = site.hub.list_files(&mount.mount_id, "/").await.unwrap();
    assert!(
        root.files
            .iter()
            .all(|entry| entry.path.starts_with("/partition-"))
    );
    let target = site.folder.path().join("ReAgent.xml");
    let path = "/partition-2/Recovery/WindowsRE/ReAgent.xml";
    save_file(
        &site.hub,
        &mount.mount_id,
        path,
        &destination(&target),
        &mut |_| {},
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    let known = &site.sample.manifest.disks[0].volumes[1].files[0];
    assert_eq!(sha256_file(&target), known.sha256);
    site.hub.unmount(&mount.mount_id).await.unwrap();
    site.hub.unmount(&mount.mount_id).await.unwrap();
}

/// Contract H7, H10, H42, section 12.3.
#[tokio::test]
async fn completed_is_not_done_while_a_disk_is_not_confirmed() {
    let site = Site::open(Hazards {
        unfinished_disks: 1,
        ..Hazards::default()
    })
    .await;
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    let seen = site.hub.backup(&backup.backup_id).await.unwrap();
    assert_eq!(seen.status, BackupStatus::Unconfirmed);

    // It goes on: the watch tells of progress, and does not end.
    let (mut moved, mut last) = (0, 0);
    let mut follow = |event| {
        if let AppEvent::BackupProgressed(progress) = event {
            let bytes = progress.backup.bytes_transferred.unwrap();
            moved += u32::from(bytes > last);
            last = bytes;
        }
    };
    let watch = watch_backup(&site.hub, &backup.backup_id, &mut follow);
    let ended = tokio::time::timeout(Duration::from_secs(2), watch).await;
    assert!(ended.is_err(), "{ended:?}");
    assert!(moved > 2, "{moved}");

    // A second backup beside it would destroy both.
    let refused = site
        .hub
        .start_backup(&site.vm, &site.repository().await, BackupType::Full, false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);

    site.deployed.change(|hazards| hazards.unfinished_disks = 0);
    let done = watch_backup(&site.hub, &backup.backup_id, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(done.status, BackupStatus::Completed);
}

/// Contract H41, section 12.13.
#[tokio::test]
async fn an_incremental_backup_goes_only_where_the_newest_one_is() {
    let site = Site::open(Hazards::default()).await;
    let first = site.repository().await;
    let second = site.another_repository().await;
    site.back_up(BackupType::Full, &first).await;
    let bases = site.hub.incremental_bases(&site.vm).await.unwrap().bases;
    assert!(bases[0].parent.is_some(), "{bases:?}");

    let newest = site.back_up(BackupType::Full, &second).await;
    let bases = site.hub.incremental_bases(&site.vm).await.unwrap().bases;
    let base_in = |id: &RepositoryId| {
        let base = bases
            .iter()
            .find(|base| base.repository_id.as_ref() == Some(id));
        base.unwrap().clone()
    };
    assert_eq!(base_in(&second).parent.unwrap().backup_id, newest.backup_id);
    assert_eq!(base_in(&first).parent, None);
    assert!(
        base_in(&first)
            .why_not
            .unwrap()
            .contains("another repository")
    );
    let refused = site
        .hub
        .start_backup(&site.vm, &first, BackupType::Incremental, false)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NeedsFull);
    assert!(
        !site
            .deployed
            .asked()
            .iter()
            .any(|asked| asked.starts_with("POST /api/v1/backups"))
    );

    // Our own hub knows what is where.
    let bases = site.behind.incremental_bases(&site.vm).await.unwrap().bases;
    assert!(bases.iter().all(|base| base.parent.is_some()), "{bases:?}");
}

/// Contract H9, section 12.5.
#[tokio::test]
async fn a_hub_that_lost_its_chains_is_not_asked_for_incremental_backups_again() {
    let site = Site::open(Hazards {
        loses_chain_rows: true,
        ..Hazards::default()
    })
    .await;
    let repository = site.repository().await;
    site.back_up(BackupType::Full, &repository).await;
    let ask = async || {
        let asked = site
            .hub
            .start_backup(&site.vm, &repository, BackupType::Incremental, false);
        asked.await.unwrap_err()
    };
    let refused = ask().await;
    assert_eq!(refused.kind, ErrorKind::NeedsFull);
    assert!(refused.message.contains("lost the chain"), "{refused}");
    let posts = || {
        let asked = site.deployed.asked();
        let is_post = |asked: &&String| asked.starts_with("POST");
        asked.iter().filter(is_post).count()
    };
    assert_eq!(posts(), 1);
    assert_eq!(ask().await.kind, ErrorKind::NeedsFull);
    assert_eq!(posts(), 1, "it was not asked again");
    let bases = site.hub.incremental_bases(&site.vm).await.unwrap().bases;
    assert_eq!(bases[0].parent, None, "nor is it offered");
}

/// Contract D8, H4.
#[tokio::test]
async fn the_times_of_backups_are_true_whatever_the_hub_pretends() {
    for offset_seconds in [0, 2 * 3600, -5 * 3600 - 1800] {
        let site = Site::open(Hazards {
            offset_seconds,
            ..Hazards::default()
        })
        .await;
        let backup = site
            .back_up(BackupType::Full, &site.repository().await)
            .await;
        // One client that has seen nothing else, and one that has.
        let listed = site.hub.backups(&site.vm).await.unwrap().remove(0);
        let fresh = HubClient::new(site.deployed.url(), None).unwrap();
        let seen = fresh.backup(&backup.backup_id).await.unwrap();
        for seen in [listed, seen] {
            for (said, truth) in [
                (seen.created_at, backup.created_at),
                (seen.completed_at, backup.completed_at),
            ] {
                let apart = said.unwrap().duration_since(truth.unwrap());
                assert!(
                    apart.abs().as_secs() <= 1,
                    "{offset_seconds}: {said:?} {truth:?}"
                );
            }
        }
    }
}

/// Contract D27, H30.
#[tokio::test]
async fn all_backups_are_put_together_from_those_of_each_vm() {
    let site = Site::open(Hazards::default()).await;
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    assert!(site.hub.all_backups().await.unwrap().is_none());
    let events = Events::new();
    let backups = Backups::new(session_with(&site, &events).await);
    let protection = backups.protection().await.unwrap();
    assert_eq!(protection[0].state, VmState::Protected);
    let recent = backups.recent(5).await.unwrap().backups;
    assert_eq!(recent[0].backup_id, backup.backup_id);

    // What is known counts for a while; what happens here is known at once.
    let lists = || {
        let asked = site.deployed.asked();
        let is_list = |asked: &&String| asked.contains("/backups?vm_context_id");
        asked.iter().filter(is_list).count()
    };
    let before = lists();
    backups.protection().await.unwrap();
    assert_eq!(lists(), before);
    let again = backups
        .start(&site.vm, BackupType::Full, &site.repository().await, false)
        .await
        .unwrap();
    while backups.protection().await.unwrap()[0].state == VmState::Running {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let recent = backups.recent(5).await.unwrap().backups;
    assert_eq!(recent[0].backup_id, again.backup_id);
}

/// Contract H7, H8, D18.
#[tokio::test]
async fn a_backup_that_may_run_is_not_overtaken_and_one_that_never_began_blocks_nothing() {
    let site = Site::open(Hazards::default()).await;
    let repository = site.repository().await;
    let minutes_ago = |minutes| Timestamp::now() - SignedDuration::from_mins(minutes);
    for (status, minutes, may_start) in [
        ("running", 1, false),
        ("a-word-of-tomorrow", 1, false),
        ("running", 20, true),
    ] {
        let phantom = Some((status, minutes_ago(minutes)));
        site.deployed.change(|hazards| hazards.phantom = phantom);
        let kind = BackupType::Full;
        let started = site
            .hub
            .start_backup(&site.vm, &repository, kind, false)
            .await;
        match started {
            Ok(_) => assert!(may_start, "{status} for {minutes} minutes"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
                assert!(!may_start, "{status} for {minutes} minutes: {error}");
            }
        }
    }
}

/// What was documented has no repositories to list: they are known by their backups, or by who asks. Contract 3.5.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_a_list_of_repositories_is_backed_up_to_by_id() {
    let site = Site::open(Hazards::default()).await;
    let id = site.repository().await;
    site.deployed
        .change(|hazards| hazards.hides_repositories = true);
    let unknown = site.hub.repositories().await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::Unsupported);
    let run = |args: &[&str]| {
        let command = sendense().args(["--hub", site.deployed.url()]).args(args);
        command.env("HOME", site.folder.path()).outcome()
    };
    let refused = run(&["backup", "start", "pgtest1"]);
    assert!(refused.error_text().contains("ID of one"), "{refused}");
    let start = ["backup", "start", "pgtest1", "--wait", "--repository"];
    let started = run(&[&start[..], &[id.as_str()]].concat());
    assert_eq!(started.code, Some(0), "{started}");
    let known = site.hub.repositories().await.unwrap();
    let ids: Vec<&RepositoryId> = known.iter().map(|known| &known.id).collect();
    assert_eq!(ids, [&id]);
    let again = run(&["backup", "start", "pgtest1", "--type", "incremental"]);
    assert_eq!(again.code, Some(0), "{again}");
}

/// Contract H32.
#[tokio::test]
async fn a_name_that_two_vms_share_starts_no_backup() {
    let site = Site::open(Hazards {
        doubles_vms: true,
        ..Hazards::default()
    })
    .await;
    let repository = site.repository().await;
    let kind = BackupType::Full;
    let started = site
        .hub
        .start_backup(&site.vm, &repository, kind, false)
        .await;
    let error = started.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.hint.unwrap().contains("wrong one"));
    let by_name = site.hub.find_vm("pgtest1").await.unwrap_err();
    assert_eq!(by_name.kind, ErrorKind::Conflict);
    let asked = site.deployed.asked();
    assert!(
        !asked.iter().any(|line| line.starts_with("POST")),
        "{asked:?}"
    );
}

/// Contract H2.
#[tokio::test]
async fn a_vm_that_a_hub_cannot_list_leaves_the_others_as_they_are() {
    let site = Site::open(Hazards::default()).await;
    site.back_up(BackupType::Full, &site.repository().await)
        .await;
    let more = site.folder.path().join("more");
    empty_disk(&more.join("web1/disk.qcow2"), "1M");
    let more = in_folder(&more);
    site.behind
        .add_vms(&more, &["web1".to_owned()])
        .await
        .unwrap();
    let events = Events::new();
    let session = session_with(&site, &events).await;
    let backups = Backups::new(session);
    let states = async || -> Vec<VmState> {
        let known = backups.protection().await.unwrap();
        known.into_iter().map(|vm| vm.state).collect()
    };
    site.deployed
        .change(|hazards| hazards.drops_history_of = Some("web1".to_owned()));
    assert_eq!(states().await, [VmState::Protected, VmState::Unknown]);
    let recent = backups.recent(5).await.unwrap();
    assert_eq!(recent.backups.len(), 1);
    assert_eq!(recent.unread, ["web1"]);
    site.deployed
        .change(|hazards| hazards.drops_history_of = None);
    assert_eq!(states().await, [VmState::Protected, VmState::NeverBackedUp]);
}

/// A session with the deployed hub.
async fn session_with(site: &Site, events: &Events) -> HubSession {
    let secrets = Arc::new(MemorySecrets::default());
    let here = HubId::this_computer();
    let session = HubSession::new(Vec::new(), here.clone(), secrets, events.clone());
    session.set_local_hub(Ok((site.deployed.url().to_owned(), Token::new("any"))));
    session.connect(&here).await.unwrap();
    session
}

/// Contract H5, D29.
#[tokio::test(flavor = "multi_thread")]
async fn a_vm_whose_backups_the_hub_hides_has_those_that_can_be_found() {
    let site = Site::with_vm("web-disk01", Hazards::default()).await;
    let repository = site.repository().await;
    let start = async || {
        let kind = BackupType::Full;
        let asked = site.hub.start_backup(&site.vm, &repository, kind, false);
        asked.await
    };
    let started = start().await.unwrap();
    let seen = site.hub.history(&site.vm).await.unwrap();
    assert_eq!(seen.backups[0].backup_id, started.backup_id);
    if seen.backups[0].status == BackupStatus::Active {
        assert_eq!(start().await.unwrap_err().kind, ErrorKind::Conflict);
    }
    watch_backup(&site.hub, &started.backup_id, &mut |_| {})
        .await
        .unwrap();

    // Another client has started none, and finds the newest that is done.
    let other = HubClient::new(site.deployed.url(), None).unwrap();
    let seen = other.history(&site.vm).await.unwrap();
    assert!(seen.is_partial, "which is said");
    let before_a_backup = other.incremental_bases(&site.vm).await.unwrap();
    assert!(before_a_backup.is_partial, "also before the next one");
    assert!(!other.lists_backups_of(&site.vm).await.unwrap());
    let args = [
        "--hub",
        site.deployed.url(),
        "backup",
        "start",
        "web-disk01",
    ];
    let warned = sendense().args(args).env("HOME", site.folder.path());
    let warned = warned.outcome();
    assert!(
        warned.error_text().contains("may never complete"),
        "{warned}"
    );
    assert_eq!(seen.backups[0].backup_id, started.backup_id);
    assert_eq!(seen.backups[0].status, BackupStatus::Completed);
}

/// Contract H1, H5.
#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_whether_its_vm_is_listed_or_not() {
    for name in ["pgtest1", "web-disk01"] {
        let hazards = Hazards {
            loses_start_answers: true,
            ..Hazards::default()
        };
        let site = Site::with_vm(name, hazards).await;
        let repository = site.repository().await;
        let full = BackupType::Full;
        let started = site.hub.start_backup(&site.vm, &repository, full, false);
        let started = started.await.unwrap();
        let posts = site.deployed.asked().into_iter();
        let starts = posts.filter(|line| line == "POST /api/v1/backups").count();
        assert_eq!(starts, 1, "{name}");
        let done = watch_backup(&site.hub, &started.backup_id, &mut |_| {}).await;
        assert_eq!(done.unwrap().status, BackupStatus::Completed, "{name}");
        let seen = site.hub.history(&site.vm).await.unwrap();
        assert_eq!(seen.backups[0].backup_id, started.backup_id, "{name}");
    }
}

/// Contract D30, D34, H22, H23.
#[tokio::test]
async fn the_chain_of_a_repository_is_its_own_and_whole() {
    let site = Site::open(Hazards::default()).await;
    let first = site.repository().await;
    let second = site.another_repository().await;
    let full = site.back_up(BackupType::Full, &first).await;
    let incremental = site.back_up(BackupType::Incremental, &first).await;
    let elsewhere = site.back_up(BackupType::Full, &second).await;
    let chain = site.hub.chain(&site.vm, &first).await.unwrap();
    let ids: Vec<_> = chain.chain.iter().map(|link| &link.backup_id).collect();
    assert_eq!(ids, [&full.backup_id, &incremental.backup_id]);
    assert_eq!(
        chain.chain[1].parent_backup_id.as_ref(),
        Some(&full.backup_id)
    );
    let chain = site.hub.chain(&site.vm, &second).await.unwrap();
    assert_eq!(chain.chain[0].backup_id, elsewhere.backup_id);
    assert_eq!(chain.chain.len(), 1);
}

/// A repository test that says no is an answer (E4).
#[tokio::test]
async fn a_folder_that_cannot_be_a_repository_is_told_with_the_hubs_reason() {
    let site = Site::open(Hazards::default()).await;
    let file = site.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let place = RepositoryPlace::folder(file.to_str().unwrap());
    let test = site.behind.test_repository(&place).await.unwrap();
    assert!(!test.is_usable);
    assert!(test.message.is_some(), "{test:?}");
}

/// The archive of everything on a disk, and where it is.
async fn save_all(site: &Site, disk_index: u32) -> (Result<SavedFolder, AppError>, PathBuf) {
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    let mount = site.hub.mount(&backup.backup_id, disk_index).await.unwrap();
    let target = site.folder.path().join("all.zip");
    let saved = save_folder(
        &site.hub,
        &mount.mount_id,
        "/",
        FolderFormat::Zip,
        &destination(&target),
        &mut |_| {},
        &CancellationToken::new(),
    )
    .await;
    (saved, target)
}

/// Contract D45, H15, section 12.10 to 12.11.
#[tokio::test]
async fn an_archive_of_a_whole_disk_is_compared_with_what_is_in_its_partitions() {
    let site = Site::open(Hazards {
        shortens_archives: true,
        ..Hazards::default()
    })
    .await;
    let (saved, target) = save_all(&site, 0).await;
    assert_eq!(saved.unwrap_err().kind, ErrorKind::Cut);
    assert!(!target.exists());

    site.deployed
        .change(|hazards| hazards.shortens_archives = false);
    let (saved, target) = save_all(&site, 0).await;
    let saved = saved.unwrap();
    assert!(saved.unchecked.is_none(), "{saved:?}");
    let known = &site.sample.manifest.disks[0].volumes;
    let n_files: usize = known.iter().map(|volume| volume.files.len()).sum();
    assert!(saved.n_files >= n_files, "{saved:?}");
    tool("unzip").arg("-tqq").arg(&target).run();
}

/// Contract 6.4, H16, section 12.11.
#[tokio::test]
async fn what_a_hub_puts_in_the_place_of_links_is_taken_out_and_named() {
    let site = Site::open(Hazards {
        follows_links: true,
        ..Hazards::default()
    })
    .await;
    let (saved, target) = save_all(&site, 1).await;
    let saved = saved.unwrap();
    let left_out = saved.problems.unwrap();
    assert!(left_out.contains("a link"), "{left_out}");
    let listed = tool("unzip").args(["-Z", "-l"]).arg(&target).run();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        !listed.lines().any(|line| line.starts_with('l')),
        "{listed}"
    );
    assert_eq!(saved.size_bytes, target.metadata().unwrap().len());
    // Nothing of the hub's own files is anywhere in it.
    let content = tool("unzip").arg("-p").arg(&target).run();
    let needle = b"root:x:0:0";
    assert!(
        !content
            .stdout
            .windows(needle.len())
            .any(|window| window == needle)
    );
}

/// A session of the app with nothing saved, and where it keeps secrets.
fn empty_session() -> (HubSession, Arc<MemorySecrets>) {
    let secrets = Arc::new(MemorySecrets::default());
    let here = HubId::this_computer();
    let session = HubSession::new(Vec::new(), here, secrets.clone(), Events::new());
    (session, secrets)
}

/// Contract 3.2, 6.1, 8.2, D2, D3, D5, H40, section 12.12.
#[tokio::test]
async fn each_kind_of_sign_in_gets_in_where_it_should_and_nowhere_else() {
    let site = Site::open(Hazards {
        appliance_token: Some("of-the-appliance".to_owned()),
        ..Hazards::default()
    })
    .await;
    let address = site.deployed.url();
    let password = || Credentials::Password {
        username: "operator".to_owned(),
        password: Secret::new("of-the-appliance"),
    };
    let appliance = |token: &str| Credentials::Appliance {
        token: Secret::new(token),
    };
    let bearer = |token: &str| Credentials::Bearer {
        token: Secret::new(token),
    };
    for refused in [
        Credentials::None,
        password(),
        appliance("wrong"),
        // The constant does not count before anybody has signed in.
        bearer("session-of-the-appliance"),
    ] {
        let (session, _) = empty_session();
        let error = session
            .add("", address, Trust::System, &refused)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorized, "{refused:?}: {error}");
        assert!(
            !format!("{error:?}").contains("of-the-appliance"),
            "{error:?}"
        );
        assert_eq!(session.state().hubs.len(), 1, "nothing is saved");
    }

    let (session, secrets) = empty_session();
    let logins_before = site.logins();
    let added = session
        .add(
            "",
            address,
            Trust::System,
            &appliance(" of-the-appliance\n"),
        )
        .await
        .unwrap();
    assert_eq!(added.state, SessionState::Connected);
    assert_eq!(added.hubs[1].sign_in, SignInKind::Appliance);
    // The session that the check got is the one that is used.
    assert_eq!(site.logins() - logins_before, 1);
    session.ask(async |hub| hub.vms().await).await.unwrap();
    assert_eq!(site.logins() - logins_before, 1);
    // The hub restarts and knows nobody; the app does not bother its user.
    site.deployed.forget_sessions();
    let vms = session.ask(async |hub| hub.vms().await).await.unwrap();
    assert_eq!(vms.len(), 1);
    // The app restarts, too.
    site.deployed.forget_sessions();
    let restarted = HubSession::new(
        added.hubs.clone(),
        added.current.clone(),
        secrets,
        Events::new(),
    );
    let state = restarted.connect(&added.current).await.unwrap();
    assert_eq!(state.state, SessionState::Connected);
    let (session, _) = empty_session();
    let with_bearer = bearer("session-of-the-appliance");
    let added = session
        .add("", address, Trust::System, &with_bearer)
        .await
        .unwrap();
    assert_eq!(added.hubs[1].sign_in, SignInKind::Bearer);
    // Only its own token can let it in again: the user is asked.
    site.deployed.forget_sessions();
    let error = session.ask(async |hub| hub.vms().await).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(matches!(
        session.state().state,
        SessionState::SignedOut { .. }
    ));

    // Where nobody has to sign in, nobody is kept out.
    site.deployed
        .change(|hazards| hazards.appliance_token = None);
    for credentials in [Credentials::None, password(), appliance("any")] {
        let (session, _) = empty_session();
        let added = session
            .add("", address, Trust::System, &credentials)
            .await
            .unwrap();
        assert_eq!(added.state, SessionState::Connected);
    }
}

/// Contract H1.
#[tokio::test]
async fn what_became_of_a_deletion_without_an_answer_is_not_claimed_to_be_known() {
    let site = Site::open(Hazards::default()).await;
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    let mount = site.hub.mount(&backup.backup_id, 0).await.unwrap();
    site.deployed
        .change(|hazards| hazards.loses_delete_answers = true);
    let error = site.hub.unmount(&mount.mount_id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
    assert!(
        !error.to_string().contains("Nothing was changed"),
        "{error}"
    );
    assert!(site.hub.mounts().await.unwrap().is_empty(), "it was done");
}

/// The same from a terminal, whose answers are for scripts. Contract D2, D5.
#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_signs_in_with_tokens_and_says_where_nobody_has_to() {
    const TOKEN: &str = "of-the-appliance";
    let folder = temp_dir();
    let hazards = Hazards {
        appliance_token: Some(TOKEN.to_owned()),
        ..Hazards::default()
    };
    let hub = DeployedHub::start(&folder.path().join("data"), hazards).await;
    let run = |args: &[&str], secret: &str| {
        let command = sendense().args(["--hub", hub.url()]).args(args);
        let command = command.env("HOME", folder.path());
        command.stdin(format!("{secret}\n")).outcome()
    };
    let refused = run(&["login", "--appliance-token-stdin"], "another-secret");
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(!refused.error_text().contains("another"), "{refused}");
    let signed_in = run(&["login", "--appliance-token-stdin"], TOKEN);
    let session = signed_in.text();
    assert_eq!(session.trim(), "session-of-the-appliance", "{signed_in}");
    let checked = run(&["login", "--token-stdin"], session.trim());
    assert!(checked.text().contains("is valid"), "{checked}");
    hub.forget_sessions();
    let stale = run(&["vm", "list", "--token-stdin"], session.trim());
    assert_eq!(stale.code, Some(4), "{stale}");
    let listed = run(&["vm", "list", "--appliance-token-stdin"], TOKEN);
    assert_eq!(listed.code, Some(0), "{listed}");

    hub.change(|hazards| hazards.appliance_token = None);
    for args in [
        &["login", "--token-stdin"][..],
        &["login", "--appliance-token-stdin"],
        &["login", "--user", "ada", "--password-stdin"],
        &["login"],
    ] {
        let open = run(args, "any");
        assert!(open.text().contains("needs no sign-in"), "{open}");
        assert!(open.error_text().contains("can restore"), "{open}");
    }
    let anonymous = run(&["vm", "list", "--user", "ada", "--password-stdin"], "any");
    assert_eq!(anonymous.code, Some(0), "{anonymous}");
    let said = anonymous.error_text();
    assert!(said.contains("needs no sign-in"), "{anonymous}");
}
