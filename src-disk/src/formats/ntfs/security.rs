//! Security descriptors: owner and access list, in the file itself or, by number, in one shared stream.
//!
//! `$Secure` keeps each descriptor once, in its stream `$SDS`; its index `$SII` maps numbers to positions there.

use super::{
    attribute::{DATA, SECURITY_DESCRIPTOR, STANDARD_INFORMATION},
    index,
    record::Reference,
    volume::{File, Volume},
};
use crate::{
    Result,
    formats::bytes::{u16_at, u32_at, u64_at},
};

const SECURE_RECORD: Reference = Reference(9);
/// In the standard information, since Windows 2000.
const SECURITY_ID: usize = 0x34;
/// Hash, number, place and size.
const HEAD_BYTES: usize = 20;
/// Windows ends at 64 KiB.
const MAX_BYTES: usize = 256 << 10;

pub(super) fn descriptor(volume: &mut Volume, file: &File) -> Result<Option<Vec<u8>>> {
    if let Some(own) = volume.value(file, SECURITY_DESCRIPTOR, &[])? {
        return Ok(Some(own.to_vec()));
    }
    let standard = volume.value(file, STANDARD_INFORMATION, &[])?;
    let id = standard.and_then(|standard| u32_at(&standard, SECURITY_ID));
    let Some(id) = id.filter(|id| *id != 0) else {
        return Ok(None);
    };
    let secure = volume.file(SECURE_RECORD)?;
    let name: Vec<u16> = "$SII".encode_utf16().collect();
    let mut place = None;
    index::each(volume, &secure, &name, |entry| {
        if u32_at(entry.key, 0) == Some(id) {
            place = u16_at(entry.bytes, 0).and_then(|at| {
                let at = usize::from(at);
                let size = usize::try_from(u32_at(entry.bytes, at + 16)?).ok()?;
                Some((u64_at(entry.bytes, at + 8)?, size))
            });
        }
        Ok(())
    })?;
    let sound = place.filter(|(_, size)| (HEAD_BYTES..=MAX_BYTES).contains(size));
    let Some((at, size)) = sound else {
        return Ok(None);
    };
    let name: Vec<u16> = "$SDS".encode_utf16().collect();
    let Some(mut all) = volume.stream(&secure, DATA, &name)? else {
        return Ok(None);
    };
    let mut bytes = vec![0; size];
    all.read_exact(&mut volume.slice, at, &mut bytes)?;
    let is_it = u32_at(&bytes, 4) == Some(id);
    Ok(is_it.then(|| bytes.split_off(HEAD_BYTES)))
}
