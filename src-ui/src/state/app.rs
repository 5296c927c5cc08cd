//! What several pages need: the session, settings, what runs, messages. It follows the core's news.

use std::collections::BTreeMap;
use std::rc::Rc;

use sendense_types::{
    AppError, AppEvent, BackupCopy, BackupId, BackupProgress, BackupStatus, CopyStatus, Download,
    Expiry, FullRestore, FullRestoreId, MountId, OpenMount, Place, SavedHub, Session, Settings,
    StartedBackup, Verification, VerificationStatus,
};
use sendense_words as words;
use yew::{Reducible, UseReducerHandle};

use crate::format;

/// Messages that are shown at a time.
const MOST_TOASTS: usize = 4;
/// Speeds that the small chart of a running backup shows.
const CHART_POINTS: usize = 60;

/// What pages read and change; see [`AppState`].
pub(crate) type AppContext = UseReducerHandle<AppState>;

/// What several pages need.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AppState {
    /// `None` until the shell has answered.
    pub(crate) session: Option<Session>,
    pub(crate) settings: Settings,
    /// Backups that run.
    pub(crate) running: BTreeMap<BackupId, Rc<Running>>,
    /// What verifying has found since the window opened, and what it is at.
    pub(crate) checks: BTreeMap<BackupId, f64>,
    /// Copies to other repositories that were begun since the window opened, by what is copied.
    pub(crate) copies: BTreeMap<BackupId, BackupCopy>,
    pub(crate) mounts: Vec<OpenMount>,
    /// Newest first.
    pub(crate) downloads: Vec<Download>,
    /// Full restores that moved on since the window opened.
    pub(crate) full_restores: BTreeMap<FullRestoreId, FullRestore>,
    pub(crate) toasts: Vec<Toast>,
    /// Goes up whenever lists of machines and backups may have changed.
    pub(crate) version: u64,
    /// Where the user asked to go from outside the window.
    pub(crate) wanted: Option<Place>,
    last_toast: u32,
}

/// A backup that runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Running {
    pub(crate) progress: BackupProgress,
    /// Bytes per second, oldest first.
    pub(crate) speeds: Vec<u64>,
}

/// A message that comes and goes, or stays until it is dismissed if it is a failure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Toast {
    pub(crate) id: u32,
    pub(crate) tone: Tone,
    pub(crate) title: String,
    pub(crate) text: String,
    /// A button that leads somewhere.
    pub(crate) place: Option<(String, Place)>,
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warning,
    Bad,
}

/// What changes the state.
pub(crate) enum Change {
    News(AppEvent),
    SessionRead(Session),
    SettingsRead(Settings),
    RunningRead(Vec<BackupProgress>),
    MountsRead(Vec<OpenMount>),
    DownloadsRead(Vec<Download>),
    Say {
        tone: Tone,
        title: String,
        text: String,
        place: Option<(String, Place)>,
    },
    Dismiss(u32),
    /// The user is where they wanted to be.
    Arrived,
    /// Something was added or removed by this window.
    ListsChanged,
}

impl Change {
    /// A failure, in its own words.
    pub(crate) fn failed(error: &AppError) -> Self {
        Self::Say {
            tone: Tone::Bad,
            title: error.message.clone(),
            text: error.hint.clone().unwrap_or_default(),
            place: None,
        }
    }

    /// A backup was started.
    pub(crate) fn started(backup: &StartedBackup) -> Self {
        let name = &backup.vm_name;
        match &backup.full_reason {
            None => Self::done(
                words::backups::started(),
                words::backups::started_hint(name),
            ),
            Some(why) => Self::done(words::backups::full_started(), format!("{name}: {why}.")),
        }
    }

    /// Something went well.
    pub(crate) fn done(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Say {
            tone: Tone::Good,
            title: title.into(),
            text: text.into(),
            place: None,
        }
    }
}

impl Reducible for AppState {
    type Action = Change;

    fn reduce(self: Rc<Self>, change: Change) -> Rc<Self> {
        let mut state = Rc::unwrap_or_clone(self);
        match change {
            Change::News(event) => state.take_in(event),
            Change::SessionRead(session) => state.stand(session),
            Change::SettingsRead(settings) => state.settings = settings,
            Change::RunningRead(running) => {
                for progress in running {
                    state.moved_on(progress);
                }
            }
            Change::MountsRead(mounts) => state.mounts = mounts,
            Change::DownloadsRead(downloads) => state.downloads = downloads,
            Change::Say {
                tone,
                title,
                text,
                place,
            } => state.say(tone, title, text, place),
            Change::Dismiss(id) => state.toasts.retain(|toast| toast.id != id),
            Change::Arrived => state.wanted = None,
            Change::ListsChanged => state.version += 1,
        }
        Rc::new(state)
    }
}

impl AppState {
    /// The current hub is that of this computer.
    pub(crate) fn is_local(&self) -> bool {
        let session = self.session.as_ref();
        session
            .and_then(Session::current_hub)
            .is_some_and(SavedHub::is_this_computer)
    }

    fn take_in(&mut self, event: AppEvent) {
        match event {
            AppEvent::BackupProgressed(progress) => self.moved_on(progress),
            AppEvent::BackupFinished { backup } => {
                self.running.remove(&backup.backup_id);
                self.version += 1;
                let place = backup
                    .vm_context_id
                    .clone()
                    .map(|vm_id| (words::backups::view().to_owned(), Place::Backup { vm_id }));
                let name = &backup.vm_name;
                match backup.status {
                    BackupStatus::Completed => self.say(
                        Tone::Good,
                        words::backups::finished_toast(name),
                        words::backups::new_point().to_owned(),
                        place,
                    ),
                    BackupStatus::Unconfirmed => self.say(
                        Tone::Warning,
                        words::backups::unconfirmed_toast(name),
                        words::backups::unconfirmed_note().to_owned(),
                        place,
                    ),
                    BackupStatus::Cancelled => self.say(
                        Tone::Warning,
                        words::backups::cancelled_toast(name),
                        words::backups::nothing_stays().to_owned(),
                        None,
                    ),
                    _ => self.say(
                        Tone::Bad,
                        words::backups::failed_toast(name),
                        backup.error_message.clone().unwrap_or_default(),
                        place,
                    ),
                }
            }
            AppEvent::BackupVerified { verification } => self.verified(*verification),
            AppEvent::VerificationFailed { backup_id, error } => {
                self.checks.remove(&backup_id);
                self.say(
                    Tone::Bad,
                    error.message,
                    error.hint.unwrap_or_default(),
                    None,
                );
            }
            AppEvent::BackupCopied { copy } => self.copied(*copy),
            AppEvent::CopyFailed { backup_id, error } => {
                self.copies.remove(&backup_id);
                // It may have been cancelled, and the original is as it was.
                self.say(
                    Tone::Warning,
                    error.message,
                    error.hint.unwrap_or_default(),
                    None,
                );
            }
            AppEvent::BackupUnreachable { .. } => {}
            // The shell says so.
            AppEvent::BackupLost { backup_id, .. } => {
                self.running.remove(&backup_id);
                self.version += 1;
            }
            AppEvent::FullRestoreChanged { restore } => {
                self.full_restores
                    .insert(restore.restore_id.clone(), *restore);
            }
            AppEvent::DownloadChanged { download } => {
                let known = self
                    .downloads
                    .iter_mut()
                    .find(|known| known.download_id == download.download_id);
                match known {
                    Some(known) => *known = *download,
                    None => self.downloads.insert(0, *download),
                }
            }
            AppEvent::DownloadForgotten { download_id } => {
                self.downloads
                    .retain(|download| download.download_id != download_id);
            }
            AppEvent::MountsChanged { mounts } => self.mounts = mounts,
            AppEvent::MountExpiring { mount, minutes } => {
                self.unsay(&mount.mount_id);
                let what_to_do = words::mounts::before_it_ends(mount.expiry == Expiry::Fixed);
                self.say(
                    Tone::Warning,
                    words::mounts::closes_soon(minutes.into(), format::mount_title(&mount)),
                    what_to_do.to_owned(),
                    Some((
                        words::mounts::show().to_owned(),
                        Place::Mount {
                            mount_id: mount.mount_id.clone(),
                        },
                    )),
                );
            }
            AppEvent::MountLost { mount_id } => {
                self.unsay(&mount_id);
                for mount in &mut self.mounts {
                    if mount.mount_id == mount_id {
                        mount.is_open = false;
                    }
                }
            }
            AppEvent::Elsewhere { hub_name, event } => {
                // What is shown is of the current hub; only what there is to say concerns it.
                let mut there = Self::default();
                there.take_in(*event);
                for toast in there.toasts {
                    let title = words::hubs::on(&hub_name, toast.title);
                    self.say(toast.tone, title, toast.text, None);
                }
            }
            AppEvent::SessionChanged { session } => {
                self.stand(*session);
            }
            AppEvent::SettingsChanged { settings } => self.settings = *settings,
            AppEvent::Show { place } => self.wanted = Some(place),
        }
    }

    /// Takes in how we stand with the hub, whether an answer says it or the news: either may come first.
    fn stand(&mut self, session: Session) {
        let old = self.session.as_ref();
        if old.is_none_or(|old| old.current != session.current || old.state != session.state) {
            self.version += 1;
        }
        if old.is_some_and(|old| old.current != session.current) {
            self.running.clear();
            self.checks.clear();
            self.copies.clear();
            self.full_restores.clear();
            self.mounts.clear();
        }
        self.session = Some(session);
    }

    fn moved_on(&mut self, progress: BackupProgress) {
        let speed = progress.speed_bps;
        let running = self
            .running
            .entry(progress.backup.backup_id.clone())
            .or_insert_with(|| {
                Rc::new(Running {
                    progress: progress.clone(),
                    speeds: Vec::new(),
                })
            });
        // The one that moved, and no other, is another from here on: what shows it is drawn anew.
        let running = Rc::make_mut(running);
        running.progress = progress;
        running.speeds.extend(speed);
        let excess = running.speeds.len().saturating_sub(CHART_POINTS);
        running.speeds.drain(..excess);
    }

    /// Keeps what is known of a verification, and says how it ended.
    fn verified(&mut self, found: Verification) {
        match found.status {
            VerificationStatus::Running => {}
            VerificationStatus::Cancelled => self.say(
                Tone::Warning,
                words::history::verifying_cancelled().to_owned(),
                words::history::verifying_cancelled_hint().to_owned(),
                None,
            ),
            VerificationStatus::Sound => self.say(
                Tone::Good,
                words::history::sound().to_owned(),
                words::history::sound_hint().to_owned(),
                None,
            ),
            VerificationStatus::Damaged | VerificationStatus::Flawed => {
                let problems: String = found
                    .problems
                    .iter()
                    .map(|(disk, problem)| words::history::disk_problem(disk, problem) + " ")
                    .collect();
                let broken = match found.broken_backups.len() as u64 {
                    0 => words::history::still_restorable().to_owned(),
                    n => words::history::n_broken(n),
                };
                self.say(
                    Tone::Bad,
                    words::history::damaged().to_owned(),
                    format!("{problems}{broken} {}", words::history::take_full()),
                    None,
                );
            }
            VerificationStatus::Unproven => self.say(
                Tone::Warning,
                words::history::not_provable().to_owned(),
                words::history::not_provable_hint().to_owned(),
                None,
            ),
        }
        if found.status == VerificationStatus::Running {
            self.checks.insert(found.backup_id, found.progress_percent);
        } else {
            self.checks.remove(&found.backup_id);
            // The hub has it on record, with what else is broken.
            self.version += 1;
        }
    }

    /// Keeps how far a copy is, and says when it is there.
    fn copied(&mut self, copy: BackupCopy) {
        if copy.status == CopyStatus::Completed {
            self.version += 1;
            self.say(
                Tone::Good,
                words::history::copied().to_owned(),
                words::history::copied_hint().to_owned(),
                None,
            );
        }
        self.copies.insert(copy.source_backup_id.clone(), copy);
    }

    /// Takes back what was said of the end of a mount: it is nearer now, or has come.
    fn unsay(&mut self, ending: &MountId) {
        self.toasts.retain(|toast| {
            !matches!(&toast.place, Some((_, Place::Mount { mount_id })) if mount_id == ending)
        });
    }

    fn say(&mut self, tone: Tone, title: String, text: String, place: Option<(String, Place)>) {
        self.last_toast += 1;
        let id = self.last_toast;
        self.toasts.push(Toast {
            id,
            tone,
            title,
            text,
            place,
        });
        // The oldest has been there to be read; more would hide the page.
        let excess = self.toasts.len().saturating_sub(MOST_TOASTS);
        self.toasts.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use sendense_types::{HubId, Keychain, SessionState};

    use super::*;

    fn backup(status: &str) -> sendense_types::Backup {
        serde_json::from_value(serde_json::json!({
            "backup_id": "b1", "vm_context_id": "vm", "vm_name": "pgtest1", "repository_id": "local",
            "backup_type": "full", "status": status, "hub_status": status, "disks": [],
            "disk_count": 1, "progress_percent": 40.0, "bytes_transferred": 4, "total_bytes": 10,
            "total_size_gb": null, "current_phase": "transferring", "transfer_speed_bps": null,
            "error_message": null, "created_at": null, "started_at": null, "completed_at": null,
        }))
        .unwrap()
    }

    fn after(state: AppState, event: AppEvent) -> AppState {
        Rc::unwrap_or_clone(Rc::new(state).reduce(Change::News(event)))
    }

    #[test]
    fn a_backup_runs_until_it_is_finished_and_then_says_so_once() {
        let progress = BackupProgress {
            backup: Box::new(backup("active")),
            speed_bps: Some(100),
            eta_seconds: None,
            is_stalled: false,
        };
        let state = after(AppState::default(), AppEvent::BackupProgressed(progress));
        assert_eq!(state.running.len(), 1);
        let finished = AppEvent::BackupFinished {
            backup: Box::new(backup("completed")),
        };
        let state = after(state, finished);
        assert!(state.running.is_empty());
        assert_eq!((state.toasts.len(), state.version), (1, 1));
        assert_eq!(state.toasts[0].tone, Tone::Good);
    }

    #[test]
    fn what_happens_on_another_hub_is_said_and_changes_nothing_that_is_shown() {
        let elsewhere = |event| AppEvent::Elsewhere {
            hub_name: "Office".to_owned(),
            event: Box::new(event),
        };
        let progress = BackupProgress {
            backup: Box::new(backup("active")),
            speed_bps: Some(100),
            eta_seconds: None,
            is_stalled: false,
        };
        let here = AppEvent::BackupProgressed(progress.clone());
        let state = after(AppState::default(), here);
        let state = after(state, elsewhere(AppEvent::BackupProgressed(progress)));
        assert!(state.toasts.is_empty());
        let finished = AppEvent::BackupFinished {
            backup: Box::new(backup("completed")),
        };
        let state = after(state, elsewhere(finished));
        assert_eq!((state.running.len(), state.version), (1, 0));
        assert_eq!(state.toasts.len(), 1);
        assert_eq!(state.toasts[0].title, "Office: Backup of pgtest1 finished");
        assert_eq!(state.toasts[0].place, None);
    }

    #[test]
    fn a_verification_is_followed_to_its_end_and_then_said_once() {
        let found = |status: &str, percent: f64| {
            let verification = serde_json::from_value(serde_json::json!({
                "backup_id": "b1", "status": status, "progress_percent": percent,
                "problems": [[0, "cluster 7 differs"]], "broken_backups": ["b1", "b2"],
                "intact_backups": [],
            }));
            AppEvent::BackupVerified {
                verification: verification.unwrap(),
            }
        };
        let state = after(AppState::default(), found("running", 40.0));
        assert_eq!(state.toasts.len(), 0);
        let id = BackupId::new("b1");
        assert_eq!(state.checks[&id], 40.0);
        let state = after(state, found("damaged", 100.0));
        assert!(state.checks.is_empty());
        assert_eq!((state.toasts.len(), state.version), (1, 1));
        assert!(
            state.toasts[0]
                .text
                .contains("2 recovery points cannot be restored")
        );
    }

    #[test]
    fn another_hub_begins_anew_whether_the_answer_or_the_news_comes_first() {
        let session = |hub: &str| Session {
            hubs: Vec::new(),
            current: HubId(hub.to_owned()),
            state: SessionState::Connected,
            keychain: Keychain::System,
            is_readable_on_the_way: false,
        };
        let before = AppState {
            session: Some(session("here")),
            mounts: serde_json::from_value(serde_json::json!([{
                "mount_id": "m", "backup_id": null, "disk_index": 0, "vm_id": null, "vm_name": null,
                "backup_time": null, "backup_type": null, "filesystem_type": null, "expires_at": null,
                "expiry": "idle", "is_open": true, "opened_by": "window", "backup_disk_id": null, "folder": "/",
            }]))
            .unwrap(),
            ..AppState::default()
        };
        let news = || {
            Change::News(AppEvent::SessionChanged {
                session: Box::new(session("there")),
            })
        };
        let answer = || Change::SessionRead(session("there"));
        for [first, second] in [[news(), answer()], [answer(), news()]] {
            let state = Rc::new(before.clone()).reduce(first).reduce(second);
            assert_eq!(state.version, 1, "asked again, once");
            assert!(state.mounts.is_empty());
        }
    }

    #[test]
    fn the_chart_keeps_the_newest_speeds_only() {
        let mut state = AppState::default();
        for speed in 0..100 {
            state.moved_on(BackupProgress {
                backup: Box::new(backup("active")),
                speed_bps: Some(speed),
                eta_seconds: None,
                is_stalled: false,
            });
        }
        let speeds = &state.running.values().next().unwrap().speeds;
        assert_eq!((speeds.len(), speeds.last()), (CHART_POINTS, Some(&99)));
    }

    #[test]
    fn of_the_end_of_a_mount_only_the_last_word_stands() {
        let mount: OpenMount = serde_json::from_value(serde_json::json!({
            "mount_id": "m", "vm_name": "pgtest1", "disk_index": 0, "expiry": "fixed",
            "is_open": true, "opened_by": "window", "folder": "/",
        }))
        .unwrap();
        let mut state = AppState::default();
        state.say(Tone::Good, "Saved".to_owned(), String::new(), None);
        for minutes in [10, 2] {
            state.take_in(AppEvent::MountExpiring {
                mount: Box::new(mount.clone()),
                minutes,
            });
            let about = words::mounts::closes_soon(minutes.into(), format::mount_title(&mount));
            let titles: Vec<&str> = state.toasts.iter().map(|toast| &*toast.title).collect();
            assert_eq!(titles, ["Saved", &about]);
        }
        let mount_id = MountId::from("m");
        state.take_in(AppEvent::MountLost { mount_id });
        assert_eq!(state.toasts.len(), 1);
    }
}
