//! A payload with a fitting checksum is refused, or a value that every command can live with.
#![no_main]

#[path = "../stored_values.rs"]
mod stored_values;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stored_values::payloads_do_no_harm(bytes));
