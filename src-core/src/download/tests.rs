//! How a file arrives that is not what it was, or not what was asked for.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::{FakeHub, json, names};

/// Contract D51.
#[test]
fn what_is_left_of_an_archive_without_a_length_is_not_made_up() {
    let mut told = Vec::new();
    let mut progress = Progress::new(None);
    progress.add(5, &mut |now| told.push(now));
    let [now] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(now.received_bytes, 5);
    assert_eq!((now.total_bytes, now.eta_seconds), (None, None));
}

/// A file of a bit more than two MiB.
const SIZE: usize = (2 << 20) + 5;

/// An answer with a strong name, which may end too soon.
fn file(status: &str, tag: &str, content: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\naccept-ranges: bytes\r\netag: {tag}\r\ncontent-length: {SIZE}\r\n\
         connection: close\r\n\r\n{content}"
    )
}

/// Saves a file from a hub that breaks off first and then answers so.
async fn saved_from(first: String, then: String) -> (Result<Saved>, FakeHub, tempfile::TempDir) {
    let n_asked = AtomicUsize::new(0);
    let fake = FakeHub::start(move |line| {
        if line.contains("/file-info") {
            let row = format!(r#"{{"name":"f","path":"/f","type":"file","size":{SIZE}}}"#);
            return json(200, "", &row);
        }
        match n_asked.fetch_add(1, Ordering::Relaxed) {
            0 => first.clone(),
            _ => then.clone(),
        }
    })
    .await;
    let hub = HubClient::new(&fake.address, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination {
        path: folder.path().join("f"),
        existing: Existing::Keep,
    };
    let (mount, cancel) = (MountId::from("m"), CancellationToken::new());
    let saved = save_file(&hub, &mount, "/f", &destination, &mut |_| {}, &cancel).await;
    (saved, fake, folder)
}

#[tokio::test]
async fn a_file_that_has_changed_since_it_broke_off_is_fetched_as_a_whole() {
    let broken = file("200 OK", "\"a\"", &"a".repeat(2 << 20));
    let changed = file("200 OK", "\"b\"", &"b".repeat(SIZE));
    let (saved, _fake, folder) = saved_from(broken, changed).await;
    assert_eq!(saved.unwrap().size_bytes, SIZE as u64);
    let restored = std::fs::read(folder.path().join("f")).unwrap();
    assert!(restored == "b".repeat(SIZE).as_bytes());
    assert_eq!(names(folder.path()), ["f"]);
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_refused_and_nothing_is_kept() {
    let broken = file("200 OK", "\"a\"", &"a".repeat(2 << 20));
    for range in ["bytes 5-9/10", "bytes", "lines 0-5/10"] {
        let part = file("206 Partial Content", "\"a\"", "")
            .replace("etag", &format!("content-range: {range}\r\netag"));
        let (saved, _fake, folder) = saved_from(broken.clone(), part).await;
        let error = saved.unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::Cut | ErrorKind::Internal),
            "{error:?}"
        );
        assert!(!folder.path().join("f").exists());
    }
}

#[tokio::test]
async fn a_hub_that_cannot_send_the_rest_is_not_asked_for_it() {
    let content = "a".repeat(2 << 20);
    for first in [
        // Weak names are for those who do not mind.
        file("200 OK", "W/\"a\"", &content),
        file("200 OK", "\"a\"", &content).replace("accept-ranges: bytes\r\n", ""),
    ] {
        let whole = file("200 OK", "\"a\"", &"a".repeat(SIZE));
        let (saved, fake, folder) = saved_from(first, whole).await;
        assert_eq!(saved.unwrap_err().kind, ErrorKind::Cut);
        let asked = fake.asked();
        let downloads = asked.iter().filter(|line| line.contains("/download?"));
        assert_eq!(downloads.count(), 1, "{asked:?}");
        assert!(names(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn a_damaged_place_is_told_by_the_hub_that_is_asked_to_go_on() {
    let broken = file("200 OK", "\"a\"", &"a".repeat(2 << 20));
    let damaged = json(500, "", r#"{"error":"read /f: input/output error"}"#);
    let (saved, fake, folder) = saved_from(broken, damaged).await;
    assert_eq!(saved.unwrap_err().kind, ErrorKind::Corrupt);
    assert_eq!(fake.asked().len(), 3);
    assert!(names(folder.path()).is_empty());
}
