//! Whether the names in an image may be followed when nothing states its format.
//!
//! A guest can write anything to a raw disk, including a valid QCOW2 header or a VMDK descriptor that names another
//! VM's disk. That it is valid proves nothing. What a guest cannot write is the file's name on its host, so that has to
//! match.

use std::path::Path;

use crate::Error;

/// Whether a file that begins like a QCOW2 image may build on `backing`: it is called one, or as libvirt
/// and virt-manager call external snapshots: `web.before-update` beside `web.qcow2`.
pub(super) fn may_build_on(image: &Path, backing: &Path) -> bool {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let parts: Vec<String> = name
        .split('.')
        .skip(1)
        .map(str::to_ascii_lowercase)
        .collect();
    let Some(last) = parts.last() else {
        return false;
    };
    if is_of_raw(last) {
        return false;
    }
    // Unfinished ones of our own are called `disk.qcow2.partial`.
    parts
        .iter()
        .any(|part| matches!(part.as_str(), "qcow2" | "qcow" | "qc2"))
        || (image.parent() == backing.parent() && image.file_stem() == backing.file_stem())
}

/// Whether a file is called as descriptors are, and not as the flat parts that they name.
pub(super) fn is_vmdk_by_name(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    name.ends_with(".vmdk") && !name.ends_with("-flat.vmdk")
}

/// Extensions of raw disks; those of OpenNebula are numbered.
fn is_of_raw(extension: &str) -> bool {
    extension.bytes().all(|byte| byte.is_ascii_digit())
        || ["raw", "img", "dd", "bin", "hds", "hdd", "iso"].contains(&extension)
}

/// Why the names in an image are not followed, and what to do.
pub(super) fn refused(path: &Path, what: &str) -> Error {
    Error::unsupported(format!(
        "{} begins like a {what} that names another file, but neither a description nor its own name says \
         that it is one: a guest could have written that to a raw disk to get at the disk of another VM. If \
         it is one, state its format: in the VM's description, with qemu-img rebase -u -F qcow2 in the \
         image that builds on it, or by the extension of its name",
        path.display()
    ))
}
