//! Single files: parts of them, many at a time, and interrupted ones.

use std::{fs, thread, time::Duration};

use sendense_tests::{tool, until};

use super::{Site, ext4, patterned, text};

const N_BYTES: usize = 40_000_000;

fn site() -> Site {
    Site::with_vm(|vm| {
        let tree = vm.parent().unwrap().parent().unwrap().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("big.bin"), patterned(N_BYTES)).unwrap();
        fs::write(tree.join("Übersicht 漢.html"), "<p>").unwrap();
        let sparse = fs::File::create(tree.join("sparse.bin")).unwrap();
        sparse.set_len(2 << 30).unwrap();
        ext4(&tree, &vm.join("disk0.raw"), "128M");
    })
}

#[test]
fn headers_say_what_is_coming() {
    let site = site();
    let mount_id = site.mount(0);
    let url = site.url(&mount_id, "download", "/Übersicht 漢.html");
    let head = tool("curl")
        .args(["-sS", "-I"])
        .arg(&url)
        .run()
        .text()
        .to_lowercase();
    let (outcome, target) = site.fetch(&url, "page", &[]);
    for headers in [head, outcome.text().to_lowercase()] {
        for expected in [
            "200 ok",
            "content-length: 3",
            "content-type: text/html",
            "accept-ranges: bytes",
            "content-disposition: attachment; filename=\"_bersicht _.html\"; \
             filename*=utf-8''%c3%9cbersicht%20%e6%bc%a2.html",
        ] {
            assert!(headers.contains(expected), "{expected}: {headers}");
        }
    }
    assert_eq!(fs::read(target).unwrap(), b"<p>");
}

#[test]
fn parts_put_together_are_the_file() {
    let site = site();
    let mount_id = site.mount(0);
    let url = site.url(&mount_id, "download", "/big.bin");
    let expected = patterned(N_BYTES);
    for (range, part) in [
        ("0-0", 0..1),
        ("0-999999", 0..1_000_000),
        ("1000000-39999999", 1_000_000..N_BYTES),
        ("39999999-", N_BYTES - 1..N_BYTES),
        ("-12345", N_BYTES - 12_345..N_BYTES),
        ("4095-4097", 4095..4098),
    ] {
        let (outcome, target) = site.fetch(&url, "part", &[&format!("Range: bytes={range}")]);
        assert!(outcome.text().contains("206"), "{range}: {outcome}");
        assert!(
            fs::read(target).unwrap() == expected[part],
            "{range} differs"
        );
    }
    let behind = tool("curl")
        .args([
            "-sS",
            "-D",
            "-",
            "-o",
            "/dev/null",
            "-H",
            "Range: bytes=40000000-",
        ])
        .arg(&url)
        .run()
        .text();
    assert!(behind.contains("416"), "{behind}");
    assert!(
        behind
            .to_lowercase()
            .contains("content-range: bytes */40000000"),
        "{behind}"
    );

    let (_, target) = site.fetch(&url, "resumed", &["Range: bytes=0-9999999"]);
    tool("curl")
        .args(["-sS", "--fail", "-C", "-", "-o"])
        .arg(&target)
        .arg(&url)
        .run();
    assert!(fs::read(target).unwrap() == expected, "curl resumed it");
}

#[test]
fn many_downloads_run_while_the_folder_is_listed() {
    let site = site();
    let mount_id = site.mount(0);
    let url = site.url(&mount_id, "download", "/big.bin");
    let expected = patterned(N_BYTES);
    thread::scope(|scope| {
        for n in 0..24 {
            let (site, url, expected) = (&site, &url, &expected);
            scope.spawn(move || {
                let (outcome, target) = site.fetch(url, &format!("copy{n}"), &[]);
                assert_eq!(outcome.code, Some(0), "{outcome}");
                assert!(fs::read(&target).unwrap() == *expected, "copy {n} differs");
                fs::remove_file(target).unwrap();
            });
        }
        for _ in 0..20 {
            assert!(site.list(&mount_id, "/").len() == 1);
        }
    });
    assert_eq!(site.n_downloads(), 0);
}

#[test]
fn a_client_that_leaves_frees_the_thread_and_little_memory_was_used() {
    let site = site();
    let mount_id = site.mount(0);
    let url = site.url(&mount_id, "download", "/sparse.bin");
    let before = site.hub.peak_memory_bytes();
    let slow = || {
        tool("curl")
            .args(["-sS", "--limit-rate", "100k", "-o", "/dev/null"])
            .arg(&url)
            .spawn()
    };
    let mut clients: Vec<_> = (0..5).map(|_| slow()).collect();
    until("five downloads to run", Duration::from_secs(30), || {
        (site.n_downloads() == 5).then_some(())
    });
    assert_eq!(site.list(&mount_id, "/").len(), 1, "browsing goes on");
    for client in &mut clients {
        client.kill().unwrap();
        client.wait().unwrap();
    }
    until("their threads to end", Duration::from_secs(10), || {
        (site.n_downloads() == 0).then_some(())
    });

    tool("curl")
        .args(["-sS", "--fail", "-o", "/dev/null"])
        .arg(&url)
        .run();
    let grown = site.hub.peak_memory_bytes() - before;
    assert!(grown < 64 << 20, "2 GiB took {grown} bytes more");
}

#[test]
fn unmounting_lets_a_running_download_finish() {
    let site = site();
    let mount_id = site.mount(0);
    let url = site.url(&mount_id, "download", "/big.bin");
    let target = site.folder.path().join("out/slow");
    let mut client = tool("curl")
        .args(["-sS", "--fail", "--limit-rate", "40M", "-o"])
        .arg(&target)
        .arg(&url)
        .spawn();
    until("the download to run", Duration::from_secs(30), || {
        (site.n_downloads() == 1).then_some(())
    });
    let answer = site.hub.api().delete(&format!("/restore/{mount_id}")).ok();
    assert_eq!(text(&answer["mount_id"]), mount_id);
    let status = until("the download to end", Duration::from_secs(60), || {
        client.try_wait().unwrap()
    });
    assert!(status.success(), "{status}");
    assert!(fs::read(target).unwrap() == patterned(N_BYTES));
}
