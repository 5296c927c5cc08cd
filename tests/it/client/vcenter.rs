//! Finding VMs on the vCenter of a deployed hub (contract 3.4): what is there, what comes of adding, and what it means when
//! the hub takes too long to answer.

use std::sync::Arc;

use sendense_core::{Events, HubClient, HubSession, MemorySecrets, Token};
use sendense_tests::{
    CREDENTIAL_ID, DeployedHub, Hazards, empty_disk, sample_vm, sendense, temp_dir,
};
use sendense_types::{ErrorKind, HubId, VmSource};
use tempfile::TempDir;

const ON_VCENTER: VmSource = VmSource::Vcenter {
    credential_id: CREDENTIAL_ID,
};

/// A hub that knows no VM, and a vCenter with two.
async fn start() -> (DeployedHub, HubClient, TempDir) {
    let folder = temp_dir();
    let vms = sample_vm(folder.path()).folder.parent().unwrap().to_owned();
    empty_disk(&vms.join("web1/disk.qcow2"), "64M");
    let deployed = DeployedHub::start(&folder.path().join("data"), Hazards::default()).await;
    deployed.fill_vcenter(&vms);
    let hub = HubClient::new(deployed.url(), None).unwrap();
    (deployed, hub, folder)
}

/// Contract H33.
/// Contract H33.
#[tokio::test]
async fn vms_are_found_on_a_vcenter_and_those_that_are_named_are_added() {
    let (_deployed, hub, _folder) = start().await;
    let credentials = hub.vcenter_credentials().await.unwrap();
    let names: Vec<&str> = credentials.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["vc1"], "one that is retired cannot be used");
    let found = hub.discover_vms(&ON_VCENTER).await.unwrap();
    let names: Vec<&str> = found.iter().map(|vm| vm.name.as_str()).collect();
    assert_eq!(names, ["pgtest1", "web1"]);
    assert!(hub.vms().await.unwrap().is_empty(), "looking adds nothing");

    let wanted = ["web1".to_owned(), "nobody".to_owned()];
    let added = hub.add_vms(&ON_VCENTER, &wanted).await.unwrap();
    assert_eq!(added.vms.len(), 1);
    assert_eq!(added.failed, [("nobody".to_owned(), None)]);
    let found = hub.discover_vms(&ON_VCENTER).await.unwrap();
    let known: Vec<bool> = found.iter().map(|vm| vm.existing).collect();
    assert_eq!(known, [false, true]);
}

/// Contract H1, section 12.2.
#[tokio::test]
async fn a_hub_that_looks_for_too_long_is_asked_once_and_what_it_added_is_found() {
    let (deployed, hub, _folder) = start().await;
    deployed.change(|hazards| hazards.loses_discovery_answers = true);
    let error = hub.discover_vms(&ON_VCENTER).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cut);
    assert!(error.hint.unwrap().contains("15 seconds"));
    let searches = || {
        let asked = deployed.asked();
        asked
            .iter()
            .filter(|line| line.contains("discovery/"))
            .count()
    };
    assert_eq!(searches(), 1, "it would take too long again");

    let added = hub
        .add_vms(&ON_VCENTER, &["web1".to_owned()])
        .await
        .unwrap();
    assert_eq!(added.vms[0].vm_name, "web1");
    let none = hub.add_vms(&ON_VCENTER, &["nobody".to_owned()]).await;
    assert_eq!(none.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    assert_eq!(searches(), 3);
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_any_longer_ends() {
    let (deployed, _hub, _folder) = start().await;
    let secrets = Arc::new(MemorySecrets::default());
    let here = HubId::this_computer();
    let session = HubSession::new(Vec::new(), here.clone(), secrets, Events::new());
    session.set_local_hub(Ok((deployed.url().to_owned(), Token::new("any"))));
    session.connect(&here).await.unwrap();
    let looking = tokio::spawn({
        let session = session.clone();
        async move { session.discover_vms(&ON_VCENTER).await }
    });
    while !deployed
        .asked()
        .iter()
        .any(|line| line.contains("discover-vms"))
    {
        tokio::task::yield_now().await;
    }
    session.cancel_discovery();
    let ended = looking.await.unwrap();
    // One that is over before it could be ended has found them.
    if let Err(error) = ended {
        assert_eq!(error.kind, ErrorKind::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_lists_a_vcenter_and_adds_by_name() {
    let (deployed, _hub, folder) = start().await;
    let run = |args: &[&str]| {
        let out = sendense()
            .env("HOME", folder.path())
            .args(["--hub", deployed.url()])
            .args(args)
            .outcome();
        let said = [out.stdout, out.stderr].concat();
        (
            out.code == Some(0),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    assert!(run(&["vm", "credentials"]).1.contains("vc.example"));
    let (_, listed) = run(&["vm", "discover", "--credential", "vc1"]);
    assert!(
        listed.contains("pgtest1") && listed.contains("web1"),
        "{listed}"
    );
    let (good, unknown) = run(&["vm", "discover", "--credential", "vc9"]);
    assert!(!good && unknown.contains("vc9"), "{unknown}");
    let (_, added) = run(&["vm", "discover", "--credential", "35", "--add", "web1"]);
    assert!(added.contains('1'), "{added}");
    assert!(run(&["vm", "list"]).1.contains("web1"));
}
