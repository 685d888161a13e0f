//! Areas to search, and the cells that cover them.

use super::cell::Cell;
use super::{EARTH_RADIUS, Point, STEPS, degrees, radians};

/// Half the length of the equator on a map of the Mercator projection, in metres.
const MERCATOR_MAX: f64 = 20_037_726.37;

/// A cell and its neighbours, as columns to the east and rows to the north, in the order in which Redis reads them.
const NEIGHBOURHOOD: [(i32, i32); 9] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// The form of an area, with its sizes in the area's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// An area around a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub center: Point,
    pub shape: Shape,
    /// Metres that the unit of length has.
    pub unit: f64,
}

/// What lies between two meridians and two parallels, in degrees. They may be beyond the map, or no numbers.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Area {
    /// Metres from the centre, if the point is in the area.
    pub fn distance_within(&self, point: Point) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let distance = self.center.distance(point);
                let is_outside = distance > radius * self.unit;
                (!is_outside).then_some(distance)
            }
            Shape::Box { width, height } => {
                if point.distance_of_latitudes(self.center) > height * self.unit / 2.0 {
                    return None;
                }
                let on_parallel = Point {
                    longitude: self.center.longitude,
                    latitude: point.latitude,
                };
                if point.distance(on_parallel) > width * self.unit / 2.0 {
                    return None;
                }
                Some(self.center.distance(point))
            }
        }
    }

    /// The cells that cover the area: that of the centre and its eight neighbours, without those beyond the area. They
    /// come in the order in which Redis reads them, which is that of unsorted results.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + use<> {
        let bounds = self.bounds();
        let mut cell = Cell::around(self.center, self.steps());
        if cell.steps() > 1 && !bounds.are_within_reach_of(cell) {
            cell = Cell::around(self.center, cell.steps() - 1);
        }
        let (west, east) = cell.longitudes();
        let (south, north) = cell.latitudes();
        // Cells of the first level are too large to leave any out.
        let may_end = cell.steps() > 1;
        let (ends_south, ends_north) = (may_end && south < bounds.south, may_end && north > bounds.north);
        let (ends_west, ends_east) = (may_end && west < bounds.west, may_end && east > bounds.east);
        let is_needed = move |east: i32, north: i32| {
            let beyond_meridian = east < 0 && ends_west || east > 0 && ends_east;
            let beyond_parallel = north < 0 && ends_south || north > 0 && ends_north;
            !beyond_meridian && !beyond_parallel
        };
        let mut last = None;
        let needed = NEIGHBOURHOOD
            .into_iter()
            .filter(move |&(east, north)| is_needed(east, north));
        needed.filter_map(move |(east, north)| {
            let next = cell.neighbour(east, north);
            // On a map of few cells several neighbours are one.
            if last == Some(next) {
                return None;
            }
            if (east, north) != (0, 0) {
                last = Some(next);
            }
            Some(next)
        })
    }

    /// Half the width, half the height, and the distance to the furthest point, in metres.
    fn extent(&self) -> (f64, f64, f64) {
        let (width, height, furthest) = match self.shape {
            Shape::Circle { radius } => (radius, radius, radius),
            Shape::Box { width, height } => {
                let (half_width, half_height) = (width / 2.0, height / 2.0);
                let corner = (half_width * half_width + half_height * half_height).sqrt();
                (half_width, half_height, corner)
            }
        };
        (width * self.unit, height * self.unit, furthest * self.unit)
    }

    fn bounds(&self) -> Bounds {
        let (width, height, _) = self.extent();
        let Point { longitude, latitude } = self.center;
        let up = degrees(height / EARTH_RADIUS);
        // A degree of longitude is shortest on the side that is nearer to a pole.
        let parallel = if latitude < 0.0 { latitude - up } else { latitude + up };
        let across = degrees(width / EARTH_RADIUS / radians(parallel).cos());
        Bounds {
            west: longitude - across,
            east: longitude + across,
            south: latitude - up,
            north: latitude + up,
        }
    }

    /// The level whose cells are just as large that the area fits into nine of them, mostly.
    fn steps(&self) -> u32 {
        let (_, _, mut reach) = self.extent();
        if reach == 0.0 {
            return STEPS;
        }
        let mut steps: i32 = -1;
        while reach < MERCATOR_MAX {
            reach *= 2.0;
            steps += 1;
        }
        // Towards the poles the cells become narrow.
        let latitude = self.center.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }
}

impl Bounds {
    /// Whether the four direct neighbours of a cell reach as far as these bounds.
    fn are_within_reach_of(&self, cell: Cell) -> bool {
        let (_, north) = cell.neighbour(0, 1).latitudes();
        let (south, _) = cell.neighbour(0, -1).latitudes();
        let (_, east) = cell.neighbour(1, 0).longitudes();
        let (west, _) = cell.neighbour(-1, 0).longitudes();
        let falls_short = north < self.north || south > self.south || east < self.east || west > self.west;
        !falls_short
    }
}
