//! Numbers for random tests.

/// Small numbers that look random; the same for the same seed, which is not zero.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Begins with any seed.
    pub fn new(seed: u64) -> Self {
        // Seeds that differ in one bit would begin alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 to one below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}
