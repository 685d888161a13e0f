//! Text and numbers as Redis writes them: integers, floats, glob patterns.

mod float_text;
pub mod glob;
mod grisu;
pub mod long_double;
pub mod number;
pub mod sparkline;
