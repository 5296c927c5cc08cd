//! The handover's own command lines, ids replaced, with the real curl against `sendense hub serve --no-auth`.

use std::time::Duration;

use sendense_tests::{Hub, sample_vm, sha256_file, temp_dir, tool, until};
use serde_json::Value;

/// Runs one command line of the handover with a shell, as whoever copies it would.
#[track_caller]
fn shell(line: &str, folder: &std::path::Path) -> Vec<u8> {
    let line = line.replacen("curl ", "curl --silent --show-error --fail-with-body ", 1);
    tool("sh")
        .args(["-c", &line])
        .current_dir(folder)
        .run()
        .stdout
}

#[test]
fn the_curl_lines_of_the_handover_run_as_written() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let hub = Hub::start(&folder.path().join("data"));
    hub.sendense()
        .args(["vm", "discover"])
        .arg(sample.folder.parent().unwrap())
        .run();
    let run = |line: &str| {
        shell(
            &line.replace("http://localhost:8082", &hub.url()),
            folder.path(),
        )
    };
    let json = |line: &str| -> Value { serde_json::from_slice(&run(line)).unwrap() };

    run("curl http://localhost:8082/api/v1/health");
    let vms = json("curl http://localhost:8082/api/v1/vm-contexts");
    assert_eq!(vms["vm_contexts"][0]["vm_name"], "pgtest1", "{vms}");

    let repositories = json("curl http://localhost:8082/api/v1/repositories");
    let repository = repositories["repositories"][0]["id"].as_str().unwrap();
    let started = json(
        &r#"curl -X POST http://localhost:8082/api/v1/backups \
  -H "Content-Type: application/json" \
  -d '{"vm_name":"pgtest1","repository_id":"1","backup_type":"full"}'"#
            .replace(
                r#""repository_id":"1""#,
                &format!(r#""repository_id":"{repository}""#),
            ),
    );
    let backup = started["backup_id"].as_str().unwrap();
    until("the backup to finish", Duration::from_secs(120), || {
        let detail = json(&format!(
            "curl http://localhost:8082/api/v1/backups/{backup}"
        ));
        assert_ne!(detail["status"], "failed", "{detail}");
        (detail["status"] == "completed").then_some(())
    });

    let mounted = json(
        &r#"curl -X POST http://localhost:8082/api/v1/restore/mount \
  -H "Content-Type: application/json" \
  -d '{"backup_id":"backup-pgtest1-1759947871","disk_index":0}'"#
            .replace("backup-pgtest1-1759947871", backup),
    );
    let mount = mounted["mount_id"].as_str().unwrap();
    let root = json(
        &r#"curl "http://localhost:8082/api/v1/restore/{mount_id}/files?path=/""#
            .replace("{mount_id}", mount),
    );
    assert!(root["total_count"].as_u64() > Some(0), "{root}");

    run(&r#"curl "http://localhost:8082/api/v1/restore/{mount_id}/download?path=/Recovery/WindowsRE/ReAgent.xml" \
  -o ReAgent.xml"#
        .replace("{mount_id}", mount));
    let known = &sample.manifest.disks[0].volumes[1].files[0];
    assert_eq!(known.path, "/Recovery/WindowsRE/ReAgent.xml");
    assert_eq!(
        sha256_file(&folder.path().join("ReAgent.xml")),
        known.sha256
    );
}
