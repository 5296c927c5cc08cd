//! Whether a disk starts by UEFI: whether it has a partition for that, and none for starting without.

use super::definition::Firmware;
use crate::source::Source;

const SECTOR_BYTES: usize = 512;
/// Types of partitions, as they are on the disk: EFI system, and BIOS boot of GRUB (UEFI specification 5.3.3).
const EFI_SYSTEM: [u8; 16] = [
    0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
];
const BIOS_BOOT: [u8; 16] = [
    0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e, 0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49,
];
/// The type of an EFI system partition in an MBR.
const EFI_SYSTEM_MBR: u8 = 0xef;
/// The usual table: 128 entries of 128 bytes behind two sectors.
const TABLE_BYTES: usize = 2 * SECTOR_BYTES + 128 * 128;

/// How a machine starts from that disk. One that cannot be read starts as most do.
pub(crate) fn firmware_of(source: &Source) -> Firmware {
    let mut start = vec![0; TABLE_BYTES];
    match source.read_at(0, &mut start) {
        Ok(()) => firmware(&start),
        Err(_) => Firmware::Bios,
    }
}

fn firmware(start: &[u8]) -> Firmware {
    let is_uefi = match start
        .get(SECTOR_BYTES..)
        .is_some_and(|gpt| gpt.starts_with(b"EFI PART"))
    {
        true => {
            let entries = start[2 * SECTOR_BYTES..].chunks(128);
            let has = |kind: &[u8; 16]| entries.clone().any(|entry| entry.starts_with(kind));
            has(&EFI_SYSTEM) && !has(&BIOS_BOOT)
        }
        false => {
            let entries = start.get(446..510).unwrap_or_default().chunks(16);
            start.get(510..512) == Some(&[0x55, 0xaa])
                && entries.clone().any(|entry| entry[4] == EFI_SYSTEM_MBR)
        }
    };
    match is_uefi {
        true => Firmware::Uefi,
        false => Firmware::Bios,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_starts_by_uefi_where_it_has_nothing_else() {
        let mut gpt = vec![0; TABLE_BYTES];
        assert_eq!(firmware(&gpt), Firmware::Bios);
        gpt[512..520].copy_from_slice(b"EFI PART");
        assert_eq!(firmware(&gpt), Firmware::Bios);
        gpt[1024 + 256..1024 + 272].copy_from_slice(&EFI_SYSTEM);
        assert_eq!(firmware(&gpt), Firmware::Uefi);
        gpt[1024..1024 + 16].copy_from_slice(&BIOS_BOOT);
        assert_eq!(firmware(&gpt), Firmware::Bios);

        let mut mbr = vec![0; TABLE_BYTES];
        mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
        mbr[446 + 4] = 0x83;
        assert_eq!(firmware(&mbr), Firmware::Bios);
        mbr[446 + 16 + 4] = 0xef;
        assert_eq!(firmware(&mbr), Firmware::Uefi);
    }
}
