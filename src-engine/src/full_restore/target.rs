//! Where a full restore writes: whether it may, and what its files are called.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sendense_types::{ImageFormat, MachineDefinition};

use crate::{
    error::{Error, Result},
    store::{Store, repositories},
};

/// Names of files may have 255 bytes; the rest is for what is put behind.
const LONGEST_STEM_BYTES: usize = 120;
/// What Windows takes for devices.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];

/// Makes sure that files may be written into a folder: it is there, and neither the hub nor a repository keeps its own
/// in it. Gives it with links resolved.
///
/// # Errors
/// Why not.
pub(crate) fn require_folder(folder: &Path, own_folder: &Path, store: &Store) -> Result<PathBuf> {
    if !folder.is_absolute() {
        return Err(Error::TargetNotAbsolute(folder.to_path_buf()));
    }
    let Ok(found) = folder.canonicalize() else {
        return Err(Error::FolderMissing(folder.to_path_buf()));
    };
    if !found.is_dir() {
        return Err(Error::NotAFolder(folder.to_path_buf()));
    }
    // Everything about it is told and kept as text.
    let is_text = |path: &str| !path.chars().any(char::is_control);
    if !found.to_str().is_some_and(is_text) {
        return Err(Error::TargetNotText(folder.to_path_buf()));
    }
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if found.starts_with(resolved(own_folder)) {
        return Err(Error::TargetOfHub(folder.to_path_buf()));
    }
    let all = store.with(repositories::list)?;
    let inside = all
        .iter()
        .find(|repository| found.starts_with(resolved(&repository.config.path)));
    match inside {
        Some(repository) => Err(Error::TargetInRepository {
            name: repository.name.clone(),
            path: folder.to_path_buf(),
        }),
        None => Ok(found),
    }
}

/// What the files of a VM are called, without what they end with: its name, as far as every system takes it.
pub(crate) fn stem(vm_name: &str) -> String {
    let mut stem = String::new();
    for character in vm_name.chars() {
        let keep = character.is_alphanumeric() || matches!(character, ' ' | '.' | '_' | '-');
        let character = if keep { character } else { '-' };
        if stem.len() + character.len_utf8() > LONGEST_STEM_BYTES {
            break;
        }
        stem.push(character);
    }
    // Leading dots hide a file; dots and spaces at the end vanish on Windows.
    let stem = stem.trim_matches(['.', ' ', '-']);
    let device = stem.split('.').next().unwrap_or_default().to_lowercase();
    let is_port = device.len() == 4 && (device.starts_with("com") || device.starts_with("lpt"));
    match stem {
        "" => "vm".to_owned(),
        stem if is_port || DEVICES.contains(&device.as_str()) => format!("vm-{stem}"),
        stem => stem.to_owned(),
    }
}

/// What the image of a disk is called.
pub(crate) fn image_name(
    stem: &str,
    disk_index: u32,
    n_disks: usize,
    format: ImageFormat,
) -> String {
    let extension = format.extension();
    match n_disks {
        1 => format!("{stem}.{extension}"),
        _ => format!("{stem}-disk{disk_index}.{extension}"),
    }
}

/// What the machine definition is called; `None` where there is none.
pub(crate) fn definition_name(stem: &str, definition: MachineDefinition) -> Option<String> {
    match definition {
        MachineDefinition::None => None,
        definition => Some(format!("{stem}.{}", definition.extension())),
    }
}

/// Whether there is anything by that name, be it a link that leads nowhere.
pub(crate) fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_as_their_vm_as_far_as_every_system_takes_it() {
        for (vm_name, expected) in [
            ("web", "web"),
            ("Löwe 2.0 (old)", "Löwe 2.0 -old"),
            ("../../etc/passwd", "etc-passwd"),
            ("a/b\\c:d\"e\n<f>|g", "a-b-c-d-e--f--g"),
            ("con", "vm-con"),
            ("LPT1.txt", "vm-LPT1.txt"),
            ("console", "console"),
            (" .. ", "vm"),
            ("", "vm"),
        ] {
            assert_eq!(stem(vm_name), expected, "{vm_name:?}");
        }
        assert!(stem(&"ü".repeat(500)).len() <= LONGEST_STEM_BYTES);
    }

    #[test]
    fn several_disks_have_their_numbers() {
        assert_eq!(image_name("web", 0, 1, ImageFormat::Vhdx), "web.vhdx");
        assert_eq!(image_name("web", 3, 2, ImageFormat::Raw), "web-disk3.raw");
        assert_eq!(definition_name("web", MachineDefinition::None), None);
        let name = definition_name("web", MachineDefinition::Vmware);
        assert_eq!(name.as_deref(), Some("web.vmx"));
    }
}
