//! A snapshot is refused, or data that can be saved and loaded again.
#![no_main]

#[path = "../files.rs"]
mod files;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    files::snapshots_load_or_are_refused(bytes);
});
