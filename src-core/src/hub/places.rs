//! Where a repository keeps its backups, as hubs want to hear it (contract 3.5).

use std::collections::BTreeSet;

use sendense_types::{AppError, ErrorKind, Mounting, RepositoryPlace, Retry};
use sendense_words as words;
use serde_json::{Value, json};

use crate::Result;

/// Below this folder of its computer a hub mounts the shares for which nobody chose a place.
const MOUNT_POINTS: &str = "/mnt/sendense";
/// Longer names are cut: a folder's name has limits, and this one is for people.
const LONGEST_NAME: usize = 40;

/// The type and the settings of a place, all of them: deployed hubs take what is left out for "no" (contract H33).
pub(super) fn settings(place: &RepositoryPlace) -> Result<(&'static str, Value)> {
    if !place.is_complete() {
        return Err(AppError::new(
            ErrorKind::Invalid,
            words::failures::place_incomplete(),
            Retry::Never,
        ));
    }
    Ok(match place {
        RepositoryPlace::Folder { path } => (
            "local",
            json!({ "path": path, "auto_mount": false, "mount_options": "" }),
        ),
        RepositoryPlace::Nfs {
            server,
            export_path,
            mounting,
        } => (
            "nfs",
            json!({
                "server": server.trim(), "export_path": export_path.trim(), "mount_point": mounting.point,
                "nfs_version": "", "mount_options": mounting.options.trim(),
            }),
        ),
        RepositoryPlace::Cifs {
            server,
            share_name,
            username,
            password,
            domain,
            mounting,
        } => (
            "cifs",
            json!({
                "server": server.trim(), "share_name": share_name.trim(), "mount_point": mounting.point,
                "username": username.trim(), "password_secret": password.reveal(), "domain": domain.trim(),
                "mount_options": mounting.options.trim(),
            }),
        ),
    })
}

/// The secret in it, which no answer may repeat; empty where there is none.
pub(super) fn secret(place: &RepositoryPlace) -> &str {
    match place {
        RepositoryPlace::Cifs { password, .. } => password.reveal(),
        RepositoryPlace::Folder { .. } | RepositoryPlace::Nfs { .. } => "",
    }
}

/// The place with a folder to mount it at that is no other repository's: a hub takes whatever is mounted there for the
/// share, and would write the backups of one into the other.
///
/// # Errors
/// `Conflict` when the folder that was chosen is taken.
pub(super) fn mounted(
    place: &RepositoryPlace,
    name: &str,
    taken: &BTreeSet<String>,
) -> Result<RepositoryPlace> {
    let mut place = place.clone();
    let Some(mounting) = mounting(&mut place) else {
        return Ok(place);
    };
    let chosen = mounting.point.trim();
    let chosen = match chosen.trim_end_matches('/') {
        "" => chosen,
        shorter => shorter,
    };
    mounting.point = match chosen {
        "" => free_point(name, taken),
        chosen if taken.contains(chosen) => {
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::mount_point_taken(),
                Retry::Never,
            )
            .with_hint(words::failures::choose_another()));
        }
        chosen => chosen.to_owned(),
    };
    Ok(place)
}

fn mounting(place: &mut RepositoryPlace) -> Option<&mut Mounting> {
    match place {
        RepositoryPlace::Folder { .. } => None,
        RepositoryPlace::Nfs { mounting, .. } | RepositoryPlace::Cifs { mounting, .. } => {
            Some(mounting)
        }
    }
}

/// A folder named after the repository, with a number where that is taken.
fn free_point(name: &str, taken: &BTreeSet<String>) -> String {
    let plain: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(LONGEST_NAME)
        .collect();
    let plain = match plain.trim_matches('-') {
        "" => "repository",
        plain => plain,
    };
    let first = format!("{MOUNT_POINTS}/{plain}");
    let further = (2..).map(|n: u32| format!("{first}-{n}"));
    std::iter::once(first.clone())
        .chain(further)
        .find(|point| !taken.contains(point))
        .unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use sendense_types::Secret;

    use super::*;

    fn nfs(point: &str) -> RepositoryPlace {
        RepositoryPlace::Nfs {
            server: " nas ".to_owned(),
            export_path: "/exports/backups".to_owned(),
            mounting: Mounting {
                point: point.to_owned(),
                options: "vers=4.1,soft".to_owned(),
            },
        }
    }

    fn cifs() -> RepositoryPlace {
        RepositoryPlace::Cifs {
            server: "nas".to_owned(),
            share_name: "backups".to_owned(),
            username: "ada".to_owned(),
            password: Secret::new(" horse "),
            domain: "CORP".to_owned(),
            mounting: Mounting::default(),
        }
    }

    /// Field by field. Contract 3.5.
    #[test]
    fn each_kind_is_sent_with_every_setting_that_deployed_hubs_know() {
        let none = BTreeSet::new();
        let sent = |place: &RepositoryPlace| {
            settings(&mounted(place, "Off-site Löwe", &none).unwrap()).unwrap()
        };
        assert_eq!(
            sent(&RepositoryPlace::folder("/backup")),
            (
                "local",
                json!({ "path": "/backup", "auto_mount": false, "mount_options": "" })
            )
        );
        assert_eq!(
            sent(&nfs("/mnt/nas/")),
            (
                "nfs",
                json!({
                    "server": "nas", "export_path": "/exports/backups", "mount_point": "/mnt/nas",
                    "nfs_version": "", "mount_options": "vers=4.1,soft",
                })
            )
        );
        assert_eq!(
            sent(&cifs()),
            (
                "cifs",
                json!({
                    "server": "nas", "share_name": "backups", "mount_point": "/mnt/sendense/off-site-l-we",
                    "username": "ada", "password_secret": " horse ", "domain": "CORP", "mount_options": "",
                })
            )
        );
    }

    #[test]
    fn what_no_hub_could_use_is_not_sent() {
        let error = settings(&RepositoryPlace::folder("  ")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }

    #[test]
    fn two_shares_are_never_mounted_at_the_same_folder() {
        let taken: BTreeSet<String> = ["/mnt/sendense/nas", "/mnt/sendense/nas-2", "/backup"]
            .map(str::to_owned)
            .into();
        let point = |place: &RepositoryPlace, name: &str| {
            let mut place = mounted(place, name, &taken)?;
            Ok(mounting(&mut place).map(|mounting| mounting.point.clone()))
        };
        let given: Result<_> = point(&nfs(""), "NAS");
        assert_eq!(given.unwrap().as_deref(), Some("/mnt/sendense/nas-3"));
        let given: Result<_> = point(&nfs(" "), "???");
        assert_eq!(given.unwrap().as_deref(), Some("/mnt/sendense/repository"));
        let refused: Result<_> = point(&nfs("/backup/"), "NAS");
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Conflict);
        // A folder is nowhere mounted.
        let given: Result<_> = point(&RepositoryPlace::folder("/backup"), "NAS");
        assert_eq!(given.unwrap(), None);
    }
}
