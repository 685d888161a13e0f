//! What must hold for any bytes that claim to be a file of the server's: they are refused, or they are data that can be saved
//! and loaded again as it is. The fuzz targets `snapshot` and `log` and the seeded tests in `tests/random_bytes.rs` check these.
#![allow(dead_code)] // each fuzz target checks one

use aeolus::commands::digest;
use aeolus::config::Settings;
use aeolus::host::memory::MemoryHost;
use aeolus::server::Core;
use aeolus::timer::Millis;

const START: i64 = 1_700_000_000_000;
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const INCREMENT: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// A server on a machine with these files; what it says when it cannot load them.
fn start(host: &MemoryHost, appendonly: bool) -> Result<Core, String> {
    let settings = Settings {
        appendonly,
        ..Settings::default()
    };
    let mut core = Core::new(settings, Millis(START), Box::new(host.clone()));
    core.begin_loading()?;
    while core.load_slice()? {}
    Ok(core)
}

fn digest_of(core: &Core) -> String {
    digest::of_keyspace(&core.keyspace).to_hex().to_string()
}

/// What a server saves that has played these requests.
pub fn snapshot_after(lines: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        log.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            log.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
    }
    let host = MemoryHost::default();
    host.put(MANIFEST, b"file appendonly.aof.1.incr.aof seq 1 type i\n");
    host.put(INCREMENT, &log);
    let mut core = start(&host, true).expect("the requests are sound");
    core.save().expect("the disk has room");
    host.bytes("dump.rdb").expect("it was just saved")
}

/// Bytes as a snapshot. True if they were loaded.
pub fn snapshots_load_or_are_refused(bytes: &[u8]) -> bool {
    let host = MemoryHost::default();
    host.put("dump.rdb", bytes);
    let Ok(mut core) = start(&host, false) else {
        return false;
    };
    let loaded = digest_of(&core);
    core.save().expect("the disk has room");
    let again = start(&host, false).expect("what was saved just now is whole");
    assert_eq!(digest_of(&again), loaded);
    true
}

/// Bytes as the only increment of an append-only file. True if it was played, at least up to where it is torn.
pub fn logs_play_or_are_refused(bytes: &[u8]) -> bool {
    let host = MemoryHost::default();
    host.put(MANIFEST, b"file appendonly.aof.1.incr.aof seq 1 type i\n");
    host.put(INCREMENT, bytes);
    let Ok(core) = start(&host, true) else {
        return false;
    };
    let played = digest_of(&core);
    // What was torn is cut off, and what is left is whole.
    let again = start(&host, true).expect("the log was just played");
    assert_eq!(digest_of(&again), played);
    true
}
