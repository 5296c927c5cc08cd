//! Mounts through time: a clock that is moved by hand, and a hub that counts it as hubs do.

mod days;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::Offset;
use sendense_types::{HubId, SavedHub};
use tokio::sync::broadcast;
use tokio::time::advance;

use super::*;
use crate::testing::{FakeHub, StoppedClock, json, settle};
use crate::{Events, MemorySecrets};

const MINUTE: Duration = Duration::from_secs(60);
/// The hub's clock is ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_hours(3);

/// How the hub tells the time.
#[derive(Clone, Copy)]
struct Times {
    began: Instant,
    /// So much its clock is ahead of ours.
    ahead: SignedDuration,
    offset: Offset,
}

impl Times {
    fn now(&self, instant: Instant) -> String {
        let passed = SignedDuration::try_from(instant - self.began).unwrap();
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24) + self.ahead + passed;
        now.display_with_offset(self.offset).to_string()
    }
}

/// What the hub holds.
struct Disks {
    times: Times,
    /// Whether using a mount gives it more time.
    is_idle_kind: bool,
    /// When each mount ends.
    ends: BTreeMap<String, Instant>,
    /// So much later it is gone.
    late: Duration,
    n_mounts: usize,
}

impl Disks {
    fn answer(&mut self, line: &str) -> String {
        let now = Instant::now();
        let late = self.late;
        self.ends.retain(|_, end| *end + late > now);
        let date: Timestamp = self.times.now(now).parse().unwrap();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date);
        let date = format!("date: {}\r\n", date.unwrap());
        let times = self.times;
        let row = |id: &str, end: Instant| {
            let end = times.now(end);
            format!(r#"{{"mount_id":"{id}","status":"mounted","expires_at":"{end}"}}"#)
        };
        let path = line.split(['?', ' ']).nth(1).unwrap();
        let id = path.split('/').nth(4).unwrap_or_default().to_owned();
        match line.split(' ').next().unwrap() {
            "POST" => {
                // All ask for one disk, and share its mount.
                let shared = self.ends.iter().find(|(id, _)| id.starts_with('m'));
                if let Some((id, end)) = shared {
                    return json(200, &date, &row(id, *end));
                }
                self.n_mounts += 1;
                let id = format!("m{}", self.n_mounts);
                let end = now + MINUTE * 60;
                let body = row(&id, end);
                self.ends.insert(id, end);
                json(200, &date, &body)
            }
            "DELETE" => {
                self.ends.remove(&id);
                json(200, &date, "{}")
            }
            _ if path.ends_with("/mounts") => {
                let rows: Vec<String> = self.ends.iter().map(|(id, end)| row(id, *end)).collect();
                json(200, &date, &format!(r#"{{"mounts":[{}]}}"#, rows.join(",")))
            }
            _ if path.ends_with("/files") => match self.ends.get_mut(&id) {
                Some(end) => {
                    if self.is_idle_kind {
                        *end = now + MINUTE * 60;
                    }
                    json(200, &date, r#"{"files":[]}"#)
                }
                None => json(404, &date, r#"{"error":"mount not found"}"#),
            },
            _ => json(404, &date, r#"{"error":"backup not found"}"#),
        }
    }
}

/// Mounts, with everything around them.
struct Scene {
    _clock: StoppedClock,
    hub: FakeHub,
    disks: Arc<Mutex<Disks>>,
    session: HubSession,
    settings: watch::Sender<Settings>,
    events: broadcast::Receiver<AppEvent>,
    mounts: Mounts,
    record: MountRecord,
    wall: WallClock,
    /// So much our clock was set forward.
    set_forward: Arc<Mutex<SignedDuration>>,
}

impl Scene {
    async fn begin(is_idle_kind: bool) -> Self {
        // Without a file, whose disk would need time that cannot be stopped.
        Self::with(MountRecord::in_folder(None), is_idle_kind).await
    }

    async fn with(record: MountRecord, is_idle_kind: bool) -> Self {
        let clock = StoppedClock::new();
        let began = Instant::now();
        let disks = Arc::new(Mutex::new(Disks {
            times: Times {
                began,
                ahead: AHEAD,
                offset: Offset::UTC,
            },
            is_idle_kind,
            ends: BTreeMap::new(),
            late: Duration::ZERO,
            n_mounts: 0,
        }));
        let answering = Arc::clone(&disks);
        let hub = FakeHub::start(move |line| answering.lock().unwrap().answer(line)).await;
        let id = HubId(hub.address.clone());
        let saved = SavedHub {
            trust: sendense_types::Trust::System,
            id: id.clone(),
            name: "hub".to_owned(),
            address: Some(hub.address.clone()),
            username: None,
            sign_in: sendense_types::SignInKind::None,
        };
        let news = Events::new();
        let secrets = Arc::new(MemorySecrets::default());
        let session = HubSession::new(vec![saved], id.clone(), secrets, news.clone());
        session.connect(&id).await.unwrap();
        let (settings, rules) = watch::channel(Settings::default());
        let set_forward = Arc::new(Mutex::new(SignedDuration::ZERO));
        let forward = Arc::clone(&set_forward);
        let wall: WallClock = Arc::new(move || {
            let passed = SignedDuration::try_from(began.elapsed()).unwrap();
            Timestamp::UNIX_EPOCH + passed + *forward.lock().unwrap()
        });
        let events = news.subscribe();
        let mounts = Mounts::new(session.clone(), rules, wall.clone(), record.clone());
        Self {
            _clock: clock,
            hub,
            disks,
            session,
            settings,
            events,
            mounts,
            record,
            wall,
            set_forward,
        }
    }

    /// Waits until the record says that the mount was left in this folder.
    async fn left_in(&self, folder: &str) {
        loop {
            let listed = self
                .session
                .ask(async |hub| self.record.list(&hub, Opener::Window).await)
                .await;
            let known = listed.unwrap().open.remove(0).known;
            if known.unwrap().folder == folder {
                return;
            }
            settle().await;
        }
    }

    /// The app ends without closing anything, and is started again.
    fn restart(&mut self) {
        self.mounts = Mounts::new(
            self.session.clone(),
            self.settings.subscribe(),
            self.wall.clone(),
            self.record.clone(),
        );
    }

    /// Somebody else mounts something.
    fn intrude(&self) -> MountId {
        let end = Instant::now() + MINUTE * 60;
        let ends = &mut self.disks.lock().unwrap().ends;
        ends.insert("theirs".to_owned(), end);
        MountId::new("theirs")
    }

    async fn open(&self) -> OpenMount {
        self.mounts.open(&BackupId::from("b1"), 0).await.unwrap()
    }

    /// Lets so many minutes pass, half a minute at a time.
    async fn pass(&self, minutes: u32) {
        for _ in 0..minutes * 2 {
            advance(MINUTE / 2).await;
            settle().await;
        }
    }

    /// How often the hub was asked for a folder so far.
    fn pings(&self) -> usize {
        self.asked("/files").len()
    }

    fn asked(&self, what: &str) -> Vec<String> {
        let asked = self.hub.asked().into_iter();
        asked.filter(|line| line.contains(what)).collect()
    }

    /// What was said of the ends of mounts so far.
    fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            match event {
                AppEvent::MountExpiring { mount, minutes } => {
                    news.push(format!("{} ends in {minutes}", mount.mount_id));
                }
                AppEvent::MountLost { mount_id } => news.push(format!("{mount_id} is lost")),
                _ => {}
            }
        }
        news
    }
}

/// The minute by our clock in which a mount ends; what a question takes is not worth telling.
fn end_of(mount: &OpenMount) -> i64 {
    let end = mount
        .expires_at
        .unwrap()
        .duration_since(Timestamp::UNIX_EPOCH);
    (end.as_secs_f64() / 60.0).round() as i64
}

/// Contract D63.
#[tokio::test]
async fn a_folder_that_somebody_looks_at_is_asked_for_every_ten_minutes() {
    let mut scene = Scene::begin(true).await;
    let mount = scene.open().await;
    assert_eq!(end_of(&mount), 60);
    scene
        .mounts
        .browse(&mount.mount_id, Some("/etc".to_owned()));
    scene.pass(5).await;
    let kept = scene.mounts.keep_open(&mount.mount_id).await.unwrap();
    assert_eq!(kept.expiry, Expiry::Idle, "the use gave it more time");
    assert_eq!(end_of(&kept), 65);
    scene.pass(9).await;
    assert_eq!(scene.pings(), 1);
    scene.pass(2).await;
    let asked = scene.asked("/files");
    assert_eq!(asked, ["GET /api/v1/restore/m1/files?path=%2Fetc"; 2]);
    scene.pass(11).await;
    assert_eq!(scene.pings(), 3);
    // Nobody has moved for half an hour.
    scene.pass(40).await;
    assert_eq!(scene.pings(), 3);
    assert_eq!(scene.news(), Vec::<String>::new());
}

/// Contract D43, D44, D63, H36.
#[tokio::test]
async fn a_mount_that_ends_anyway_is_warned_of_twice_and_missed_at_its_end() {
    let mut scene = Scene::begin(false).await;
    let mount = scene.open().await;
    let refused = scene.mounts.keep_open(&mount.mount_id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unsupported);
    scene.pass(49).await;
    assert_eq!(scene.news(), Vec::<String>::new());
    scene.pass(2).await;
    assert_eq!(scene.news(), ["m1 ends in 10"]);
    scene.pass(8).await;
    assert_eq!(scene.news(), ["m1 ends in 2"]);
    scene.pass(2).await;
    assert_eq!(scene.news(), ["m1 is lost"]);
    assert!(!scene.mounts.known(&mount.mount_id).unwrap().is_open);
    let again = scene.mounts.remount(&mount.mount_id).await.unwrap();
    assert!(again.is_open);
    assert_eq!(end_of(&again), 121);
}

#[tokio::test]
async fn leaving_the_browser_unmounts_unless_a_download_reads() {
    let scene = Scene::begin(true).await;
    let mount = scene.open().await;
    let hold = scene.mounts.hold(&mount.mount_id);
    scene.mounts.browse(&mount.mount_id, None);
    scene.pass(11).await;
    assert_eq!(scene.asked("DELETE"), Vec::<String>::new());
    assert_eq!(scene.pings(), 1, "reading keeps it in use");
    let refused = scene.mounts.close(&mount.mount_id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    drop(hold);
    settle().await;
    assert_eq!(scene.asked("DELETE"), ["DELETE /api/v1/restore/m1"]);
    assert_eq!(scene.mounts.list().await.unwrap(), []);
}

#[tokio::test]
async fn coming_back_in_time_keeps_the_mount() {
    let scene = Scene::begin(true).await;
    let mount = scene.open().await;
    scene.mounts.browse(&mount.mount_id, None);
    advance(plan::GRACE / 2).await;
    settle().await;
    scene.mounts.browse(&mount.mount_id, Some("/".to_owned()));
    scene.pass(1).await;
    assert_eq!(scene.asked("DELETE"), Vec::<String>::new());
}

#[tokio::test]
async fn keeping_mounts_open_holds_from_the_moment_it_is_set() {
    let scene = Scene::begin(true).await;
    scene
        .settings
        .send_modify(|settings| settings.keep_mounts_open = false);
    let mount = scene.open().await;
    scene.mounts.browse(&mount.mount_id, Some("/".to_owned()));
    scene.pass(15).await;
    assert_eq!(scene.pings(), 0);
    scene
        .settings
        .send_modify(|settings| settings.keep_mounts_open = true);
    settle().await;
    assert_eq!(scene.pings(), 1);
}

impl Scene {
    /// Its user turns to another hub, which has nothing, and is asked for what there is.
    async fn turn_away(&self) -> FakeHub {
        let other = FakeHub::start(|line| match line.contains("/mounts") {
            true => json(200, "", r#"{"mounts":[]}"#),
            false => json(200, "", r#"{"vm_contexts":[],"count":0}"#),
        })
        .await;
        let none = sendense_types::commands::Credentials::None;
        let trust = sendense_types::Trust::System;
        let added = self.session.add("other", &other.address, trust, &none);
        added.await.unwrap();
        assert_eq!(self.mounts.list().await.unwrap(), []);
        other
    }
}

#[tokio::test]
async fn mounts_of_the_last_hub_are_looked_after_there_and_no_news_of_this_one() {
    let mut scene = Scene::begin(false).await;
    let first = scene.session.state().current;
    let mount = scene.open().await;
    scene
        .mounts
        .browse(&mount.mount_id, Some("/etc".to_owned()));
    let hold = scene.mounts.hold(&mount.mount_id);
    let other = scene.turn_away().await;
    scene.mounts.browse(&mount.mount_id, None);
    // It would be warned of twice by now; what is shown are the mounts of the other hub.
    scene.pass(59).await;
    assert_eq!(scene.news(), Vec::<String>::new());
    assert_eq!(
        scene.asked("DELETE"),
        Vec::<String>::new(),
        "it is read from"
    );
    drop(hold);
    scene.pass(1).await;
    let deleted = format!("DELETE /api/v1/restore/{}", mount.mount_id);
    assert_eq!(scene.asked("DELETE"), [deleted]);
    let strange = other
        .asked()
        .into_iter()
        .find(|line| line.contains(mount.mount_id.as_str()));
    assert_eq!(strange, None);
    scene.session.connect(&first).await.unwrap();
    assert_eq!(scene.mounts.list().await.unwrap(), []);
}

#[tokio::test]
async fn whoever_comes_back_to_a_hub_finds_its_mounts_where_they_were() {
    let mut scene = Scene::begin(true).await;
    let first = scene.session.state().current;
    let mount = scene.open().await;
    scene
        .mounts
        .browse(&mount.mount_id, Some("/etc".to_owned()));
    let _hold = scene.mounts.hold(&mount.mount_id);
    let _other = scene.turn_away().await;
    // Longer than a mount that nobody uses.
    scene.pass(90).await;
    assert!(scene.pings() > 0, "a download reads from it");
    scene.session.connect(&first).await.unwrap();
    while scene.events.try_recv().is_ok() {}
    let listed = scene.mounts.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_open);
    assert_eq!(listed[0].folder, "/etc");
    // The tray and the window knew of none while the other hub was shown.
    let told = scene.events.try_recv().unwrap();
    assert_eq!(told, AppEvent::MountsChanged { mounts: listed });
}

#[tokio::test]
async fn a_mount_that_is_answered_after_its_user_has_gone_is_shown_to_nobody() {
    let scene = Scene::begin(true).await;
    let first = scene.session.state().current;
    let backup = BackupId::from("b1");
    let opening = scene.mounts.open(&backup, 0);
    let (opened, other) = tokio::join!(opening, scene.turn_away());
    drop(other);
    if let Err(error) = opened {
        assert_eq!(error.kind, ErrorKind::Cancelled);
        let here = scene.mounts.at(&first);
        let ours = here.table().ours();
        let closes = here.table().get(&ours[0]).unwrap().upkeep.close_at;
        assert!(closes.is_some(), "nobody browses it");
    }
}

#[tokio::test]
async fn after_a_restart_a_mount_is_still_ours_and_is_remounted_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let record = MountRecord::in_folder(Some(folder.path()));
    let mut scene = Scene::with(record, false).await;
    let mount = scene.open().await;
    scene
        .mounts
        .browse(&mount.mount_id, Some("/etc".to_owned()));
    scene.left_in("/etc").await;
    scene.restart();
    let found = scene.mounts.list().await.unwrap().remove(0);
    assert_eq!(found.backup_id, Some(BackupId::from("b1")));
    assert_eq!(found.disk_index, Some(0));
    assert_eq!(found.opened_by, Opener::Window);
    assert_eq!(found.folder, "/etc");
    // The one that is open serves, and nothing is mounted twice.
    assert_eq!(scene.open().await.mount_id, mount.mount_id);
    while !scene.news().contains(&"m1 is lost".to_owned()) {
        scene.pass(1).await;
    }
    let again = scene.mounts.remount(&mount.mount_id).await.unwrap();
    assert_eq!(again.folder, "/etc");
    scene.left_in("/etc").await;
    scene.restart();
    let found = scene.mounts.list().await.unwrap().remove(0);
    assert_eq!(found.folder, "/etc", "the new one was left there, too");
    scene.mounts.close_all_ours().await;
    assert_eq!(scene.mounts.list().await.unwrap(), []);
}

#[tokio::test]
async fn what_ended_while_the_app_was_closed_can_be_remounted_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let record = MountRecord::in_folder(Some(folder.path()));
    let mut scene = Scene::with(record, false).await;
    let mount = scene.open().await;
    scene
        .mounts
        .browse(&mount.mount_id, Some("/etc".to_owned()));
    scene.left_in("/etc").await;
    scene.disks.lock().unwrap().ends.clear();
    // The terminal has no use for it, and leaves it to the window.
    let listed = scene
        .session
        .ask(async |hub| scene.record.list(&hub, Opener::Terminal).await)
        .await
        .unwrap();
    assert_eq!((listed.open, listed.ended), (vec![], vec![]));
    scene.restart();
    let found = scene.mounts.list().await.unwrap().remove(0);
    assert!(!found.is_open);
    assert_eq!(found.mount_id, mount.mount_id);
    assert_eq!(found.opened_by, Opener::Window);
    assert_eq!(scene.mounts.list().await.unwrap(), [found]);
    assert_eq!(scene.news(), Vec::<String>::new(), "that is no news");
    let again = scene.mounts.remount(&mount.mount_id).await.unwrap();
    assert!(again.is_open);
    assert_eq!(again.folder, "/etc");

    // What is closed is not offered, now or after the next start.
    scene.mounts.close(&again.mount_id).await.unwrap();
    assert_eq!(scene.mounts.list().await.unwrap(), []);
    scene.restart();
    assert_eq!(scene.mounts.list().await.unwrap(), []);
}

#[tokio::test]
async fn what_others_opened_is_left_alone() {
    let mut scene = Scene::begin(true).await;
    let theirs = scene.intrude();
    let ours = scene.open().await;
    let listed = scene.mounts.list().await.unwrap();
    let found = listed.iter().find(|mount| mount.mount_id == theirs);
    assert!(found.unwrap().is_somebody_elses());
    assert!(!ours.is_somebody_elses());

    scene.mounts.browse(&theirs, Some("/etc".to_owned()));
    let hold = scene.mounts.hold(&theirs);
    scene.pass(15).await;
    assert_eq!(scene.pings(), 0, "looking at it does not keep it alive");
    drop(hold);
    scene.mounts.browse(&theirs, None);
    scene.pass(1).await;
    for refused in [
        scene.mounts.close(&theirs).await.unwrap_err(),
        scene.mounts.keep_open(&theirs).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind, ErrorKind::Forbidden);
    }
    scene.mounts.close_all_ours().await;
    let closed = format!("DELETE /api/v1/restore/{}", ours.mount_id);
    assert_eq!(scene.asked("DELETE"), [closed]);
    scene.pass(60).await;
    assert_eq!(scene.news(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_terminal_opened_is_known_and_not_closed_by_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let record = MountRecord::in_folder(Some(folder.path()));
    let scene = Scene::with(record, true).await;
    let backup = BackupId::from("b1");
    let opened = scene
        .session
        .ask(async |hub| scene.record.open(&hub, &backup, 0, Opener::Terminal).await)
        .await;
    let id = opened.unwrap().mount.mount_id;
    // The window asks for the same disk, and the hub shares what is there.
    let mount = scene.open().await;
    assert_eq!(mount.mount_id, id);
    assert_eq!(mount.opened_by, Opener::Terminal);
    scene.mounts.browse(&id, Some("/etc".to_owned()));
    scene.mounts.browse(&id, None);
    scene.pass(1).await;
    scene.mounts.close_all_ours().await;
    assert_eq!(scene.asked("DELETE"), Vec::<String>::new());
    scene.mounts.close(&id).await.unwrap();
    assert_eq!(scene.mounts.list().await.unwrap(), []);
}
