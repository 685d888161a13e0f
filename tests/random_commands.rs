//! Random commands to the real binary: whatever it is told, it stays up, answers in time, and stays small.
//!
//! Commands come from the syntax lines of the differential test (`tests/differential/families`), many of them spoilt with
//! values that break things, from the table of all commands with options in any order, and from dumps of every type
//! with a few bytes changed. They come in epochs: each begins on an empty keyspace with a seed of its own, so what brings
//! the server down is a program that can be played again. It is shrunk before it is printed.
//!
//! Settings, from the environment: `AEOLUS_FUZZ_COMMANDS` (how many the server must have run, 50,000 unless told),
//! `AEOLUS_FUZZ_SEED` (of the first epoch; the next ones count up), `AEOLUS_BIN`. Ten million:
//!
//!     AEOLUS_FUZZ_COMMANDS=10000000 AEOLUS_BIN=target/release/aeolus cargo test --test random_commands -- --nocapture

#[allow(dead_code)] // the differential test uses all of these, this one a part
#[path = "differential/compare.rs"]
mod compare;
#[allow(dead_code)]
#[path = "differential/families/mod.rs"]
mod families;
#[allow(dead_code)]
#[path = "differential/generator.rs"]
mod generator;
#[path = "differential/grammar.rs"]
mod grammar;
#[path = "support/payloads.rs"]
mod payloads;
mod support;
#[path = "differential/values.rs"]
mod values;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use aeolus::commands::table;
use aeolus::persistence::rdb::payload;
use generator::Generator;
use payloads::Payload;
use support::chunks::without_chunks;
use support::client::{Client, encode_into};
use support::random::Random;
use support::reply::show;
use support::server::{Binary, Server};

type Command = Vec<Vec<u8>>;

/// Commands of one connection. A client that leaves its mode (a transaction, a subscription) for good is soon replaced.
const BATCH: usize = 250;

/// Batches from one empty keyspace to the next.
const EPOCH: usize = 12;

/// What the server may ever have allocated. No value here is larger than a megabyte (`proto-max-bulk-len`), and no
/// command of these should need hundreds of them.
const MOST_MEMORY: u64 = 512 << 20;

/// No single command here works on more than some ten thousand elements.
const SLOW_MICROS: &str = "1000000";

/// How long to wait for a batch, and for one answer after it.
const ANSWER: Duration = Duration::from_secs(20);

/// How long to look for a shorter program.
const SHRINKING: Duration = Duration::from_secs(120);

/// Values at the edges of what somebody's parser, size or clock takes.
const NASTY: &[&[u8]] = &[
    b"",
    b"0",
    b"-0",
    b"-1",
    b"1",
    b"2",
    b"3",
    b"63",
    b"64",
    b"65",
    b"127",
    b"128",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"1000000",
    b"-1000000",
    b"2147483647",
    b"2147483648",
    b"-2147483648",
    b"-2147483649",
    b"4294967295",
    b"4294967296",
    b"8589934592",
    b"1099511627776",
    b"4611686018427387904",
    b"9223372036854775806",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775807",
    b"-9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999999999",
    b"nan",
    b"-nan",
    b"inf",
    b"-inf",
    b"1e308",
    b"-1e308",
    b"1e309",
    b"5e-324",
    b"1e4931",
    b"0x1p1023",
    b"(inf",
    b"(-inf",
    b"(nan",
    b"[",
    b"(",
    b"+",
    b"-",
    b"*",
    b"$",
    b">",
    b"#",
    b"0-0",
    b"0-1",
    b"18446744073709551615-18446744073709551615",
    b"18446744073709551615-*",
    b"18446744073709551615",
    b"(18446744073709551615-18446744073709551615",
    b"\0",
    b"\xff\xff\xff\xff",
    b"[a-",
    b"[^",
    b"\\",
    b"****************************************b",
    b"u64",
    b"i64",
    b"#9223372036854775807",
    b"#144115188075855871",
    b"NX",
    b"XX",
    b"GT",
    b"LT",
    b"KEEPTTL",
    b"COUNT",
    b"LIMIT",
    b"STORE",
    b"WITHSCORES",
    &[b'x'; 300],
    &[b'y'; 5000],
];

/// Ends what others would have to wait for, or what is none of a client's business: the process, replication, files.
fn is_excluded(command: &Command) -> bool {
    let word = |at: usize| {
        command
            .get(at)
            .map(|word| word.to_ascii_uppercase())
            .unwrap_or_default()
    };
    match word(0).as_slice() {
        b"SHUTDOWN" | b"QUIT" | b"MONITOR" | b"REPLICAOF" | b"SLAVEOF" | b"FAILOVER" | b"SYNC" | b"PSYNC" | b"ACL"
        | b"MIGRATE" | b"SAVE" | b"BGSAVE" | b"BGREWRITEAOF" | b"MODULE" | b"CLUSTER" | b"WAIT" | b"WAITAOF" => true,
        b"CLIENT" => matches!(word(1).as_slice(), b"PAUSE" | b"KILL"),
        b"CONFIG" => !matches!(word(1).as_slice(), b"GET" | b"HELP"),
        b"SLOWLOG" => word(1) == b"RESET",
        b"DEBUG" => !matches!(
            word(1).as_slice(),
            b"OBJECT" | b"DIGEST" | b"DIGEST-VALUE" | b"LISTPACK" | b"STRINGMATCH-LEN" | b"HELP" | b"PROTOCOL"
        ),
        _ => false,
    }
}

/// Makes epochs; the same seed makes the same commands.
struct Fuzzer {
    random: Random,
    generator: Generator,
    names: Vec<&'static str>,
    /// Every word that some command looks for.
    options: Vec<&'static [u8]>,
    keys: Vec<&'static [u8]>,
    payloads: Vec<Payload>,
}

impl Fuzzer {
    fn new() -> Fuzzer {
        let syntaxes = || {
            families::ALL
                .iter()
                .flat_map(|family| family.forms)
                .map(|form| form.syntax)
        };
        let is_sign = |sign: char| " <>[]{}|".contains(sign);
        let is_option = |word: &&str| !word.is_empty() && !word.bytes().any(|byte| byte.is_ascii_lowercase());
        let options = syntaxes().flat_map(|syntax| syntax.split(is_sign).filter(is_option));
        Fuzzer {
            random: Random::new(0),
            generator: Generator::new(0),
            names: table::all().iter().map(|spec| spec.name).collect(),
            options: options.map(str::as_bytes).collect(),
            keys: families::ALL.iter().flat_map(|family| family.keys).copied().collect(),
            payloads: payloads::all()
                .into_iter()
                .filter(|payload| payload.bytes.len() < 5000)
                .collect(),
        }
    }

    /// The batches of one epoch.
    fn epoch(&mut self, seed: u64) -> Vec<Vec<Command>> {
        self.random = Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        self.generator = Generator::new(seed);
        let mut likely = Vec::new();
        (0..EPOCH)
            .map(|_| {
                let protocol = if self.random.percent(50) { "2" } else { "3" };
                let mut batch = vec![vec![b"HELLO".to_vec(), protocol.into()]];
                while batch.len() < BATCH {
                    let command = self.command(&mut likely);
                    if !is_excluded(&command) {
                        batch.push(command);
                    }
                    if self.random.percent(3) {
                        batch.push(vec![b"RESET".to_vec()]);
                    }
                }
                batch
            })
            .collect()
    }

    /// `likely` holds what is left of a round of commands that are nearly valid.
    fn command(&mut self, likely: &mut Vec<Command>) -> Command {
        let mut command = match self.random.below(100) {
            0..65 => {
                if likely.is_empty() {
                    // Behind the preamble, which empties the keyspace.
                    let round = self.generator.round().into_iter().skip(4);
                    likely.extend(round.map(|request| request.args));
                    likely.reverse();
                }
                likely.pop().unwrap_or_default()
            }
            65..90 => self.any_command(),
            _ => self.restore(),
        };
        if self.random.percent(35) {
            self.spoil(&mut command);
        }
        if !self.random.percent(1) {
            wait_briefly(&mut command);
        }
        draw_modestly(&mut command);
        // An empty request is none.
        if command.is_empty() {
            command.push(b"PING".to_vec());
        }
        command
    }

    /// A command that exists, with whatever arguments.
    fn any_command(&mut self) -> Command {
        let name = *self.random.pick(&self.names);
        let mut command: Command = name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        for at in 0..self.random.below(9) {
            let word = match self.random.below(10) {
                _ if at == 0 && self.random.percent(70) => self.key(),
                0 | 1 => self.key(),
                2..6 => self.random.pick(&self.options).to_vec(),
                _ => self.nasty(),
            };
            command.push(word);
        }
        command
    }

    /// A dump of some server, at times with a few bytes changed behind a checksum that fits.
    fn restore(&mut self) -> Command {
        let payload = self.random.pick(&self.payloads);
        let mut bytes = payload.bytes.clone();
        if self.random.percent(70) {
            let mut body = payload.body().to_vec();
            for _ in 0..=self.random.below(4) {
                if body.is_empty() {
                    break;
                }
                let reach = if self.random.percent(50) {
                    body.len()
                } else {
                    body.len().min(24)
                };
                let at = self.random.below(reach);
                match self.random.below(8) {
                    0 => body.truncate(at),
                    1 => body.insert(at, self.random.next() as u8),
                    2 => drop(body.remove(at)),
                    3 => body[at] = *self.random.pick(&[0, 1, 0x7F, 0x80, 0x81, 0xFE, 0xFF]),
                    4 => body[at] ^= 1 << self.random.below(8),
                    _ => body[at] = self.random.next() as u8,
                }
            }
            payload::seal(&mut body, payload.version);
            bytes = body;
        }
        let key = self.key();
        vec![b"RESTORE".to_vec(), key, b"0".to_vec(), bytes, b"REPLACE".to_vec()]
    }

    fn key(&mut self) -> Vec<u8> {
        self.random.pick(&self.keys).to_vec()
    }

    fn nasty(&mut self) -> Vec<u8> {
        match self.random.below(20) {
            0 => {
                let len = self.random.below(40);
                self.random.bytes(len)
            }
            1 => format!("{}{}", self.random.pick(&["", "-", "(", "#"]), self.random.next()).into_bytes(),
            _ => self.random.pick(NASTY).to_vec(),
        }
    }

    /// Replaces, adds, doubles, drops and swaps arguments.
    fn spoil(&mut self, command: &mut Command) {
        for _ in 0..=self.random.below(3) {
            if command.len() < 2 {
                return;
            }
            let (one, other) = (
                1 + self.random.below(command.len() - 1),
                1 + self.random.below(command.len() - 1),
            );
            match self.random.below(10) {
                0 => command.insert(one, command[other].clone()),
                1 => drop(command.remove(one)),
                2 => command.swap(one, other),
                3 => command.truncate(one),
                4 => command.insert(one, self.random.pick(&self.options).to_vec()),
                5 => command.push(self.random.pick(&self.options).to_vec()),
                6 => command[one] = self.key(),
                _ => command[one] = self.nasty(),
            }
        }
    }
}

/// Makes a command that might wait for long wait for a millisecond: what stands behind it is to run as well.
fn wait_briefly(command: &mut Command) {
    let Some(name) = command.first().map(|name| name.to_ascii_uppercase()) else {
        return;
    };
    let last = command.len() - 1;
    let (at, briefly) = match name.as_slice() {
        b"BLPOP" | b"BRPOP" | b"BLMOVE" | b"BRPOPLPUSH" | b"BZPOPMIN" | b"BZPOPMAX" => (Some(last), "0.001"),
        b"BLMPOP" | b"BZMPOP" => (Some(1), "0.001"),
        b"XREAD" | b"XREADGROUP" => {
            let block = command.iter().position(|word| word.eq_ignore_ascii_case(b"BLOCK"));
            (block.map(|block| block + 1), "1")
        }
        _ => return,
    };
    let Some(timeout) = at.filter(|&at| at > 0).and_then(|at| command.get_mut(at)) else {
        return;
    };
    let text = String::from_utf8_lossy(timeout).into_owned();
    if text.parse().is_ok_and(|seconds: f64| (0.0..1e18).contains(&seconds)) {
        *timeout = briefly.into();
    }
}

/// Has a command that draws with repetition draw no more than some: asked for billions of elements, the server gives them,
/// as Redis does. More than a reply can hold is refused, and stays.
fn draw_modestly(command: &mut Command) {
    let Some(name) = command.first().map(|name| name.to_ascii_uppercase()) else {
        return;
    };
    if !matches!(name.as_slice(), b"SRANDMEMBER" | b"HRANDFIELD" | b"ZRANDMEMBER") {
        return;
    }
    if let Some(count) = command.get_mut(2) {
        let number = String::from_utf8_lossy(count).parse::<i64>().unwrap_or(0);
        if (-1_000_000_000_000_000..-100_000).contains(&number) {
            *count = b"-100".to_vec();
        }
    }
}

/// A server, and the connection that asks how it is.
struct Subject {
    server: Server,
    control: Client,
}

impl Subject {
    fn start() -> Subject {
        let server = Server::start_with(
            Binary::UnderTest,
            &[
                ("proto-max-bulk-len", "1mb"),
                ("enable-debug-command", "yes"),
                ("slowlog-log-slower-than", SLOW_MICROS),
                // Enough for any reply that makes sense here, and the end of one that never would.
                ("client-output-buffer-limit", "normal 128mb 0 0"),
            ],
        );
        let control = server.connect();
        control.set_read_timeout(ANSWER).expect("a timeout that is not zero");
        Subject { server, control }
    }

    /// Sends a batch over a connection of its own and waits until the server is done with it. What is wrong then, if
    /// anything.
    fn run(&mut self, batch: &[Command]) -> Result<(), String> {
        let mut bytes = Vec::new();
        for command in batch {
            encode_into(&mut bytes, command);
        }
        self.send(&bytes)
            .map_err(|error| self.fate(&format!("the batch: {error}")))?;
        self.examine()
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let client = self.server.connect();
        client.set_read_timeout(ANSWER)?;
        let (mut reader, mut writer) = (client.writer()?, client.writer()?);
        std::thread::scope(|scope| {
            // The server may close before it has read all: what matters is whether it still answers others.
            scope.spawn(move || drop(writer.write_all(bytes).and_then(|()| writer.shutdown(Shutdown::Write))));
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                    Err(error) => {
                        reader.shutdown(Shutdown::Both)?;
                        return Err(error);
                    }
                }
            }
        })
    }

    fn examine(&mut self) -> Result<(), String> {
        let mut ask = |line: &str| {
            let args: Vec<&str> = line.split(' ').collect();
            let reply = self.control.call(&args);
            reply.map(|reply| String::from_utf8_lossy(&reply).into_owned())
        };
        let answers = ask("PING").and_then(|_| Ok((ask("INFO memory")?, ask("SLOWLOG GET")?)));
        let (memory, slow) = answers.map_err(|error| self.fate(&format!("PING: {error}")))?;
        let peak = field(&memory, "used_memory_peak:");
        if peak > MOST_MEMORY {
            return Err(format!("{peak} bytes were allocated"));
        }
        if slow != "*0\r\n" {
            return Err(format!("slow: {}", show(slow.as_bytes())));
        }
        Ok(())
    }

    /// What became of the server, with the end of its log.
    fn fate(&mut self, seen: &str) -> String {
        let fate = if self.server.is_running() {
            "it runs"
        } else {
            "it is gone"
        };
        let log = self.server.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("{seen}; {fate}\n{}", lines[lines.len().saturating_sub(12)..].join("\n"))
    }

    /// Commands that it knew, and ran or refused.
    fn commands(&mut self) -> u64 {
        let kinds = kinds(&mut self.control);
        kinds.values().map(|kind| kind.calls + kind.rejected).sum()
    }
}

fn field(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The shortest program that still brings a new server down, and how.
fn shrink(batches: &[Vec<Command>], found: String) -> (Vec<Command>, String) {
    let deadline = Instant::now() + SHRINKING;
    let mut how = found;
    let program = without_chunks(batches.concat(), |program| {
        if Instant::now() >= deadline {
            return false;
        }
        match Subject::start().run(program) {
            Ok(()) => false,
            Err(outcome) => {
                how = outcome;
                true
            }
        }
    });
    (program, how)
}

fn number_from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

#[test]
fn the_server_stays_up() {
    let wanted = number_from_env("AEOLUS_FUZZ_COMMANDS", 50_000);
    let first = number_from_env("AEOLUS_FUZZ_SEED", 1);
    let (mut subject, mut fuzzer) = (Subject::start(), Fuzzer::new());
    let (start, mut sent, mut seed) = (Instant::now(), 0, first);
    let (mut commands, mut shown) = (0, 0);
    while commands < wanted {
        let batches = fuzzer.epoch(seed);
        subject.control.ask("FLUSHALL");
        for at in 0..batches.len() {
            if let Err(found) = subject.run(&batches[at]) {
                let (program, how) = shrink(&batches[..=at], found.clone());
                let lines: Vec<String> = program
                    .iter()
                    .map(|command| {
                        command
                            .iter()
                            .map(|word| format!(" \"{}\"", word.escape_ascii()))
                            .collect()
                    })
                    .collect();
                panic!("AEOLUS_FUZZ_SEED={seed}: {found}\nshrunk: {how}\n{}", lines.join("\n"));
            }
            sent += batches[at].len();
        }
        commands = subject.commands();
        seed += 1;
        if commands / 500_000 > shown {
            shown = commands / 500_000;
            eprintln!("{commands} commands after {:.0?}", start.elapsed());
        }
    }
    let mut kinds = kinds(&mut subject.control);
    kinds.retain(|_, kind| kind.calls > kind.failed);
    eprintln!(
        "{sent} commands sent, {commands} run or refused in {:.1?}, seeds {first} to {}; {} kinds succeeded, peak {} MB",
        start.elapsed(),
        seed - 1,
        kinds.len(),
        field(&subject.control.ask("INFO memory"), "used_memory_peak:") >> 20,
    );
    assert!(kinds.len() > 200, "few commands succeed: {kinds:?}");
}

/// A command's line in INFO.
#[derive(Clone, Copy, Debug)]
struct Kind {
    calls: u64,
    rejected: u64,
    failed: u64,
}

fn kinds(control: &mut Client) -> BTreeMap<String, Kind> {
    let stats = control.ask("INFO commandstats");
    let lines = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
    let kind = |(name, line): (&str, &str)| {
        let count = |name: &str| {
            let mut fields = line.split(',').filter_map(|field| field.split_once('='));
            let number = fields
                .find(|(field, _)| *field == name)
                .and_then(|(_, number)| number.trim().parse().ok());
            number.unwrap_or(0)
        };
        let kind = Kind {
            calls: count("calls"),
            rejected: count("rejected_calls"),
            failed: count("failed_calls"),
        };
        (name.to_owned(), kind)
    };
    lines.map(kind).collect()
}
