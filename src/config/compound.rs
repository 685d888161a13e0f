//! Settings with a shape of their own: save points, buffer limits, notification classes, addresses and the like.

use super::choice::choose;
use super::table::FileLine;
use super::value::{Domain, Text, Value, format_memory, only, parse_c_integer, parse_memory};

/// When to save a snapshot by itself: once `changes` writes have happened and `seconds` have passed since the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save, at least 1.
    pub seconds: i64,
    /// Writes since the last save, at least 0.
    pub changes: i32,
}

/// The save points; any of them triggers a snapshot, none means never.
///
/// Assigning adds to the list and an empty word clears it, for a file may have many `save` lines. Who wants to replace
/// the list clears it first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavePoints(pub Vec<SavePoint>);

impl SavePoints {
    /// Redis's defaults: an hour and a write, 5 minutes and 100 writes, a minute and 10,000 writes.
    pub fn standard() -> Self {
        let points = [(3600, 1), (300, 100), (60, 10_000)];
        SavePoints(points.map(|(seconds, changes)| SavePoint { seconds, changes }).into())
    }
}

impl Value for SavePoints {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let invalid = || "Invalid save parameters".to_string();
        let (pairs, []) = words.as_chunks::<2>() else {
            return Err(invalid());
        };
        let mut points = Vec::with_capacity(pairs.len());
        for [seconds, changes] in pairs {
            let seconds = parse_c_integer(seconds, 10).filter(|&s| s >= 1).ok_or_else(invalid)?;
            let changes = parse_c_integer(changes, 10).filter(|&c| c >= 0).ok_or_else(invalid)?;
            // Redis keeps the changes in 32 bits and lets larger numbers wrap.
            points.push(SavePoint {
                seconds,
                changes: changes as i32,
            });
        }
        self.0.extend(points);
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        let points = self
            .0
            .iter()
            .map(|point| format!("{} {}", point.seconds, point.changes));
        points.collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn describe(_: &Domain) -> String {
        "pairs of seconds and changes".into()
    }

    /// A line for each point, always needed: one line replaces all the defaults.
    fn file_lines(&self, _: &Self, _: &Domain) -> Vec<FileLine> {
        if self.0.is_empty() {
            return vec![FileLine {
                value: b"\"\"".into(),
                needed: true,
            }];
        }
        let values = self
            .0
            .iter()
            .map(|point| format!("{} {}", point.seconds, point.changes).into_bytes());
        values.map(|value| FileLine { value, needed: true }).collect()
    }
}

/// How much may wait to be sent to one client before it is disconnected. Zero means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// Bytes beyond which the client is disconnected at once.
    pub hard: u64,
    /// Bytes beyond which it is disconnected after [`BufferLimit::soft_seconds`].
    pub soft: u64,
    /// How long it may stay beyond [`BufferLimit::soft`], in seconds.
    pub soft_seconds: i32,
}

/// The output buffer limits by class of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputBufferLimits {
    /// Ordinary clients, and those running `MONITOR`.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Clients subscribed to a channel or pattern.
    pub pubsub: BufferLimit,
}

impl OutputBufferLimits {
    /// Redis's defaults.
    pub fn standard() -> Self {
        let limit = |hard, soft, soft_seconds| BufferLimit {
            hard,
            soft,
            soft_seconds,
        };
        OutputBufferLimits {
            normal: BufferLimit::default(),
            replica: limit(256 << 20, 64 << 20, 60),
            pubsub: limit(32 << 20, 8 << 20, 60),
        }
    }

    fn class(&mut self, word: &[u8]) -> Option<&mut BufferLimit> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Some(&mut self.normal),
            b"slave" | b"replica" => Some(&mut self.replica),
            b"pubsub" => Some(&mut self.pubsub),
            _ => None,
        }
    }
}

fn parse_buffer_limit(hard: &[u8], soft: &[u8], soft_seconds: &[u8]) -> Option<BufferLimit> {
    Some(BufferLimit {
        hard: parse_memory(hard)?,
        soft: parse_memory(soft)?,
        // Redis keeps the seconds in 32 bits and lets larger numbers wrap.
        soft_seconds: parse_c_integer(soft_seconds, 10).filter(|&s| s >= 0)? as i32,
    })
}

impl Value for OutputBufferLimits {
    const SEVERAL: bool = true;

    /// Classes that are not mentioned keep their limits.
    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let (groups, []) = words.as_chunks::<4>() else {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        };
        let mut limits = *self;
        for [class, hard, soft, soft_seconds] in groups {
            let slot = limits
                .class(class)
                .ok_or("Invalid client class specified in buffer limit configuration.")?;
            *slot = parse_buffer_limit(hard, soft, soft_seconds)
                .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        }
        *self = limits;
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        let classes = [
            ("normal", self.normal),
            ("slave", self.replica),
            ("pubsub", self.pubsub),
        ];
        let texts = classes.map(|(name, limit)| format!("{name} {} {} {}", limit.hard, limit.soft, limit.soft_seconds));
        texts.join(" ").into_bytes()
    }

    fn describe(_: &Domain) -> String {
        "class, hard bytes, soft bytes, soft seconds; repeated".into()
    }

    /// A line for each class, needed where it differs from the default.
    fn file_lines(&self, default: &Self, _: &Domain) -> Vec<FileLine> {
        let classes = [
            ("normal", self.normal, default.normal),
            ("replica", self.replica, default.replica),
            ("pubsub", self.pubsub, default.pubsub),
        ];
        let line = |(name, limit, default): (&str, BufferLimit, BufferLimit)| {
            let (hard, soft) = (format_memory(limit.hard), format_memory(limit.soft));
            let value = format!("{name} {hard} {soft} {}", limit.soft_seconds).into_bytes();
            FileLine {
                value,
                needed: limit != default,
            }
        };
        classes.map(line).into()
    }
}

/// The classes of keyspace notifications that are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(u16);

impl KeyspaceEvents {
    /// `g`: commands of no particular type, such as `DEL`, `EXPIRE` and `RENAME`.
    pub const GENERIC: Self = Self(1 << 0);
    /// `$`: string commands.
    pub const STRING: Self = Self(1 << 1);
    /// `l`: list commands.
    pub const LIST: Self = Self(1 << 2);
    /// `s`: set commands.
    pub const SET: Self = Self(1 << 3);
    /// `h`: hash commands.
    pub const HASH: Self = Self(1 << 4);
    /// `z`: sorted set commands.
    pub const ZSET: Self = Self(1 << 5);
    /// `x`: a key expired.
    pub const EXPIRED: Self = Self(1 << 6);
    /// `e`: a key was evicted.
    pub const EVICTED: Self = Self(1 << 7);
    /// `t`: stream commands.
    pub const STREAM: Self = Self(1 << 8);
    /// `d`: module types.
    pub const MODULE: Self = Self(1 << 9);
    /// `n`: a key was created.
    pub const NEW: Self = Self(1 << 10);
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1 << 11);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 12);
    /// `m`: a command missed a key.
    pub const KEY_MISS: Self = Self(1 << 13);
    /// `A`: all classes but new keys and misses.
    pub const ALL: Self = Self((1 << 10) - 1);

    /// Letters that `A` stands for, and `n` which it hides when printed.
    const CLASSES: [(u8, Self); 11] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::ZSET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
    ];
    const CHANNELS: [(u8, Self); 3] = [(b'K', Self::KEYSPACE), (b'E', Self::KEYEVENT), (b'm', Self::KEY_MISS)];

    /// Whether nothing is published.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `classes` are on.
    pub fn contains(self, classes: Self) -> bool {
        self.0 & classes.0 == classes.0
    }

    /// The classes named by letters, or `None` if one is not a class.
    pub fn parse(letters: &[u8]) -> Option<Self> {
        let mut bits = 0;
        for letter in letters {
            let known = Self::CLASSES.iter().chain(&Self::CHANNELS).chain(&[(b'A', Self::ALL)]);
            bits |= known.clone().find(|(own, _)| own == letter)?.1.0;
        }
        Some(Self(bits))
    }
}

impl Value for KeyspaceEvents {
    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let events = Self::parse(only(words));
        *self = events.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        let letters = |known: &[(u8, Self)]| -> Vec<u8> {
            known
                .iter()
                .filter(|(_, class)| self.contains(*class))
                .map(|&(letter, _)| letter)
                .collect()
        };
        let mut text = if self.contains(Self::ALL) {
            b"A".to_vec()
        } else {
            letters(&Self::CLASSES)
        };
        text.extend(letters(&Self::CHANNELS));
        text
    }

    fn describe(_: &Domain) -> String {
        "letters out of `Ag$lshzxeKEtmdn`".into()
    }

    fn file_lines(&self, default: &Self, domain: &Domain) -> Vec<FileLine> {
        vec![FileLine {
            value: super::quoting::quote(&self.show(domain)),
            needed: self != default,
        }]
    }
}

/// The addresses to listen on. A `-` before one means that it may be missing; `*` and `::*` stand for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddresses(pub Vec<Text>);

impl BindAddresses {
    /// The most that may be given.
    pub const MAX: usize = 16;

    /// All addresses of IPv4, and of IPv6 if there is any.
    pub fn all() -> Self {
        BindAddresses(vec!["*".into(), "-::*".into()])
    }
}

impl Value for BindAddresses {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        if words.len() > Self::MAX {
            return Err("Too many bind addresses specified.".into());
        }
        self.0 = words.iter().map(|&word| Text::from(word)).collect();
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        self.0.iter().map(Text::as_bytes).collect::<Vec<_>>().join(&b' ')
    }

    fn describe(_: &Domain) -> String {
        format!("up to {} addresses", Self::MAX)
    }

    fn file_lines(&self, default: &Self, domain: &Domain) -> Vec<FileLine> {
        let value = if self.0.is_empty() {
            b"\"\"".to_vec()
        } else {
            self.show(domain)
        };
        vec![FileLine {
            value,
            needed: self != default,
        }]
    }
}

/// The server this one is a replica of, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Primary(pub Option<PrimaryAddress>);

/// Where a primary listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddress {
    /// Host name or address.
    pub host: Text,
    /// TCP port.
    pub port: u16,
}

impl Value for Primary {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let [host, port] = words else {
            return Err("wrong number of arguments".into());
        };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            self.0 = None;
            return Ok(());
        }
        let port = parse_c_integer(port, 10)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or("Invalid master port")?;
        self.0 = Some(PrimaryAddress {
            host: Text::from(*host),
            port,
        });
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        let Some(primary) = &self.0 else { return Vec::new() };
        [primary.host.as_bytes(), b" ", primary.port.to_string().as_bytes()].concat()
    }

    fn describe(_: &Domain) -> String {
        "host and port, or `no one`".into()
    }

    fn file_lines(&self, _: &Self, domain: &Domain) -> Vec<FileLine> {
        let line = |_: &PrimaryAddress| FileLine {
            value: self.show(domain),
            needed: true,
        };
        self.0.iter().map(line).collect()
    }
}

/// The percentiles of latency that `INFO latencystats` reports, each from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

/// A percentile as Redis prints it: six decimals at most, none that say nothing.
pub fn format_percentile(percentile: f64) -> String {
    format!("{percentile:.6}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .into()
}

fn parse_percentile(word: &[u8]) -> Result<f64, String> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
    match number.filter(|number| !number.is_nan()) {
        Some(percentile) if (0.0..=100.0).contains(&percentile) => Ok(percentile),
        Some(_) => Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into()),
        None => Err("Invalid latency-tracking-info-percentiles parameters".into()),
    }
}

impl Value for Percentiles {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        self.0 = words
            .iter()
            .map(|word| parse_percentile(word))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        self.0
            .iter()
            .copied()
            .map(format_percentile)
            .collect::<Vec<_>>()
            .join(" ")
            .into_bytes()
    }

    fn describe(_: &Domain) -> String {
        "numbers from 0 to 100".into()
    }

    /// Redis writes them even when they are the defaults.
    fn file_lines(&self, _: &Self, domain: &Domain) -> Vec<FileLine> {
        let value = if self.0.is_empty() {
            b"\"\"".to_vec()
        } else {
            self.show(domain)
        };
        vec![FileLine { value, needed: true }]
    }
}

/// Adjustments of the kernel's out-of-memory score for a primary, a replica and a child that saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores(pub [i32; 3]);

fn parse_oom_score(word: &[u8]) -> Option<i32> {
    let number = parse_c_integer(word, 10)?;
    i32::try_from(number)
        .ok()
        .filter(|score| (-2000..=2000).contains(score))
}

impl Value for OomScores {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let words: &[&[u8]; 3] = words.try_into().map_err(|_| "wrong number of arguments")?;
        let mut scores = [0; 3];
        for (score, word) in scores.iter_mut().zip(words) {
            *score = parse_oom_score(word)
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
        }
        self.0 = scores;
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        self.0.map(|score| score.to_string()).join(" ").into_bytes()
    }

    fn describe(_: &Domain) -> String {
        "three integers, -2000 to 2000".into()
    }
}

/// What a signal that ends the server asks of the shutdown; nothing set is the default behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOptions {
    /// Save even without save points.
    pub save: bool,
    /// Do not save.
    pub nosave: bool,
    /// Do not wait for replicas that lag.
    pub now: bool,
    /// Exit even if saving fails.
    pub force: bool,
}

impl ShutdownOptions {
    fn apply(&mut self, option: ShutdownOption) {
        match option {
            ShutdownOption::Default => {}
            ShutdownOption::Save => self.save = true,
            ShutdownOption::Nosave => self.nosave = true,
            ShutdownOption::Now => self.now = true,
            ShutdownOption::Force => self.force = true,
        }
    }
}

#[derive(Clone, Copy)]
enum ShutdownOption {
    Default,
    Save,
    Nosave,
    Now,
    Force,
}

impl Value for ShutdownOptions {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        const WORDS: &[(&str, ShutdownOption)] = &[
            ("default", ShutdownOption::Default),
            ("save", ShutdownOption::Save),
            ("nosave", ShutdownOption::Nosave),
            ("now", ShutdownOption::Now),
            ("force", ShutdownOption::Force),
        ];
        let mut options = ShutdownOptions::default();
        let words = if words.is_empty() { &[&b""[..]] } else { words };
        for word in words {
            options.apply(choose(word, WORDS)?);
        }
        if options.save && options.nosave {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        *self = options;
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        let options = [
            (self.save, "save"),
            (self.nosave, "nosave"),
            (self.now, "now"),
            (self.force, "force"),
        ];
        let set: Vec<&str> = options.iter().filter(|(on, _)| *on).map(|&(_, word)| word).collect();
        if set.is_empty() {
            b"default".into()
        } else {
            set.join(" ").into_bytes()
        }
    }

    fn describe(_: &Domain) -> String {
        "default, or out of save, nosave, now, force".into()
    }
}

/// An amount of memory, or a share of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// Bytes; 0 means no limit.
    Bytes(u64),
    /// Percent of `maxmemory`, 1 to 100.
    Percent(u8),
}

impl MemoryOrPercent {
    /// The amount in bytes, `of` being what a percentage is of; 0 means no limit, as does a share of nothing.
    pub fn bytes(self, of: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (u128::from(of) * u128::from(percent) / 100) as u64,
        }
    }

    fn percent(number: u64) -> Result<Self, String> {
        match u8::try_from(number) {
            Ok(0) => Ok(Self::Bytes(0)),
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => Err("percentage argument must be less or equal to 100".into()),
        }
    }
}

impl Value for MemoryOrPercent {
    fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
        let word = only(words);
        let invalid = "argument must be a memory or percent value";
        if let Some(digits) = word.strip_suffix(b"%") {
            let number = (!digits.is_empty())
                .then_some(digits)
                .and_then(|digits| parse_c_integer(digits, 10));
            let number = number.and_then(|number| u64::try_from(number).ok());
            *self = Self::percent(number.ok_or(invalid)?)?;
            return Ok(());
        }
        let bytes = parse_memory(word).ok_or(invalid)?;
        // Redis stores a percentage as a negative number, so an amount beyond 63 bits is read as one.
        *self = if bytes >> 63 == 1 {
            Self::percent(bytes.wrapping_neg())?
        } else {
            Self::Bytes(bytes)
        };
        Ok(())
    }

    fn show(&self, _: &Domain) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_string().into_bytes(),
            Self::Percent(percent) => format!("{percent}%").into_bytes(),
        }
    }

    fn describe(_: &Domain) -> String {
        "bytes, or percent of maxmemory".into()
    }

    fn file_lines(&self, default: &Self, domain: &Domain) -> Vec<FileLine> {
        let value = match *self {
            Self::Bytes(bytes) => format_memory(bytes).into_bytes(),
            Self::Percent(_) => self.show(domain),
        };
        vec![FileLine {
            value,
            needed: self != default,
        }]
    }
}
