//! Paths as they are sent, and the headers of downloads from a backup of a small disk.

use axum::http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use sendense_engine::{BackupType, Clock, Config, Engine, Filter, restore::RootLayout};
use tempfile::TempDir;

use super::*;

/// An engine with a backup of a disk that is one FAT filesystem.
struct Fixture {
    _folder: TempDir,
    engine: Engine,
    backup_id: String,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        std::fs::write(images.join("vm.img"), fat_image()).unwrap();
        let engine = Engine::open(Config {
            database: folder.path().join("hub.db"),
            repository: folder.path().join("repository"),
            clock: Clock::system(),
            layout: RootLayout::Volumes,
        })
        .unwrap();
        let names = vec!["vm".to_owned()];
        let added = engine.vms().add(&images, folder.path(), names).unwrap();
        assert!(added[0].outcome.is_ok(), "{added:?}");
        let repository = engine.repositories().list().unwrap().remove(0).id;
        let backups = engine.backups();
        let started = backups.start("vm", &repository, BackupType::Full, false);
        let backup_id = started.unwrap().backup_id;
        while !backups.find(&backup_id).unwrap().status.is_over() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(backups.list(&Filter::default()).unwrap().len(), 1);
        Self {
            _folder: folder,
            engine,
            backup_id,
        }
    }

    fn mount(&self) -> String {
        let mount = self.engine.mounts().mount(&self.backup_id, 0);
        mount.unwrap().mount_id
    }

    async fn download(
        &self,
        mount_id: &str,
        path: &str,
        headers: &[(header::HeaderName, &str)],
    ) -> restore::Result<Response<Body>> {
        let mount = self.engine.mounts().enter(mount_id)?;
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let conditions = Conditions::from_headers(&headers, false);
        let path = RequestPath::parse(path).unwrap();
        let answer = download::download(&mount, path, None, &conditions).await;
        answer.map(IntoResponse::into_response)
    }
}

fn big_content() -> Vec<u8> {
    (0..3_000_000_u32).map(|n| (n % 251) as u8).collect()
}

fn fat_image() -> Vec<u8> {
    sendense_fixtures::fat_disk(&[
        ("Recovery/", b""),
        ("Übersicht 漢.txt", b"hello"),
        ("big.bin", &big_content()),
        ("empty.txt", b""),
    ])
    .unwrap()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    let body = response.into_body().collect().await.unwrap();
    body.to_bytes().to_vec()
}

fn header_of(response: &Response<Body>, name: header::HeaderName) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

fn path_of(raw_query: &str) -> Result<RequestPath> {
    let query = Parameters::parse(raw_query)?;
    let path = query.get(&PATH)?.expect("every query here has a path");
    Ok(RequestPath::parse(&path).map_err(restore::Error::from)?)
}

/// Contract D54, H20.
#[test]
fn every_way_to_write_a_parent_is_refused() {
    for raw in [
        "..",
        "../",
        "/..",
        "/../",
        "../..",
        "/../../",
        "../../../../etc/passwd",
        "/../../../../etc/passwd",
        "/Windows/..",
        "/Windows/../",
        "/Windows/../../etc/passwd",
        "/Windows/./../..",
        "/Windows//..//..",
        "/a/b/c/../../../../etc",
        "/partition-1/..",
        "/partition-1/../..",
        "/partition-1/../partition-2",
        "/partition-1/Windows/../../../etc",
        "/./..",
        "/././../.",
        "//..",
        "///..///",
        "..//",
        "%2e%2e",
        "%2E%2E",
        "%2e.",
        ".%2e",
        ".%2E",
        "%2e%2e/",
        "%2e%2e%2f",
        "%2E%2E%2F",
        "/%2e%2e",
        "/%2e%2e/%2e%2e/etc/passwd",
        "%2f%2e%2e%2fetc%2fpasswd",
        "%2F..%2F..%2Fetc%2Fpasswd",
        "..%2f",
        "..%2F..%2Fetc",
        "/Windows%2f..%2f..",
        "/Windows/%2e%2e/x",
        "%2fpartition-1%2f..%2f..%2f",
        "/partition-1%2f%2e%2e",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fshadow",
        "/a/../b",
        "a/..",
        "/%61/..",
        "/../%00",
        "%00",
        "/Windows%00",
        "/Windows/%00/..",
        "..%00",
        "/etc/passwd%00.txt",
        "%ff",
        "/%c0%ae%c0%ae/etc/passwd",
        "%c0%ae%c0%ae%c0%af",
        "/%e0%80%ae%e0%80%ae/",
        "/%f0%80%80%ae.",
        "..&path=x",
        "x&path=..",
    ] {
        let outcome = path_of(&format!("path={raw}"));
        assert!(outcome.is_err(), "{raw} became {outcome:?}");
        let answer = outcome.unwrap_err().into_response();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{raw}");
    }
}

#[test]
fn what_only_looks_like_a_parent_is_a_name_inside_the_image() {
    for (raw, decoded) in [
        ("%252e%252e%252f", "/%2e%2e%2f"),
        ("/%252e%252e/etc", "/%2e%2e/etc"),
        ("..%5c..%5cwindows", "/..\\..\\windows"),
        ("%2e%2e%5cetc", "/..\\etc"),
        ("%25c0%25ae", "/%c0%ae"),
        ("...", "/..."),
        ("....//....//etc", "/..../..../etc"),
        ("..%20", "/.. "),
        ("%20..", "/ .."),
        ("..;/etc", "/..;/etc"),
        ("/..?x", "/..?x"),
        ("%uff0e%uff0e", "/%uff0e%uff0e"),
        ("%EF%BC%8E%EF%BC%8E", "/\u{ff0e}\u{ff0e}"),
        ("/etc/passwd", "/etc/passwd"),
        ("file:///etc/passwd", "/file:/etc/passwd"),
        ("C:%5CWindows", "/C:\\Windows"),
        ("~/.ssh", "/~/.ssh"),
        ("a+b%2Bc%20d", "/a b+c d"),
    ] {
        let path = path_of(&format!("path={raw}")).unwrap();
        assert_eq!(path.to_string(), decoded, "{raw}");
    }
}

#[test]
fn parameters_are_found_in_any_order_and_may_be_missing() {
    let query = Parameters::parse("recursive=true&&path=/a%26b").unwrap();
    assert_eq!(query.get(&PATH).unwrap().as_deref(), Some("/a&b"));
    assert_eq!(query.get(&FORMAT).unwrap(), None);
    assert_eq!(Parameters::parse("").unwrap().get(&PATH).unwrap(), None);
}

#[tokio::test]
async fn a_file_arrives_whole_with_its_headers() {
    let fixture = Fixture::new().await;
    let mount_id = fixture.mount();
    let answer = fixture
        .download(&mount_id, "/Übersicht 漢.txt", &[])
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header_of(&answer, header::CONTENT_LENGTH), "5");
    assert_eq!(header_of(&answer, header::CONTENT_TYPE), "text/plain");
    assert_eq!(header_of(&answer, header::ACCEPT_RANGES), "bytes");
    assert!(
        header_of(&answer, header::CONTENT_DISPOSITION)
            .ends_with("filename*=UTF-8''%C3%9Cbersicht%20%E6%BC%A2.txt")
    );
    assert_eq!(bytes(answer).await, b"hello");

    let answer = fixture.download(&mount_id, "/big.bin", &[]).await.unwrap();
    assert_eq!(
        header_of(&answer, header::CONTENT_TYPE),
        "application/octet-stream"
    );
    assert!(bytes(answer).await == big_content());
    let answer = fixture
        .download(&mount_id, "/empty.txt", &[])
        .await
        .unwrap();
    assert_eq!(header_of(&answer, header::CONTENT_LENGTH), "0");
    assert_eq!(bytes(answer).await, b"");
}

#[tokio::test]
async fn ranges_resume_where_the_file_is_still_the_same() {
    let fixture = Fixture::new().await;
    let mount_id = fixture.mount();
    let range = (header::RANGE, "bytes=1000000-1999999");
    let answer = fixture
        .download(&mount_id, "/big.bin", std::slice::from_ref(&range))
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        header_of(&answer, header::CONTENT_RANGE),
        "bytes 1000000-1999999/3000000"
    );
    let etag = header_of(&answer, header::ETAG);
    assert!(bytes(answer).await == big_content()[1_000_000..2_000_000]);

    fixture.engine.mounts().unmount(&mount_id).unwrap();
    let mount_id = fixture.mount();
    for (condition, status) in [
        (etag.as_str(), StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
    ] {
        let headers = [range.clone(), (header::IF_RANGE, condition)];
        let answer = fixture
            .download(&mount_id, "/big.bin", &headers)
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "the tag outlives the mount");
    }
    let headers = [(header::RANGE, "bytes=3000000-")];
    let answer = fixture
        .download(&mount_id, "/big.bin", &headers)
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header_of(&answer, header::CONTENT_RANGE), "bytes */3000000");
}

#[tokio::test]
async fn a_folder_is_answered_with_a_zip_of_its_name() {
    let fixture = Fixture::new().await;
    let mount_id = fixture.mount();
    let answer = fixture.download(&mount_id, "/Recovery", &[]).await.unwrap();
    assert_eq!(header_of(&answer, header::CONTENT_TYPE), "application/zip");
    assert!(!answer.headers().contains_key(header::CONTENT_LENGTH));
    assert!(header_of(&answer, header::CONTENT_DISPOSITION).contains("Recovery.zip"));
    assert!(bytes(answer).await.starts_with(b"PK"));
}

#[test]
fn what_cannot_be_restored_is_answered_with_the_status_that_tells_the_truth() {
    let missing = || "missing".to_owned();
    for (error, status) in [
        (
            restore::Error::DiskNotFound {
                backup_id: missing(),
                disk_index: 5,
                because: None,
            },
            StatusCode::NOT_FOUND,
        ),
        (
            restore::Error::ImageGone {
                path: "gone.qcow2".into(),
            },
            StatusCode::NOT_FOUND,
        ),
        (
            restore::Error::MountNotFound {
                mount_id: missing(),
            },
            StatusCode::NOT_FOUND,
        ),
        (
            restore::Error::TooManyMounts { limit: MAX_MOUNTS },
            StatusCode::CONFLICT,
        ),
        (
            restore::Error::PathMissing { path: missing() },
            StatusCode::NOT_FOUND,
        ),
        (
            restore::Error::NotADirectory { path: missing() },
            StatusCode::BAD_REQUEST,
        ),
        (
            restore::Error::NothingReadable { seen: Vec::new() },
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            restore::Error::VolumeUnreadable {
                number: 1,
                reason: missing(),
            },
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            restore::Error::ContentUnreadable {
                path: missing(),
                reason: missing(),
            },
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        assert_eq!(Error::from(error).into_response().status(), status);
    }
}
