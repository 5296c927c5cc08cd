//! What holds for the layouts of all formats; that other programs read them is judged in the integration tests.

use proptest::prelude::*;
use sendense_types::ImageFormat;
use uuid::Uuid;

use super::{
    super::{
        layout::{Identity, Layout},
        occupancy::Occupancy,
    },
    lay_out,
    stream::{Grains, Stream},
    write_tables,
};
use crate::image::CLUSTER_BYTES;

const MIB: u64 = 1 << 20;

fn identity() -> Identity {
    Identity {
        seed: Uuid::from_u128(1),
        file_name: "disk.vmdk".to_owned(),
    }
}

fn layout(format: ImageFormat, disk_bytes: u64, clusters: &[u64]) -> Layout {
    let clusters = Occupancy::of_clusters(disk_bytes, clusters.iter().copied());
    lay_out(format, disk_bytes, clusters, identity()).unwrap()
}

fn tables(layout: &Layout) -> Vec<(u64, Vec<u8>)> {
    let mut written = Vec::new();
    write_tables(layout, &mut |offset, bytes| {
        written.push((offset, bytes.to_vec()));
        Ok(())
    })
    .unwrap();
    written
}

const PLACED: [ImageFormat; 5] = [
    ImageFormat::Raw,
    ImageFormat::Qcow2,
    ImageFormat::Vmdk,
    ImageFormat::Vdi,
    ImageFormat::Vhdx,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_two_clusters_share_a_place_and_tables_end_before_data(
        set in proptest::collection::btree_set(0_u64..40_000, 0..200),
        odd in 0_u64..CLUSTER_BYTES,
    ) {
        let set: Vec<u64> = set.into_iter().collect();
        let disk_bytes = 40_000 * CLUSTER_BYTES - odd;
        for format in PLACED {
            let layout = layout(format, disk_bytes, &set);
            let mut end = layout.data_start();
            for cluster in &set {
                let place = layout.place(*cluster);
                prop_assert!(place >= end, "{format:?}: places go up");
                end = place + CLUSTER_BYTES;
            }
            if format != ImageFormat::Raw {
                prop_assert!(end <= layout.file_bytes(), "{format:?}");
            }
            for (offset, bytes) in tables(&layout) {
                prop_assert!(offset + bytes.len() as u64 <= layout.data_start(), "{format:?}");
            }
            prop_assert_eq!(tables(&layout), tables(&layout.clone()));
        }
    }
}

#[test]
fn tables_take_little_room_beside_data() {
    // A gigabyte in 64 GiB, in pieces of a mebibyte.
    let clusters: Vec<u64> = (0..1024_u64)
        .flat_map(|piece| piece * 1024..piece * 1024 + 16)
        .collect();
    for format in PLACED {
        let layout = layout(format, 64 << 30, &clusters);
        let len_bytes: usize = tables(&layout).iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(
            (len_bytes as u64) * 50 < layout.content_bytes(),
            "{format:?}: {len_bytes}"
        );
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_with_its_limit() {
    let none = || Occupancy::of_clusters(0, []);
    for (format, disk_bytes) in [
        (ImageFormat::Vmdk, 3 << 40),
        (ImageFormat::VmdkStream, 3 << 40),
        (ImageFormat::Vhdx, 65 << 40),
    ] {
        let refused = lay_out(format, disk_bytes, none(), identity());
        let limit_bytes = refused.unwrap_err().limit_bytes;
        assert!(limit_bytes < disk_bytes, "{format:?}");
    }
    assert!(lay_out(ImageFormat::Qcow2, 65 << 40, none(), identity()).is_ok());
}

#[test]
fn all_but_raw_images_count_in_sectors() {
    for format in PLACED {
        let stated = layout(format, MIB + 1, &[]).disk_bytes;
        let expected = match format {
            ImageFormat::Raw => MIB + 1,
            _ => MIB + 512,
        };
        assert_eq!(stated, expected, "{format:?}");
    }
}

#[test]
fn a_stream_is_sectors_and_ends_as_its_readers_expect() {
    let layout = layout(ImageFormat::VmdkStream, 100 * MIB, &[0, 1, 700]);
    let mut stream = Stream::begin(&layout, Vec::new()).unwrap();
    let mut grains = Grains::new();
    for cluster in [0, 1, 700] {
        let mut grain = Vec::new();
        let bytes = vec![cluster as u8; CLUSTER_BYTES as usize];
        grains.append(cluster, &bytes, &mut grain).unwrap();
        assert!(grain.len() <= 1024, "all the same byte: {}", grain.len());
        stream.push(cluster, &grain).unwrap();
    }
    let file = stream.finish().unwrap();
    assert_eq!(file.len() % 512, 0);
    // The footer is the last sector but one, and says where the directory is.
    let footer = &file[file.len() - 1024..file.len() - 512];
    assert_eq!(&footer[..4], b"KDMV");
    assert!(file[file.len() - 512..].iter().all(|byte| *byte == 0));
    let directory = u64::from_le_bytes(footer[56..64].try_into().unwrap()) as usize * 512;
    let table = |number: usize| {
        let at = directory + number * 4;
        u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
    };
    // 100 MiB in tables for 32 MiB: the second has a grain, the others but the first have none.
    assert!(table(0) > 0 && table(1) > 0 && table(2) == 0 && table(3) == 0);
}

#[test]
fn what_cannot_be_compressed_grows_by_a_sector_at_most() {
    let mut random = 7_u64;
    let mut bytes = vec![0; CLUSTER_BYTES as usize];
    bytes.fill_with(|| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 56) as u8
    });
    let mut grain = Vec::new();
    Grains::new().append(3, &bytes, &mut grain).unwrap();
    assert_eq!(grain.len(), bytes.len() + 512);
    assert_eq!(grain[..8], 384_u64.to_le_bytes());
}
