//! Bytes from the wire, cut anywhere, are the same requests as in one piece.
#![no_main]

#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::cuts_do_not_matter(bytes));
