//! What is done to an image, and how it is undone.

use super::images::Base;

/// Structures of all formats are made of these.
pub(super) const SECTOR: usize = 512;

/// SplitMix64: a few lines, the same everywhere and forever, so that a seed says what happened.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Damage in a file, until it is undone.
pub(super) struct Damaged {
    /// What was done, for people.
    pub(super) what: String,
    /// Sectors and what they held, oldest first.
    saved: Vec<(usize, Vec<u8>)>,
    is_cut: bool,
}

impl Damaged {
    /// Damages the sectors that hold structures, in one to four ways.
    pub(super) fn new(base: &mut Base, random: &mut Random) -> Self {
        let mut damaged = Self {
            what: String::new(),
            saved: Vec::new(),
            is_cut: false,
        };
        for _ in 0..=random.below(4) {
            damaged.once(base, random);
        }
        // Checksums keep out accidents, not attackers.
        if let Some(repair) = base.repair
            && random.below(2) == 0
        {
            for sector in base.repaired.clone() {
                damaged.save(base, sector);
            }
            repair(&mut base.content);
            damaged.what += " with new checksums";
        }
        for (sector, _) in &damaged.saved {
            base.write(sector * SECTOR..(sector + 1) * SECTOR);
        }
        if random.below(20) == 0 {
            let len = random.below(base.content.len());
            base.cut(len);
            damaged.what += &format!(" cut at {len}");
            damaged.is_cut = true;
        }
        damaged
    }

    /// Makes the file what it was.
    pub(super) fn undo(self, base: &mut Base) {
        for (sector, bytes) in self.saved.iter().rev() {
            let at = sector * SECTOR;
            base.content[at..at + SECTOR].copy_from_slice(bytes);
        }
        if self.is_cut {
            base.write(0..base.content.len());
        }
        for (sector, _) in self.saved {
            base.write(sector * SECTOR..(sector + 1) * SECTOR);
        }
    }

    fn save(&mut self, base: &Base, sector: usize) {
        let bytes = base.content[sector * SECTOR..(sector + 1) * SECTOR].to_vec();
        self.saved.push((sector, bytes));
    }

    fn once(&mut self, base: &mut Base, random: &mut Random) {
        let sector = base.targets[random.below(base.targets.len())];
        let other = base.targets[random.below(base.targets.len())];
        let start = sector * SECTOR;
        self.save(base, sector);
        self.save(base, other);
        let image = &mut base.content;
        let bytes = &mut image[start..start + SECTOR];
        let kind = random.below(12);
        match kind {
            0 | 1 => {
                for _ in 0..=random.below(8) {
                    bytes[random.below(SECTOR)] ^= 1 << random.below(8);
                }
            }
            2 | 3 => {
                let at = random.below(SECTOR);
                for byte in bytes[at..].iter_mut().take(1 + random.below(16)) {
                    *byte = random.byte();
                }
            }
            4 => {
                let at = random.below(SECTOR);
                let len = 1 + random.below(SECTOR);
                let value = if random.below(2) == 0 { 0 } else { 0xFF };
                let end = SECTOR.min(at + len);
                bytes[at..end].fill(value);
            }
            5 => {
                image.copy_within(other * SECTOR..(other + 1) * SECTOR, start);
            }
            6 => {
                let moved: Vec<u8> = bytes.to_vec();
                image.copy_within(other * SECTOR..(other + 1) * SECTOR, start);
                image[other * SECTOR..(other + 1) * SECTOR].copy_from_slice(&moved);
            }
            7 => {
                // One number in the place of another: pointers that lead somewhere real.
                let width = 1 << random.below(4);
                let from = other * SECTOR + random.below(SECTOR / width) * width;
                let to = start + random.below(SECTOR / width) * width;
                image.copy_within(from..from + width, to);
            }
            _ => {
                let width = 1 << random.below(4);
                let at = random.below(SECTOR / width) * width;
                let value = extreme(width, random).to_le_bytes();
                let field = &mut bytes[at..at + width];
                field.copy_from_slice(&value[..width]);
                if random.below(2) == 0 {
                    field.reverse();
                }
            }
        }
        self.what += &format!(" kind {kind} at {start}");
    }
}

/// Numbers that programs get wrong.
fn extreme(width: usize, random: &mut Random) -> u64 {
    let bits = 8 * width;
    let max = u64::MAX >> (64 - bits);
    let values = [
        0,
        1,
        2,
        max,
        max - 1,
        max >> 1,
        (max >> 1) + 1,
        1 << random.below(bits),
        (1 << random.below(bits)) - 1,
        random.next() & 0xFF,
        random.next() & 0xFFFF,
    ];
    values[random.below(values.len())] & max
}
