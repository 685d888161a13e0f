//! Dialogues with a server that is not at hand where the tests run: its answers stand in the text, and ours must be the
//! same bytes.
//!
//! Below each line of a client stand, indented, those who hear something and what, with `|` for each end of line. A
//! client whose name begins with `3` speaks RESP3. Where the server is at hand, it writes the answers anew, those of its own
//! folder:
//!
//!     AEOLUS_BLESS=1 AEOLUS_RECORDED=/path/to/valkey-server cargo test --test scenarios recorded
//!     AEOLUS_BLESS=1 AEOLUS_RECORDED=/path/to/redis-server cargo test --test scenarios recorded

use std::fs;
use std::path::{Path, PathBuf};

use crate::Stage;
use crate::support::server::Binary;

/// What is heard, as it stands in the text.
fn shown(bytes: &[u8]) -> String {
    let lines = bytes.split(|&byte| byte == b'\n');
    let lines: Vec<String> = lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).escape_ascii().to_string())
        .collect();
    lines.join("|")
}

fn is_said(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with([' ', '#'])
}

/// Plays a dialogue on a server and gives its text with that server's answers.
fn play(text: &str, binary: Binary) -> String {
    let mut stage = Stage::new(binary);
    let said = text.lines().filter(|line| is_said(line));
    let mut names: Vec<&str> = said.filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    names.sort_unstable();
    names.dedup();
    for name in &names {
        let client = stage.connect();
        stage.clients.insert((*name).to_owned(), client);
        if name.starts_with('3') {
            stage.say(name, "HELLO 3", &names);
        }
    }
    let mut played = String::new();
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        played += line;
        played += "\n";
        if is_said(line) {
            let (name, command) = line.split_once(": ").expect("a name, a colon and a command");
            for (name, heard) in stage.say(name, command, &names) {
                if !heard.is_empty() {
                    played += &format!("  {name} {}\n", shown(&heard));
                }
            }
        }
    }
    played
}

/// The first line in which they differ, with the one that was said before it.
fn difference(ours: &str, theirs: &str) -> String {
    let mut said = "";
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        if ours != theirs {
            return format!("after {said:?}\n  ours:     {ours}\n  recorded: {theirs}");
        }
        if is_said(ours) {
            said = ours;
        }
    }
    format!("after {said:?} one side hears more")
}

/// Whether a program is the server whose answers stand in a folder: both begin with its name.
fn is_of(folder: &str, program: &Path) -> bool {
    let server = folder.split('-').next().unwrap_or(folder);
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
    name.is_some_and(|name| name.starts_with(server))
}

fn check(folder: &str, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/scenarios")
        .join(folder)
        .join(name);
    let recorded = fs::read_to_string(&path).expect("the dialogue can be read");
    if std::env::var_os("AEOLUS_BLESS").is_some()
        && let Some(server) = std::env::var_os("AEOLUS_RECORDED").map(PathBuf::from)
        && is_of(folder, &server)
    {
        assert!(server.exists(), "{} is missing", server.display());
        fs::write(&path, play(&recorded, Binary::Recorded)).expect("the dialogue can be written");
        return;
    }
    let ours = play(&recorded, Binary::UnderTest);
    assert!(ours == recorded, "{name}: {}", difference(&ours, &recorded));
}

#[test]
fn strings_on_conditions_are_as_recorded() {
    check("valkey-9.1", "strings.txt");
}

#[test]
fn what_clients_say_of_themselves_is_as_recorded() {
    check("valkey-9.1", "clients.txt");
}

#[test]
fn clients_are_filtered_as_recorded() {
    check("valkey-9.1", "client_filters.txt");
}

#[test]
fn saves_are_called_off_as_recorded() {
    check("valkey-9.1", "saving.txt");
}

#[test]
fn the_command_log_counts_as_recorded() {
    check("valkey-9.1", "commandlog.txt");
}

#[test]
fn vector_sets_are_as_recorded() {
    check("redis-8.0", "vector_sets.txt");
}
