//! Mounts over days, on hubs of both kinds, with clocks that differ from ours and are set while the app runs.

use super::*;

const DAYS: u64 = 3;
const MINUTES: u64 = 60 * 24 * DAYS;

impl Scene {
    /// Lets days pass, so many minutes at a time, and does something each time.
    async fn pass_days(&mut self, minutes: u32, mut each: impl AsyncFnMut(&mut Self, u64)) {
        for round in 0..MINUTES / u64::from(minutes) {
            advance(MINUTE * minutes).await;
            settle().await;
            each(self, round).await;
        }
    }
}

/// Contract D43, D63, H4.
#[tokio::test]
async fn for_days_a_mount_in_use_is_asked_for_as_planned_and_never_lost() {
    let mut scene = Scene::begin(true).await;
    let mount = scene.open().await;
    let asked_before = scene.hub.asked().len();
    scene
        .pass_days(5, async |scene, round| {
            // Somebody goes to another folder every twenty minutes.
            if round % 4 == 0 {
                let folder = format!("/{}", round % 7);
                scene.mounts.browse(&mount.mount_id, Some(folder));
            }
            let mut disks = scene.disks.lock().unwrap();
            match round {
                // The clock of the hub's computer is set, and summer ends there.
                100 => disks.times.ahead = SignedDuration::from_hours(-2),
                200 => disks.times.offset = Offset::constant(2),
                201 => disks.times.offset = Offset::constant(1),
                // Ours is set as well.
                300 => *scene.set_forward.lock().unwrap() = SignedDuration::from_mins(-90),
                _ => {}
            }
        })
        .await;
    assert_eq!(scene.news(), Vec::<String>::new(), "nobody is warned");
    let known = scene.mounts.known(&mount.mount_id).unwrap();
    assert!(known.is_open);
    assert_eq!(known.expiry, Expiry::Idle);
    // Each use is a folder and the list, at most every ten minutes, and nothing else is asked for.
    let n_asked = scene.hub.asked().len() - asked_before;
    let n_pings = scene.pings();
    assert!(n_pings as u64 <= MINUTES / 10, "{n_pings}");
    assert!(n_pings as u64 > MINUTES / 10 / 3, "{n_pings}");
    assert_eq!(n_asked, 2 * n_pings);
}

/// Contract D43, D44, H36, section 12.16.
#[tokio::test]
async fn for_days_a_mount_that_ends_anyway_is_warned_of_and_remounted_where_it_was() {
    let mut scene = Scene::begin(false).await;
    // It looks after its mounts every quarter of an hour.
    scene.disks.lock().unwrap().late = MINUTE * 15;
    let mut mount = scene.open().await;
    scene
        .mounts
        .browse(&mount.mount_id, Some("/etc".to_owned()));
    let mut news = Vec::new();
    let mut n_remounts = 0;
    scene
        .pass_days(2, async |scene, round| {
            scene
                .mounts
                .browse(&mount.mount_id, Some("/etc".to_owned()));
            if round == 750 {
                scene.disks.lock().unwrap().times.ahead = SignedDuration::from_hours(9);
            }
            let fresh = scene.news();
            if fresh.iter().any(|line| line.ends_with("is lost")) {
                mount = scene.mounts.remount(&mount.mount_id).await.unwrap();
                n_remounts += 1;
                assert_eq!(mount.folder, "/etc");
                let left = mount.expires_at.unwrap().duration_since((scene.wall)());
                assert_eq!(left.as_mins(), 59, "it has its full time");
            }
            news.extend(fresh);
        })
        .await;
    // An hour, and up to a quarter until the hub sees it.
    assert!((54..=72).contains(&n_remounts), "{n_remounts}");
    let count = |what: &str| news.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("is lost"), n_remounts);
    // Once each for those that came to their end, and maybe for the one that is open.
    for warning in ["ends in 10", "ends in 2"] {
        let n = count(warning);
        assert!((n_remounts..=n_remounts + 1).contains(&n), "{warning}: {n}");
    }
    assert_eq!(
        scene.asked("DELETE"),
        Vec::<String>::new(),
        "what ended needs no closing"
    );
}

#[tokio::test]
async fn for_days_an_app_that_nobody_uses_asks_nothing() {
    asks_nothing(true).await;
}

#[tokio::test]
async fn for_days_an_app_that_nobody_uses_asks_nothing_of_a_hub_of_the_other_kind() {
    asks_nothing(false).await;
}

async fn asks_nothing(is_idle_kind: bool) {
    let mut scene = Scene::begin(is_idle_kind).await;
    let mount = scene.open().await;
    scene.mounts.browse(&mount.mount_id, None);
    scene.pass(1).await;
    assert_eq!(scene.asked("DELETE").len(), 1);
    let asked_before = scene.hub.asked();
    scene.pass_days(10, async |_, _| {}).await;
    assert_eq!(scene.hub.asked(), asked_before);
    assert_eq!(scene.news(), Vec::<String>::new());
}

/// A hub gives a second mount the end of the first, also when that is over.
/// Contract section 12.16.
#[tokio::test]
async fn a_mount_whose_end_has_passed_is_closed_and_mounted_again() {
    let folder = tempfile::tempdir().unwrap();
    let record = MountRecord::in_folder(Some(folder.path()));
    let scene = Scene::with(record, false).await;
    scene.disks.lock().unwrap().late = MINUTE * 15;
    scene.open().await;
    scene.pass(61).await;
    assert_eq!(scene.asked("DELETE").len(), 0);
    let second = scene.open().await;
    assert_eq!(
        scene.asked("DELETE").len(),
        1,
        "it is still served, but not for long"
    );
    assert_eq!(end_of(&second), 121);
    assert!(second.is_open);

    // A download that reads from it is worth more.
    scene.pass(61).await;
    let hold = scene.mounts.hold(&second.mount_id);
    assert_eq!(scene.open().await.mount_id, second.mount_id);
    assert_eq!(scene.asked("DELETE").len(), 1);
    drop(hold);
}
