//! Every question to a deployed hub under every switch of [`Hazards`]: an end, a sentence, and no change asked for twice.

use std::future::Future;

use sendense_core::Result;
use sendense_tests::CREDENTIAL_ID;
use sendense_types::{BackupId, MountId, VmSource};

use super::*;

/// Every question is over by then, however many others run on this machine.
const PATIENCE: Duration = Duration::from_secs(60);
const FILE: &str = "/partition-2/Recovery/WindowsRE/ReAgent.xml";
const FOLDER: &str = "/partition-2/Recovery";

type Switch = (&'static str, fn(&mut Hazards));

/// One that is missing here does not compile.
macro_rules! switches {
    ($($name:ident = $bad:expr),* $(,)?) => {
        fn switches() -> Vec<Switch> {
            let Hazards { $($name: _),* } = Hazards::default();
            vec![$((stringify!($name), |hazards| hazards.$name = $bad)),*]
        }
    };
}

switches! {
    appliance_token = Some("token-of-the-appliance".to_owned()),
    offset_seconds = -7 * 3600,
    unfinished_disks = 2,
    loses_delete_answers = true,
    loses_start_answers = true,
    loses_discovery_answers = true,
    drops_history_of = Some("pgtest1".to_owned()),
    phantom = Some(("running", Timestamp::now())),
    doubles_vms = true,
    hides_repositories = true,
    loses_chain_rows = true,
    shortens_archives = true,
    follows_links = true,
    loses_shares = true,
    quotes_passwords = true,
    lacks_repository_test = true,
    mounts_end = Some(Timestamp::now()),
}

/// What a switch does to one question after another.
struct Trial<'s> {
    site: &'s Site,
    switch: &'static str,
    wrong: Vec<String>,
}

impl Trial<'_> {
    /// Asks, and looks at how that ended. `most_changes` is how often the hub may be asked to change something.
    async fn ask<T>(
        &mut self,
        what: &str,
        most_changes: usize,
        question: impl Future<Output = Result<T>>,
    ) -> Option<T> {
        let before = self.site.deployed.asked().len();
        let outcome = tokio::time::timeout(PATIENCE, question).await;
        let asked = self.site.deployed.asked().split_off(before);
        let is_change = |line: &&String| !line.starts_with("GET ");
        if asked.iter().filter(is_change).count() > most_changes {
            self.note(what, format_args!("asked for too many changes: {asked:?}"));
        }
        match outcome {
            Err(_) => self.note(what, format_args!("has no end: {asked:?}")),
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) if !is_told(&error) => self.note(what, format_args!("{error:?}")),
            Ok(Err(_)) => {}
        }
        None
    }

    fn note(&mut self, what: &str, problem: impl std::fmt::Display) {
        self.wrong
            .push(format!("{what} while {}: {problem}", self.switch));
    }

    async fn read(&mut self) {
        let Site { hub, vm, .. } = self.site;
        self.ask("health", 0, hub.health()).await;
        self.ask("check_sign_in", 0, hub.check_sign_in()).await;
        self.ask("vms", 0, hub.vms()).await;
        self.ask("find_vm", 0, hub.find_vm("pgtest1")).await;
        self.ask("vm_disks", 0, hub.vm_disks(vm)).await;
        self.ask("repositories", 0, hub.repositories()).await;
        self.ask("backups", 0, hub.backups(vm)).await;
        self.ask("history", 0, hub.history(vm)).await;
        self.ask("all_backups", 0, hub.all_backups()).await;
        self.ask("incremental_bases", 0, hub.incremental_bases(vm))
            .await;
        self.ask("mounts", 0, hub.mounts()).await;
        self.ask("mount_slots", 0, hub.mount_slots()).await;
        self.ask("vcenter_credentials", 0, hub.vcenter_credentials())
            .await;
        let vcenter = VmSource::Vcenter {
            credential_id: CREDENTIAL_ID,
        };
        // A search changes nothing, but it is asked for as if it did.
        self.ask("discover_vms", 1, hub.discover_vms(&vcenter))
            .await;
        let place = RepositoryPlace::folder("/nowhere/at/all");
        self.ask("test_repository", 1, hub.test_repository(&place))
            .await;
    }

    /// The backup's disk from mounting to unmounting.
    async fn restore(&mut self, backup: &BackupId) {
        let Site { hub, folder, .. } = self.site;
        let mounted = self.ask("mount", 2, hub.mount(backup, 0)).await;
        let mount = match mounted {
            Some(mount) => mount.mount_id,
            None => MountId::from("nobody-knows"),
        };
        self.ask("list_files", 0, hub.list_files(&mount, "/")).await;
        self.ask("list_files below", 0, hub.list_files(&mount, FOLDER))
            .await;
        self.ask("file", 0, hub.file(&mount, FILE)).await;
        let cancel = CancellationToken::new();
        let target = folder.path().join(format!("{}.xml", self.switch));
        let place = destination(&target);
        let mut ignored = |_| {};
        let saving = save_file(hub, &mount, FILE, &place, &mut ignored, &cancel);
        let is_saved = self.ask("save_file", 0, saving).await.is_some();
        let known = &self.site.sample.manifest.disks[0].volumes[1].files[0];
        let is_whole = || sha256_file(&target) == known.sha256;
        if target.exists() != is_saved || (is_saved && !is_whole()) {
            self.note("save_file", "left something that is not the file");
        }
        let target = folder.path().join(format!("{}.zip", self.switch));
        let place = destination(&target);
        let mut ignored = |_| {};
        let zip = FolderFormat::Zip;
        let saving = save_folder(hub, &mount, FOLDER, zip, &place, &mut ignored, &cancel);
        let is_saved = self.ask("save_zip", 0, saving).await.is_some();
        if target.exists() != is_saved {
            self.note("save_zip", "left something that is not the folder");
        }
        self.ask("unmount", 2, hub.unmount(&mount)).await;
    }

    async fn change(&mut self, repository: &RepositoryId) {
        let Site { hub, vm, .. } = self.site;
        let starting = hub.start_backup(vm, repository, BackupType::Incremental, false);
        let started = self.ask("start_backup", 1, starting).await;
        if let Some(started) = started {
            // The hub in front may never call it done.
            watch_backup(&self.site.behind, &started.backup_id, &mut |_| {})
                .await
                .unwrap();
            let deleting = hub.delete_backup(&started.backup_id, false);
            self.ask("delete_backup", 1, deleting).await;
        }
    }
}

/// Whether a failure says something to a user, and no secret.
fn is_told(error: &AppError) -> bool {
    let is_bare = error.hint.is_none() && error.details.is_none();
    error.message.ends_with('.')
        && !(error.kind == ErrorKind::Internal && is_bare)
        && !format!("{error:?}").contains("token-of-the-appliance")
}

/// Contract H1, H2, H8 to H10, H15, H16, H32, H34.
#[tokio::test]
async fn every_question_has_an_end_and_a_sentence_under_every_switch() {
    let site = Site::open(Hazards::default()).await;
    site.deployed.fill_vcenter(site.folder.path());
    let repository = site.repository().await;
    let backup = site.back_up(BackupType::Full, &repository).await.backup_id;
    let mut wrong = Vec::new();
    for (switch, turn_on) in switches() {
        site.deployed.change(turn_on);
        let mut trial = Trial {
            site: &site,
            switch,
            wrong: Vec::new(),
        };
        trial.read().await;
        trial.restore(&backup).await;
        trial.change(&repository).await;
        wrong.extend(trial.wrong);
        site.deployed
            .change(|hazards| *hazards = Hazards::default());
        // Whatever it was, the same client goes on afterwards.
        site.hub.vms().await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
