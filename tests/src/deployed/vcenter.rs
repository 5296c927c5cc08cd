//! Finding VMs as deployed hubs do (contract 3.4): on a vCenter, which is a folder of the hub behind.

use axum::body::{Body, Bytes};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Dropped, Shared, answer_of, changed, ok, parsed, shapes};

/// The one sign-in that is in use.
pub const CREDENTIAL_ID: u64 = 35;

impl Shared {
    /// All sign-ins, in no order, without their passwords.
    pub(super) fn credentials(&self) -> Answer {
        let row = |id: u64, name: &str, is_active: bool| {
            json!({
                "id": id, "credential_name": name, "vcenter_host": "vc.example", "username": "backup@vsphere.local",
                "datacenter": "DC1", "is_active": is_active, "is_default": is_active, "created_by": "admin",
                "created_at": "2025-10-09T10:00:00Z", "updated_at": "2025-10-09T10:00:00Z", "last_used": null,
                "usage_count": 3,
            })
        };
        let rows = [row(34, "retired", false), row(CREDENTIAL_ID, "vc1", true)];
        Ok(ok(
            &json!({ "credentials": rows, "count": rows.len(), "status": "success" }),
        ))
    }

    pub(super) async fn discover(&self, request: Request<Bytes>) -> Answer {
        let body = parsed(request.body());
        // All that is found is added then (H33).
        assert_eq!(body["create_context"], false, "{body}");
        let Some(question) = self.on_vcenter(&body, "discover-vms") else {
            return Ok(no_credential());
        };
        let answer = self.forward(question).await?;
        self.lost_when_slow()?;
        changed(answer, shapes::discovered).await
    }

    /// Looks for them again; those it knows already are not in its answer.
    pub(super) async fn add_discovered(&self, request: Request<Bytes>) -> Answer {
        let body = parsed(request.body());
        let Some(question) = self.on_vcenter(&body, "add-vms") else {
            return Ok(no_credential());
        };
        let known = self.ask("vm-contexts").await.unwrap_or_default();
        let answer = self.forward(question).await?;
        self.lost_when_slow()?;
        changed(answer, |value| shapes::added(value, &known)).await
    }

    /// The question for the hub behind; none with another sign-in, or without a vCenter.
    fn on_vcenter(&self, body: &Value, what: &str) -> Option<Request<Bytes>> {
        let folder = self.state().vcenter.clone();
        let (Some(folder), Some(CREDENTIAL_ID)) = (folder, body["credential_id"].as_u64()) else {
            return None;
        };
        let mut asked = json!({ "source": { "folder": folder }, "create_context": false });
        if let Some(names) = body.get("vm_names") {
            asked["vm_names"] = names.clone();
        }
        Some(
            Request::builder()
                .method(Method::POST)
                .uri(format!("/api/v1/discovery/{what}"))
                .body(Bytes::from(asked.to_string()))
                .expect("this is a request"),
        )
    }

    /// A handler that takes longer than 15 seconds does its work, and cannot answer (section 12).
    fn lost_when_slow(&self) -> Result<(), Dropped> {
        match self.hazards().loses_discovery_answers {
            true => Err(Dropped),
            false => Ok(()),
        }
    }
}

fn no_credential() -> Response<Body> {
    answer_of(
        StatusCode::INTERNAL_SERVER_ERROR,
        &json!({ "error": "Failed to load credentials: record not found", "timestamp": "2025-10-10T14:00:00Z" }),
    )
}
