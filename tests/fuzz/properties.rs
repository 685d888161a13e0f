//! What must hold for any bytes a client may send. The fuzz targets and the seeded tests in `tests/random_bytes.rs` both
//! check these.
#![allow(dead_code)] // each fuzz target checks one

use aeolus::config::Settings;
use aeolus::reactor::connection::Partial;
use aeolus::resp::pool::ReplyPool;
use aeolus::resp::request::{Args, Limits, Parser, ProtocolError, Step};
use aeolus::server::blocking::Unblock;
use aeolus::server::dispatch::{Executor, Request, Verdict, look_up};
use aeolus::server::{Core, SessionIndex};
use aeolus::timer::Millis;

/// What some bytes said: the words of each whole request, and what was wrong behind them.
#[derive(Debug, PartialEq)]
struct Read {
    requests: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
}

const WHOLE: usize = 60_000;

/// The first bytes choose how the rest is cut; the parser must make the same of the pieces as of the whole. Beyond
/// `WHOLE` bytes it need not: a line that long is an error only while its end is not in sight.
pub fn cuts_do_not_matter(bytes: &[u8]) {
    let (Some((choice, bytes)), true) = (bytes.split_first_chunk::<4>(), bytes.len() < WHOLE) else {
        return;
    };
    let limits = Limits {
        bulk_len: if choice[0] & 1 == 0 { 512 << 20 } else { 100 },
        unauthenticated: choice[0] & 2 != 0,
    };
    let whole = read_whole(bytes, limits);
    let mut state = u32::from_le_bytes(*choice) | 1;
    let mut cut = || {
        // xorshift: any cuts will do, as long as the same input makes the same ones.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize
    };
    let most = [1, 3, 20, 5000][usize::from(choice[0] >> 2 & 3)];
    let forget = choice[0] & 16 != 0;
    let pieces = read_in_pieces(bytes, limits, forget, || cut() % most + 1);
    assert_eq!(whole, pieces, "cut at up to {most} bytes");
}

fn read_whole(bytes: &[u8], limits: Limits) -> Read {
    let (mut input, mut pos, mut parser, mut requests) = (bytes.to_vec(), 0, Parser::default(), Vec::new());
    loop {
        let mut spans = Vec::new();
        match parser.step(&mut input, &mut pos, &mut spans, None, limits) {
            Ok(Step::Request) => requests.push(words(Args::new(&input, &spans, &[]))),
            Ok(Step::Incomplete) => return Read { requests, error: None },
            Ok(Step::Big) => panic!("nobody offered big buffers"),
            Err(error) => {
                return Read {
                    requests,
                    error: Some(error),
                };
            }
        }
        assert!(parser.at_start() && pos <= input.len());
    }
}

/// The same as the reactor does with a connection that has sent a part.
fn read_in_pieces(mut bytes: &[u8], limits: Limits, forget: bool, mut cut: impl FnMut() -> usize) -> Read {
    let (mut partial, mut requests) = (Partial::default(), Vec::new());
    while !bytes.is_empty() {
        let (mut piece, rest) = bytes.split_at(cut().min(bytes.len()));
        bytes = rest;
        if let (Some(wanted), Some(big)) = (partial.filling, partial.bigs.last_mut()) {
            let (value, behind) = piece.split_at(piece.len().min(wanted - big.len()));
            big.extend_from_slice(value);
            piece = behind;
        }
        partial.input.extend_from_slice(piece);
        while partial.finish_big() {
            let known = partial.bigs.len();
            let step = if partial.parser.at_start() && !partial.spans.is_empty() {
                Ok(Step::Request)
            } else {
                let Partial {
                    parser,
                    input,
                    pos,
                    spans,
                    bigs,
                    ..
                } = &mut partial;
                parser.step(input, pos, spans, Some(bigs), limits)
            };
            if partial.bigs.len() > known {
                partial.filling = partial.spans.last().map(|span| span.len() + 2);
            }
            match step {
                Ok(Step::Request) => {
                    requests.push(words(Args::new(&partial.input, &partial.spans, &partial.bigs)));
                    partial.spans.clear();
                    partial.bigs.clear();
                    if forget {
                        partial.forget(partial.pos);
                    }
                }
                Ok(Step::Incomplete) => break,
                Ok(Step::Big) => {}
                Err(error) => {
                    return Read {
                        requests,
                        error: Some(error),
                    };
                }
            }
        }
    }
    Read { requests, error: None }
}

fn words(args: Args<'_>) -> Vec<Vec<u8>> {
    args.iter().map(<[u8]>::to_vec).collect()
}

const CLIENTS: usize = 2;
const START: i64 = 1_700_000_000_000;
/// The longest value: random lengths and offsets up to the default half a gigabyte would only be slow.
const MAX_BULK: usize = 1 << 16;

/// A core and two clients that take turns, with time passing; no bytes may make it panic.
pub fn requests_run(bytes: &[u8]) {
    let settings = Settings {
        proto_max_bulk_len: MAX_BULK as i64,
        ..Settings::default()
    };
    let mut core = Core::new(
        settings,
        Millis(START),
        Box::new(aeolus::host::memory::MemoryHost::default()),
    );
    for client in 0..CLIENTS {
        core.open(SessionIndex(client));
    }
    let mut pool = ReplyPool::default();
    let (mut input, mut pos, mut parser, mut turn) = (bytes.to_vec(), 0, Parser::default(), 0usize);
    let limits = Limits {
        bulk_len: MAX_BULK,
        unauthenticated: false,
    };
    loop {
        let mut spans = Vec::new();
        match parser.step(&mut input, &mut pos, &mut spans, None, limits) {
            Ok(Step::Request) => {}
            Ok(Step::Incomplete | Step::Big) | Err(_) => break,
        }
        let args = Args::new(&input, &spans, &[]);
        turn += 1;
        if spans.is_empty() || is_out_of_bounds(args) {
            continue;
        }
        // Mostly a few milliseconds pass, sometimes hours: the turn decides, so that a run can be repeated.
        let passed = (turn * turn % 7 + if turn % 32 == 0 { 10_000_000 } else { 0 }) as i64;
        let monotonic = core.monotonic.saturating_add(passed);
        core.begin_tick(Millis(START).saturating_add(monotonic.0), monotonic);
        let session = SessionIndex(turn % CLIENTS);
        if core.session(session).blocked.is_some() {
            // Its requests would be held back; now it waits no longer.
            core.unblock(session, Unblock::Timeout);
        }
        let request = Request {
            session,
            input: &input,
            spans: &spans,
            spec: look_up(args.at(0)),
            hashes: &[],
            bigs: &mut Vec::new(),
        };
        let mut executor = Executor::new(&mut core, &mut pool);
        let verdict = executor.run(request);
        executor.finish();
        if verdict == Verdict::Held {
            core.unpause();
        }
        between_requests(&mut core);
    }
}

/// What the reactor does between ticks, as far as the core sees it.
fn between_requests(core: &mut Core) {
    core.expire_due();
    core.end_late_waits();
    core.serve_waiting();
    core.housekeep();
    core.each_second();
    core.outgoing.clear();
    core.effects.clear();
    core.settings.proto_max_bulk_len = MAX_BULK as i64;
    for client in 0..CLIENTS {
        let index = SessionIndex(client);
        let session = core.session(index);
        session.reply.bytes.clear();
        session.has_output = false;
        if session.closing || session.doomed {
            core.close(index);
            core.open(index);
        }
    }
}

/// Requests that are meant to touch the machine (files, ports, sleep), or to ask for replies of any length.
fn is_out_of_bounds(args: Args<'_>) -> bool {
    let name = args.at(0).to_ascii_lowercase();
    let second = args.get(1).unwrap_or_default().to_ascii_lowercase();
    match &name[..] {
        b"config" => second == b"set" || second == b"rewrite",
        b"debug" | b"shutdown" | b"save" | b"bgsave" | b"bgrewriteaof" => true,
        // A negative count asks for as many elements as it says, with repetitions.
        b"srandmember" | b"hrandfield" | b"zrandmember" => args.get(2).is_some_and(|count| count.len() > 5),
        _ => false,
    }
}
