//! Recognises what an image is by its first bytes.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::ImageFormat;
use crate::{Error, Result};

/// QEMU's magics: block/qcow2.c, parallels.c, bochs.c, cloop.c; a DMG ends with its own.
pub(crate) const OTHERS: [(&[u8], &str); 7] = [
    (b"vhdxfile", "a VHDX image"),
    (b"QED\0", "a QED image"),
    (b"WithoutFreeSpace", "a Parallels image"),
    (b"WithouFreSpacExt", "a Parallels image"),
    (b"Bochs Virtual HD Image", "a Bochs image"),
    (b"#!/bin/sh\n#V2.0 Format\n", "a cloop image"),
    (b"KDMV", "a sparse VMDK image"),
];

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
    if let Some(last) = len.checked_sub(512) {
        file.seek(SeekFrom::Start(last))?;
        file.read_to_end(&mut tail)?;
    }
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    if at(0, b"QFI\xfb") {
        return recognise_qcow2(&head);
    }
    if at(0, DESCRIPTOR) {
        return Ok(ImageFormat::Vmdk);
    }
    let known = OTHERS.iter().find(|(magic, _)| at(0, magic));
    let name = if let Some((_, name)) = known {
        name
    } else if at(0, b"COWD") {
        "a sparse VMDK image"
    } else if tail.starts_with(b"koly") {
        "an Apple DMG image"
    } else if at(0, b"conectix") || tail.starts_with(b"conectix") {
        "a VHD image"
    } else if at(0x40, &[0x7f, 0x10, 0xda, 0xbe]) {
        "a VirtualBox VDI image"
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

/// Whether an image can be what its description states; nothing else is looked for.
pub(super) fn check_stated(
    mut file: &File,
    path: &Path,
    stated: ImageFormat,
) -> Result<ImageFormat> {
    let mut head = Vec::with_capacity(512);
    file.seek(SeekFrom::Start(0))?;
    file.take(512).read_to_end(&mut head)?;
    match stated {
        ImageFormat::Raw => Ok(stated),
        ImageFormat::Qcow2 if head.starts_with(b"QFI\xfb") => recognise_qcow2(&head),
        ImageFormat::Vmdk if head.starts_with(DESCRIPTOR) => Ok(stated),
        // A sparse one is sound, and named.
        ImageFormat::Vmdk if head.starts_with(b"KDMV") || head.starts_with(b"COWD") => {
            recognise(file, path)
        }
        ImageFormat::Qcow2 | ImageFormat::Vmdk => Err(Error::corrupt(format!(
            "{} is said to be a {} image and does not begin like one",
            path.display(),
            stated.name()
        ))),
    }
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
        let bytes = head.get(offset..).and_then(|bytes| bytes.first_chunk());
        bytes
            .map(|bytes| u32::from_be_bytes(*bytes))
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
    if version == 3 {
        check_features((u64::from(field(72)?) << 32) | u64::from(field(76)?))?;
    }
    Ok(ImageFormat::Qcow2)
}

/// Incompatible features. Sound images have them too, so none but the mark of damage is called damage.
fn check_features(features: u64) -> Result<()> {
    let convert = "convert it with qemu-img convert -O qcow2";
    let bit = features.trailing_zeros();
    let what = match bit {
        64 => return Ok(()),
        1 => {
            return Err(Error::corrupt(
                "QEMU has marked the QCOW2 image as corrupt; qemu-img check -r all may repair a copy of it",
            ));
        }
        // The counts are not needed to read, but imago opens no such image.
        0 => {
            return Err(Error::unsupported(
                "the QCOW2 image was not closed since it was last written to (lazy_refcounts): shut its VM \
                 down, or repair its counts with qemu-img check -r all if that was cut off",
            ));
        }
        2 => "keeps its data in another file (data_file)".to_owned(),
        3 => "is compressed with zstd".to_owned(),
        4 => "has subclusters (extended_l2)".to_owned(),
        bit => format!("has a feature that is not known (bit {bit})"),
    };
    Err(Error::unsupported(format!(
        "the QCOW2 image {what}, which cannot be read yet; {convert}"
    )))
}
