//! An append-only file is refused, or played to where it is torn.
#![no_main]

#[path = "../files.rs"]
mod files;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    files::logs_play_or_are_refused(bytes);
});
