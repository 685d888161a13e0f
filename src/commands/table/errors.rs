//! The refusals that need only the table: unknown commands, unknown subcommands, wrong numbers of arguments.
//!
//! Each gives the whole error text with its code, ready for `Reply::error`, which turns line breaks into spaces.
//! What the client sent is quoted, cut to what a log line bears.

use super::{CommandSpec, is_visible, lookup};

/// How much of a quoted name, and of all quoted arguments together, is shown.
const QUOTED: usize = 128;

/// Why a command line names no command that can run.
#[derive(Clone, Copy, Debug)]
pub enum Unresolved {
    UnknownCommand,
    UnknownSubcommand,
    WrongArity(&'static CommandSpec),
}

/// The command, or the subcommand, that `args` asks for, with its arity checked. `args[0]` is the name.
pub fn resolve(args: &[&[u8]]) -> Result<&'static CommandSpec, Unresolved> {
    let Some(name) = args.first() else {
        return Err(Unresolved::UnknownCommand);
    };
    let mut spec = lookup(name)
        .filter(|spec| is_visible(spec))
        .ok_or(Unresolved::UnknownCommand)?;
    if spec.is_container()
        && let Some(name) = args.get(1)
    {
        spec = spec
            .subcommand(name)
            .filter(|spec| is_visible(spec))
            .ok_or(Unresolved::UnknownSubcommand)?;
    }
    if spec.accepts(args.len()) {
        Ok(spec)
    } else {
        Err(Unresolved::WrongArity(spec))
    }
}

impl Unresolved {
    /// The error text for the command line that could not be resolved.
    pub fn text(self, args: &[&[u8]]) -> Vec<u8> {
        match self {
            Unresolved::UnknownCommand => unknown_command(args),
            Unresolved::UnknownSubcommand => unknown_subcommand(args),
            Unresolved::WrongArity(spec) => wrong_arity(spec.name).into_bytes(),
        }
    }
}

/// `ERR unknown command 'foo', with args beginning with: 'a' 'b' `: as many arguments as begin within 128 bytes.
pub fn unknown_command(args: &[&[u8]]) -> Vec<u8> {
    let (name, rest) = args
        .split_first()
        .map_or((&b""[..], args), |(name, rest)| (*name, rest));
    let mut quoted = Vec::new();
    for arg in rest {
        if quoted.len() >= QUOTED {
            break;
        }
        let shown = shown(arg, QUOTED - quoted.len());
        quoted.extend_from_slice(b"'");
        quoted.extend_from_slice(shown);
        quoted.extend_from_slice(b"' ");
    }
    [
        b"ERR unknown command '",
        shown(name, QUOTED),
        b"', with args beginning with: ",
        &quoted,
    ]
    .concat()
}

/// `ERR unknown subcommand 'x'. Try CLIENT HELP.`
pub fn unknown_subcommand(args: &[&[u8]]) -> Vec<u8> {
    let arg = |i: usize| args.get(i).copied().unwrap_or_default();
    let container = arg(0).to_ascii_uppercase();
    [
        b"ERR unknown subcommand '",
        shown(arg(1), QUOTED),
        b"'. Try ",
        &container,
        b" HELP.",
    ]
    .concat()
}

/// `ERR wrong number of arguments for 'get' command`; subcommands by their full name.
pub fn wrong_arity(full_name: &str) -> String {
    format!("ERR wrong number of arguments for '{full_name}' command")
}

/// `ERR unknown subcommand or wrong number of arguments for 'x'. Try DEBUG HELP.`, for commands that look at the number
/// of a subcommand's arguments themselves.
pub fn unusable_subcommand(args: &[&[u8]]) -> Vec<u8> {
    let arg = |i: usize| args.get(i).copied().unwrap_or_default();
    [
        b"ERR unknown subcommand or wrong number of arguments for '",
        shown(arg(1), QUOTED),
        b"'. Try ",
        &arg(0).to_ascii_uppercase(),
        b" HELP.",
    ]
    .concat()
}

/// What is shown of bytes a client sent: at most `limit` of them, and none after a NUL, at which Redis's texts end.
fn shown(bytes: &[u8], limit: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(limit)];
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> String {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let unresolved = resolve(&args).expect_err(line);
        String::from_utf8(unresolved.text(&args)).expect("UTF-8 in, UTF-8 out")
    }

    #[test]
    fn refusals_read_as_in_redis() {
        assert_eq!(
            text("foo a b"),
            "ERR unknown command 'foo', with args beginning with: 'a' 'b' "
        );
        assert_eq!(text("foo"), "ERR unknown command 'foo', with args beginning with: ");
        assert_eq!(text("get"), "ERR wrong number of arguments for 'get' command");
        assert_eq!(text("GET a b"), "ERR wrong number of arguments for 'get' command");
        assert_eq!(text("config"), "ERR wrong number of arguments for 'config' command");
        assert_eq!(
            text("Config Get"),
            "ERR wrong number of arguments for 'config|get' command"
        );
        assert_eq!(text("Client X y"), "ERR unknown subcommand 'X'. Try CLIENT HELP.");
        assert_eq!(
            text("foo a\0b"),
            "ERR unknown command 'foo', with args beginning with: 'a' "
        );
    }

    #[test]
    fn quotations_are_cut() {
        let long = "x".repeat(200);
        let cut = "x".repeat(128);
        assert_eq!(
            text(&long),
            format!("ERR unknown command '{cut}', with args beginning with: ")
        );
        assert_eq!(
            text(&format!("f {long} z")),
            format!("ERR unknown command 'f', with args beginning with: '{cut}' ")
        );
        // The second argument begins at 5 bytes, quotes counted, and is cut to the rest.
        let rest = "x".repeat(128 - 5);
        assert_eq!(
            text(&format!("f ab {long}")),
            format!("ERR unknown command 'f', with args beginning with: 'ab' '{rest}' ")
        );
        // Thirteen bytes each with quotes and space: the tenth begins at 117, the eleventh would at 130.
        let many = text(&format!("f {}", ["abcdefghij"; 12].join(" ")));
        assert_eq!(many.matches("'abcdefghij' ").count(), 10);
    }
}
