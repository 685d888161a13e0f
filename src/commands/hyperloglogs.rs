//! HyperLogLog commands. The values are strings; see [`crate::types::hyperloglog`].

use super::handlers::Family;
use super::values::{StringMut, ViewMut, built_string};
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::{EntryRef, Key, Kind, ValueRef};
use crate::resp::request::Args;
use crate::server::failure::{Failure, WRONG_TYPE};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::hyperloglog::{self, Corrupt, Encoding, Registers, Run};
use crate::types::packed::PackedBuf;

pub const COMMANDS: Family = &[
    ("pfadd", pfadd),
    ("pfcount", pfcount),
    ("pfdebug", pfdebug),
    ("pfmerge", pfmerge),
    ("pfselftest", pfselftest),
];

impl From<Corrupt> for Failure {
    fn from(_: Corrupt) -> Self {
        "INVALIDOBJ Corrupted HLL object detected".into()
    }
}

/// The bytes of a key that holds a HyperLogLog, or at least a string that begins like one; the error of any other.
fn bytes_of(entry: EntryRef<'_>) -> Result<(&[u8], Encoding), Failure> {
    const NOT_ONE: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";
    match entry.value() {
        ValueRef::Str(bytes) => Ok((bytes, Encoding::of(bytes).ok_or(NOT_ONE)?)),
        ValueRef::Int(_) => Err(NOT_ONE.into()),
        _ => Err(WRONG_TYPE.into()),
    }
}

/// The same for changing.
fn open(entry: EntryMut<'_>) -> Result<StringMut<'_>, Failure> {
    bytes_of(entry.as_ref())?;
    StringMut::of(entry, (), Times::default()).ok_or_else(|| WRONG_TYPE.into())
}

fn sparse_max(ctx: &Context<'_>) -> usize {
    ctx.core.settings.hll_sparse_max_bytes as usize
}

/// Counts elements until one of them shows that the registers are corrupt; gives how many registers changed.
fn add_all(buf: &mut impl PackedBuf, elements: Args<'_>, sparse_max: usize) -> (usize, Result<(), Corrupt>) {
    let mut changed = 0;
    for element in elements.iter() {
        match hyperloglog::add(buf, element, sparse_max) {
            Ok(raised) => changed += usize::from(raised),
            Err(corrupt) => return (changed, Err(corrupt)),
        }
    }
    (changed, Ok(()))
}

/// PFADD key [element ...]
fn pfadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let sparse_max = sparse_max(ctx);
    let (changes, outcome) = match ctx.core.write(ctx.database, key) {
        Some(entry) => add_all(&mut open(entry)?, args.from(2), sparse_max),
        None => {
            let mut bytes = hyperloglog::empty();
            let (changes, outcome) = add_all(&mut bytes, args.from(2), sparse_max);
            hyperloglog::invalidate(&mut bytes);
            ctx.core.create(ctx.database, key, built_string(bytes));
            (changes + 1, outcome)
        }
    };
    if let Err(corrupt) = outcome {
        // Nothing is said of the elements that were counted before, but they were.
        ctx.core.touched(ctx.database, key.bytes);
        return Err(corrupt.into());
    }
    if changes > 0 {
        ctx.changed_times(changes, Class::STRING, "pfadd", key.bytes);
    }
    ctx.reply.int((changes > 0).into());
    Ok(())
}

/// PFCOUNT key [key ...]
fn pfcount(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 2 {
        let key = ctx.key(&args, 1);
        return count_one(ctx, key);
    }
    let mut registers = Registers::default();
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        if let Some(entry) = ctx.core.read(ctx.database, key) {
            registers.merge(bytes_of(entry)?.0)?;
        }
    }
    ctx.reply.int(registers.count() as i64);
    Ok(())
}

/// Tells the cardinality in the header, after renewing it if need be. Whether or not that changes anything, the string is
/// raw afterwards.
fn count_one(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    let Some(entry) = ctx.core.read(ctx.database, key) else {
        ctx.reply.int(0);
        return Ok(());
    };
    let (bytes, _) = bytes_of(entry)?;
    let cached = hyperloglog::cached(bytes);
    if let Some(cardinality) = cached {
        ctx.reply.int(cardinality as i64);
        if entry.kind() != Kind::Str {
            return Ok(());
        }
    }
    let (db, ..) = ctx.core.writer(ctx.database);
    let Some(mut text) = db.find_mut(key).map(open).transpose()? else {
        return Ok(());
    };
    if cached.is_some() {
        return Ok(());
    }
    let cardinality = hyperloglog::count(text.bytes())?;
    hyperloglog::cache(text.bytes_mut(), cardinality);
    ctx.core.dirty += 1;
    ctx.core.touched(ctx.database, key.bytes);
    ctx.reply.int(cardinality as i64);
    Ok(())
}

/// PFMERGE destkey [sourcekey ...]
fn pfmerge(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut registers = Registers::default();
    let mut dense = false;
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        if let Some(entry) = ctx.core.read(ctx.database, key) {
            let (bytes, encoding) = bytes_of(entry)?;
            dense |= encoding == Encoding::Dense;
            registers.merge(bytes)?;
        }
    }
    let key = ctx.key(&args, 1);
    let sparse_max = sparse_max(ctx);
    match ctx.core.write(ctx.database, key) {
        Some(entry) => store_merged(&registers, &mut open(entry)?, dense, sparse_max)?,
        None => {
            let mut bytes = hyperloglog::empty();
            store_merged(&registers, &mut bytes, dense, sparse_max)?;
            ctx.core.create(ctx.database, key, built_string(bytes));
        }
    }
    ctx.changed(Class::STRING, "pfadd", key.bytes);
    ctx.reply.ok();
    Ok(())
}

/// Stores what was merged: densely if any source was dense.
fn store_merged(registers: &Registers, buf: &mut impl PackedBuf, dense: bool, sparse_max: usize) -> Outcome {
    if dense {
        hyperloglog::make_dense(buf)?;
    }
    Ok(registers.store(buf, sparse_max)?)
}

/// PFDEBUG GETREG | DECODE | ENCODING | TODENSE key. GETREG makes the registers dense, too.
fn pfdebug(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 2);
    let entry = ctx.core.write(ctx.database, key);
    let mut text = open(entry.ok_or("ERR The specified key does not exist")?)?;
    let named = |name: &[u8]| args.at(1).eq_ignore_ascii_case(name);
    let made_dense = if named(b"getreg") {
        let made_dense = hyperloglog::make_dense(&mut text)?;
        let mut registers = Registers::default();
        registers.merge(text.bytes())?;
        ctx.reply.array(registers.iter().len());
        registers.iter().for_each(|number| ctx.reply.int(number.into()));
        made_dense
    } else if named(b"decode") {
        if Encoding::of(text.bytes()) != Some(Encoding::Sparse) {
            return Err("ERR HLL encoding is not sparse".into());
        }
        let runs: Vec<String> = hyperloglog::runs(text.bytes()).map(describe).collect();
        ctx.reply.bulk(runs.join(" "));
        false
    } else if named(b"encoding") {
        ctx.reply.simple(match Encoding::of(text.bytes()) {
            Some(Encoding::Dense) => "dense",
            _ => "sparse",
        });
        false
    } else if named(b"todense") {
        let made_dense = hyperloglog::make_dense(&mut text)?;
        ctx.reply.int(made_dense.into());
        made_dense
    } else {
        let name = args.at(1).split(|&byte| byte == 0).next().unwrap_or_default();
        return Err([b"ERR Unknown PFDEBUG subcommand '", name, b"'"].concat().into());
    };
    if made_dense {
        ctx.core.dirty += 1;
        ctx.core.touched(ctx.database, key.bytes);
    }
    Ok(())
}

/// A run of registers as PFDEBUG DECODE writes it.
fn describe(run: Run) -> String {
    match run.number {
        0 if run.long => format!("Z:{}", run.len),
        0 => format!("z:{}", run.len),
        number => format!("v:{number},{}", run.len),
    }
}

/// PFSELFTEST: checks at powers of ten that both encodings agree and that the estimate is close.
fn pfselftest(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    const MOST: u64 = 1_000_000;
    const STANDARD_ERROR: f64 = 1.04 / 128.0;
    let seed = ctx.core.random.u64(..);
    let (mut adapting, mut dense) = (hyperloglog::empty(), hyperloglog::empty());
    hyperloglog::make_dense(&mut dense)?;
    let mut checkpoint = 1;
    for element in 1..=MOST {
        let bytes = (element ^ seed).to_le_bytes();
        hyperloglog::add(&mut adapting, &bytes, sparse_max(ctx))?;
        hyperloglog::add(&mut dense, &bytes, 0)?;
        if element < checkpoint {
            continue;
        }
        let estimate = hyperloglog::count(&dense)?;
        if hyperloglog::count(&adapting)? != estimate {
            return Err("TESTFAILED dense/sparse disagree".into());
        }
        // Six times the standard error is never seen by chance; two elements may well fall on the same register.
        let most = (6.0 * STANDARD_ERROR * element as f64).ceil() as u64;
        let error = element.abs_diff(estimate);
        if error > most {
            return Err(format!("TESTFAILED Too big error. card:{element} abserr:{error}").into());
        }
        checkpoint *= 10;
    }
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    const NEW: &[u8] = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff";

    #[test]
    fn elements_are_counted_once() {
        let mut server = Server::start();
        assert_eq!(server.ask("PFADD h"), ":1|");
        assert_eq!(server.ask("PFADD h"), ":0|");
        assert_eq!(server.ask("PFADD h a b c"), ":1|");
        assert_eq!(server.ask("PFADD h a b c"), ":0|");
        assert_eq!(server.ask("PFCOUNT h"), ":3|");
        assert_eq!(server.ask("PFADD g c d"), ":1|");
        assert_eq!(server.ask("PFCOUNT h g nosuch"), ":4|");
        assert_eq!(server.ask("PFMERGE m h g"), "+OK|");
        assert_eq!(server.ask("PFCOUNT m"), ":4|");
        assert_eq!(server.ask("PFCOUNT nosuch"), ":0|");
        assert_eq!(server.ask("OBJECT ENCODING m"), "$3|raw|");
    }

    #[test]
    fn counting_renews_the_header_and_says_so_to_nobody() {
        let mut server = Server::start();
        server.run(&[b"SET", b"h", NEW]);
        assert_eq!(server.ask("OBJECT ENCODING h"), "$6|embstr|");
        server.listen();
        let dirty = server.core.dirty;
        assert_eq!(server.ask("PFCOUNT h"), ":0|");
        assert_eq!(server.core.dirty, dirty + 1);
        assert_eq!(server.ask("PFCOUNT h"), ":0|");
        assert_eq!(server.core.dirty, dirty + 1);
        assert_eq!(server.ask("OBJECT ENCODING h"), "$3|raw|");
        server.run(&[b"SETRANGE", b"h", b"8", b"\x07\0\0\0\0\0\0\0"]);
        assert_eq!(server.ask("PFCOUNT h"), ":7|");
    }

    #[test]
    fn long_ones_become_dense() {
        let mut server = Server::start();
        server.core.settings.hll_sparse_max_bytes = 2000;
        for element in 0..3000 {
            server.ask(&format!("PFADD h {element}"));
            let len = server.ask("STRLEN h");
            let len: usize = len[1..len.len() - 1].parse().expect("a length");
            assert!(len <= 2000 || len == 12_304);
        }
        assert_eq!(server.ask("PFDEBUG ENCODING h"), "+dense|");
        assert!(server.ask("PFDEBUG GETREG h").starts_with("*16384|"));
        assert_eq!(server.ask("PFMERGE d h"), "+OK|");
        assert_eq!(server.ask("PFCOUNT d"), server.ask("PFCOUNT h"));
    }

    #[test]
    fn other_values_are_refused() {
        const NOT_ONE: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.|";
        const CORRUPT: &str = "-INVALIDOBJ Corrupted HLL object detected|";
        let mut server = Server::start();
        server.ask("MSET text abc number 12345");
        server.ask("RPUSH list x");
        server.run(&[b"SET", b"short", &NEW[..17]]);
        for command in [
            "PFADD KEY x",
            "PFCOUNT KEY",
            "PFCOUNT KEY x",
            "PFMERGE d KEY",
            "PFDEBUG DECODE KEY",
        ] {
            for key in ["text", "number"] {
                assert_eq!(server.ask(&command.replace("KEY", key)), NOT_ONE, "{command}");
            }
            let refused = server.ask(&command.replace("KEY", "list"));
            assert!(refused.starts_with("-WRONGTYPE Operation"), "{command}");
        }
        for command in [
            "PFADD short x",
            "PFCOUNT short",
            "PFCOUNT short x",
            "PFMERGE d short",
            "PFDEBUG TODENSE short",
        ] {
            assert_eq!(server.ask(command), CORRUPT, "{command}");
        }
        assert_eq!(server.ask("OBJECT ENCODING text"), "$6|embstr|");
        assert_eq!(server.ask("EXISTS d"), ":0|");
    }

    #[test]
    fn the_inside_is_shown() {
        let mut server = Server::start();
        server.ask("PFADD h a b c");
        assert_eq!(
            server.ask("PFDEBUG DECODE h"),
            "$44|Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603|"
        );
        assert_eq!(server.ask("PFDEBUG TODENSE h"), ":1|");
        assert_eq!(server.ask("PFDEBUG TODENSE h"), ":0|");
        assert_eq!(server.ask("PFDEBUG DECODE h"), "-ERR HLL encoding is not sparse|");
        assert_eq!(
            server.ask("PFDEBUG NOSUCH h"),
            "-ERR Unknown PFDEBUG subcommand 'NOSUCH'|"
        );
        assert_eq!(server.ask("PFDEBUG NOSUCH g"), "-ERR The specified key does not exist|");
        assert_eq!(server.ask("PFSELFTEST"), "+OK|");
    }
}
