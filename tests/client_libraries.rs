//! Everyday use through the client libraries of other languages, and of queues that are built on them: the scripts in
//! `tests/clients`.
//!
//! The libraries are installed once into the build directory, by each language's own package client, in the versions that
//! `tests/clients` names. Where that is not possible the test says so and passes, except with `CI=true`.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use support::must_have_peers;
use support::server::{Binary, Server};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Where the libraries of `language` are, in a build directory that outlives one build.
fn directory(language: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(language)
}

/// Runs a command to its end; what it printed if it fails or is not there.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let (printed, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Err(format!("{command:?}: {}\n{printed}{failed}", output.status))
}

/// Has `install` fill the directory of `language`, unless it did so before for the same `manifest`.
fn installed(
    language: &str,
    manifest: &str,
    install: impl FnOnce(&Path, &Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let (directory, manifest) = (directory(language), Path::new(SCRIPTS).join(manifest));
    let wanted = fs::read(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    // Written last, so that an installation that was cut short is made again.
    let stamp = directory.join("installed");
    if fs::read(&stamp).is_ok_and(|present| present == wanted) {
        return Ok(directory);
    }
    let io = |error: std::io::Error| format!("{}: {error}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(io)?;
    }
    fs::create_dir_all(&directory).map_err(io)?;
    eprintln!("installing the client library for {language}");
    install(&directory, &manifest)?;
    fs::write(stamp, wanted).map_err(io)?;
    Ok(directory)
}

/// Where the libraries are, or `None` where they cannot be had. In CI that is a failure.
fn or_skip(libraries: &Result<PathBuf, String>) -> Option<&Path> {
    libraries
        .as_deref()
        .map_err(|reason| {
            assert!(!must_have_peers(), "{reason}");
            eprintln!("skipped: {reason}");
        })
        .ok()
}

// Each is installed by the first test that wants it.
static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    installed("python", "requirements.txt", |directory, manifest| {
        run(Command::new("python3").arg("-m").arg("venv").arg(directory))?;
        let pip = directory.join("bin/pip");
        run(Command::new(pip)
            .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(manifest))
    })
});
static NODE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    installed("node", "package.json", |directory, manifest| {
        fs::copy(manifest, directory.join("package.json")).map_err(|error| error.to_string())?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .current_dir(directory))
    })
});

fn play(command: &mut Command) {
    let server = Server::start(Binary::UnderTest);
    if let Err(failure) = run(command.arg(server.port().to_string())) {
        panic!("{failure}\n{}", server.log());
    }
}

fn play_python(script: &str) {
    if let Some(directory) = or_skip(&PYTHON) {
        let python = directory.join("bin/python");
        play(Command::new(python).arg(Path::new(SCRIPTS).join(script)));
    }
}

fn play_node(script: &str) {
    if let Some(directory) = or_skip(&NODE) {
        let script = Path::new(SCRIPTS).join(script);
        play(Command::new("node").arg(script).current_dir(directory));
    }
}

#[test]
fn redis_py() {
    play_python("everyday.py");
}

#[test]
fn celery_and_rq() {
    play_python("queues.py");
}

#[test]
fn node_redis() {
    play_node("everyday.mjs");
}

#[test]
fn bullmq() {
    play_node("bullmq.mjs");
}
