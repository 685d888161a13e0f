//! Random projection: vectors of many components made into vectors of few, of which each is the sum of all with random signs.
//!
//! Angles come out about as they were (D. Achlioptas, "Database-friendly random projections", 2001). The signs follow from
//! where they stand, so that whoever plays the same requests gets the same vectors.

use crate::memory::size_class;

/// A matrix of one row for each component that comes out.
#[derive(Clone)]
pub struct Projection {
    /// Components that go in.
    input: usize,
    matrix: Vec<f32>,
}

/// Mixes a number so well that each bit of the result depends on all (the finalizer of splitmix64).
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

impl Projection {
    pub fn new(input: usize, output: usize) -> Self {
        let part = 1.0 / (input as f32).sqrt();
        let sign = |at: usize| if mixed(at as u64) & 1 == 0 { part } else { -part };
        Projection {
            input,
            matrix: (0..input * output).map(sign).collect(),
        }
    }

    /// A matrix that was saved; `None` if it has another number of entries.
    pub fn from_matrix(input: usize, output: usize, matrix: Vec<f32>) -> Option<Self> {
        (input > 0 && input.checked_mul(output)? == matrix.len()).then_some(Projection { input, matrix })
    }

    pub fn input(&self) -> usize {
        self.input
    }

    pub fn matrix(&self) -> &[f32] {
        &self.matrix
    }

    /// What becomes of a vector, which must have as many components as go in. O(input * output).
    pub fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let rows = self.matrix.chunks_exact(self.input);
        rows.map(|row| super::form::dot_f32(row, vector)).collect()
    }

    pub fn memory(&self) -> usize {
        size_class(self.matrix.capacity() * size_of::<f32>())
    }
}
