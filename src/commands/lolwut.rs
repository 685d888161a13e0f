//! LOLWUT: a picture for whoever asks.
//!
//! Ours is a field of wind, drawn by the directions in which it blows. Aeolus kept the winds in a bag; here they are out.

use std::f64::consts::TAU;

use super::handlers::Family;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::{Context, Failure, Outcome};

pub const COMMANDS: Family = &[("lolwut", lolwut)];

/// Columns and lines of a picture: unless told, and at most.
const USUAL: (usize, usize) = (64, 14);
const LARGEST: (i64, i64) = (256, 64);
/// Redis draws pictures of its own for these versions and refuses arguments for them that are no numbers.
const PICTURED_VERSIONS: [i64; 2] = [5, 6];

/// LOLWUT [VERSION version] [columns [lines]]
fn lolwut(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (columns, lines) = size(args)?;
    let field = Wind::new(ctx.core.random.u64(..));
    let mut picture = field.draw(columns, lines);
    picture.push_str(concat!(
        "\nThe winds are out of the bag. Aeolus ver. ",
        env!("CARGO_PKG_VERSION"),
        "\n"
    ));
    ctx.reply.verbatim("txt", picture);
    Ok(())
}

/// The size asked for, brought within bounds.
fn size(args: Args<'_>) -> Result<(usize, usize), Failure> {
    let versioned = args.len() >= 3 && args.at(1).eq_ignore_ascii_case(b"version");
    let (rest, strict) = match versioned {
        true => (args.from(3), PICTURED_VERSIONS.contains(&integer(args.at(2))?)),
        false => (args.from(1), false),
    };
    let number = |index: usize, usual: usize, largest: i64| match rest.get(index).map(integer) {
        Some(Ok(number)) => Ok(number.clamp(1, largest) as usize),
        Some(Err(failure)) if strict => Err(failure),
        Some(Err(_)) | None => Ok(usual),
    };
    Ok((number(0, USUAL.0, LARGEST.0)?, number(1, USUAL.1, LARGEST.1)?))
}

/// A plane wave of the air's potential: gradients across it are wind along it.
struct Wave {
    across: f64,
    down: f64,
    phase: f64,
    strength: f64,
}

/// Some waves on top of each other: eddies where they meet.
struct Wind {
    waves: Vec<Wave>,
}

impl Wind {
    /// The same seed gives the same wind.
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let waves = (0..4).map(|_| {
            let (heading, length) = (random.f64() * TAU, 24.0 + random.f64() * 48.0);
            Wave {
                across: heading.cos() * TAU / length,
                // A character is about twice as high as it is wide.
                down: heading.sin() * TAU / length * 2.0,
                phase: random.f64() * TAU,
                strength: length,
            }
        });
        Wind { waves: waves.collect() }
    }

    /// How hard it blows to the right and down at a place.
    fn at(&self, column: usize, line: usize) -> (f64, f64) {
        let mut wind = (0.0, 0.0);
        for wave in &self.waves {
            let slope = (wave.across * column as f64 + wave.down * line as f64 + wave.phase).cos() * wave.strength;
            wind.0 += slope * wave.down / 2.0;
            wind.1 -= slope * wave.across;
        }
        wind
    }

    fn draw(&self, columns: usize, lines: usize) -> String {
        let mut out = String::with_capacity((columns + 1) * lines);
        for line in 0..lines {
            out.extend((0..columns).map(|column| stroke(self.at(column, line))));
            out.push('\n');
        }
        out
    }
}

/// Below this speed the air is calm, below the second it hardly moves.
const CALM: f64 = 1.5;
const BREEZE: f64 = 4.0;

fn stroke((right, down): (f64, f64)) -> char {
    let speed = right.hypot(down);
    if speed < CALM {
        return ' ';
    }
    if speed < BREEZE {
        return '.';
    }
    // Opposite directions are the same stroke: four of them in half a turn, each in the middle of its share.
    let eighth = (down.atan2(right) / (TAU / 8.0)).round() as i64;
    match eighth.rem_euclid(4) {
        0 => '-',
        1 => '\\',
        2 => '|',
        _ => '/',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_picture() {
        let picture = Wind::new(7).draw(40, 10);
        assert_eq!(picture, Wind::new(7).draw(40, 10));
        assert_ne!(picture, Wind::new(8).draw(40, 10));
        assert_eq!((picture.lines().count(), picture.len()), (10, 410));
    }

    #[test]
    fn strokes_point_where_the_wind_blows() {
        let strokes = [
            (9.0, 0.0),
            (-9.0, 0.1),
            (9.0, 9.0),
            (0.0, 9.0),
            (-9.0, 9.0),
            (2.0, 0.0),
            (0.0, 0.0),
        ];
        assert_eq!(strokes.map(stroke).iter().collect::<String>(), "--\\|/. ");
    }
}
