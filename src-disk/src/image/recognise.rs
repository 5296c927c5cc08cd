//! What an image is, by its first bytes.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::ImageFormat;
use crate::{Error, Result};

/// What VMware and QEMU begin a VMDK descriptor with.
const DESCRIPTOR: &[u8] = b"# Disk DescriptorFile";

/// Tells formats apart by their first bytes, and refuses by name what cannot be read: taken as raw,
/// such an image would be backed up without a word and restored as rubbish.
pub(super) fn recognise(mut file: &File, path: &Path) -> Result<ImageFormat> {
    let len = file.metadata()?.len();
    let mut head = Vec::with_capacity(512);
    file.seek(SeekFrom::Start(0))?;
    file.take(512).read_to_end(&mut head)?;
    let mut tail = Vec::new();
    if len >= 512 {
        file.seek(SeekFrom::Start(len - 512))?;
        file.read_to_end(&mut tail)?;
    }
    let at = |offset: usize, magic: &[u8]| head.get(offset..offset + magic.len()) == Some(magic);
    if at(0, b"QFI\xfb") {
        return recognise_qcow2(&head);
    }
    if at(0, DESCRIPTOR) {
        return Ok(ImageFormat::Vmdk);
    }
    let name = if at(0, b"KDMV") || at(0, b"COWD") {
        "a sparse VMDK image"
    } else if at(0, b"vhdxfile") {
        "a VHDX image"
    } else if at(0, b"conectix") || tail.starts_with(b"conectix") {
        "a VHD image"
    } else if at(0x40, &[0x7f, 0x10, 0xda, 0xbe]) {
        "a VirtualBox VDI image"
    } else if at(0, b"QED\0") {
        "a QED image"
    } else if let Some(extension) = extension_of_a_format(path) {
        return Err(Error::corrupt(format!(
            "{} is called .{extension} and does not begin like one: it is damaged, or a raw image under a \
             wrong name",
            path.display()
        )));
    } else {
        return Ok(ImageFormat::Raw);
    };
    Err(Error::unsupported(format!(
        "{} is {name}, which cannot be read yet; convert it with qemu-img to QCOW2 or raw",
        path.display()
    )))
}

/// The extension of a file, where it promises something else than the bytes of a disk.
fn extension_of_a_format(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    ["qcow2", "qcow", "qed", "vdi", "vhd", "vhdx", "vmdk"]
        .contains(&extension.as_str())
        .then_some(extension)
}

/// Header fields: QEMU's docs/interop/qcow2.txt.
fn recognise_qcow2(head: &[u8]) -> Result<ImageFormat> {
    let field = |offset: usize| -> Result<u32> {
        let bytes = head
            .get(offset..offset + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u32::from_be_bytes)
            .ok_or_else(|| Error::corrupt("the QCOW2 header is cut off"))
    };
    let version = field(4)?;
    if !(2..=3).contains(&version) {
        return Err(Error::unsupported(format!(
            "QCOW version {version} cannot be read"
        )));
    }
    if field(32)? != 0 {
        return Err(Error::unsupported("the QCOW2 image is encrypted"));
    }
    if version == 3 && field(76)? & (1 << 3) != 0 {
        return Err(Error::unsupported(
            "the QCOW2 image is compressed with zstd, which cannot be read yet",
        ));
    }
    Ok(ImageFormat::Qcow2)
}
