//! The forms in which vectors are kept, and how far apart two of them are.
//!
//! What counts is the angle between vectors, so each is kept with length 1, and its real length aside. The distance is one
//! minus the cosine: 0 for the same direction, 1 for a right angle, 2 for the opposite direction.
//!
//! ```text
//! f32     the components
//! int8    | range, 4 bytes | components, a byte each |     -127 to 127 stand for -range to range
//! bin     a bit a component: whether it is above zero
//! ```
//!
//! The range stands in the row of its components, as it is needed whenever they are.

use super::rows::Rows;

/// How the components of all vectors of a set are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantization {
    Float,
    Int8,
    Binary,
}

/// What -1 to 1 of a component, relative to the range, is multiplied by.
const INT8_MOST: f32 = 127.0;
/// Bytes of the range.
const RANGE: usize = 4;
/// Components a step of the loops below: enough accumulators to keep the processor's units busy, which needs
/// sums that do not wait for each other.
const LANES: usize = 16;

/// A vector in the form of its set.
#[derive(Clone, Copy, Debug)]
pub enum Point<'a> {
    Float(&'a [f32]),
    Int8(&'a [i8]),
    Binary { bits: &'a [u64], dim: usize },
}

/// The same, owned.
#[derive(Clone, Debug)]
pub enum OwnedPoint {
    Float(Vec<f32>),
    Int8(Vec<i8>),
    Binary { bits: Vec<u64>, dim: usize },
}

/// All vectors of a set.
#[derive(Clone)]
pub enum Vectors {
    Float(Rows<f32>),
    Int8(Rows<i8>),
    Binary { rows: Rows<u64>, dim: usize },
}

#[inline]
pub(super) fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).fold(0.0, |sum, (a, b)| sum + a * b);
    sums.iter().sum::<f32>() + rest
}

#[inline]
fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0i32; LANES / 2];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let product = |at: usize| i32::from(a[at]) * i32::from(b[at]);
            *sum += product(2 * lane) + product(2 * lane + 1);
        }
    }
    let product = |(a, b): (&i8, &i8)| i32::from(*a) * i32::from(*b);
    sums.iter().sum::<i32>() + a_rest.iter().zip(b_rest).map(product).sum::<i32>()
}

#[inline]
fn range_of(row: &[i8]) -> f32 {
    match row.first_chunk::<RANGE>() {
        Some(bytes) => f32::from_le_bytes(bytes.map(|byte| byte as u8)),
        None => 0.0,
    }
}

impl<'a> Point<'a> {
    /// How far two vectors of one set are apart. O(dim).
    #[inline]
    pub fn distance(self, other: Point<'_>) -> f32 {
        match (self, other) {
            (Point::Float(a), Point::Float(b)) => 1.0 - dot_f32(a, b),
            (Point::Int8(a), Point::Int8(b)) => {
                let (a_range, b_range) = (range_of(a), range_of(b));
                if a_range == 0.0 || b_range == 0.0 {
                    // A vector of zeros, which is at a right angle to all.
                    return 1.0;
                }
                let dot = dot_i8(&a[RANGE..], &b[RANGE..]) as f32;
                // In this order Redis rounds to the same.
                let cosine = dot * (a_range / INT8_MOST) * b_range / INT8_MOST;
                // Rounding may lead a little too far.
                (1.0 - cosine).clamp(0.0, 2.0)
            }
            (Point::Binary { bits: a, dim }, Point::Binary { bits: b, .. }) => {
                let differ: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
                differ as f32 * 2.0 / dim as f32
            }
            _ => 2.0,
        }
    }

    /// The components, of a vector of length 1 as far as the form tells: only their signs if it is the binary one.
    pub fn components(self) -> Vec<f32> {
        match self {
            Point::Float(components) => components.to_vec(),
            Point::Int8(row) => {
                let range = range_of(row);
                let components = row[RANGE..].iter();
                components
                    .map(|&component| f32::from(component) * range / INT8_MOST)
                    .collect()
            }
            Point::Binary { bits, dim } => {
                let bit = |at: usize| bits[at / 64] >> (at % 64) & 1 == 1;
                (0..dim).map(|at| if bit(at) { 1.0 } else { -1.0 }).collect()
            }
        }
    }

    /// The bytes in which other servers keep this: floats and words with their lowest byte first, integers without the
    /// range.
    pub fn raw(self) -> Vec<u8> {
        match self {
            Point::Float(components) => components
                .iter()
                .flat_map(|component| component.to_le_bytes())
                .collect(),
            Point::Int8(row) => row[RANGE..].iter().map(|&component| component as u8).collect(),
            Point::Binary { bits, .. } => bits.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    /// What the largest integer stands for.
    pub fn range(self) -> Option<f32> {
        match self {
            Point::Int8(row) => Some(range_of(row)),
            Point::Float(_) | Point::Binary { .. } => None,
        }
    }
}

/// The length of a vector.
pub fn length(vector: &[f32]) -> f32 {
    dot_f32(vector, vector).sqrt()
}

/// Gives a vector some of whose squares are too large for a float the length 1, and says what it was, if a float can. What is
/// infinite counts as zero.
fn shrink_huge(vector: &mut [f32]) -> f32 {
    vector.iter_mut().for_each(finite_or_zero);
    let squares: f64 = vector.iter().map(|&component| f64::from(component).powi(2)).sum();
    if squares == 0.0 {
        return 1.0;
    }
    let length = squares.sqrt();
    for component in vector {
        *component = (f64::from(*component) / length) as f32;
    }
    (length as f32).min(f32::MAX)
}

fn finite_or_zero(component: &mut f32) {
    if !component.is_finite() {
        *component = 0.0;
    }
}

impl OwnedPoint {
    /// A vector in the form of a set, and the length it had. One of zeros stays that, and counts as if it had length 1.
    pub fn new(mut vector: Vec<f32>, form: Quantization) -> (Self, f32) {
        let length = match length(&vector) {
            0.0 => 1.0,
            length if length.is_finite() => {
                vector.iter_mut().for_each(|component| *component /= length);
                length
            }
            _ => shrink_huge(&mut vector),
        };
        let point = match form {
            Quantization::Float => OwnedPoint::Float(vector),
            Quantization::Int8 => {
                let range = vector.iter().fold(0.0f32, |most, component| most.max(component.abs()));
                let scale = if range == 0.0 { 0.0 } else { INT8_MOST / range };
                let components = vector.iter().map(|component| (component * scale).round() as i8);
                OwnedPoint::int8(range, components)
            }
            Quantization::Binary => {
                let mut bits = vec![0; vector.len().div_ceil(64)];
                for (at, _) in vector.iter().enumerate().filter(|(_, component)| **component > 0.0) {
                    bits[at / 64] |= 1 << (at % 64);
                }
                OwnedPoint::Binary {
                    bits,
                    dim: vector.len(),
                }
            }
        };
        (point, length)
    }

    fn int8(range: f32, components: impl Iterator<Item = i8>) -> Self {
        let range = range.to_le_bytes().map(|byte| byte as i8);
        OwnedPoint::Int8(range.into_iter().chain(components).collect())
    }

    /// What [`Point::raw`] and [`Point::range`] say of a vector of so many components; `None` if the bytes are of another
    /// length. What is no finite number counts as zero.
    pub fn from_raw(form: Quantization, dim: usize, raw: &[u8], range: f32) -> Option<Self> {
        Some(match form {
            Quantization::Float => {
                let (words, rest) = raw.as_chunks::<4>();
                if words.len() != dim || !rest.is_empty() {
                    return None;
                }
                let mut components: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
                components.iter_mut().for_each(finite_or_zero);
                OwnedPoint::Float(components)
            }
            Quantization::Int8 if raw.len() == dim => {
                let range = if range.is_finite() { range.max(0.0) } else { 0.0 };
                OwnedPoint::int8(range, raw.iter().map(|&byte| byte as i8))
            }
            Quantization::Int8 => return None,
            Quantization::Binary => {
                let (words, rest) = raw.as_chunks::<8>();
                if words.len() != dim.div_ceil(64) || !rest.is_empty() {
                    return None;
                }
                let bits = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
                OwnedPoint::Binary { bits, dim }
            }
        })
    }

    #[inline]
    pub fn point(&self) -> Point<'_> {
        match self {
            OwnedPoint::Float(components) => Point::Float(components),
            OwnedPoint::Int8(row) => Point::Int8(row),
            OwnedPoint::Binary { bits, dim } => Point::Binary { bits, dim: *dim },
        }
    }
}

impl Vectors {
    pub fn new(form: Quantization, dim: usize) -> Self {
        match form {
            Quantization::Float => Vectors::Float(Rows::new(dim)),
            Quantization::Int8 => Vectors::Int8(Rows::new(RANGE + dim)),
            Quantization::Binary => Vectors::Binary {
                rows: Rows::new(dim.div_ceil(64)),
                dim,
            },
        }
    }

    pub fn form(&self) -> Quantization {
        match self {
            Vectors::Float(_) => Quantization::Float,
            Vectors::Int8(_) => Quantization::Int8,
            Vectors::Binary { .. } => Quantization::Binary,
        }
    }

    /// How many components each vector has.
    pub fn dim(&self) -> usize {
        match self {
            Vectors::Float(rows) => rows.width(),
            Vectors::Int8(rows) => rows.width() - RANGE,
            Vectors::Binary { dim, .. } => *dim,
        }
    }

    #[inline]
    pub fn at(&self, node: u32) -> Point<'_> {
        match self {
            Vectors::Float(rows) => Point::Float(rows.row(node)),
            Vectors::Int8(rows) => Point::Int8(rows.row(node)),
            Vectors::Binary { rows, dim } => Point::Binary {
                bits: rows.row(node),
                dim: *dim,
            },
        }
    }

    /// Where a vector lies in memory, and how many bytes it has.
    #[inline]
    pub fn extent(&self, node: u32) -> (usize, usize) {
        match self {
            Vectors::Float(rows) => (rows.address(node), 4 * rows.width()),
            Vectors::Int8(rows) => (rows.address(node), rows.width()),
            Vectors::Binary { rows, .. } => (rows.address(node), 8 * rows.width()),
        }
    }

    /// Adds a vector, which must be of this form and dimension.
    pub fn push(&mut self, point: &OwnedPoint) {
        match (self, point) {
            (Vectors::Float(rows), OwnedPoint::Float(row)) => rows.push(row.iter().copied()),
            (Vectors::Int8(rows), OwnedPoint::Int8(row)) => rows.push(row.iter().copied()),
            (Vectors::Binary { rows, .. }, OwnedPoint::Binary { bits, .. }) => rows.push(bits.iter().copied()),
            _ => unreachable!("a vector in the form of another set"),
        }
    }

    pub fn swap_remove(&mut self, node: u32) {
        match self {
            Vectors::Float(rows) => rows.swap_remove(node),
            Vectors::Int8(rows) => rows.swap_remove(node),
            Vectors::Binary { rows, .. } => rows.swap_remove(node),
        }
    }

    pub fn pop(&mut self) {
        match self {
            Vectors::Float(rows) => rows.pop(),
            Vectors::Int8(rows) => rows.pop(),
            Vectors::Binary { rows, .. } => rows.pop(),
        }
    }

    pub fn memory(&self) -> usize {
        match self {
            Vectors::Float(rows) => rows.memory(),
            Vectors::Int8(rows) => rows.memory(),
            Vectors::Binary { rows, .. } => rows.memory(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;

    fn random(rng: &mut Rng, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| (rng.below(2001) as f32 - 1000.0) / 100.0).collect()
    }

    fn distance(a: &[f32], b: &[f32], form: Quantization) -> f32 {
        let (a, b) = (OwnedPoint::new(a.to_vec(), form).0, OwnedPoint::new(b.to_vec(), form).0);
        a.point().distance(b.point())
    }

    #[test]
    fn distances_are_of_angles() {
        let mut rng = Rng::new(1);
        for dim in [1, 2, 7, 16, 33, 64, 65, 128, 300] {
            for _ in 0..50 {
                let (a, b) = (random(&mut rng, dim), random(&mut rng, dim));
                let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
                let exact = 1.0 - dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt().max(1e-9);
                assert!((f64::from(distance(&a, &b, Quantization::Float)) - exact).abs() < 1e-4);
                assert!((f64::from(distance(&a, &b, Quantization::Int8)) - exact).abs() < 0.05);
                let differ = a.iter().zip(&b).filter(|(a, b)| (**a > 0.0) != (**b > 0.0)).count();
                assert_eq!(distance(&a, &b, Quantization::Binary), differ as f32 * 2.0 / dim as f32);
            }
        }
    }

    #[test]
    fn what_is_raw_makes_the_same_vector_again() {
        let mut rng = Rng::new(2);
        for form in [Quantization::Float, Quantization::Int8, Quantization::Binary] {
            for dim in [1, 3, 64, 65] {
                let (point, _) = OwnedPoint::new(random(&mut rng, dim), form);
                let (raw, range) = (point.point().raw(), point.point().range());
                let again = OwnedPoint::from_raw(form, dim, &raw, range.unwrap_or(0.0)).expect("of this length");
                assert_eq!(point.point().components(), again.point().components());
                assert!(OwnedPoint::from_raw(form, dim, &raw[1..], 1.0).is_none());
            }
        }
    }

    #[test]
    fn huge_components_have_a_direction_and_infinite_ones_none() {
        for form in [Quantization::Float, Quantization::Int8] {
            let right = std::f32::consts::FRAC_1_SQRT_2;
            assert!((distance(&[1e30, 1e30], &[1.0, 0.0], form) - (1.0 - right)).abs() < 1e-3);
            assert!(distance(&[f32::MAX, f32::MAX], &[1.0, 1.0], form).abs() < 1e-3);
            assert_eq!(distance(&[f32::INFINITY, 0.0], &[1.0, 1.0], form), 1.0);
            assert!(distance(&[f32::NEG_INFINITY, 1.0], &[0.0, 1.0], form) < 1e-6);
            for vector in [[1e30, 0.0], [f32::MAX, f32::MAX], [f32::INFINITY, 1.0]] {
                assert!(OwnedPoint::new(vector.to_vec(), form).1.is_finite());
            }
        }
    }

    #[test]
    fn a_vector_of_zeros_is_at_a_right_angle_to_all() {
        for form in [Quantization::Float, Quantization::Int8] {
            assert_eq!(distance(&[0.0; 5], &[1.0; 5], form), 1.0);
            assert_eq!(OwnedPoint::new(vec![0.0; 5], form).1, 1.0);
        }
    }
}
