//! A hub that speaks and behaves as deployed hubs do (contract 3 to 7 and 12), in front of our own.
//!
//! Everything real (images, filesystems, bytes) comes from a hub of this repository behind it; here its answers get the
//! shapes of deployed hubs, and what those do to their clients. Each hazard of the contract is a switch of [`Hazards`],
//! which tests turn on and off while it runs. It lives here and not in the product, so no release can behave like this.

mod repositories;
mod shapes;
mod vcenter;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use futures::stream;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use sendense_hub::{Auth, Config, LocalHub};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

pub use self::vcenter::CREDENTIAL_ID;

/// Longer than any body of a test that is read whole.
const LONGEST_BODY: usize = 64 << 20;

/// What a deployed hub does to its clients; the default is one on a good day.
#[derive(Clone, Debug, Default)]
pub struct Hazards {
    /// The token without which nobody signs in (D2); nobody has to without one (D5).
    pub appliance_token: Option<String>,
    /// The hub's time zone, whose wall time it writes with a Z (H4), in seconds east of Greenwich.
    pub offset_seconds: i32,
    /// So many disks of each backup, from the last one, are still being written when it is called completed (H10).
    pub unfinished_disks: usize,
    /// The deletion of a backup or a mount does its work, and the connection ends without an answer (H1).
    pub loses_delete_answers: bool,
    /// A backup is started, and the connection ends without an answer (H1).
    pub loses_start_answers: bool,
    /// Looking for VMs takes so long that there is no answer to it (section 12).
    pub loses_discovery_answers: bool,
    /// Being asked for the backups of this VM ends the handler (H2).
    pub drops_history_of: Option<String>,
    /// The list begins with a backup that was never heard of, in this state since then (H8, D18).
    pub phantom: Option<(&'static str, Timestamp)>,
    /// Every VM is there twice, on two vCenters (H32).
    pub doubles_vms: bool,
    /// It has nothing but what was documented, and so no list of its repositories (3.5).
    pub hides_repositories: bool,
    /// No chain row is ever found, so every incremental backup is refused (H9).
    pub loses_chain_rows: bool,
    /// A read error inside an archive ends it in a file that lacks its last byte, and nothing says so (H15).
    pub shortens_archives: bool,
    /// Links in archives hold what they lead to on the hub's own disk (6.4, H16).
    pub follows_links: bool,
    /// No share can be mounted: nothing is known of the room in it (3.5).
    pub loses_shares: bool,
    /// Failures around shares quote their settings, with the password (H34).
    pub quotes_passwords: bool,
    /// Repositories cannot be tested before they are added: a hub without that route.
    pub lacks_repository_test: bool,
    /// All mounts end at this moment, and then they are gone (D43, D44); without one, an hour after they began.
    pub mounts_end: Option<Timestamp>,
}

impl Hazards {
    fn mounts_are_over(&self) -> bool {
        self.mounts_end.is_some_and(|end| end <= Timestamp::now())
    }
}

/// A running hub of that kind; ends with this value.
pub struct DeployedHub {
    url: String,
    shared: Arc<Shared>,
    /// The hub behind it, which does the work.
    local: LocalHub,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    behind: String,
    http: reqwest::Client,
    /// Where what is said to lie in shares lies.
    shares: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hazards: Hazards,
    asked: Vec<String>,
    /// Whether somebody has signed in since the start; before that not even the constant token counts (section 12).
    signed_in: bool,
    /// What it finds on the vCenter.
    vcenter: Option<PathBuf>,
    /// What its own hub does not know of the repositories that were added here, by id.
    repositories: BTreeMap<String, repositories::Added>,
    /// How many rows deleted backups have left behind, by repository.
    left_rows: BTreeMap<String, usize>,
}

/// The connection ends without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the hub dropped the connection")
    }
}

impl std::error::Error for Dropped {}

type Answer = Result<Response<Body>, Dropped>;

/// The token that a deployed hub gives everybody.
pub const SESSION_TOKEN: &str = "session-of-the-appliance";

impl DeployedHub {
    /// Starts one whose data lies in this folder.
    ///
    /// # Panics
    /// When the hub behind it does not start.
    pub async fn start(data: &Path, hazards: Hazards) -> Self {
        let mut config = Config::new(data.to_path_buf());
        config.auth = Auth::Off;
        let local = LocalHub::start(config)
            .await
            .expect("the hub behind starts");
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            behind: local.url().to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client without settings can be made"),
            shares: data.join("shares"),
            state: Mutex::new(State {
                hazards,
                ..State::default()
            }),
        });
        let served = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self {
            url: format!("http://{address}"),
            shared,
            local,
            _server: AbortOnDropHandle::new(server),
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The hub behind it, for what deployed hubs have other ways for: adding VMs, making repositories.
    pub fn behind(&self) -> &str {
        self.local.url()
    }

    /// Turns hazards on and off.
    pub fn change(&self, change: impl FnOnce(&mut Hazards)) {
        change(&mut self.shared.state().hazards);
    }

    /// Puts the VMs of this folder on the vCenter.
    pub fn fill_vcenter(&self, folder: &Path) {
        self.shared.state().vcenter = Some(folder.to_owned());
    }

    /// Forgets who has signed in, as a restart does.
    pub fn forget_sessions(&self) {
        self.shared.state().signed_in = false;
    }

    /// What it was asked so far: method and path with query.
    pub fn asked(&self) -> Vec<String> {
        self.shared.state().asked.clone()
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(Body::new(body), LONGEST_BODY).await;
            let body = body.map_err(|_| Dropped)?;
            shared.answer(Request::from_parts(parts, body)).await
        }
    });
    // A client that hangs up is no failure of the test.
    drop(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hazards(&self) -> Hazards {
        self.state().hazards.clone()
    }

    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let line = format!("{} {}", request.method(), request.uri());
        self.state().asked.push(line);
        self.route(request).await
    }

    async fn route(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path().to_owned();
        if path == "/health" {
            return Ok(ok(&json!({
                "service": "SHA API", "status": "healthy", "timestamp": "2025-10-10T13:00:00Z",
                "version": "1.0.0", "database": "connected",
            })));
        }
        let Some(below) = path.strip_prefix("/api/v1/") else {
            return Ok(no_route());
        };
        let segments: Vec<&str> = below.split('/').collect();
        let checked = [
            "vm-contexts",
            "repositories",
            "discovery",
            "vmware-credentials",
        ];
        if checked.contains(&segments[0]) && !self.lets_in(&request) {
            return Ok(answer_of(
                StatusCode::UNAUTHORIZED,
                &json!({ "error": "Invalid or expired token", "details": "", "timestamp": "2025-10-10T14:00:00+01:00" }),
            ));
        }
        if segments[0] == "repositories" && self.hazards().hides_repositories {
            return Ok(no_route());
        }
        match (request.method().as_str(), &segments[..]) {
            ("POST", ["auth", "login"]) => self.sign_in(request).await,
            ("GET", ["vm-contexts"]) => self.vms(request).await,
            ("GET", ["vm-contexts", id, "disks"]) => self.vm_disks(id).await,
            ("GET", ["vmware-credentials"]) => self.credentials(),
            ("POST", ["discovery", "discover-vms"]) => self.discover(request).await,
            ("POST", ["discovery", "add-vms"]) => self.add_discovered(request).await,
            ("GET", ["repositories"]) => self.repositories().await,
            ("POST", ["repositories"]) => self.add_repository(&request).await,
            ("POST", ["repositories", "test"]) => Ok(self.test_repository(&request)),
            ("GET", ["repositories", id, "storage"]) => self.storage(id).await,
            ("DELETE", ["repositories", id]) => self.delete_repository(id).await,
            ("GET", ["backups"]) => self.backups(&request).await,
            ("POST", ["backups"]) => self.start_backup(request).await,
            ("GET", ["backups", "stats"]) => self.stats(&request).await,
            ("GET", ["backups", "changeid"]) => self.change_id(&request).await,
            ("GET", ["backups", _, "chain"]) => self.chain(&request).await,
            ("GET", ["backups", id]) => self.backup(id).await,
            ("DELETE", ["backups", id]) => {
                self.note_left_rows(id).await;
                self.delete(request, true).await
            }
            ("POST", ["restore", "mount"]) => self.mount(request).await,
            ("GET", ["restore", "mounts"]) => self.mounts(request).await,
            ("DELETE", ["restore", _]) => self.delete(request, false).await,
            ("GET", ["restore", _, "files"]) => self.files(request).await,
            ("GET", ["restore", _, "file-info"]) => {
                let answer = self.restore(request).await?;
                changed(answer, shapes::file).await
            }
            ("GET", ["restore", _, "download-directory"]) => self.archive(request).await,
            ("GET", ["restore", _, "download"])
            | ("GET", ["restore", "resources" | "cleanup-status"]) => self.restore(request).await,
            _ => Ok(no_route()),
        }
    }

    fn lets_in(&self, request: &Request<Bytes>) -> bool {
        let state = self.state();
        if state.hazards.appliance_token.is_none() {
            return true;
        }
        let bearer = format!("Bearer {SESSION_TOKEN}");
        let sent = request.headers().get(header::AUTHORIZATION);
        state.signed_in && sent.is_some_and(|sent| sent.as_bytes() == bearer.as_bytes())
    }

    async fn sign_in(&self, request: Request<Bytes>) -> Answer {
        let body = parsed(request.body());
        let mut state = self.state();
        let wanted = state.hazards.appliance_token.clone();
        if wanted.is_none() || body["token"].as_str() != wanted.as_deref() {
            return Ok(answer_of(
                StatusCode::UNAUTHORIZED,
                &json!({ "success": false, "error_message": "Invalid credentials" }),
            ));
        }
        state.signed_in = true;
        Ok(ok(&json!({
            "success": true, "session_token": SESSION_TOKEN, "expires_at": "2035-10-08T14:00:00+01:00",
        })))
    }

    async fn vms(&self, request: Request<Bytes>) -> Answer {
        let hazards = self.hazards();
        let answer = self.forward(request).await?;
        changed(answer, |value| {
            shapes::vms(value, hazards.offset_seconds, hazards.doubles_vms)
        })
        .await
    }

    /// An unknown VM, and one asked for by name, has no disks (D12).
    async fn vm_disks(&self, id: &str) -> Answer {
        let behind = self.ask(&format!("vm-contexts/{id}/disks")).await;
        let disks = shapes::vm_disks(&behind.unwrap_or_default());
        Ok(ok(&disks))
    }

    /// Rows chosen by the first of id, name, repository and status; none of them chooses nothing (D27).
    async fn backups(&self, request: &Request<Bytes>) -> Answer {
        let query = Query::of(request);
        let dropped = self.hazards().drops_history_of;
        if dropped.is_some() && query.get("vm_name") == dropped.as_ref() {
            return Err(Dropped);
        }
        let mut rows = Vec::new();
        if let Some(id) = query.get("vm_context_id") {
            rows = self.rows(&format!("vm_context_id={}", encoded(id))).await;
        } else if let Some(name) = query.get("vm_name") {
            // An unknown name ends the handler (H2).
            if !self.knows_vm(name).await {
                return Err(Dropped);
            }
            rows = self.rows(&format!("vm_name={}", encoded(name))).await;
        } else if query.get("repository_id").is_some() || query.get("status").is_some() {
            rows = self.rows("").await;
            rows.retain(|row| {
                let is_of = |key: &str, field: &str| {
                    query.get(key).is_none_or(|value| row[field] == *value)
                };
                is_of("repository_id", "repository_id") && is_of("status", "status")
            });
        }
        if let Some((status, since)) = self.hazards().phantom {
            rows.insert(0, shapes::phantom(status, since, &query.0));
        }
        // Rows of disks are told from others by their names, and with them some VMs (D29).
        rows.retain(|row| !shapes::is_hidden(row));
        Ok(ok(&json!({ "total": rows.len(), "backups": rows })))
    }

    async fn rows(&self, query: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for listed in self.listed(query).await {
            let id = listed["backup_id"].as_str().unwrap_or_default();
            rows.extend(self.row(id).await);
        }
        rows
    }

    /// The backups that the hub behind lists, in its shape.
    async fn listed(&self, query: &str) -> Vec<Value> {
        let list = self.ask(&format!("backups?{query}")).await;
        let rows = list.unwrap_or_default()["backups"].as_array().cloned();
        rows.unwrap_or_default()
    }

    async fn row(&self, id: &str) -> Option<Value> {
        let detail = self.ask(&format!("backups/{id}")).await?;
        let hazards = self.hazards();
        let looks = self.state().asked.len();
        Some(shapes::backup(
            &detail,
            hazards.offset_seconds,
            hazards.unfinished_disks,
            looks,
        ))
    }

    async fn knows_vm(&self, name: &str) -> bool {
        let vms = self.ask("vm-contexts").await.unwrap_or_default();
        let vms = vms["vm_contexts"].as_array().cloned().unwrap_or_default();
        vms.iter().any(|vm| vm["vm_name"] == *name)
    }

    async fn backup(&self, id: &str) -> Answer {
        match self.row(id).await {
            Some(row) => Ok(ok(&row)),
            None => Ok(answer_of(
                StatusCode::NOT_FOUND,
                &failure("backup not found"),
            )),
        }
    }

    async fn start_backup(&self, request: Request<Bytes>) -> Answer {
        let hazards = self.hazards();
        let (parts, body) = request.into_parts();
        let body = parsed(&body);
        if !self
            .knows_vm(body["vm_name"].as_str().unwrap_or_default())
            .await
        {
            return Err(Dropped);
        }
        if hazards.loses_chain_rows && body["backup_type"] == "incremental" {
            let mut refusal = failure("failed to prepare backup");
            refusal["details"] = "backup chain not found for context".into();
            return Ok(answer_of(StatusCode::INTERNAL_SERVER_ERROR, &refusal));
        }
        let request = Request::from_parts(parts, Bytes::from(body.to_string()));
        let answer = self.forward(request).await?;
        if hazards.loses_start_answers {
            return Err(Dropped);
        }
        let answer = as_deployed_failure(answer, true).await?;
        changed(answer, |value| {
            shapes::started(value, hazards.offset_seconds)
        })
        .await
    }

    async fn delete(&self, request: Request<Bytes>, knows_missing: bool) -> Answer {
        let answer = self.forward(request).await?;
        match self.hazards().loses_delete_answers {
            true => Err(Dropped),
            false => as_deployed_failure(answer, knows_missing).await,
        }
    }

    /// The completed backups of a VM in a repository, with the true offset of the newest (section 12).
    async fn stats(&self, request: &Request<Bytes>) -> Answer {
        let query = Query::of(request);
        let (Some(name), Some(repository)) = (query.get("vm_name"), query.get("repository_id"))
        else {
            return Ok(answer_of(
                StatusCode::BAD_REQUEST,
                &failure("vm_name and repository_id are required"),
            ));
        };
        let rows = self.listed(&format!("vm_name={}", encoded(name))).await;
        let offset = self.hazards().offset_seconds;
        Ok(ok(&shapes::stats(&rows, repository, offset)))
    }

    /// The newest backup, in whatever repository, whose disk is done (H41).
    async fn change_id(&self, request: &Request<Bytes>) -> Answer {
        let query = Query::of(request);
        let (Some(name), Some(disk)) = (query.get("vm_name"), query.get("disk_id")) else {
            return Ok(answer_of(
                StatusCode::BAD_REQUEST,
                &failure("vm_name is required"),
            ));
        };
        let disk: usize = disk.parse().unwrap_or_default();
        let unfinished = self.hazards().unfinished_disks;
        let rows = self.listed(&format!("vm_name={}", encoded(name))).await;
        let done = rows.into_iter().find(|row| {
            let n_disks = row["disk_count"].as_u64().unwrap_or_default() as usize;
            row["status"] == "completed" && disk < n_disks.saturating_sub(unfinished)
        });
        Ok(ok(&match done {
            Some(row) => json!({
                "vm_name": name, "disk_id": disk.to_string(), "change_id": "52 3c ec 11/1",
                "backup_job_id": row["backup_id"], "message": "found",
            }),
            None => {
                json!({ "vm_name": name, "disk_id": disk.to_string(), "change_id": "", "message": "none" })
            }
        }))
    }

    /// The oldest full backup in whatever repository, and nothing else (D34).
    async fn chain(&self, request: &Request<Bytes>) -> Answer {
        let query = Query::of(request);
        let Some(id) = query.get("vm_context_id") else {
            return Err(Dropped);
        };
        let rows = self.rows(&format!("vm_context_id={}", encoded(id))).await;
        let full = rows
            .into_iter()
            .rfind(|row| row["status"] == "completed" && row["backup_type"] == "full");
        Ok(ok(&shapes::chain(id, full)))
    }

    async fn mount(&self, request: Request<Bytes>) -> Answer {
        let hazards = self.hazards();
        let answer = self.restore(request).await?;
        changed(answer, |value| shapes::mount(value, &hazards)).await
    }

    async fn mounts(&self, request: Request<Bytes>) -> Answer {
        let hazards = self.hazards();
        if hazards.mounts_are_over() {
            return Ok(ok(&json!({ "count": 0, "mounts": [] })));
        }
        let answer = self.restore(request).await?;
        changed(answer, |value| shapes::mounts(value, &hazards)).await
    }

    /// At the root there are partitions only, also when everything below is asked for (section 12).
    async fn files(&self, mut request: Request<Bytes>) -> Answer {
        if self.hazards().mounts_are_over() {
            return Ok(answer_of(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json!({ "error": "mount not found: record not found" }),
            ));
        }
        let query = Query::of(&request);
        if query.get("path").is_none_or(|path| path == "/") {
            let path = format!("{}?path=/", request.uri().path());
            *request.uri_mut() = path.parse().expect("a path of a request is one again");
        }
        let answer = self.restore(request).await?;
        changed(answer, shapes::files).await
    }

    async fn archive(&self, request: Request<Bytes>) -> Answer {
        let hazards = self.hazards();
        let answer = self.restore(request).await?;
        if !answer.status().is_success() || !(hazards.shortens_archives || hazards.follows_links) {
            return Ok(answer);
        }
        let body = to_bytes(answer.into_body(), LONGEST_BODY).await;
        let archive = shapes::archive(
            &body.map_err(|_| Dropped)?,
            hazards.shortens_archives,
            hazards.follows_links,
        );
        // Without a length, as what is streamed.
        let body = Body::from_stream(stream::iter([Ok::<_, Dropped>(archive)]));
        Ok(Response::new(body))
    }

    /// What belongs to restoring fails with 500, whatever the reason (E1).
    async fn restore(&self, request: Request<Bytes>) -> Answer {
        let answer = self.forward(request).await?;
        as_deployed_failure(answer, false).await
    }

    /// The same question to the hub behind.
    async fn forward(&self, request: Request<Bytes>) -> Answer {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut question = self
            .http
            .request(parts.method.clone(), format!("{}{path}", self.behind));
        if parts.method == Method::POST {
            question = question.header(header::CONTENT_TYPE, "application/json");
        }
        let answer = question.body(body).send().await.map_err(|_| Dropped)?;
        let mut response = Response::builder().status(answer.status());
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            if let Some(value) = answer.headers().get(&name) {
                response = response.header(name, value);
            }
        }
        let body = Body::from_stream(answer.bytes_stream());
        Ok(response
            .body(body)
            .expect("headers of an answer are headers"))
    }

    /// A question of its own to the hub behind; nothing where it refuses.
    async fn ask(&self, below: &str) -> Option<Value> {
        let url = format!("{}/api/v1/{below}", self.behind);
        let answer = self.http.get(url).send().await.ok()?;
        match answer.status().is_success() {
            true => answer.json().await.ok(),
            false => None,
        }
    }
}

/// The values of a question.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request<Bytes>) -> Self {
        let url = format!("http://hub{}", request.uri());
        let url: reqwest::Url = url.parse().expect("a path of a request is one of a URL");
        Self(url.query_pairs().into_owned().collect())
    }

    /// An empty value is none.
    fn get(&self, name: &str) -> Option<&String> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }
}

fn encoded(value: &str) -> String {
    let mut url: reqwest::Url = "http://hub".parse().expect("this is a URL");
    url.query_pairs_mut().append_pair("v", value);
    let query = url.query().unwrap_or_default();
    query.trim_start_matches("v=").to_owned()
}

/// What is no JSON is null.
fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// A good answer in another shape; a failure as it is.
async fn changed(answer: Response<Body>, change: impl FnOnce(&Value) -> Value) -> Answer {
    if !answer.status().is_success() {
        return Ok(answer);
    }
    let body = to_bytes(answer.into_body(), LONGEST_BODY).await;
    let value = parsed(&body.map_err(|_| Dropped)?);
    Ok(ok(&change(&value)))
}

/// Failures of deployed hubs are 500 (D7) but for a backup that is not there, and have no code.
async fn as_deployed_failure(answer: Response<Body>, knows_missing: bool) -> Answer {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = to_bytes(answer.into_body(), LONGEST_BODY).await;
    let mut body = parsed(&body.map_err(|_| Dropped)?);
    if let Some(fields) = body.as_object_mut() {
        fields.remove("code");
    }
    let stays =
        status == StatusCode::BAD_REQUEST || (knows_missing && status == StatusCode::NOT_FOUND);
    let status = match status.is_client_error() && !stays {
        true => StatusCode::INTERNAL_SERVER_ERROR,
        false => status,
    };
    Ok(answer_of(status, &body))
}

/// The shape of failures around backups (E2).
fn failure(text: &str) -> Value {
    json!({ "error": text, "details": "", "timestamp": "" })
}

fn ok(value: &Value) -> Response<Body> {
    answer_of(StatusCode::OK, value)
}

fn answer_of(status: StatusCode, value: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(value.to_string()))
        .expect("these headers are headers")
}

/// What a path gets that no handler has, whatever the method (section 12).
fn no_route() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found")
}

/// A failure of one line of text (E5).
fn plain(status: StatusCode, text: &str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Body::from(format!("{text}\n")))
        .expect("these headers are headers")
}
