//! What watching costs the client: three hubs, 2,000 VMs, twenty backups that run.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use sendense_core::{Backups, Events, HubClient, HubSession, MemorySecrets, watch_backup};
use sendense_tests::long;
use sendense_types::commands::Credentials;
use sendense_types::{BackupId, HubId, Trust};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::many_vms::{VMS, vms};

const HUBS: usize = 3;
const JOBS: usize = 20;
/// A running backup is asked for so often, once it has run for a while (contract 8.4).
const PAUSE: Duration = Duration::from_secs(3);
/// Of one core.
const MOST: f64 = 0.005;

/// Answers since the start; each finds its backup further on.
type Asked = Arc<AtomicU64>;

async fn backup(State(asked): State<Asked>, Path(id): Path<String>) -> Json<Value> {
    let n = asked.fetch_add(1, Ordering::Relaxed);
    let disk = |index: u64| {
        json!({ "disk_index": index, "status": "running", "bytes_transferred": n << 20,
            "total_bytes": 1_u64 << 40, "progress_percent": 12.5 })
    };
    Json(json!({
        "backup_id": id, "vm_name": "vm1", "vm_context_id": "ctx-1", "repository_id": "r",
        "backup_type": "full", "status": "running", "current_phase": "transferring",
        "bytes_transferred": n << 20, "total_bytes": 1_u64 << 41, "progress_percent": 12.5,
        "disks": [disk(0), disk(1)], "created_at": "2026-11-24T12:00:00Z",
    }))
}

/// A hub on a thread of its own, so that its work is not the client's.
fn start_hub(asked: Asked) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async move {
            let router = Router::new()
                .route(
                    "/health",
                    get(async || Json(json!({ "status": "healthy" }))),
                )
                .route("/api/v1/vm-contexts", get(async || vms()))
                .route(
                    "/api/v1/backups",
                    get(async || Json(json!({ "backups": [], "total": 0 }))),
                )
                .route("/api/v1/backups/{id}", get(backup))
                .with_state(asked);
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

/// What this thread has computed so far.
fn computed() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// The client runs on one thread, which is measured: what a question costs it, times how many are planned, is its share
/// of a core. In a long run the share is what two minutes show.
#[tokio::test]
async fn watching_twenty_backups_takes_next_to_nothing_of_a_core() {
    let asked = Asked::default();
    let mut sessions = Vec::new();
    let mut watches = Vec::new();
    for hub in 0..HUBS {
        let address = start_hub(Arc::clone(&asked));
        let (events, secrets) = (Events::new(), Arc::new(MemorySecrets::default()));
        let here = HubId::this_computer();
        let session = HubSession::new(Vec::new(), here, secrets, events.clone());
        let added = session.add("", &address, Trust::System, &Credentials::None);
        added.await.unwrap();
        let overview = Backups::new(session);
        assert_eq!(overview.protection().await.unwrap().len(), VMS);
        sessions.push(overview);
        let client = HubClient::new(&address, None).unwrap();
        for job in (hub..JOBS).step_by(HUBS) {
            let client = client.clone();
            watches.push(AbortOnDropHandle::new(tokio::spawn(async move {
                let id = BackupId::new(format!("backup-{job}"));
                watch_backup(&client, &id, &mut |_| {}).await.map(drop)
            })));
        }
    }
    let (warm_up, measured) = match long() {
        // By then each is asked for as seldom as it will be.
        true => (PAUSE * 16, Duration::from_secs(120)),
        false => (Duration::from_secs(1), Duration::from_secs(4)),
    };
    tokio::time::sleep(warm_up).await;
    let (began, cpu, before) = (Instant::now(), computed(), asked.load(Ordering::Relaxed));
    tokio::time::sleep(measured).await;
    let (took, cpu) = (began.elapsed(), computed() - cpu);
    let n_asked = asked.load(Ordering::Relaxed) - before;
    assert!(n_asked >= JOBS as u64, "{n_asked} questions");
    assert!(watches.iter().all(|watch| !watch.is_finished()));
    let share = match long() {
        true => cpu.as_secs_f64() / took.as_secs_f64(),
        false => cpu.as_secs_f64() / n_asked as f64 * JOBS as f64 / PAUSE.as_secs_f64(),
    };
    println!(
        "{n_asked} questions in {took:?} took {cpu:?}: {:.2}% of a core",
        share * 100.0
    );
    assert!(share < MOST, "{share}");
    drop(sessions);
}
