//! Small charts in text: a column a value, its label written downwards below it.

/// A column of a chart.
#[derive(Clone, Debug)]
pub struct Point {
    pub value: u64,
    pub label: String,
}

/// Marks within a line, from its foot to its top: each line tells three heights apart.
const MARKS: [char; 3] = ['_', 'o', '#'];
/// What fills the lines below a mark.
const STEM: char = '|';

/// Draws the points from left to right, `rows` lines high; past `columns` of them another chart follows below, on the
/// same scale.
pub fn sparkline(points: &[Point], columns: usize, rows: usize) -> String {
    let values = || points.iter().map(|point| point.value);
    let (low, high) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    let steps = rows * MARKS.len();
    let step = |value: u64| {
        let share = (value - low) as f64 / (high - low).max(1) as f64;
        ((share * steps as f64) as usize).min(steps - 1)
    };
    let charts = points.chunks(columns.max(1)).map(|points| {
        let heights: Vec<usize> = points.iter().map(|point| step(point.value)).collect();
        let lines = (0..rows)
            .rev()
            .map(|row| line(heights.iter().map(|&height| mark(height, row))));
        let margin = std::iter::once(line(points.iter().map(|_| ' ')));
        lines.chain(margin).chain(labels(points)).collect::<String>()
    });
    charts.collect::<Vec<_>>().join("\n")
}

/// The mark of a column of this height in a line, counted from the lowest.
fn mark(height: usize, row: usize) -> char {
    match height.checked_sub(row * MARKS.len()) {
        None => ' ',
        Some(within) => MARKS.get(within).copied().unwrap_or(STEM),
    }
}

fn labels(points: &[Point]) -> impl Iterator<Item = String> {
    let longest = points.iter().map(|point| point.label.len()).max().unwrap_or(0);
    (0..longest).map(|at| {
        line(
            points
                .iter()
                .map(move |point| char::from(*point.label.as_bytes().get(at).unwrap_or(&b' '))),
        )
    })
}

fn line(marks: impl Iterator<Item = char>) -> String {
    marks.chain(['\n']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[u64]) -> Vec<Point> {
        let point = |&value: &u64| Point {
            value,
            label: value.to_string(),
        };
        values.iter().map(point).collect()
    }

    #[test]
    fn columns_stand_on_stems() {
        assert_eq!(sparkline(&points(&[0, 3, 6]), 80, 2), " _#\n_||\n   \n036\n");
    }

    #[test]
    fn a_single_value_lies_at_the_foot_and_long_rows_wrap() {
        assert_eq!(sparkline(&points(&[7]), 80, 2), " \n_\n \n7\n");
        assert_eq!(sparkline(&points(&[1, 12]), 1, 1), "_\n \n1\n\n#\n \n1\n2\n");
        assert_eq!(sparkline(&[], 80, 4), "");
    }
}
