//! Ranges of scores and of member texts, as ZRANGEBYSCORE and ZRANGEBYLEX take them.

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    pub min: f64,
    pub max: f64,
    /// `(min`: without `min` itself.
    pub min_exclusive: bool,
    /// `(max`: without `max` itself.
    pub max_exclusive: bool,
}

impl ScoreRange {
    /// Every score.
    pub const ALL: ScoreRange = ScoreRange {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
        min_exclusive: false,
        max_exclusive: false,
    };

    /// Whether no score can be in it.
    pub fn is_empty(&self) -> bool {
        self.min > self.max || self.min == self.max && (self.min_exclusive || self.max_exclusive)
    }

    /// Whether `score` is not below the range.
    pub fn reaches_down_to(&self, score: f64) -> bool {
        if self.min_exclusive {
            score > self.min
        } else {
            score >= self.min
        }
    }

    /// Whether `score` is not above the range.
    pub fn reaches_up_to(&self, score: f64) -> bool {
        if self.max_exclusive {
            score < self.max
        } else {
            score <= self.max
        }
    }
}

/// One end of a range of member texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// `-`: before every text.
    Min,
    /// `[text`
    Inclusive(&'a [u8]),
    /// `(text`
    Exclusive(&'a [u8]),
    /// `+`: behind every text.
    Max,
}

/// A range of member texts, compared as bytes. It has a meaning in sets whose members all have one score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    pub min: LexBound<'a>,
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    /// Whether no text can be in it.
    pub fn is_empty(&self) -> bool {
        use LexBound::{Exclusive, Inclusive, Max, Min};
        match (self.min, self.max) {
            (Max, _) | (_, Min) => true,
            (Min, _) | (_, Max) => false,
            (Inclusive(min), Inclusive(max)) => min > max,
            (Inclusive(min) | Exclusive(min), Inclusive(max) | Exclusive(max)) => min >= max,
        }
    }

    /// Whether `member` is not below the range.
    pub fn reaches_down_to(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Min => true,
            LexBound::Inclusive(min) => member >= min,
            LexBound::Exclusive(min) => member > min,
            LexBound::Max => false,
        }
    }

    /// Whether `member` is not above the range.
    pub fn reaches_up_to(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Min => false,
            LexBound::Inclusive(max) => member <= max,
            LexBound::Exclusive(max) => member < max,
            LexBound::Max => true,
        }
    }
}
