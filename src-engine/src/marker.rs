//! The file that names a repository. If it is missing, the repository is not connected, whatever else is there: a disk
//! that is not plugged in leaves an empty folder, and an engine that took this for a repository without backups would
//! report them as lost and write to the wrong disk.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    failure::NotConnected,
    files::{self, MARKER},
    store::repositories::Repository,
};

const FORMAT: &str = "sendense-repository";

/// What the file says that names a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    format: String,
    version: u32,
    pub(crate) repository_id: String,
    pub(crate) name: String,
}

impl Repository {
    /// Looks whether the repository is where it should be.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn connected(&self) -> Result<(), NotConnected> {
        let folder = &self.config.path;
        match Marker::read(folder) {
            Ok(Some(marker)) if marker.repository_id == self.id => Ok(()),
            Ok(Some(_)) => Err(NotConnected::Another(folder.clone())),
            Ok(None) if folder.is_dir() => Err(NotConnected::NotThere(folder.clone())),
            Ok(None) => Err(NotConnected::Missing(folder.clone())),
            Err(source) => Err(NotConnected::Unreadable {
                path: folder.join(MARKER),
                source,
            }),
        }
    }

    /// Writes the file that names it.
    pub(crate) fn mark(&self) -> io::Result<()> {
        let marker = Marker {
            format: FORMAT.to_owned(),
            version: 1,
            repository_id: self.id.clone(),
            name: self.name.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&marker)?;
        text.push(b'\n');
        files::replace(&self.config.path.join(MARKER), &text)
    }
}

impl Marker {
    /// The repository that lies in a folder; `None` where none does.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or is no such file.
    pub(crate) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read(folder.join(MARKER)) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let marker: Self = serde_json::from_slice(&text)?;
        if marker.format != FORMAT || marker.version != 1 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a newer version of the hub made it",
            ));
        }
        Ok(Some(marker))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::repositories::{LOCAL, LocalConfig};

    const ID: &str = "repo-local-1";

    fn repository(folder: &Path) -> Repository {
        Repository {
            id: ID.to_owned(),
            name: "disk".to_owned(),
            repository_type: LOCAL.to_owned(),
            enabled: true,
            config: LocalConfig {
                path: folder.to_path_buf(),
            },
            is_immutable: false,
            min_retention_days: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_folder_is_the_repository_only_with_the_file_that_names_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("disk");
        let repository = repository(&folder);
        assert!(matches!(
            repository.connected(),
            Err(NotConnected::Missing(_))
        ));
        fs::create_dir(&folder).unwrap();
        assert!(matches!(
            repository.connected(),
            Err(NotConnected::NotThere(_))
        ));
        repository.mark().unwrap();
        repository.connected().unwrap();
        let another = Repository {
            id: "repo-local-2".to_owned(),
            ..repository
        };
        assert!(matches!(another.connected(), Err(NotConnected::Another(_))));
        fs::write(folder.join(MARKER), "{}").unwrap();
        assert!(matches!(
            another.connected(),
            Err(NotConnected::Unreadable { .. })
        ));
    }
}
