//! What the model tests of the data structures share: a seeded generator and texts that hit encoding borders.

/// xorshift64*: repeatable pseudo-random numbers.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// An integer whose magnitude is spread over all widths.
    pub fn integer(&mut self) -> i64 {
        let width = self.below(64);
        (self.next() as i64) >> width
    }

    /// A text of a kind that lists and hashes meet: an integer, nearly one, a word, sometimes a long one.
    pub fn text(&mut self) -> Vec<u8> {
        match self.below(10) {
            0..=3 => self.integer().to_string().into_bytes(),
            4 => format!("0{}", self.below(100)).into_bytes(),
            5 => Vec::new(),
            6 => vec![b'x'; self.below(200)],
            7 if self.chance(20) => vec![b'y'; 4000 + self.below(200)],
            _ => format!("word:{}", self.below(50)).into_bytes(),
        }
    }
}

/// The bytes that a text of hexadecimal digits stands for; white space in it does not count.
pub fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
