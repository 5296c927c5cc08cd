//! Checked against what wimlib compresses, the specification's example, and bytes that no compressor wrote.

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::{lzx, xpress};
use crate::Result;
use crate::formats::bytes::u32_at;

type Decompress = fn(&[u8], &mut [u8]) -> Result<()>;

const HEADER_BYTES: usize = 208;

/// A chunk that wimlib made, and what of.
struct Chunk {
    plain: Vec<u8>,
    compressed: Vec<u8>,
}

/// Programs, source text, noise, zeros and runs: more than a thousand chunks of any size.
fn content() -> Vec<u8> {
    let mut content = fs::read(std::env::current_exe().unwrap()).unwrap();
    content.truncate(6 << 20);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in fs::read_dir(source).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            content.extend(fs::read(file).unwrap());
        }
    }
    content.extend([0; 100_000]);
    content.extend(noise().take(300_000));
    // Noise of few values has long codes; of a period, short distances.
    content.extend(noise().take(300_000).map(|byte| byte & 3));
    for period in 1..200 {
        content.extend((0..1500).map(|n| (n % period) as u8));
    }
    // Calls at every address, also where no more than the beginning of one is left.
    for n in 0..60_000_u32 {
        content.push(0xE8);
        content.extend((n * 199).wrapping_sub(70_000).to_le_bytes());
    }
    content.extend([0xE8; 40_000]);
    content
}

fn noise() -> impl Iterator<Item = u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
}

/// Has wimlib compress `content`, and cuts its chunks out of the file it makes.
fn chunks(content: &[u8], compression: &str, chunk_bytes: usize) -> Vec<Chunk> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tree")).unwrap();
    fs::write(folder.path().join("tree/file"), content).unwrap();
    #[allow(clippy::disallowed_methods, reason = "a test")]
    let status = Command::new("wimcapture")
        .args(["tree", "made.wim", "--quiet"])
        .arg(format!("--compress={compression}"))
        .arg(format!("--chunk-size={chunk_bytes}"))
        .current_dir(folder.path())
        .status()
        .expect("wimcapture (package wimtools) is here");
    assert!(status.success());
    let wim = fs::read(folder.path().join("made.wim")).unwrap();

    // One file, so its chunks begin behind the header: first where each but the first of them lies.
    let n_chunks = content.len().div_ceil(chunk_bytes);
    let (table, chunks) = wim[HEADER_BYTES..].split_at(4 * (n_chunks - 1));
    let place = |n: usize| u32_at(table, 4 * (n - 1)).unwrap() as usize;
    let parts = content.chunks(chunk_bytes).enumerate();
    let parts = parts.filter_map(|(n, plain)| {
        let begin = if n == 0 { 0 } else { place(n) };
        // The last one ends where the next resource begins; a decoder does not look that far.
        let is_last = n + 1 == n_chunks;
        let end = if is_last { chunks.len() } else { place(n + 1) };
        // What does not get smaller is kept as it is.
        let is_plain = end - begin == plain.len() || chunks[begin..].starts_with(plain);
        (!is_plain).then(|| Chunk {
            plain: plain.to_vec(),
            compressed: chunks[begin..end].to_vec(),
        })
    });
    parts.collect()
}

fn every_chunk_is_equal(decompress: Decompress, compression: &str, chunk_bytes: usize) {
    let chunks = chunks(&content(), compression, chunk_bytes);
    assert!(
        chunks.len() * chunk_bytes > 5 << 20,
        "{} chunks",
        chunks.len()
    );
    for (n, chunk) in chunks.iter().enumerate() {
        let mut output = vec![0xAA; chunk.plain.len()];
        decompress(&chunk.compressed, &mut output).unwrap_or_else(|e| panic!("chunk {n}: {e}"));
        assert!(output == chunk.plain, "chunk {n} of {compression} differs");
    }
}

#[test]
fn xpress_gives_what_wimlib_compressed_in_chunks_of_each_size() {
    for chunk_bytes in [4096, 8192, 16384] {
        every_chunk_is_equal(xpress, "xpress", chunk_bytes);
    }
}

#[test]
fn lzx_gives_what_wimlib_compressed() {
    every_chunk_is_equal(lzx, "lzx", 32768);
}

#[test]
fn damaged_chunks_are_decompressed_or_refused_and_nothing_else() {
    let content = &content()[1 << 20..][..64 << 10];
    for (decompress, compression, chunk_bytes) in
        [(xpress as Decompress, "xpress", 4096), (lzx, "lzx", 32768)]
    {
        let chunks = chunks(content, compression, chunk_bytes);
        let mut noise = noise();
        let mut number = || {
            noise
                .by_ref()
                .take(3)
                .fold(0, |n, byte| n << 8 | usize::from(byte))
        };
        let mut n_refused = 0;
        for round in 0..2000 {
            let chunk = &chunks[round % chunks.len()];
            let mut compressed = chunk.compressed.clone();
            for _ in 0..1 + round % 3 {
                let at = number() % compressed.len().min(1 << (4 + round % 12));
                compressed[at] = number() as u8;
            }
            if round % 5 == 0 {
                compressed.truncate(number() % compressed.len());
            }
            let mut output = vec![0; chunk.plain.len() - round % 2];
            n_refused += u32::from(decompress(&compressed, &mut output).is_err());
        }
        assert!(n_refused > 500, "{compression}: {n_refused} refused");
    }
}

#[test]
fn a_chunk_that_is_cut_off_is_damage() {
    for (decompress, compression, chunk_bytes) in
        [(xpress as Decompress, "xpress", 4096), (lzx, "lzx", 32768)]
    {
        let chunks = chunks(&content()[..3 * chunk_bytes], compression, chunk_bytes);
        let chunk = &chunks[0];
        let mut output = vec![0; chunk.plain.len()];
        for length in 0..chunk.compressed.len() - 2 {
            let outcome = decompress(&chunk.compressed[..length], &mut output);
            assert!(outcome.is_err(), "{compression} of {length} bytes");
        }
    }
}

/// [MS-XCA] 3.2: a length that takes three bytes, amid the bits.
#[test]
fn xpress_gives_what_the_specification_says() {
    let mut input = [0; 256 + 7];
    input[48..50].copy_from_slice(&[0x30, 0x23]);
    (input[128], input[143]) = (0x02, 0x20);
    input[256..].copy_from_slice(&[0xA8, 0xDC, 0x00, 0x00, 0xFF, 0x26, 0x01]);
    let mut output = [0; 300];
    xpress(&input, &mut output).unwrap();
    assert_eq!(output.as_slice(), b"abc".repeat(100));
}

/// A block of bytes as they are: its kind, its size, three distances, the bytes, and one more if odd.
fn plain_block(bytes: &[u8]) -> Vec<u8> {
    let head = 3 << 29 | u32::try_from(bytes.len()).unwrap() << 12;
    let words = [(head >> 16) as u16, head as u16];
    let mut block: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    block.extend([1_u32, 2, 3].iter().flat_map(|n| n.to_le_bytes()));
    block.extend(bytes);
    block.extend((bytes.len() % 2 == 1).then_some(0));
    block
}

#[test]
fn lzx_gives_bytes_that_were_not_worth_compressing() {
    let chunk: Vec<u8> = [&b"odd"[..], b"even", b"x"]
        .iter()
        .flat_map(|bytes| plain_block(bytes))
        .collect();
    let mut output = [0; 8];
    lzx(&chunk, &mut output).unwrap();
    assert_eq!(&output, b"oddevenx");
    // The byte that fills up the last word may be missing.
    lzx(&chunk[..chunk.len() - 1], &mut output).unwrap();
    assert!(lzx(&chunk[..chunk.len() - 2], &mut output).is_err());
    assert!(
        lzx(&chunk, &mut [0; 6]).is_err(),
        "a block longer than the chunk"
    );
}

/// The usual size takes one bit, which puts the padding elsewhere.
#[test]
fn lzx_gives_a_whole_chunk_of_plain_bytes() {
    let plain: Vec<u8> = noise().map(|byte| byte & 0x7F).take(32768).collect();
    let mut chunk = (0b0111_u16 << 12).to_le_bytes().to_vec();
    chunk.extend([1_u32; 3].iter().flat_map(|n| n.to_le_bytes()));
    chunk.extend(&plain);
    let mut output = vec![0; plain.len()];
    lzx(&chunk, &mut output).unwrap();
    assert!(output == plain);
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(
        mut input in prop::collection::vec(any::<u8>(), 0..2000),
        lengths in any::<[u8; 4]>(),
        size in 0_usize..40_000,
    ) {
        let mut output = vec![0; size];
        assert!(xpress(&input, &mut output).is_ok() <= (size > 0 || input.len() >= 256));
        lzx(&input, &mut output).ok();
        // Codes that fit together, which noise has hardly ever.
        for (n, byte) in input.iter_mut().take(256).enumerate() {
            *byte = if lengths.contains(&(n as u8)) { 0x33 } else { 0 };
        }
        xpress(&input, &mut output).ok();
    }
}
