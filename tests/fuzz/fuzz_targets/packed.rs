//! The bytes of every packed encoding are refused or a value that every command can live with. No
//! compression hides them from the fuzzer.
#![no_main]

#[path = "../stored_values.rs"]
mod stored_values;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stored_values::packed_bytes_do_no_harm(bytes));
