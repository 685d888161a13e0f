use super::*;
use crate::types::testing::Rng;

fn point(longitude: f64, latitude: f64) -> Point {
    Point { longitude, latitude }
}

fn random_point(rng: &mut Rng) -> Point {
    let mut part = |limit: f64| match rng.below(8) {
        0 => limit,
        1 => -limit,
        2 => 0.0,
        _ => (rng.below(2_000_001) as f64 / 1e6 - 1.0) * limit,
    };
    point(part(LONGITUDE_MAX), part(LATITUDE_MAX))
}

#[test]
fn scores_and_places_are_those_of_a_real_server() {
    let palermo = point(13.361389, 38.115556);
    let catania = point(15.087269, 37.502669);
    assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
    assert_eq!(catania.score(), 3_479_447_370_796_909.0);
    let (palermo, catania) = (Point::from_score(palermo.score()), Point::from_score(catania.score()));
    assert_eq!(palermo, point(13.361389338970184, 38.1155563954963));
    assert_eq!(palermo.distance(catania), 166_274.15156960033);
    assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
    assert_eq!(&catania.geohash(), b"sqdtr74hyu0");
    assert_eq!(point(-180.0, -LATITUDE_MAX).score(), 0.0);
    // The upper edges lie beyond the last cells.
    assert_eq!(point(180.0, LATITUDE_MAX).score(), 3.0 * (1u64 << 52) as f64);
}

#[test]
fn a_score_gives_the_middle_of_its_cell() {
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let given = random_point(&mut rng);
        let stored = Point::from_score(given.score());
        assert!(stored.is_valid());
        let error = given.distance(stored);
        assert!(error < 1.0, "{given:?} is {error} m from {stored:?}");
        if given.longitude < LONGITUDE_MAX && given.latitude < LATITUDE_MAX {
            assert_eq!(stored.score(), given.score());
        }
    }
}

#[test]
fn any_number_is_some_place() {
    let huge = [
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        -1.0,
        1e17,
        1.8e19,
        9.3e18,
        -9.3e18,
        0.5,
    ];
    for score in huge {
        assert!(Point::from_score(score).is_valid(), "{score}");
    }
    assert_eq!(bits_of(-1.0), u64::MAX);
    assert_eq!(bits_of(f64::INFINITY), 0);
    assert_eq!(bits_of(f64::NEG_INFINITY), 1 << 63);
    assert_eq!(bits_of(1.8e19), 18_000_000_000_000_000_000);
    assert_eq!(integer_of(1e19), i64::MIN);
}

#[test]
fn neighbours_go_round_the_map() {
    for steps in [1, 2, 13, STEPS] {
        let corner = Cell::around(point(-180.0, -LATITUDE_MAX), steps);
        let opposite = corner.neighbour(-1, -1);
        assert_eq!(opposite.longitudes().1, 180.0);
        assert_eq!(opposite.latitudes().1, LATITUDE_MAX);
        assert_eq!(opposite.neighbour(1, 1), corner);
        assert_eq!(opposite.bits(), (1u64 << (2 * steps)) - 1);
        let cell = Cell::around(point(-10.0, 50.0), steps);
        assert_eq!(cell.neighbour(1, 0).longitudes().0, cell.longitudes().1);
        assert_eq!(cell.neighbour(0, -1).latitudes().1, cell.latitudes().0);
        assert_eq!(cell.neighbour(0, 0), cell);
    }
}

/// Whether some cell of the area holds the point.
fn is_covered(area: &Area, place: Point) -> bool {
    let score = place.score();
    area.cells()
        .any(|cell| cell.first_score() <= score && score < cell.end_score())
}

#[test]
fn cells_cover_the_area() {
    let mut rng = Rng::new(9);
    let mut inside = 0;
    for round in 0..4000 {
        // Up to where the map is hardly distorted, and away from the date line, which searches do not look across.
        let center = point(rng.below(120) as f64 - 60.0, rng.below(100) as f64 - 50.0);
        let size = (1 + rng.below(1_000_000)) as f64;
        let shape = match round % 2 {
            0 => Shape::Circle { radius: size },
            _ => Shape::Box {
                width: size,
                height: (1 + rng.below(1_000_000)) as f64,
            },
        };
        let area = Area {
            center,
            shape,
            unit: 1.0,
        };
        assert!(is_covered(&area, center));
        for _ in 0..10 {
            let spread = |rng: &mut Rng| (rng.below(2_000_001) as f64 / 1e6 - 1.0) * size / 100_000.0;
            let place = point(center.longitude + spread(&mut rng), center.latitude + spread(&mut rng));
            if area.distance_within(place).is_some() {
                inside += 1;
                assert!(is_covered(&area, place), "{area:?} without {place:?}");
            }
        }
    }
    assert!(inside > 5000, "{inside}");
}

#[test]
fn cells_come_once_and_in_their_order() {
    let area = |center, radius| Area {
        center,
        shape: Shape::Circle { radius },
        unit: 1000.0,
    };
    // The whole earth: four cells of the first level.
    let cells: Vec<Cell> = area(point(1.0, 1.0), 30_000.0).cells().collect();
    let bits: Vec<u64> = cells.iter().map(|cell| cell.bits()).collect();
    assert_eq!(bits, [3, 2, 1, 0]);
    let small: Vec<Cell> = area(point(13.36, 38.11), 1.0).cells().collect();
    assert!((1..=9).contains(&small.len()));
    assert_eq!(
        area(point(13.36, 38.11), 0.0).cells().next().map(Cell::steps),
        Some(STEPS)
    );
}

#[test]
fn boxes_have_the_width_of_each_parallel() {
    let area = Area {
        center: point(0.0, 60.0),
        shape: Shape::Box {
            width: 200.0,
            height: 200.0,
        },
        unit: 1000.0,
    };
    assert!(area.distance_within(point(1.75, 60.0)).is_some());
    assert!(area.distance_within(point(1.85, 60.0)).is_none());
    assert!(area.distance_within(point(0.0, 60.89)).is_some());
    assert!(area.distance_within(point(0.0, 60.91)).is_none());
    assert!(
        area.distance_within(point(1.82, 60.8)).is_some(),
        "a degree is shorter there"
    );
}
