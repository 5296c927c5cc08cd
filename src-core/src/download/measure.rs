//! How much there is to save, and a name for it that is still free.

use std::path::{Path, PathBuf};

use sendense_types::{FileEntry, FolderFormat, FolderSize, MountId};
use sendense_words as words;

use super::contents::is_content;
use crate::names::{Platform, entry_name};
use crate::{HubClient, Result};

/// How much is in folders and everything below: what their files hold, links not followed. Also says what of it will not
/// arrive as it is, as far as that is known before it begins (contract H1, H14), a sentence for each kind.
///
/// # Errors
/// When the hub cannot list them.
pub(super) async fn measure_folders(
    hub: &HubClient,
    mount_id: &MountId,
    paths: &[String],
    format: FolderFormat,
) -> Result<FolderSize> {
    let mut size = FolderSize::default();
    let mut found = Found::default();
    for path in paths {
        let listing = hub.list_tree(mount_id, path).await?;
        for file in &listing.files {
            found.look_at(file, format);
            if is_content(file) {
                // A hub may say anything; the sum is for the eye.
                size.size_bytes = size.size_bytes.saturating_add(file.size.unwrap_or(0));
                size.n_files += 1;
                let is_too_large = hub.refuse_too_large(file.size.unwrap_or(0)).is_err();
                found.n_too_large += u64::from(is_too_large);
            }
        }
    }
    size.warnings = found.sentences();
    if let Err(error) = hub.refuse_too_late(size.size_bytes) {
        size.warnings.push(error.message);
    }
    Ok(size)
}

/// What will not arrive as it is.
#[derive(Default)]
struct Found {
    n_too_large: u64,
    n_unreadable: u64,
    n_renamed: u64,
    n_links: u64,
    n_with_streams: u64,
}

impl Found {
    fn look_at(&mut self, file: &FileEntry, format: FolderFormat) {
        let platform = Platform::current();
        let is_plain = format == FolderFormat::Files;
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let is_lost_link = file.is_symlink
            && (file.symlink_target.is_none() || (is_plain && platform == Platform::Windows));
        self.n_unreadable += u64::from(file.unreadable.is_some());
        self.n_links += u64::from(is_lost_link);
        if is_plain {
            self.n_renamed += u64::from(entry_name(name, platform) != name);
            self.n_with_streams += u64::from(!file.streams.is_empty());
        }
    }

    fn sentences(&self) -> Vec<String> {
        use words::browser::{
            files_renamed, files_too_large, files_unreadable, links_left_out, streams_left_out,
        };
        let kinds = [
            (self.n_too_large, files_too_large(self.n_too_large)),
            (self.n_unreadable, files_unreadable(self.n_unreadable)),
            (self.n_links, links_left_out(self.n_links)),
            (self.n_with_streams, streams_left_out(self.n_with_streams)),
            (self.n_renamed, files_renamed(self.n_renamed)),
        ];
        let found = kinds.into_iter().filter(|(n, _)| *n > 0);
        found.map(|(_, sentence)| sentence).collect()
    }
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
