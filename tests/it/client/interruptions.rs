//! Downloads that are interrupted and gone on with: through a line to our hub that breaks, and over a restart of the app.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sendense_core::download::{DownloadRecord, NewDownload, SavedFolder, save_file, save_folder};
use sendense_core::{Downloads, Events, HubClient, HubSession, MemorySecrets, MountRecord, Mounts};
use sendense_hub::{Auth, Config, LocalHub};
use sendense_tests::{Random, long, seed, sha256_file, temp_dir, tool};
use sendense_types::commands::Credentials;
use sendense_types::{
    AppError, BackupId, Download, DownloadKind, DownloadState, ErrorKind, FolderFormat, HubId,
    MountId, Settings, Trust,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{back_up, destination, in_folder};

/// The file that is downloaded, in bytes.
const SIZE: u64 = 24 << 20;
const FILE: &str = "/big.bin";
/// A folder with so many files of so many bytes, and one more in a folder.
const FOLDER: &str = "/many";
const N_SMALL: usize = 40;
const SMALL: usize = 100_000;
/// What the answers of the hub begin with takes less.
const LONGEST_HEAD: u64 = 4096;

/// What happens to one download on its way.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The connection breaks after so many bytes of the answer.
    Cut(u64),
    /// Every so many bytes it pauses for a moment.
    Slow(usize),
}

/// A line to a hub. Downloads meet these faults, one after another, and then none.
struct Line {
    address: SocketAddr,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    /// The heads of the downloads that were asked for.
    downloads: Arc<Mutex<Vec<String>>>,
    _listener: AbortOnDropHandle<()>,
}

impl Line {
    async fn to(hub: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults: Arc<Mutex<VecDeque<Fault>>> = Arc::default();
        let downloads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (meets, heard) = (Arc::clone(&faults), Arc::clone(&downloads));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (meets, heard) = (Arc::clone(&meets), Arc::clone(&heard));
                tokio::spawn(async move {
                    // Both sides may hang up whenever they like.
                    drop(carry(client, hub, &meets, &heard).await);
                });
            }
        });
        Self {
            address,
            faults,
            downloads,
            _listener: AbortOnDropHandle::new(task),
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn will_meet(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.faults.lock().unwrap() = faults.into_iter().collect();
        self.downloads.lock().unwrap().clear();
    }

    /// From which byte on each download was asked for.
    fn offsets(&self) -> Vec<u64> {
        let downloads = self.downloads.lock().unwrap();
        let offset_of = |head: &String| {
            let line = head
                .lines()
                .find(|line| line.to_lowercase().starts_with("range:"));
            let range = line.and_then(|line| line.split_once("bytes="));
            range.map_or(0, |(_, range)| range.trim_end_matches('-').parse().unwrap())
        };
        downloads.iter().map(offset_of).collect()
    }
}

/// Carries one request and its answer.
async fn carry(
    mut client: TcpStream,
    hub: SocketAddr,
    faults: &Mutex<VecDeque<Fault>>,
    downloads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut hub = TcpStream::connect(hub).await?;
    // So that each request has a connection of its own.
    let alone = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    hub.write_all(alone.as_bytes()).await?;
    let fault = match head
        .lines()
        .next()
        .is_some_and(|line| line.contains("/download?"))
    {
        true => {
            downloads.lock().unwrap().push(head);
            faults.lock().unwrap().pop_front()
        }
        false => None,
    };
    match fault {
        None => copy_bidirectional(&mut client, &mut hub).await.map(drop),
        Some(Fault::Cut(after)) => tokio::io::copy(&mut hub.take(after), &mut client)
            .await
            .map(drop),
        Some(Fault::Slow(piece)) => {
            let mut bytes = vec![0; piece];
            loop {
                let read = hub.read(&mut bytes).await?;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&bytes[..read]).await?;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

/// Makes the disk of the VM from a tree.
fn make_disk(tree: &Path, vms: &Path) {
    tool("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-d"])
        .args([tree, &vms.join("vm/disk.raw")])
        .arg("64M")
        .run();
}

/// A hub without sign-in with one backup of a disk, the line to it, and the file as it was before.
struct Site {
    folder: TempDir,
    line: Line,
    backup: BackupId,
    original: PathBuf,
    local: LocalHub,
}

impl Site {
    async fn open() -> Self {
        let folder = temp_dir();
        let (vms, tree) = (folder.path().join("vms"), folder.path().join("tree"));
        fs::create_dir_all(vms.join("vm")).unwrap();
        fs::create_dir(&tree).unwrap();
        let original = tree.join("big.bin");
        let mut random = Random::new(7);
        let bytes: Vec<u8> = (0..SIZE / 8)
            .flat_map(|_| random.below(u64::MAX).to_le_bytes())
            .collect();
        fs::write(&original, bytes).unwrap();
        fs::create_dir_all(tree.join("many/deep")).unwrap();
        for number in 0..N_SMALL {
            let name = format!("many/{number}");
            fs::write(tree.join(name), vec![number as u8; SMALL]).unwrap();
        }
        fs::write(tree.join("many/deep/inside"), "inside").unwrap();
        make_disk(&tree, &vms);
        let mut config = Config::new(folder.path().join("data"));
        config.auth = Auth::Off;
        let local = LocalHub::start(config).await.unwrap();
        let hub = HubClient::new(local.url(), None).unwrap();
        hub.add_vms(&in_folder(&vms), &["vm".to_owned()])
            .await
            .unwrap();
        let backup = back_up(&hub, "vm").await;
        let address = local.url().trim_start_matches("http://").parse().unwrap();
        Self {
            line: Line::to(address).await,
            backup,
            folder,
            original,
            local,
        }
    }

    async fn mount(&self) -> (HubClient, MountId) {
        let hub = HubClient::new(&self.line.url(), None).unwrap();
        let mount = hub.mount(&self.backup, 0).await.unwrap();
        (hub, mount.mount_id)
    }

    fn assert_restored(&self, place: &Path) {
        assert_eq!(sha256_file(place), sha256_file(&self.original));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_connection_breaks_anywhere_is_gone_on_with_from_there() {
    let site = Site::open().await;
    let (hub, mount) = site.mount().await;
    let seed = seed();
    let mut random = Random::new(seed);
    let mut interruptions = 0;
    let wanted = if long() { 200 } else { 20 };
    while interruptions < wanted {
        let mut at = 0;
        let mut faults = Vec::new();
        for _ in 0..=random.below(4) {
            let cut = LONGEST_HEAD + random.below(SIZE - at);
            // Behind the last byte there is nothing to interrupt.
            if at + cut + LONGEST_HEAD >= SIZE {
                break;
            }
            at += cut;
            faults.push(Fault::Cut(cut));
        }
        interruptions += faults.len();
        site.line.will_meet(faults.clone());
        let out = temp_dir();
        let place = out.path().join("big.bin");
        let ignored = &mut |_| {};
        let cancel = CancellationToken::new();
        let saved = save_file(&hub, &mount, FILE, &destination(&place), ignored, &cancel).await;
        let saved = saved.unwrap_or_else(|error| panic!("{faults:?}, seed {seed}: {error:?}"));
        site.assert_restored(&place);
        assert_eq!(saved.size_bytes, SIZE);
        assert_eq!(saved.sha256, Some(sha256_file(&site.original)));
        assert_eq!(names(out.path()), ["big.bin"]);
        let offsets = site.line.offsets();
        assert_eq!(offsets.len(), faults.len() + 1, "{faults:?}, seed {seed}");
        assert!(
            offsets.is_sorted_by(|a, b| a < b),
            "from where it broke off: {offsets:?}"
        );
    }
    site.local.stop().await;
}

/// The queue of an app with its record in this folder, on a hub behind this line.
async fn app(site: &Site) -> (Downloads, Mounts) {
    let data = site.folder.path().join("app");
    let (events, (_, settings)) = (Events::new(), watch::channel(Settings::default()));
    let secrets = Arc::new(MemorySecrets::default());
    let hubs_file = data.join("hubs.json");
    let known = fs::read(&hubs_file).ok();
    let known = known.map_or_else(Vec::new, |known| serde_json::from_slice(&known).unwrap());
    let is_first = known.is_empty();
    let session = HubSession::new(known, HubId::this_computer(), secrets, events.clone());
    let none = Credentials::None;
    if is_first {
        let added = session
            .add("far", &site.line.url(), Trust::System, &none)
            .await
            .unwrap();
        fs::create_dir_all(&data).unwrap();
        fs::write(&hubs_file, serde_json::to_vec(&added.hubs).unwrap()).unwrap();
    } else {
        let far = session
            .state()
            .hubs
            .into_iter()
            .find(|hub| hub.name == "far");
        session.connect(&far.unwrap().id).await.unwrap();
    }
    let clock = Arc::new(jiff::Timestamp::now);
    let record = MountRecord::in_folder(Some(&data));
    let mounts = Mounts::new(session.clone(), settings, clock, record);
    let record = DownloadRecord::in_folder(Some(&data));
    let downloads = Downloads::new(session, mounts.clone(), events, record);
    (downloads, mounts)
}

/// Waits until the only download is as wanted.
async fn until_it(downloads: &Downloads, is_so: impl Fn(&Download) -> bool) -> Download {
    let looking = async {
        loop {
            if let [download] = &downloads.list()[..]
                && is_so(download)
            {
                return download.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking)
        .await
        .unwrap_or_else(|_| panic!("{:?}", downloads.list()))
}

fn has_begun(download: &Download) -> bool {
    let received = download
        .progress
        .as_ref()
        .map(|progress| progress.received_bytes);
    received > Some(3 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_file_is_gone_on_with_after_a_restart_of_the_app() {
    let site = Site::open().await;
    let (downloads, mounts) = app(&site).await;
    let mount = mounts.open(&site.backup, 0).await.unwrap();
    let out = temp_dir();
    let place = out.path().join("big.bin");
    site.line
        .will_meet([Fault::Slow(64 << 10), Fault::Slow(64 << 10)]);
    downloads.add(NewDownload {
        mount_id: mount.mount_id,
        path: FILE.to_owned(),
        kind: DownloadKind::File,
        destination: destination(&place),
        size_bytes: None,
        modified_time: None,
    });
    let running = until_it(&downloads, has_begun).await;
    downloads.pause(running.download_id).unwrap();
    let paused = until_it(&downloads, |download| {
        download.state == DownloadState::Paused
    })
    .await;
    let received = paused.progress.unwrap().received_bytes;
    assert_eq!(names(out.path()), ["big.bin.part", "big.bin.part.json"]);

    // Resumed, and the app is quit in the middle of it.
    downloads.retry(running.download_id).unwrap();
    until_it(&downloads, |download| {
        download.state == DownloadState::Running
            && download
                .progress
                .as_ref()
                .is_some_and(|now| now.received_bytes > received + (2 << 20))
    })
    .await;
    downloads.pause_all().await;
    mounts.close_all_ours().await;
    drop((downloads, mounts));

    let (downloads, mounts) = app(&site).await;
    let waiting = until_it(&downloads, |download| {
        download.state == DownloadState::Paused
    })
    .await;
    assert_eq!(
        (waiting.name.as_str(), waiting.path.as_str()),
        ("big.bin", FILE)
    );
    assert!(waiting.progress.unwrap().received_bytes > received);
    downloads.retry(waiting.download_id).unwrap();
    until_it(&downloads, |download| {
        matches!(download.state, DownloadState::Done { .. })
    })
    .await;
    site.assert_restored(&place);
    assert_eq!(names(out.path()), ["big.bin"]);
    let offsets = site.line.offsets();
    assert!(
        offsets.len() == 3 && offsets.is_sorted_by(|a, b| a < b),
        "{offsets:?}"
    );

    // What is done is not waiting at the next start.
    downloads.pause_all().await;
    drop((downloads, mounts));
    let (downloads, _mounts) = app(&site).await;
    downloads.pause_all().await;
    assert_eq!(downloads.list(), []);
    site.local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_download_has_left_goes_when_it_is_cancelled_or_taken_off_the_list() {
    let site = Site::open().await;
    let (downloads, mounts) = app(&site).await;
    let mount = mounts.open(&site.backup, 0).await.unwrap();
    let out = temp_dir();
    site.line
        .will_meet([Fault::Slow(64 << 10), Fault::Slow(64 << 10)]);
    let new = NewDownload {
        mount_id: mount.mount_id,
        path: FILE.to_owned(),
        kind: DownloadKind::File,
        destination: destination(&out.path().join("big.bin")),
        size_bytes: None,
        modified_time: None,
    };
    let id = downloads.add(new.clone()).download_id;
    until_it(&downloads, has_begun).await;
    downloads.cancel(id).unwrap();
    until_it(&downloads, |download| {
        download.state == DownloadState::Cancelled
    })
    .await;
    assert_eq!(names(out.path()), [""; 0]);
    downloads.forget(id).unwrap();

    let id = downloads.add(new).download_id;
    until_it(&downloads, has_begun).await;
    downloads.pause(id).unwrap();
    until_it(&downloads, |download| {
        download.state == DownloadState::Paused
    })
    .await;
    assert_eq!(names(out.path()).len(), 2);
    downloads.forget(id).unwrap();
    assert_eq!(names(out.path()), [""; 0]);
    site.local.stop().await;
}

/// A mount that ends while a file of it arrives, as when its hub was restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_gone_on_with_from_another_mount_of_its_disk() {
    let site = Site::open().await;
    let (hub, mount) = site.mount().await;
    let out = temp_dir();
    let place = out.path().join("big.bin");
    site.line.will_meet([Fault::Slow(64 << 10)]);
    let cancel = CancellationToken::new();
    let report = &mut |progress: sendense_types::DownloadProgress| {
        if progress.received_bytes > 4 << 20 {
            cancel.cancel();
        }
    };
    let stopped = save_file(&hub, &mount, FILE, &destination(&place), report, &cancel).await;
    let error = stopped.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(error.hint.unwrap().contains("are kept"));
    hub.unmount(&mount).await.unwrap();
    let again = hub.mount(&site.backup, 0).await.unwrap().mount_id;
    assert_ne!(again, mount);
    let cancel = CancellationToken::new();
    let place_again = destination(&place);
    let saved = save_file(&hub, &again, FILE, &place_again, &mut |_| {}, &cancel).await;
    saved.unwrap();
    site.assert_restored(&place);
    assert!(site.line.offsets()[1] > 4 << 20);
    site.local.stop().await;
}

/// Saves the folder until so many bytes of it have arrived.
async fn save_half_a_folder(hub: &HubClient, mount: &MountId, place: &Path) -> AppError {
    let cancel = CancellationToken::new();
    let report = &mut |progress: sendense_types::DownloadProgress| {
        if progress.received_bytes > (N_SMALL * SMALL / 2) as u64 {
            cancel.cancel();
        }
    };
    let (files, place) = (FolderFormat::Files, destination(place));
    let stopped = save_folder(hub, mount, FOLDER, files, &place, report, &cancel).await;
    stopped.unwrap_err()
}

/// Saves the folder to its end.
async fn save_all(hub: &HubClient, mount: &MountId, place: &Path) -> Result<SavedFolder, AppError> {
    let cancel = CancellationToken::new();
    save_folder(
        hub,
        mount,
        FOLDER,
        FolderFormat::Files,
        &destination(place),
        &mut |_| {},
        &cancel,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_gone_on_with_and_only_what_is_missing_is_fetched() {
    let site = Site::open().await;
    let (hub, mount) = site.mount().await;
    let out = temp_dir();
    let place = out.path().join("many");
    let error = save_half_a_folder(&hub, &mount, &place).await;
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(error.hint.unwrap().contains("many.part"));
    assert_eq!(names(out.path()), ["many.part", "many.part.json"]);
    let whole = names(&out.path().join("many.part"));
    let n_whole = whole
        .iter()
        .filter(|name| name.parse::<u32>().is_ok())
        .count();
    assert!((10..N_SMALL).contains(&n_whole), "{whole:?}");

    hub.unmount(&mount).await.unwrap();
    let mount = hub.mount(&site.backup, 0).await.unwrap().mount_id;
    // The first question is only which disk it is.
    site.line
        .will_meet([Fault::Slow(SMALL), Fault::Cut(LONGEST_HEAD + 50_000)]);
    let saved = save_all(&hub, &mount, &place).await.unwrap();
    assert_eq!((saved.n_files, saved.problems), (N_SMALL + 1, None));
    let asked = site.line.offsets().len();
    assert!(
        asked <= N_SMALL + 1 - n_whole + 2,
        "{asked} for what {n_whole} were there of"
    );
    let original = site.original.with_file_name("many");
    tool("diff")
        .args(["--recursive", "--no-dereference"])
        .args([&original, &place])
        .run();
    assert_eq!(names(out.path()), ["many"]);
    site.local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link_that_somebody_put_into_a_beginning() {
    let site = Site::open().await;
    let (hub, mount) = site.mount().await;
    let (out, elsewhere) = (temp_dir(), temp_dir());
    let place = out.path().join("many");
    save_half_a_folder(&hub, &mount, &place).await;
    let deep = out.path().join("many.part/deep");
    drop(fs::remove_dir_all(&deep));
    std::os::unix::fs::symlink(elsewhere.path(), &deep).unwrap();
    // Whether that ends all of it or is named as a problem.
    if let Ok(saved) = save_all(&hub, &mount, &place).await {
        assert!(saved.problems.unwrap().contains("/many/deep"));
    }
    assert_eq!(names(elsewhere.path()), [""; 0]);
    site.local.stop().await;
}

/// A backup of another day, whose files have the sizes and times of the first one, and other content.
#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_a_folder_of_another_backup_is_not_gone_on_with() {
    let site = Site::open().await;
    let (hub, mount) = site.mount().await;
    let out = temp_dir();
    let place = out.path().join("many");
    save_half_a_folder(&hub, &mount, &place).await;

    let original = site.original.with_file_name("many");
    for number in 0..N_SMALL {
        let path = original.join(number.to_string());
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, vec![!(number as u8); SMALL]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(before).unwrap();
    }
    make_disk(original.parent().unwrap(), &site.folder.path().join("vms"));
    let next = back_up(&hub, "vm").await;
    let mount = hub.mount(&next, 0).await.unwrap().mount_id;
    let saved = save_all(&hub, &mount, &place).await.unwrap();
    assert_eq!((saved.n_files, saved.problems), (N_SMALL + 1, None));
    tool("diff")
        .args(["--recursive"])
        .args([&original, &place])
        .run();
    site.local.stop().await;
}
