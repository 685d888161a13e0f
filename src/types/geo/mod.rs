//! Places on the earth as scores of a sorted set.
//!
//! A place is stored as a geohash of 52 bits, which a double holds exactly: the bits of a grid column (longitude) and
//! of a grid row (latitude), 26 each, in turn (G. M. Morton, "A Computer Oriented Geodetic Data Base", 1966). Places with
//! a common prefix share a grid cell, so a cell of any size is one range of scores, and a search reads the few cells that
//! cover its area ([`area`]) and looks closer at what it finds there.
//!
//! Everything is computed in the order of operations of Redis, in doubles and with the C library's sine: results are the
//! same to the last bit. They depend on the order in places that do not look it, `angle * (PI / 180)` for one.

mod area;
mod cell;
mod sort;

pub use area::{Area, Shape};
pub use cell::Cell;
pub use sort::sort_front;

/// Levels of the grid: bits of a column, and of a row.
pub const STEPS: u32 = 26;
/// The furthest latitude that has a place: where the map of the Web Mercator projection (EPSG:3857) becomes a square.
pub const LATITUDE_MAX: f64 = 85.05112878;
pub const LONGITUDE_MAX: f64 = 180.0;
/// The earth's quadratic mean radius, in metres.
const EARTH_RADIUS: f64 = 6_372_797.560856;
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// A place, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    pub longitude: f64,
    pub latitude: f64,
}

impl Point {
    /// Whether the grid has it.
    pub fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The score of a valid point. At the upper edges of the grid it is beyond 52 bits, as there is no cell that the
    /// edge itself would fall in.
    pub fn score(self) -> f64 {
        Cell::around(self, STEPS).first_score()
    }

    /// The point in the middle of a score's cell. Any number will do: one that is no geohash gives some point.
    pub fn from_score(score: f64) -> Point {
        Cell::from_bits(bits_of(score)).middle()
    }

    /// Metres between two points on a sphere of the earth's size, by the haversine formula.
    pub fn distance(self, other: Point) -> f64 {
        let half_across = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        // Both on one meridian: the formula comes down to the arc between them.
        if half_across == 0.0 {
            return self.distance_of_latitudes(other);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        let half_along = ((to - from) / 2.0).sin();
        let a = half_along * half_along + from.cos() * to.cos() * half_across * half_across;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }

    /// Metres between the parallels that two points are on.
    fn distance_of_latitudes(self, other: Point) -> f64 {
        EARTH_RADIUS * (radians(other.latitude) - radians(self.latitude)).abs()
    }

    /// The geohash as <http://geohash.org> has it, whose grid reaches up to the poles: eleven digits, of which the last
    /// stands for bits there are none of and is always zero.
    pub fn geohash(self) -> [u8; 11] {
        const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::in_grid(self, STEPS, LONGITUDE_MAX, 90.0).bits();
        let mut text = [DIGITS[0]; 11];
        for (at, digit) in text[..10].iter_mut().enumerate() {
            *digit = DIGITS[(bits >> (47 - 5 * at)) as usize & 31];
        }
        text
    }
}

/// 2^63.
const SIGN: f64 = (1u64 << 63) as f64;

/// A score as a signed number, as WITHHASH tells it. Redis leaves what does not fit to the processor; this is what one of
/// type x86-64 makes of it.
pub fn integer_of(score: f64) -> i64 {
    if (-SIGN..SIGN).contains(&score) {
        score as i64
    } else {
        i64::MIN
    }
}

/// A score as the bits of a geohash, unsigned; see [`integer_of`].
fn bits_of(score: f64) -> u64 {
    if score < SIGN {
        integer_of(score) as u64
    } else {
        integer_of(score - SIGN) as u64 ^ 1 << 63
    }
}

#[cfg(test)]
mod tests;
