//! How much there is to save, and a name for it that is still free.

use std::path::{Path, PathBuf};

use sendense_types::{FolderSize, MountId};
use sendense_words as words;

use super::one_by_one::is_content;
use crate::{HubClient, Result};

/// How much is in a folder and everything below: what its files hold, links not followed. Also says what of it will not
/// arrive, as far as that is known before it begins (contract H1, H14).
///
/// # Errors
/// When the hub cannot list it.
pub(super) async fn measure_folder(
    hub: &HubClient,
    mount_id: &MountId,
    path: &str,
) -> Result<FolderSize> {
    let listing = hub.list_tree(mount_id, path).await?;
    let files = listing.files.iter().filter(|file| is_content(file));
    let mut size = FolderSize {
        size_bytes: 0,
        n_files: 0,
        warnings: Vec::new(),
    };
    let mut n_too_large = 0;
    for file in files {
        // A hub may say anything; the sum is for the eye.
        size.size_bytes = size.size_bytes.saturating_add(file.size.unwrap_or(0));
        size.n_files += 1;
        n_too_large += u64::from(hub.refuse_too_large(file.size.unwrap_or(0)).is_err());
    }
    if n_too_large > 0 {
        size.warnings
            .push(words::browser::files_too_large(n_too_large));
    }
    if let Err(error) = hub.refuse_too_late(size.size_bytes) {
        size.warnings.push(error.message);
    }
    Ok(size)
}

/// This path, or where something lies there or is `taken` already, the next of "name (2).txt",
/// "name (3).txt", ….
pub fn free_name(path: &Path, taken: &[PathBuf]) -> PathBuf {
    // Case is no difference on two of our three systems.
    let is_taken = |path: &Path| {
        let name = path.to_string_lossy().to_lowercase();
        path.symlink_metadata().is_ok()
            || taken
                .iter()
                .any(|taken| taken.to_string_lossy().to_lowercase() == name)
    };
    let mut places = std::iter::once(path.to_path_buf()).chain(numbered(path));
    let free = places.find(|path| !is_taken(path));
    free.unwrap_or_else(|| path.to_path_buf())
}

/// "name (2).txt", "name (3).txt", … beside "name.txt".
pub(super) fn numbered(path: &Path) -> impl Iterator<Item = PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path
        .extension()
        .map(|ending| format!(".{}", ending.to_string_lossy()))
        .unwrap_or_default();
    (2_u64..).map(move |n| path.with_file_name(format!("{stem} ({n}){ending}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        assert_eq!(free_name(&path, &[]), path);
        std::fs::write(&path, "").unwrap();
        let second = folder.path().join("notes (2).txt");
        assert_eq!(free_name(&path, &[]), second);
        let third = folder.path().join("notes (3).txt");
        assert_eq!(free_name(&path, std::slice::from_ref(&second)), third);
    }

    #[test]
    fn names_that_differ_in_case_only_are_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let taken = [folder.path().join("README")];
        let path = folder.path().join("readme");
        assert_eq!(free_name(&path, &taken), folder.path().join("readme (2)"));
    }
}
