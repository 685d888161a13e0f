//! Cells of the grid, and their neighbours.

use super::{LATITUDE_MAX, LONGITUDE_MAX, Point, STEPS};

/// A rectangle of the grid of some level, from 1 (four cells on the whole map) to [`STEPS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    column: u32,
    row: u32,
    steps: u32,
}

/// Spreads the bits of a number to every second place.
fn spread(bits: u32) -> u64 {
    const MASKS: [(u32, u64); 5] = [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    MASKS
        .iter()
        .fold(u64::from(bits), |bits, &(shift, mask)| (bits | bits << shift) & mask)
}

/// Gathers every second bit, from the lowest on.
fn gather(bits: u64) -> u32 {
    const MASKS: [(u32, u64); 5] = [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ];
    let spread = bits & 0x5555_5555_5555_5555;
    MASKS
        .iter()
        .fold(spread, |bits, &(shift, mask)| (bits | bits >> shift) & mask) as u32
}

/// Where a side of a cell is: `index` of 2^`steps` equal parts of the way from -`limit` to `limit`.
fn edge(index: u32, steps: u32, limit: f64) -> f64 {
    -limit + f64::from(index) / (1u64 << steps) as f64 * (limit + limit)
}

impl Cell {
    /// The cell of that level which a valid point falls in.
    pub fn around(point: Point, steps: u32) -> Cell {
        Cell::in_grid(point, steps, LONGITUDE_MAX, LATITUDE_MAX)
    }

    /// The same in a grid that reaches up to other limits.
    pub(super) fn in_grid(point: Point, steps: u32, longitude_max: f64, latitude_max: f64) -> Cell {
        let part = |at: f64, limit: f64| (at + limit) / (limit + limit) * (1u64 << steps) as f64;
        Cell {
            column: part(point.longitude, longitude_max) as u32,
            row: part(point.latitude, latitude_max) as u32,
            steps,
        }
    }

    /// The smallest cell of a geohash. Bits that are too many put it outside the map.
    pub(super) fn from_bits(bits: u64) -> Cell {
        Cell {
            column: gather(bits >> 1),
            row: gather(bits),
            steps: STEPS,
        }
    }

    /// The geohash: two bits a level.
    pub fn bits(self) -> u64 {
        spread(self.column) << 1 | spread(self.row)
    }

    pub fn steps(self) -> u32 {
        self.steps
    }

    /// Longitudes of the western and eastern side.
    pub fn longitudes(self) -> (f64, f64) {
        let side = |column| edge(column, self.steps, LONGITUDE_MAX);
        (side(self.column), side(self.column.wrapping_add(1)))
    }

    /// Latitudes of the southern and northern side.
    pub fn latitudes(self) -> (f64, f64) {
        let side = |row| edge(row, self.steps, LATITUDE_MAX);
        (side(self.row), side(self.row.wrapping_add(1)))
    }

    /// The point in its middle, or the nearest one that the grid has.
    pub fn middle(self) -> Point {
        let middle = |(from, to): (f64, f64), limit: f64| ((from + to) / 2.0).clamp(-limit, limit);
        Point {
            longitude: middle(self.longitudes(), LONGITUDE_MAX),
            latitude: middle(self.latitudes(), LATITUDE_MAX),
        }
    }

    /// The cell so many columns to the east and rows to the north. The map has no edges here: what leaves it on one side
    /// comes in on the other, also in the north and south, where that is of no use.
    pub fn neighbour(self, east: i32, north: i32) -> Cell {
        let moved = |index: u32, by: i32| match by {
            0 => index,
            by => index.wrapping_add_signed(by) & ((1 << self.steps) - 1),
        };
        Cell {
            column: moved(self.column, east),
            row: moved(self.row, north),
            steps: self.steps,
        }
    }

    /// The lowest score in the cell.
    pub fn first_score(self) -> f64 {
        (self.bits() << (2 * (STEPS - self.steps))) as f64
    }

    /// The lowest score behind the cell.
    pub fn end_score(self) -> f64 {
        ((self.bits() + 1) << (2 * (STEPS - self.steps))) as f64
    }
}
