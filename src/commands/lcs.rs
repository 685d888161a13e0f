//! LCS: the longest common subsequence of two strings.
//!
//! The textbook method fills a matrix of lengths, `L[i][j]` for the first `i` bytes of one string and the first `j` of
//! the other: four bytes and a few instructions a cell, half a gigabyte for two strings of 11 kB. But neighbours
//! in a row differ by 0 or 1, so a row is a string of bits, and 64 cells can be computed with one addition (H. Hyyrö,
//! "Bit-parallel LCS-length computation revisited", AWOCA 2004). The bits are also all that is needed to walk back
//! through the matrix and find the subsequence, so they are what is stored: a thirty-second of the memory.

use super::expiry::syntax_error;
use super::handlers::Family;
use super::values::Text;
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[("lcs", lcs)];

/// Bytes Redis takes for a cell of the matrix, on which its limit is computed.
const REDIS_CELL: u128 = 4;
/// Strings from this length on are refused.
const LENGTH_LIMIT: usize = u32::MAX as usize - 1;

/// What LCS is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    length: bool,
    ranges: bool,
    match_lengths: bool,
    /// Shorter ranges are not told.
    min_match: usize,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut options = Options::default();
        let mut at = 3;
        while let Some(option) = args.get(at) {
            at += 1;
            if option.eq_ignore_ascii_case(b"idx") {
                options.ranges = true;
            } else if option.eq_ignore_ascii_case(b"len") {
                options.length = true;
            } else if option.eq_ignore_ascii_case(b"withmatchlen") {
                options.match_lengths = true;
            } else if option.eq_ignore_ascii_case(b"minmatchlen")
                && let Some(value) = args.get(at)
            {
                options.min_match = usize::try_from(integer(value)?).unwrap_or(0);
                at += 1;
            } else {
                return syntax_error();
            }
        }
        if options.ranges && options.length {
            return Err("ERR If you want both the length and indexes, please just use IDX.".into());
        }
        Ok(options)
    }
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]
fn lcs(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (first, second) = (ctx.key(&args, 1), ctx.key(&args, 2));
    let (a, b) = (string_at(ctx, first), string_at(ctx, second));
    let (Some(a), Some(b)) = (a, b) else {
        return Err("ERR The specified keys must contain string values".into());
    };
    let options = Options::parse(args)?;
    check_size(ctx, &a, &b)?;
    if options.length {
        ctx.reply.len(Rows::length(&a, &b));
        return Ok(());
    }
    let rows = Rows::compute(&a, &b);
    if options.ranges {
        reply_ranges(ctx.reply, &rows, options);
    } else {
        ctx.reply.bulk(rows.subsequence());
    }
    Ok(())
}

/// The string of a key, empty if there is no such key; `None` if its value is of another type.
fn string_at(ctx: &mut Context<'_>, key: Key<'_>) -> Option<Vec<u8>> {
    match ctx.core.read(ctx.database, key) {
        Some(entry) => Text::of_entry(entry).ok().map(|mut text| text.bytes().to_vec()),
        None => Some(Vec::new()),
    }
}

/// Refuses what Redis refuses, although it would take less memory here: the time is bounded this way, too.
fn check_size(ctx: &Context<'_>, a: &[u8], b: &[u8]) -> Outcome {
    if a.len() >= LENGTH_LIMIT || b.len() >= LENGTH_LIMIT {
        return Err("ERR String too long for LCS".into());
    }
    let cells = (a.len() as u128 + 1) * (b.len() as u128 + 1);
    if cells * REDIS_CELL > ctx.core.settings.proto_max_bulk_len as u128 {
        return Err("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len".into());
    }
    Ok(())
}

fn reply_ranges(reply: &mut Reply, rows: &Rows<'_>, options: Options) {
    reply.map(2);
    reply.bulk(b"matches");
    reply.deferred(
        |reply, len| reply.array(len),
        |reply| {
            let long_enough = rows.runs().filter(|run| run.len >= options.min_match);
            long_enough
                .map(|run| reply_run(reply, run, options.match_lengths))
                .count()
        },
    );
    reply.bulk(b"len");
    reply.len(rows.common);
}

fn reply_run(reply: &mut Reply, run: Run, with_length: bool) {
    reply.array(if with_length { 3 } else { 2 });
    for start in [run.a, run.b] {
        reply.array(2);
        reply.len(start);
        reply.len(start + run.len - 1);
    }
    if with_length {
        reply.len(run.len);
    }
}

/// A part of the subsequence that is a substring of both strings: where it starts in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

/// The matrix of lengths for `a` (rows) and `b` (columns), as the bits in which neighbours of a row differ.
struct Rows<'s> {
    a: &'s [u8],
    b: &'s [u8],
    /// Columns in blocks of 64, each with one word per row. A bit that is *clear* says that the length grows there.
    blocks: Vec<Box<[u64]>>,
    /// The length of the longest common subsequence.
    common: usize,
}

impl<'s> Rows<'s> {
    fn compute(a: &'s [u8], b: &'s [u8]) -> Self {
        let mut blocks = Vec::new();
        let common = sweep(a, b, |words| blocks.push(words.into()));
        Rows { a, b, blocks, common }
    }

    /// The length alone, which needs no more than a block at a time.
    fn length(a: &[u8], b: &[u8]) -> usize {
        sweep(a, b, |_| ())
    }

    /// Whether the length grows from column `j` to the next, in the row of the first `i + 1` bytes.
    fn grows(&self, i: usize, j: usize) -> bool {
        self.blocks[j / 64][i] >> (j % 64) & 1 == 0
    }

    /// The places of the subsequence's bytes in both strings, last first. Where several subsequences are longest, it
    /// is the one that going back in `b` finds first, like Redis's.
    fn matches(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.a[i - 1] == self.b[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                }
                // Going back to a column that is as long costs nothing; where it would, the row above is as long.
                if self.grows(i - 1, j - 1) {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            None
        })
    }

    fn subsequence(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.matches().map(|(i, _)| self.a[i]).collect();
        bytes.reverse();
        bytes
    }

    /// The matches joined to runs, last first.
    fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let mut matches = self.matches().peekable();
        std::iter::from_fn(move || {
            let (a, b) = matches.next()?;
            let mut run = Run { a, b, len: 1 };
            while let Some((a, b)) = matches.next_if(|&(a, b)| a + 1 == run.a && b + 1 == run.b) {
                run = Run { a, b, len: run.len + 1 };
            }
            Some(run)
        })
    }
}

/// Computes the matrix block by block, from left to right, and tells each block's words; gives the length.
fn sweep(a: &[u8], b: &[u8], mut tell: impl FnMut(&[u64])) -> usize {
    let mut words = vec![0; a.len()];
    let mut carries = vec![false; a.len()];
    let mut length = 0;
    for columns in b.chunks(64) {
        let mut equal = [0u64; 256];
        for (column, &byte) in columns.iter().enumerate() {
            equal[usize::from(byte)] |= 1 << column;
        }
        let mut row = u64::MAX;
        for ((&byte, word), carry) in a.iter().zip(&mut words).zip(&mut carries) {
            let matching = equal[usize::from(byte)];
            let (sum, overflow) = row.overflowing_add(row & matching);
            let (sum, overflow_of_carry) = sum.overflowing_add(u64::from(*carry));
            *carry = overflow || overflow_of_carry;
            row = sum | (row & !matching);
            *word = row;
        }
        length += row.count_zeros() as usize;
        tell(&words);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::Server;

    /// The subsequence's length by the textbook's matrix.
    fn matrix(a: &[u8], b: &[u8]) -> Vec<Vec<usize>> {
        let mut lengths = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                lengths[i][j] = match a[i - 1] == b[j - 1] {
                    true => lengths[i - 1][j - 1] + 1,
                    false => lengths[i - 1][j].max(lengths[i][j - 1]),
                };
            }
        }
        lengths
    }

    #[test]
    fn bits_agree_with_the_matrix() {
        let mut random = fastrand::Rng::with_seed(11);
        for round in 0..600 {
            let letters = b'a' + 1 + (round % 7) as u8;
            let mut string =
                |most: usize| -> Vec<u8> { (0..random.usize(0..=most)).map(|_| random.u8(b'a'..letters)).collect() };
            let (a, b) = (string(150), string(300));
            let lengths = matrix(&a, &b);
            let rows = Rows::compute(&a, &b);
            assert_eq!(rows.common, lengths[a.len()][b.len()]);
            assert_eq!(Rows::length(&a, &b), rows.common);
            for (i, row) in lengths[1..].iter().enumerate() {
                for (j, pair) in row.windows(2).enumerate() {
                    assert_eq!(rows.grows(i, j), pair[1] > pair[0], "{i} {j}");
                }
            }
            assert_eq!(rows.subsequence().len(), rows.common);
            assert_eq!(rows.runs().map(|run| run.len).sum::<usize>(), rows.common);
            assert!(rows.runs().all(|run| a[run.a..][..run.len] == b[run.b..][..run.len]));
        }
    }

    #[test]
    fn runs_are_told_last_first() {
        let runs: Vec<Run> = Rows::compute(b"ohmytext", b"mynewtext").runs().collect();
        assert_eq!(runs, [Run { a: 4, b: 5, len: 4 }, Run { a: 2, b: 0, len: 2 }]);
    }

    #[test]
    fn replies_and_errors_are_those_of_redis() {
        let mut server = Server::start();
        server.ask("MSET a ohmytext b mynewtext");
        let cases = [
            ("LCS a b", "$6|mytext|"),
            ("LCS a b LEN", ":6|"),
            (
                "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
                "*4|$7|matches|*1|*3|*2|:4|:7|*2|:5|:8|:4|$3|len|:6|",
            ),
            ("LCS a nosuch IDX", "*4|$7|matches|*0|$3|len|:0|"),
            (
                "LCS a b LEN IDX",
                "-ERR If you want both the length and indexes, please just use IDX.|",
            ),
            ("LCS a b MINMATCHLEN", "-ERR syntax error|"),
        ];
        for (command, reply) in cases {
            assert_eq!(server.ask(command), reply, "{command}");
        }
        server.core.settings.proto_max_bulk_len = 300;
        assert_eq!(
            server.ask("LCS a b"),
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len|"
        );
    }
}
