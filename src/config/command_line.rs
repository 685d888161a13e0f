//! The command line: `aeolus [/path/to/redis.conf] [options] [-]`.
//!
//! Options are configuration lines in disguise: `--port 6380 --save 60 1000` becomes the text `port "6380"` and
//! `save "60" "1000"`, appended to the file's. That way an option can do all a line can, with the same checks and the
//! same errors. Arguments are quoted on the way, so that any bytes survive.
//!
//! What starts with `--` is a name, except right after a bare name, where it is that name's value:
//! `--masterauth --secret` sets a password. `--save` followed by another option stands for `--save ""`, since scripts
//! that pass an empty list of save points produce just that.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use super::file::{Reader, RenamedCommand, StartError, read_files};
use super::table::Status;
use super::{REDIS_VERSION, Settings, quoting};
use crate::acl::file::UserLine;
use crate::format::reason;

/// Everything the command line and the configuration files say.
#[derive(Clone, Debug)]
pub struct Startup {
    /// The settings, complete and checked.
    pub settings: Settings,
    /// The absolute path of the configuration file, if one was given: what `CONFIG REWRITE` rewrites.
    pub config_file: Option<PathBuf>,
    /// Commands to be renamed or taken away.
    pub renamed_commands: Vec<RenamedCommand>,
    /// Users, as the configuration has them.
    pub users: Vec<UserLine>,
    /// Settings that were given although they have no effect, for the log: name and reason in one sentence.
    pub warnings: Vec<String>,
}

/// Reads the arguments, the first being the program's own name, and what they refer to.
///
/// Blocks while standard input is read, if `-` asks for it.
pub fn load(args: impl Iterator<Item = OsString>) -> Result<Startup, StartError> {
    load_from(args, &mut std::io::stdin())
}

/// As [`load`], with something else for standard input.
pub(super) fn load_from(args: impl Iterator<Item = OsString>, stdin: &mut impl Read) -> Result<Startup, StartError> {
    let args: Vec<OsString> = args.skip(1).collect();
    answer_alone(&args)?;
    let arguments = Arguments::parse(&args)?;
    let mut text = Vec::new();
    let config_file = arguments.config_file.map(absolute).transpose()?;
    if let Some(path) = &config_file {
        text.extend(read_files(path)?);
    }
    if arguments.reads_stdin {
        let read = stdin.read_to_end(&mut text);
        read.map_err(|error| StartError::Open {
            path: "-".into(),
            reason: reason(&error),
        })?;
    }
    if !arguments.options.is_empty() {
        text.push(b'\n');
        text.extend(&arguments.options);
    }
    let mut reader = Reader::default();
    reader.read_text(&text)?;
    reader.finish()?;
    Ok(Startup {
        warnings: warnings(&reader),
        settings: reader.settings,
        config_file,
        renamed_commands: reader.renamed_commands,
        users: reader.users,
    })
}

/// A sentence for each setting that was given another value than its default and has no effect.
fn warnings(reader: &Reader) -> Vec<String> {
    let defaults = Settings::default();
    let changed = reader
        .inert
        .iter()
        .filter(|setting| !setting.same(&reader.settings, &defaults));
    let sentence = |setting: &&'static super::table::Setting| match setting.status {
        Status::Inert(why) => Some(format!("The setting '{}' has no effect: {why}", setting.name)),
        Status::Active => None,
    };
    changed.filter_map(sentence).collect()
}

fn absolute(path: &OsStr) -> Result<PathBuf, StartError> {
    std::path::absolute(path).map_err(|error| StartError::Open {
        path: path.into(),
        reason: reason(&error),
    })
}

/// The command line as clap knows it: the flags that stand alone, and everything else raw.
fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new("aeolus")
        .about("A Redis-compatible server on one thread.")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .override_usage("aeolus [/path/to/redis.conf] [--setting value...]... [-]")
        .arg(flag("help", "Print this text").short('h'))
        .arg(flag("version", "Print the version").short('v'))
        .arg(flag(
            "check-system",
            "Not supported: Redis checks the operating system's settings",
        ))
        .arg(flag("test-memory", "Not supported: Redis tests the machine's memory"))
        .arg(
            Arg::new("arguments")
                .help(
                    "A configuration file, then settings as in one: --port 6380 --save 60 1000; - reads standard input",
                )
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(clap::value_parser!(OsString)),
        )
        .after_help(
            "Examples:\n  \
             aeolus                                      all defaults\n  \
             aeolus /etc/redis/redis.conf                a configuration file\n  \
             aeolus --port 7777 --replicaof 127.0.0.1 8888\n  \
             aeolus redis.conf --loglevel verbose        options win over the file\n  \
             echo 'maxmemory 128mb' | aeolus -           configuration from standard input\n\n\
             docs/configuration.md lists all settings.",
        )
}

/// Deals with a first argument that asks for something else than a server.
fn answer_alone(args: &[OsString]) -> Result<(), StartError> {
    let stands_alone = ["-h", "--help", "-v", "--version", "--check-system", "--test-memory"];
    let Some(first) = args
        .first()
        .filter(|first| stands_alone.iter().any(|own| *first == own))
    else {
        return Ok(());
    };
    let mut command = command();
    let matches = command
        .try_get_matches_from_mut([OsStr::new("aeolus"), first])
        .map_err(|error| StartError::Usage(error.to_string()))?;
    if matches.get_flag("help") {
        return Err(StartError::Information(command.render_help().to_string()));
    }
    if matches.get_flag("version") {
        return Err(StartError::Information(version()));
    }
    let text = format!("{} is not supported.", first.display());
    Err(StartError::Usage(text))
}

/// One line naming this program and the Redis it stands in for.
fn version() -> String {
    let bits = usize::BITS;
    format!(
        "Aeolus server v={} redis={REDIS_VERSION} malloc=jemalloc bits={bits}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The arguments that make up a server's configuration.
#[derive(Default)]
struct Arguments<'a> {
    config_file: Option<&'a OsStr>,
    reads_stdin: bool,
    /// The options as configuration text.
    options: Vec<u8>,
}

impl<'a> Arguments<'a> {
    fn parse(args: &'a [OsString]) -> Result<Self, StartError> {
        let mut parsed = Arguments::default();
        let mut rest = args;
        if let Some((first, after)) = args
            .split_first()
            .filter(|(first, _)| !first.as_bytes().starts_with(b"-"))
        {
            parsed.config_file = Some(first);
            rest = after;
        }
        if parsed.config_file.is_none() && rest.first().is_some_and(|first| first == "-") {
            parsed.reads_stdin = true;
            rest = &rest[1..];
        }
        if let Some((_, before)) = rest.split_last().filter(|(last, _)| *last == "-") {
            parsed.reads_stdin = true;
            rest = before;
        }
        parsed.options = option_text(rest)?;
        Ok(parsed)
    }
}

/// Turns options into configuration text, a line each.
fn option_text(args: &[OsString]) -> Result<Vec<u8>, StartError> {
    let mut text = Vec::new();
    let mut name_may_follow = true;
    for (index, arg) in args.iter().enumerate() {
        let arg = arg.as_bytes();
        let Some(name) = arg.strip_prefix(b"--").filter(|_| name_may_follow) else {
            text.extend(quoting::quote(arg));
            text.push(b' ');
            name_may_follow = true;
            continue;
        };
        if name.eq_ignore_ascii_case(b"sentinel") {
            return Err(StartError::Usage("Sentinel mode is not supported.".into()));
        }
        if !text.is_empty() {
            text.push(b'\n');
        }
        text.extend(name);
        text.push(b' ');
        // `"--port 6380"` in one argument already has its value.
        let is_bare = quoting::split(arg).is_some_and(|words| words.len() == 1);
        let next_is_name = args
            .get(index + 1)
            .is_none_or(|next| next.as_bytes().starts_with(b"--"));
        let stands_for_empty = name.eq_ignore_ascii_case(b"save") && next_is_name;
        if stands_for_empty {
            text.extend(b"\"\"");
        }
        name_may_follow = !is_bare || stands_for_empty;
    }
    Ok(text)
}
