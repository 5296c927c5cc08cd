//! A deployed hub with as many VMs as the largest sites have: it lists no backups but VM by VM (contract D27).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::{Json, Router, routing::get};
use sendense_core::{Backups, Events, HubSession, MemorySecrets};
use sendense_types::commands::Credentials;
use sendense_types::{Trust, VmState};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

pub(super) const VMS: usize = 2_000;
/// What a hub takes for one question, and how many it is asked at once at most.
const EACH: Duration = Duration::from_millis(20);
const AT_ONCE: usize = 8;

/// How much the hub is asked.
#[derive(Default)]
struct Load {
    lists: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

pub(super) fn vms() -> Json<Value> {
    let vms: Vec<Value> = (0..VMS)
        .map(|i| json!({ "context_id": format!("ctx-{i}"), "vm_name": format!("vm{i}") }))
        .collect();
    Json(json!({ "vm_contexts": vms, "count": VMS }))
}

async fn backups(
    State(load): State<Arc<Load>>,
    Query(of): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let Some(vm) = of.get("vm_context_id") else {
        return Json(json!({ "backups": [], "total": 0 }));
    };
    let now = load.now.fetch_add(1, Ordering::Relaxed) + 1;
    load.most.fetch_max(now, Ordering::Relaxed);
    load.lists.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(EACH).await;
    load.now.fetch_sub(1, Ordering::Relaxed);
    let backup = json!({
        "backup_id": format!("backup-{vm}"), "vm_name": vm.replace("ctx-", "vm"), "vm_context_id": vm,
        "status": "completed", "backup_type": "full", "repository_id": "r",
        "created_at": "2026-11-24T12:00:00Z", "completed_at": "2026-11-24T12:05:00Z",
    });
    Json(json!({ "backups": [backup], "total": 1 }))
}

/// Contract D27, H30.
#[tokio::test(flavor = "multi_thread")]
async fn the_overview_of_two_thousand_vms_is_complete_soon_without_a_rush_on_the_hub() {
    let load = Arc::new(Load::default());
    let router = Router::new()
        .route(
            "/health",
            get(async || Json(json!({ "status": "healthy" }))),
        )
        .route("/api/v1/vm-contexts", get(async || vms()))
        .route("/api/v1/backups", get(backups))
        .with_state(Arc::clone(&load));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _server = AbortOnDropHandle::new(tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    }));
    let events = Events::new();
    let secrets = Arc::new(MemorySecrets::default());
    let here = sendense_types::HubId::this_computer();
    let session = HubSession::new(Vec::new(), here, secrets, events.clone());
    session
        .add("", &address, Trust::System, &Credentials::None)
        .await
        .unwrap();
    let overview = Backups::new(session);

    let asked = Instant::now();
    let rows = overview.protection().await.unwrap();
    let took = asked.elapsed();
    assert_eq!(rows.len(), VMS);
    assert!(rows.iter().all(|row| row.state != VmState::Unknown));
    let most = load.most.load(Ordering::Relaxed);
    assert!(most <= AT_ONCE, "{most} questions at once");
    assert_eq!(load.lists.load(Ordering::Relaxed), VMS, "each VM once");
    // The hub alone takes five seconds for that; a client that asks one by one, forty.
    assert!(took < Duration::from_secs(20), "{took:?}");

    // Seen again, nothing is asked again.
    let rows = overview.protection().await.unwrap();
    assert_eq!(rows.len(), VMS);
    assert_eq!(load.lists.load(Ordering::Relaxed), VMS);
}
