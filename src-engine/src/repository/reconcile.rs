//! Compares rows and files when the hub starts. Manifests are rewritten from the rows; any other difference is
//! reported. Nothing is deleted, because either side may be right.

use std::{collections::HashSet, path::PathBuf};

use super::{
    layout::{file_name, files_of_backups},
    manifest::{self, Manifest, Unusable},
};
use crate::{
    files::COPYING,
    image::{is_partial, map::map_path},
    store::{
        Store,
        backups::{self, Backup, Filter, Status},
        repositories::{self, Repository},
    },
};

/// Something that is not as the rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The repository in which it is.
    pub repository_id: String,
    /// The file that is missing, or that nobody knows.
    pub path: PathBuf,
    /// What that means, in words.
    pub problem: String,
}

/// Looks through all repositories that are connected. Manifests that are missing or differ are written
/// anew from the rows; what else differs is given back.
pub(crate) fn reconcile(store: &Store) -> rusqlite::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for repository in store.with(repositories::list)? {
        if let Err(why) = repository.connected() {
            tracing::warn!(name = repository.name, %why, "a repository is not connected");
            continue;
        }
        differences.extend(in_repository(store, &repository)?);
    }
    for difference in &differences {
        tracing::warn!(
            path = %difference.path.display(),
            problem = difference.problem,
            "a repository is not as it should be"
        );
    }
    Ok(differences)
}

fn in_repository(store: &Store, repository: &Repository) -> rusqlite::Result<Vec<Difference>> {
    let backups = store.with(|connection| {
        let filter = Filter {
            repository_id: Some(repository.id.clone()),
            status: Some(Status::Completed),
            ..Filter::default()
        };
        backups::list(connection, &filter)
    })?;
    let difference = |path: PathBuf, problem: String| Difference {
        repository_id: repository.id.clone(),
        path,
        problem,
    };
    let mut differences = Vec::new();
    let mut known = HashSet::new();
    for backup in &backups {
        let problems = missing_files(backup, &mut known);
        differences.extend(
            problems
                .into_iter()
                .map(|(path, why)| difference(path, why)),
        );
        if let Err((path, why)) = renew_manifest(store, backup)? {
            differences.push(difference(path, why));
        }
        known.extend(backup.manifest_path());
    }
    let strangers = files_of_backups(&repository.config.path)
        .into_iter()
        .filter(|path| !known.contains(path) && !is_unfinished(&file_name(path)))
        .map(|path| {
            let problem = match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {
                    "it describes a recovery point that is not on record; rescan the repository"
                }
                _ => "no recovery point on record uses it",
            };
            difference(path, problem.to_owned())
        });
    differences.extend(strangers);
    Ok(differences)
}

fn is_unfinished(file_name: &str) -> bool {
    is_partial(file_name) || (file_name.starts_with("backup-") && file_name.ends_with(COPYING))
}

/// What a backup lacks, and all the files it should have.
fn missing_files(backup: &Backup, known: &mut HashSet<PathBuf>) -> Vec<(PathBuf, String)> {
    let mut missing = Vec::new();
    let images = backup
        .disks
        .iter()
        .filter_map(|disk| disk.qcow2_path.clone());
    for image in images {
        let map = map_path(&image);
        if !image.exists() {
            let problem = format!(
                "it is missing: {} cannot be restored, nor what builds on it",
                backup.backup_id
            );
            missing.push((image.clone(), problem));
        } else if !map.exists() {
            let problem = format!(
                "it is missing: {} can be restored but not verified",
                backup.backup_id
            );
            missing.push((map.clone(), problem));
        }
        known.extend([image, map]);
    }
    missing
}

/// Writes the manifest of a backup where it is missing, damaged, or behind the rows.
fn renew_manifest(
    store: &Store,
    backup: &Backup,
) -> rusqlite::Result<Result<(), (PathBuf, String)>> {
    let _one_at_a_time = store.recording();
    let of_rows = store.with(|connection| manifest::of_rows(connection, &backup.backup_id))?;
    let Some((path, expected)) = of_rows else {
        return Ok(Ok(()));
    };
    // There is nothing to describe, or no folder for it.
    if !path.parent().is_some_and(|context| context.is_dir()) {
        return Ok(Ok(()));
    }
    match Manifest::read(&path) {
        Ok(found) if found.is_of_the_same_rows(&expected) => return Ok(Ok(())),
        Err(newer @ Unusable::Newer(_)) => return Ok(Err((path, newer.to_string()))),
        Ok(_) | Err(_) => {}
    }
    tracing::info!(path = %path.display(), "writing a manifest anew");
    let planned = (path, expected);
    let written = manifest::write(Some(&planned));
    Ok(written.map_err(|failure| (planned.0, failure.to_string())))
}
