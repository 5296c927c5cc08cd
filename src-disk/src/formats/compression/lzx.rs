//! LZX as in WIM files and WOF: independent chunks of 32 KiB.
//!
//! A chunk is a series of blocks, each with its own codes. It differs from the LZX of cabinets in three ways: a 32 KiB
//! window, one bit for the usual block size, and a fixed file size for the addresses of calls.

use crate::Result;
use crate::formats::compression::bits::{Bits, Huffman, damage, repeat};

const USUAL_BLOCK_BYTES: usize = 32 << 10;
const N_BYTES: usize = 256;
/// Distances by their number of bits; a window of 32 KiB has 30 sorts.
const N_SLOTS: usize = 30;
const N_MAIN: usize = N_BYTES + 8 * N_SLOTS;
const N_LENGTHS: usize = 249;
const N_PRECODE: usize = 20;
const SHORTEST_REPETITION: usize = 2;
/// A length of this and more has a symbol of its own.
const LONG: usize = 7;
/// The addresses of calls are counted from the beginning of a file that is said to be this long.
const FILE_BYTES: i32 = 12_000_000;
const CALL: u8 = 0xE8;
/// No call is looked for in the last bytes of a chunk.
const TAIL_BYTES: usize = 10;

/// Decompresses one chunk; `output` is exactly as long as what was compressed.
///
/// # Errors
/// When the chunk is damaged. What `output` holds then is of no use.
pub(crate) fn lzx(input: &[u8], output: &mut [u8]) -> Result<()> {
    let mut bits = Bits::new(input);
    let mut lengths = Lengths {
        main: [0; _],
        long: [0; _],
    };
    let mut recent = [1; 3];
    let mut at = 0;
    while at < output.len() {
        let kind = bits.take(3);
        let is_usual = bits.take(1) == 1;
        let size = match is_usual {
            true => USUAL_BLOCK_BYTES,
            false => bits.take(16),
        };
        let end = at + size;
        let Some(block) = output.get_mut(..end).filter(|_| size > 0) else {
            return Err(damage("a block of an impossible size"));
        };
        match kind {
            1 => {
                let codes = lengths.read(&mut bits, None)?;
                codes.decompress(&mut bits, &mut recent, block, at)?;
            }
            2 => {
                let low = low_code(&mut bits)?;
                let codes = lengths.read(&mut bits, Some(low))?;
                codes.decompress(&mut bits, &mut recent, block, at)?;
            }
            3 => {
                let mut distances = [[0; 4]; 3];
                bits.aligned_bytes(&mut [distances.as_flattened_mut(), &mut block[at..]])?;
                recent = distances.map(|bytes| u32::from_le_bytes(bytes) as usize);
            }
            _ => return Err(damage("a block of no known kind")),
        }
        at = end;
    }
    bits.end()?;
    restore_calls(output);
    Ok(())
}

/// The code of the low three bits of distances.
fn low_code(bits: &mut Bits<'_>) -> Result<Huffman> {
    let lengths: [u8; 8] = std::array::from_fn(|_| bits.take(3) as u8);
    Huffman::new(&lengths, 7)
}

/// The lengths of a block's codes, which are told as what changed since the block before.
struct Lengths {
    main: [u8; N_MAIN],
    long: [u8; N_LENGTHS],
}

impl Lengths {
    fn read(&mut self, bits: &mut Bits<'_>, low: Option<Huffman>) -> Result<Codes> {
        let (bytes, repetitions) = self.main.split_at_mut(N_BYTES);
        read_lengths(bits, bytes)?;
        read_lengths(bits, repetitions)?;
        read_lengths(bits, &mut self.long)?;
        Ok(Codes {
            main: Huffman::new(&self.main, 11)?,
            long: Huffman::new(&self.long, 9)?,
            low,
        })
    }
}

fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Result<()> {
    let precode: [u8; N_PRECODE] = std::array::from_fn(|_| bits.take(4) as u8);
    let precode = Huffman::new(&precode, 6)?;
    let changed = |length: u8, change: usize| ((17 + usize::from(length) - change) % 17) as u8;
    let mut at = 0;
    while let Some(length) = lengths.get(at).copied() {
        let (count, length) = match precode.read(bits)? {
            17 => (4 + bits.take(4), 0),
            18 => (20 + bits.take(5), 0),
            19 => {
                let count = 4 + bits.take(1);
                match precode.read(bits)? {
                    change @ 0..17 => (count, changed(length, change)),
                    _ => return Err(damage("a length of codes that cannot be")),
                }
            }
            change => (1, changed(length, change)),
        };
        let end = at + count;
        let run = lengths.get_mut(at..end);
        run.ok_or_else(|| damage("more codes than there are symbols"))?
            .fill(length);
        at = end;
    }
    Ok(())
}

/// The codes of a block.
struct Codes {
    /// Bytes, and the sorts of repetitions.
    main: Huffman,
    /// The lengths of long repetitions.
    long: Huffman,
    /// The low bits of distances, in blocks where they are worth a code.
    low: Option<Huffman>,
}

impl Codes {
    /// Goes on at `at` until `output` is full.
    fn decompress(
        &self,
        bits: &mut Bits<'_>,
        recent: &mut [usize; 3],
        output: &mut [u8],
        mut at: usize,
    ) -> Result<()> {
        while let Some(place) = output.get_mut(at) {
            let symbol = self.main.read(bits)?;
            let Some(sort) = symbol.checked_sub(N_BYTES) else {
                *place = symbol as u8;
                at += 1;
                continue;
            };
            let mut length = sort & 7;
            if length == LONG {
                length += self.long.read(bits)?;
            }
            match sort >> 3 {
                // One of the last three, which changes places with the last.
                slot @ 0..3 => recent.swap(0, slot),
                slot => {
                    let distance = self.distance(bits, slot)?;
                    *recent = [distance, recent[0], recent[1]];
                }
            }
            at = repeat(output, at, recent[0], length + SHORTEST_REPETITION)?;
        }
        Ok(())
    }

    #[inline]
    fn distance(&self, bits: &mut Bits<'_>, slot: usize) -> Result<usize> {
        if slot < 4 {
            return Ok(slot - 2);
        }
        let n_bits = slot as u32 / 2 - 1;
        let first = (2 + slot % 2) << n_bits;
        let rest = match &self.low {
            Some(low) if n_bits >= 3 => bits.take(n_bits - 3) << 3 | low.read(bits)?,
            _ => bits.take(n_bits),
        };
        Ok(first + rest - 2)
    }
}

/// Calls say where they lead to by its distance again, as the processor wants it.
fn restore_calls(output: &mut [u8]) {
    let end = output.len().saturating_sub(TAIL_BYTES);
    let mut at = 0;
    while let Some(next) = output
        .get(at..end)
        .and_then(|rest| rest.iter().position(|byte| *byte == CALL))
    {
        at += next + 1;
        let Some(field) = output.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else {
            return;
        };
        // A chunk is far shorter than 2 GiB.
        let here = at as i32 - 1;
        let target = i32::from_le_bytes(*field);
        if (0..FILE_BYTES).contains(&target) {
            *field = (target - here).to_le_bytes();
        } else if (-here..0).contains(&target) {
            *field = (target + FILE_BYTES).to_le_bytes();
        }
        at += 4;
    }
}
