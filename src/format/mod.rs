//! Text and numbers as Redis writes them: integers, floats, glob patterns, the system's errors.

mod float_text;
pub mod glob;
mod grisu;
pub mod long_double;
pub mod number;
pub mod sparkline;

use std::io;

/// What went wrong, in the system's words and without its number, as Redis's messages have it.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
