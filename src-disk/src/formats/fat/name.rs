//! Names: short ones in code page 437, long ones in pieces of UTF-16.
//!
//! A volume does not say which code page its short names use. Code page 437 is that of the first PCs and the kernel's
//! choice. Above all, it has a character for every byte, so that two different names stay different.

use crate::{Name, formats::bytes::u16_at};

/// Characters of one piece.
const PIECE_UNITS: usize = 13;
/// 255 characters, and the piece that ends them.
const MAX_PIECES: usize = 20;
/// Bits of byte 12: Windows NT keeps a name in small letters without a long one.
const SMALL_BASE: u8 = 0x08;
const SMALL_EXTENSION: u8 = 0x10;

/// Characters of the bytes from 0x80 on in code page 437.
const HIGH: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}";

/// Text in code page 437.
pub(crate) fn oem_text(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte.checked_sub(0x80) {
        Some(high) => HIGH.chars().nth(usize::from(high)).unwrap_or('\u{FFFD}'),
        None => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

/// The name in a folder's entry. The first byte 0x05 stands for 0xE5, which marks what was deleted.
pub(crate) fn short_name(raw: &[u8; 11], case: u8) -> String {
    let mut raw = *raw;
    if raw[0] == 0x05 {
        raw[0] = 0xE5;
    }
    let (base, extension) = raw.split_at(8);
    let part = |bytes: &[u8], is_small: bool| {
        let len = bytes
            .iter()
            .rposition(|byte| *byte != b' ')
            .map_or(0, |at| at.saturating_add(1));
        let mut text = oem_text(&bytes[..len]);
        if is_small {
            // Other letters stay: of two names in them one could become the other.
            text.make_ascii_lowercase();
        }
        text
    };
    let mut name = part(base, case & SMALL_BASE != 0);
    let extension = part(extension, case & SMALL_EXTENSION != 0);
    if !extension.is_empty() {
        name.push('.');
        name.push_str(&extension);
    }
    name
}

/// What ties the pieces of a long name to the short one that follows them.
fn checksum(short: &[u8; 11]) -> u8 {
    short
        .iter()
        .fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// The pieces of a long name, which come last first.
#[derive(Debug, Default)]
pub(crate) struct LongName {
    /// As they came.
    pieces: Vec<[u16; PIECE_UNITS]>,
    /// The number that the next piece has to have.
    next: u8,
    checksum: u8,
}

impl LongName {
    /// Takes an entry that is a piece; pieces that do not follow each other are left by their file.
    pub(crate) fn push(&mut self, entry: &[u8; 32]) {
        let number = entry[0] & 0x3F;
        if entry[0] & 0x40 != 0 && (1..=MAX_PIECES).contains(&usize::from(number)) {
            self.pieces.clear();
            self.next = number;
            self.checksum = entry[13];
        }
        if number == 0 || number != self.next || entry[13] != self.checksum {
            self.clear();
            return;
        }
        let places = (1..11)
            .step_by(2)
            .chain((14..26).step_by(2))
            .chain([28, 30]);
        let mut units = [0; PIECE_UNITS];
        for (unit, at) in units.iter_mut().zip(places) {
            *unit = u16_at(entry, at).unwrap_or(0);
        }
        self.pieces.push(units);
        self.next = number.saturating_sub(1);
    }

    /// Forgets the pieces: what follows does not belong to them.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.next = 0;
    }

    /// The long name of the entry that follows, if all its pieces are there.
    pub(crate) fn take(&mut self, short: &[u8; 11]) -> Option<Name> {
        let is_whole = !self.pieces.is_empty() && self.next == 0;
        let units: Vec<u16> = self
            .pieces
            .iter()
            .rev()
            .flatten()
            .copied()
            .take_while(|unit| *unit != 0)
            .collect();
        let belongs = is_whole && !units.is_empty() && self.checksum == checksum(short);
        self.clear();
        belongs.then(|| Name::from_utf16(units))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let all: HashSet<String> = (1..=255).map(|byte| oem_text(&[byte])).collect();
        assert_eq!(all.len(), 255);
        assert_eq!(oem_text(&[0x80, 0xFF, 0xE1]), "Ç\u{A0}ß");
    }

    #[test]
    fn short_names_are_put_together_as_windows_does() {
        assert_eq!(short_name(b"README  TXT", 0), "README.TXT");
        assert_eq!(short_name(b"README  TXT", SMALL_BASE), "readme.TXT");
        assert_eq!(short_name(b"README  TXT", SMALL_EXTENSION), "README.txt");
        assert_eq!(short_name(b"A B        ", 0), "A B");
        assert_eq!(short_name(b"\x05BC     X  ", 0), "σBC.X");
    }

    fn piece(number: u8, text: &str, sum: u8) -> [u8; 32] {
        let mut entry = [0xFF; 32];
        entry[0] = number;
        entry[13] = sum;
        let places = (1..11)
            .step_by(2)
            .chain((14..26).step_by(2))
            .chain([28, 30]);
        for (unit, at) in text.encode_utf16().chain([0]).zip(places) {
            entry[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        entry
    }

    #[test]
    fn a_long_name_needs_all_its_pieces_in_order_and_its_own_short_name() {
        let short = b"LONGNA~1TXT";
        let sum = checksum(short);
        let mut long = LongName::default();
        long.push(&piece(0x42, "end.txt", sum));
        long.push(&piece(1, "thirteen char", sum));
        assert_eq!(long.take(short).unwrap().display(), "thirteen charend.txt");
        assert!(long.take(short).is_none(), "taken once");

        for orphans in [
            vec![piece(0x42, "end", sum)],
            vec![piece(1, "begin", sum)],
            vec![piece(0x41, "other", sum ^ 1)],
            vec![piece(0x43, "x", sum), piece(1, "y", sum)],
            vec![piece(0x42, "x", sum), piece(1, "y", sum ^ 1)],
        ] {
            let mut long = LongName::default();
            for entry in &orphans {
                long.push(entry);
            }
            assert!(long.take(short).is_none(), "{orphans:?}");
        }
    }
}
