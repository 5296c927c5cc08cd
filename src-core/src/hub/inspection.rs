//! What a hub says of itself, and what it can be asked for. Only questions are put, which change nothing.

use sendense_types::{AppError, ErrorKind};
use serde_json::Value;

use super::session::is_missing;
use super::wire::Fields;
use super::{HubClient, wire};
use crate::Result;

/// More than any hub says of itself.
const LONGEST_HEALTH_BYTES: usize = 64 * 1024;

/// What a hub says of itself, as far as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubHealth {
    /// What kind of hub it is.
    pub service: Option<String>,
    /// Its version; the same for all deployed hubs (contract 3.1).
    pub version: Option<String>,
    /// How it is.
    pub status: Option<String>,
    /// How it stands with its database.
    pub database: Option<String>,
}

/// Whether somebody has to sign in to a hub, and has.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// It lets everybody in.
    NotNeeded,
    /// It accepts what it was given.
    SignedIn,
    /// It wants somebody to sign in, or does not accept what it was given.
    Refused(AppError),
}

/// Something that not all hubs offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// VMs to back up.
    Vms,
    /// A list of repositories.
    Repositories,
    /// Mounts, to restore files from.
    Mounts,
    /// Sign-ins for vCenters, to find VMs with.
    VcenterSignIns,
    /// Rules for how many recovery points are kept.
    Retention,
    /// Disks of recovery points written as images into folders of its computer.
    FullRestores,
}

/// Whether a hub offers something.
#[derive(Clone, Debug, PartialEq)]
pub enum Offered {
    /// It does; with how many there are, where they can be counted.
    Yes(Option<usize>),
    /// It does not.
    No,
    /// That cannot be told.
    Unknown(Option<AppError>),
}

impl HubClient {
    /// What the hub says of itself. A proxy in front of it may say less, and a hub that says nothing is one all the same.
    ///
    /// # Errors
    /// As [`health`](Self::health).
    pub async fn ask_health(&self) -> Result<HubHealth> {
        let mut answer = self.ask_for_health().await?;
        let mut text = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await
            && text.len() < LONGEST_HEALTH_BYTES
        {
            text.extend_from_slice(&piece);
        }
        let value = serde_json::from_slice::<Value>(&text).unwrap_or_default();
        let Ok(fields) = Fields::of(&value) else {
            return Ok(HubHealth::default());
        };
        let field = |name: &str| fields.text(&[name]);
        Ok(HubHealth {
            service: field("service"),
            version: field("version"),
            status: field("status"),
            database: field("database"),
        })
    }

    /// Whether it lets us in, and would let in anybody.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn admission(&self) -> Result<Admission> {
        let as_nobody = self.get_as_nobody(self.v1(&["vm-contexts"])?).await;
        match as_nobody {
            Ok(_) => return Ok(Admission::NotNeeded),
            Err(error) if error.kind != ErrorKind::Unauthorized => return Err(error),
            Err(_) => {}
        }
        match self.check_sign_in().await {
            Ok(()) => Ok(Admission::SignedIn),
            Err(error) if error.kind == ErrorKind::Unauthorized => Ok(Admission::Refused(error)),
            Err(error) => Err(error),
        }
    }

    /// What it offers of what not all hubs do.
    pub async fn offers(&self) -> Vec<(Offer, Offered)> {
        let vms = self.vms().await;
        let repositories = async {
            let answer = self.get(self.v1(&["repositories"])?).await?;
            wire::repositories(&answer)
        };
        let retention = match vms.as_ref().map(|vms| vms.first()) {
            Ok(Some(vm)) => offered(self.retention(vm).await, |_| None),
            // Its address holds the name of a VM.
            Ok(None) | Err(_) => Offered::Unknown(None),
        };
        vec![
            (Offer::Vms, offered(vms, counted)),
            (Offer::Repositories, offered(repositories.await, counted)),
            (Offer::Mounts, offered(self.mounts().await, counted)),
            (
                Offer::VcenterSignIns,
                offered(self.vcenter_credentials().await, counted),
            ),
            (Offer::Retention, retention),
            (
                Offer::FullRestores,
                offered(self.full_restores().await, counted),
            ),
        ]
    }
}

fn counted<T>(list: impl AsRef<[T]>) -> Option<usize> {
    Some(list.as_ref().len())
}

fn offered<T>(answer: Result<T>, count: impl FnOnce(T) -> Option<usize>) -> Offered {
    match answer {
        Ok(answer) => Offered::Yes(count(answer)),
        Err(error) if is_missing(&error) => Offered::No,
        Err(error) => Offered::Unknown(Some(error)),
    }
}
