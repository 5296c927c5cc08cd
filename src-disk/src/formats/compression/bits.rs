//! What both formats are built from: bits in 16-bit words, Huffman codes, and copies of earlier output.

use crate::formats::bytes::u16_at;
use crate::{Error, Result};

/// No code of either format is longer.
const MAX_CODE_BITS: u32 = 16;
const N_LENGTHS: usize = 17;

/// Reads bits, the highest of each little-endian word first.
pub(super) struct Bits<'a> {
    input: &'a [u8],
    /// Where the next word begins.
    at: usize,
    /// The bits held, from the highest on; at least 32 between calls.
    held: u64,
    n_held: u32,
    /// How many of the words held lie past the end. A decoder looks ahead, so they are no fault yet.
    n_missing: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let mut bits = Self {
            input,
            at: 0,
            held: 0,
            n_held: 0,
            n_missing: 0,
        };
        bits.refill();
        bits
    }

    /// Two words more where fewer than two are left.
    #[inline(always)]
    fn refill(&mut self) {
        if self.n_held >= 32 {
            return;
        }
        let words = match self
            .input
            .get(self.at..)
            .and_then(|rest| rest.first_chunk())
        {
            Some(words) => {
                self.at += 4;
                u32::from_le_bytes(*words).rotate_left(16)
            }
            None => self.last_words(),
        };
        self.held |= u64::from(words) << (32 - self.n_held);
        self.n_held += 32;
    }

    /// The last word and none, or none any more.
    #[cold]
    fn last_words(&mut self) -> u32 {
        let Some(word) = u16_at(self.input, self.at) else {
            self.n_missing += 2;
            return 0;
        };
        self.at += 2;
        self.n_missing += 1;
        u32::from(word) << 16
    }

    /// The next 16 bits, as a number.
    #[inline]
    fn ahead(&self) -> usize {
        (self.held >> (u64::BITS - MAX_CODE_BITS)) as usize
    }

    /// Takes up to 16 bits as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> usize {
        let taken = self.ahead() >> (16 - count);
        self.skip(count);
        taken
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.held <<= count;
        self.n_held -= count;
        self.refill();
    }

    /// Gives back the words held beyond the first `n_bits`, because bytes follow there.
    fn give_back(&mut self, n_bits: u32) -> Result<()> {
        let n_words = self.n_held.saturating_sub(n_bits) / 16;
        let n_there = n_words.checked_sub(self.n_missing).ok_or_else(cut_off)?;
        self.at = self.at.saturating_sub(2 * n_there as usize);
        self.n_missing = 0;
        self.n_held -= 16 * n_words;
        self.held &= !(u64::MAX >> self.n_held);
        Ok(())
    }

    /// Takes bytes that lie amid the words: just behind those of which a decoder has to have read its
    /// next 16 bits.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.give_back(16)?;
        let bytes = self
            .input
            .get(self.at..)
            .and_then(|rest| rest.first_chunk());
        let bytes = *bytes.ok_or_else(cut_off)?;
        self.at += N;
        self.refill();
        Ok(bytes)
    }

    /// Drops the 1 to 16 bits that fill up a word; then come bytes, and another word if they are odd.
    pub(super) fn aligned_bytes(&mut self, outputs: &mut [&mut [u8]]) -> Result<()> {
        self.give_back(1)?;
        (self.held, self.n_held) = (0, 0);
        for output in outputs {
            let rest = self.input.get(self.at..).unwrap_or_default();
            output.copy_from_slice(rest.get(..output.len()).ok_or_else(cut_off)?);
            self.at += output.len().next_multiple_of(2);
        }
        self.refill();
        Ok(())
    }

    /// Whether all that was taken was there.
    pub(super) fn end(&self) -> Result<()> {
        if self.n_missing * 16 > self.n_held {
            return Err(cut_off());
        }
        Ok(())
    }
}

/// A canonical Huffman code: shorter codes before longer ones, equal ones in the order of symbols.
pub(super) struct Huffman {
    /// How many bits the table takes at once; longer codes go on from there.
    n_fast: u32,
    /// By the next `n_fast` bits: the symbol and, in the low four bits, the length of its code, or 0.
    table: Vec<u16>,
    symbols: Vec<u16>,
    /// By length: where its codes end, as 16 bits.
    ends: [usize; N_LENGTHS],
    /// By length: the place of its first symbol less its first code, wrapping.
    places: [usize; N_LENGTHS],
}

impl Huffman {
    /// A code by the lengths of its symbols, 0 for those that do not occur.
    ///
    /// # Errors
    /// When there are more codes than bits can tell apart. Fewer are no fault until one is met.
    pub(super) fn new(lengths: &[u8], n_fast: u32) -> Result<Self> {
        let mut counts = [0_usize; N_LENGTHS];
        for length in lengths {
            let count = counts.get_mut(usize::from(*length));
            *count.ok_or_else(|| damage("a code that is too long"))? += 1;
        }
        let mut code = Self {
            n_fast,
            table: vec![0; 1 << n_fast],
            symbols: Vec::new(),
            ends: [0; _],
            places: [0; _],
        };
        let (mut end, mut n_symbols) = (0_usize, 0_usize);
        let mut next = [0_usize; N_LENGTHS];
        for length in 1..=MAX_CODE_BITS {
            let slot = length as usize;
            code.places[slot] = n_symbols.wrapping_sub(end >> (MAX_CODE_BITS - length));
            next[slot] = n_symbols;
            n_symbols += counts[slot];
            end += counts[slot] << (MAX_CODE_BITS - length);
            code.ends[slot] = end;
        }
        if end > 1 << MAX_CODE_BITS {
            return Err(damage("codes that overlap"));
        }
        code.symbols = vec![0; n_symbols];
        for (symbol, length) in (0_u16..).zip(lengths) {
            let slot = usize::from(*length);
            if slot != 0 {
                code.symbols[next[slot]] = symbol;
                next[slot] += 1;
            }
        }
        code.fill_table(&counts);
        Ok(code)
    }

    fn fill_table(&mut self, counts: &[usize; N_LENGTHS]) {
        let (mut symbols, mut at) = (self.symbols.iter(), 0);
        for length in 1..=self.n_fast {
            let width = 1_usize << (self.n_fast - length);
            for symbol in symbols.by_ref().take(counts[length as usize]) {
                let entry = symbol << 4 | length as u16;
                self.table[at..at + width].fill(entry);
                at += width;
            }
        }
    }

    /// Takes the next symbol.
    #[inline(always)]
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Result<usize> {
        let ahead = bits.ahead();
        let fast = ahead >> (MAX_CODE_BITS - self.n_fast);
        if let Some(entry @ 1..) = self.table.get(fast) {
            bits.skip(u32::from(entry & 0xF));
            return Ok(usize::from(entry >> 4));
        }
        self.read_long(ahead, bits)
    }

    #[cold]
    fn read_long(&self, ahead: usize, bits: &mut Bits<'_>) -> Result<usize> {
        let mut lengths = self.n_fast + 1..=MAX_CODE_BITS;
        let length = lengths
            .find(|length| ahead < self.ends[*length as usize])
            .ok_or_else(|| damage("a code that stands for nothing"))?;
        let place = self.places[length as usize].wrapping_add(ahead >> (MAX_CODE_BITS - length));
        let symbol = self.symbols.get(place);
        bits.skip(length);
        symbol
            .map(|symbol| usize::from(*symbol))
            .ok_or_else(|| damage("a code that stands for nothing"))
    }
}

/// Repeats `length` bytes of the output from `distance` before its place `at`, and says where they end.
#[inline]
pub(super) fn repeat(
    output: &mut [u8],
    at: usize,
    distance: usize,
    length: usize,
) -> Result<usize> {
    let from = at.checked_sub(distance).filter(|from| *from < at);
    let from = from.ok_or_else(|| damage("a repetition of what lies before its beginning"))?;
    let end = at + length;
    let span = output.get_mut(from..end);
    let span = span.ok_or_else(|| damage("more bytes than it may hold"))?;
    // What repeats itself grows by all there is of it.
    let (mut done, end_of_span) = (distance, span.len());
    while done < end_of_span {
        let count = done.min(end_of_span - done);
        span.copy_within(..count, done);
        done += count;
    }
    Ok(end)
}

pub(super) fn damage(what: &str) -> Error {
    Error::corrupt(format!("a compressed part of a file has {what}"))
}

fn cut_off() -> Error {
    Error::corrupt("a compressed part of a file is cut off")
}
