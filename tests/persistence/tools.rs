//! `check-rdb` and `check-aof`, under both of their names.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::support::server::{Binary, Server};
use super::{DEBUGGING, fill};

fn run(program: &Path, args: &[&str], dir: &Path, answer: &str) -> (Option<i32>, String) {
    let mut child = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary is there");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may have ended without asking.
    let _ = stdin.write_all(answer.as_bytes());
    drop(stdin);
    let Output { status, stdout, .. } = child.wait_with_output().expect("it was started here");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned())
}

#[test]
fn a_snapshot_is_read_to_its_end() {
    let server = Server::start_with(Binary::UnderTest, &[]);
    fill(&mut server.connect());
    server.connect().ask("SAVE");
    let dir = server.kill();
    let path = Binary::UnderTest.path();
    let (code, text) = run(&path, &["check-rdb", "dump.rdb"], dir.path(), "");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("RDB looks OK!") && text.contains("[info] 317 keys read"),
        "{text}"
    );
    let file = fs::read(dir.path().join("dump.rdb")).expect("it was just saved");
    fs::write(dir.path().join("torn.rdb"), &file[..file.len() / 2]).expect("it is writable");
    let alias = dir.path().join("redis-check-rdb");
    symlink(&path, &alias).expect("links are made here");
    let (code, text) = run(&alias, &["torn.rdb"], dir.path(), "");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("--- RDB ERROR DETECTED ---") && text.contains("unexpected end"),
        "{text}"
    );
}

#[test]
fn a_log_is_checked_and_mended() {
    let settings = [DEBUGGING, ("appendonly", "yes"), ("appendfsync", "no")];
    let server = Server::start_with(Binary::UnderTest, &settings);
    let mut client = server.connect();
    fill(&mut client);
    let before = super::digest(&server);
    let dir = server.kill();
    let path = Binary::UnderTest.path();
    let args = ["check-aof", "appendonlydir/appendonly.aof.manifest"];
    let (code, text) = run(&path, &args, dir.path(), "");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("All AOF files and manifest are valid"), "{text}");
    let increment = dir.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&increment).expect("the increment");
    fs::write(
        &increment,
        [&whole[..], b"*1\r\n$5\r\nMULTI\r\n*1\r\n$9\r\nnonsense"].concat(),
    )
    .expect("it is writable");
    let (code, text) = run(&path, &args, dir.path(), "");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("is not valid. Use the --fix option to try fixing it."),
        "{text}"
    );
    let alias = dir.path().join("redis-check-aof");
    symlink(&path, &alias).expect("links are made here");
    let fix = ["--fix", "appendonlydir/appendonly.aof.manifest"];
    let (code, text) = run(&alias, &fix, dir.path(), "n\n");
    assert_eq!((code, text.contains("Aborting...")), (Some(1), true), "{text}");
    let (code, text) = run(&alias, &fix, dir.path(), "y\n");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(fs::read(&increment).expect("the increment"), whole);
    let server = Server::start_in(Binary::UnderTest, &settings, dir);
    assert_eq!(super::digest(&server), before);
}
