//! The standard folders of libvirt and GNOME Boxes, which keep descriptions and images apart: choosing either one means
//! both.

use std::path::{Path, PathBuf};

/// A place of descriptions, and one of images.
type Pair = (PathBuf, PathBuf);

/// The places of libvirt, for the system and for a user.
fn pairs(home: Option<&Path>) -> Vec<Pair> {
    let mut pairs = vec![(
        PathBuf::from("/etc/libvirt/qemu"),
        PathBuf::from("/var/lib/libvirt/images"),
    )];
    if let Some(home) = home {
        let descriptions = home.join(".config/libvirt/qemu");
        pairs.push((
            descriptions.clone(),
            home.join(".local/share/libvirt/images"),
        ));
        pairs.push((descriptions, home.join(".local/share/gnome-boxes/images")));
    }
    pairs
}

/// The other places that belong to a chosen folder, links resolved. Only who may write to these could name
/// files of others there, and that is the system or the user itself.
pub(crate) fn beside(folder: &Path) -> Vec<PathBuf> {
    let user = directories::BaseDirs::new();
    beside_with(folder, user.as_ref().map(directories::BaseDirs::home_dir))
}

fn beside_with(folder: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let is_in = |place: &Path| {
        place
            .canonicalize()
            .is_ok_and(|place| folder.starts_with(place))
    };
    let mut others: Vec<PathBuf> = pairs(home)
        .iter()
        .filter_map(|(descriptions, images)| match () {
            () if is_in(descriptions) => images.canonicalize().ok(),
            () if is_in(images) => descriptions.canonicalize().ok(),
            () => None,
        })
        .collect();
    others.dedup();
    others
}

/// Everything that may be opened for the VMs of a chosen folder.
pub(crate) fn roots(folder: &Path) -> Vec<PathBuf> {
    let mut roots = beside(folder);
    roots.insert(0, folder.to_owned());
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_and_images_of_a_user_belong_together() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let descriptions = home.join(".config/libvirt/qemu");
        let images = home.join(".local/share/libvirt/images");
        std::fs::create_dir_all(&descriptions).unwrap();
        std::fs::create_dir_all(images.join("web")).unwrap();
        for (chosen, others) in [
            (&descriptions, vec![&images]),
            (&images, vec![&descriptions]),
            (&images.join("web"), vec![&descriptions]),
            (&home, Vec::new()),
        ] {
            let beside = beside_with(chosen, Some(&home));
            assert_eq!(beside.iter().collect::<Vec<_>>(), others, "{chosen:?}");
        }
    }
}
