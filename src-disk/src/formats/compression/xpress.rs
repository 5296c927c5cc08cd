//! XPRESS with Huffman codes ([MS-XCA] 2.2): WOF's XPRESS4K, XPRESS8K and XPRESS16K.
//!
//! A chunk begins with the lengths of 512 codes, 4 bits each, low half of each byte first. A symbol below 256 is a
//! byte. In any other, the low four bits are the length of a repetition, and the next four are the number of bits its
//! distance has below the highest.

use crate::Result;
use crate::formats::compression::bits::{Bits, Huffman, damage, repeat};

const LENGTHS_BYTES: usize = 256;
const N_BYTES: usize = 256;
const SHORTEST_REPETITION: usize = 3;
/// A length of this or more follows as a byte, and one that takes more than that as two.
const LONG: usize = 15;
const FAST_BITS: u32 = 10;

/// Decompresses one chunk; `output` is exactly as long as what was compressed.
///
/// # Errors
/// When the chunk is damaged. What `output` holds then is of no use.
pub(crate) fn xpress(input: &[u8], output: &mut [u8]) -> Result<()> {
    let (lengths, input) = input
        .split_at_checked(LENGTHS_BYTES)
        .ok_or_else(|| damage("no table of codes"))?;
    let lengths: Vec<u8> = lengths.iter().flat_map(|b| [b & 0xF, b >> 4]).collect();
    let code = Huffman::new(&lengths, FAST_BITS)?;
    let mut bits = Bits::new(input);
    let mut at = 0;
    while let Some(place) = output.get_mut(at) {
        let symbol = code.read(&mut bits)?;
        if symbol < N_BYTES {
            *place = symbol as u8;
            at += 1;
            continue;
        }
        let mut length = symbol & 0xF;
        if length == LONG {
            length = long_length(&mut bits)?;
        }
        let n_low = (symbol >> 4) as u32 & 0xF;
        let distance = (1 << n_low) | bits.take(n_low);
        at = repeat(output, at, distance, length + SHORTEST_REPETITION)?;
    }
    bits.end()
}

fn long_length(bits: &mut Bits<'_>) -> Result<usize> {
    match bits.bytes::<1>()? {
        [u8::MAX] => {
            let length = usize::from(u16::from_le_bytes(bits.bytes()?));
            // Two bytes of 0 announce a length that no chunk has.
            if length < LONG {
                return Err(damage("a length that is too long"));
            }
            Ok(length)
        }
        [more] => Ok(LONG + usize::from(more)),
    }
}
