//! Text and numbers as Redis writes them: integers, doubles, glob patterns.

pub mod glob;
pub mod number;
