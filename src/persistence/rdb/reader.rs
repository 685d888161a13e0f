//! Reading whole files.
//!
//! ```text
//! REDIS and 4 digits, or VALKEY and 3: the version
//! FA key value            a fact about the file (aux)
//! F5 string               a library of functions
//! FE number               the keys that follow are in this database
//! FB keys volatile        how many there will be
//! F4 slot keys volatile   the same for a slot of a cluster
//! FC ms: u64 | FD s: u32  the next key's deadline
//! F8 seconds | F9 u8      how long it has been idle, or its LFU counter
//! type key value          a key
//! FF checksum: u64        the end; the checksum is there from version 5 on, and 0 if it was not computed
//! ```

use std::fmt;
use std::io::Read;

use super::decode::{self, Elements, Limits};
use super::{Dialect, Error, Input, Source, Value, ValueType};
use crate::timer::Millis;

pub(super) const FUNCTION: u8 = 0xF5;
const FUNCTION_DRAFT: u8 = 0xF6;
const MODULE_AUX: u8 = 0xF7;
pub(super) const IDLE: u8 = 0xF8;
pub(super) const FREQUENCY: u8 = 0xF9;
pub(super) const AUX: u8 = 0xFA;
pub(super) const RESIZE: u8 = 0xFB;
pub(super) const DEADLINE_MS: u8 = 0xFC;
const DEADLINE: u8 = 0xFD;
pub(super) const SELECT: u8 = 0xFE;
pub(super) const END: u8 = 0xFF;
const SLOT: u8 = 0xF4;
/// Values of modules in their first form, which nobody can read but the module.
const MODULE: u8 = 6;

/// From this version on a checksum stands at the end.
const FIRST_WITH_CHECKSUM: u16 = 5;

/// A key and all that a file says of it.
pub struct Record {
    pub database: u64,
    pub key: Vec<u8>,
    pub value: Value,
    pub deadline: Option<Millis>,
    /// Seconds since its last access, when the file is of a server with an LRU policy.
    pub idle: Option<u64>,
    /// Its access counter, when the file is of a server with an LFU policy.
    pub frequency: Option<u8>,
}

/// One part of a file.
pub enum Item {
    Aux {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// The source of a library of functions.
    Function(Vec<u8>),
    /// How many keys, and of them with a deadline, the database of this number will get.
    Size {
        database: u64,
        keys: u64,
        volatile: u64,
    },
    Key(Box<Record>),
    /// A key that is none, since its collection is empty, as old versions could write by mistake.
    Empty {
        key: Vec<u8>,
    },
}

/// A key whose value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub database: u64,
    pub key: Vec<u8>,
    /// The code of the value's type.
    pub code: u8,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { database, key, code } = self;
        write!(f, "key '{}' of type {code} in database {database}", key.escape_ascii())
    }
}

/// What one step of a reader comes to.
pub enum Part {
    /// The next part of the file is whole.
    Item(Item),
    /// A large value is being read, and there is more of it.
    Unfinished,
    /// The end, with the checksum compared.
    End,
}

/// Elements read in one step.
const ELEMENTS: u64 = 128;

/// A key whose value is being read.
struct Unfinished {
    facts: Facts,
    key: Vec<u8>,
    code: u8,
    elements: Elements,
}

/// What stands before a key.
#[derive(Clone, Copy, Default)]
struct Facts {
    deadline: Option<Millis>,
    idle: Option<u64>,
    frequency: Option<u8>,
}

/// Reads a file from front to end.
pub struct Reader<R> {
    input: Input<R>,
    limits: Limits,
    version: u16,
    dialect: Dialect,
    database: u64,
    ended: bool,
    unfinished: Option<Box<Unfinished>>,
    /// Which key the reading ended at, if it was one's value that could not be read.
    pub broken: Option<Broken>,
}

impl<R: Read> Reader<R> {
    /// Reads the head of the file. `checksum` says whether the one at the end is compared (`rdbchecksum`).
    pub fn new(reader: R, limits: Limits, checksum: bool) -> Result<Self, Error> {
        let mut input = Input::new(reader, checksum);
        let head = input.bytes::<9>().map_err(|error| match error {
            Error::Truncated => Error::NotRdb,
            error => error,
        })?;
        let (digits, dialect) = match &head {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (&digits[..], Dialect::Redis),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (&digits[..], Dialect::Valkey),
            _ => return Err(Error::NotRdb),
        };
        let version = digits.iter().try_fold(0, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
        });
        let version = version.ok_or(Error::NotRdb)?;
        if version == 0 || Dialect::of_version(version) != Some(dialect) {
            return Err(Error::UnknownVersion(version));
        }
        Ok(Reader {
            input,
            limits,
            version,
            dialect,
            database: 0,
            ended: false,
            unfinished: None,
            broken: None,
        })
    }

    /// Says how many bytes the file has, so that a long string is given its size at once.
    pub fn set_len(&mut self, len: u64) {
        self.input.set_len(len);
    }

    pub fn version(&self) -> u16 {
        self.version
    }

    /// Bytes read so far, to tell with an error where it is.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// What follows the end: bytes that were read already, the reader, and where the first of both stands.
    pub fn into_rest(self) -> (Vec<u8>, R, u64) {
        let position = self.position();
        let (begun, reader) = self.input.into_rest();
        (begun, reader, position)
    }

    /// The next part of the file; `None` at its end, once the checksum has been compared. After an error there is
    /// nothing more to read.
    pub fn next_item(&mut self) -> Result<Option<Item>, Error> {
        loop {
            match self.step()? {
                Part::Item(item) => return Ok(Some(item)),
                Part::Unfinished => {}
                Part::End => return Ok(None),
            }
        }
    }

    /// The same in bounded steps: no more than some elements of a value are read in one, each with all its bytes.
    pub fn step(&mut self) -> Result<Part, Error> {
        if let Some(unfinished) = self.unfinished.take() {
            return self.go_on(unfinished);
        }
        let mut facts = Facts::default();
        while !self.ended {
            let input = &mut self.input;
            match input.byte()? {
                DEADLINE_MS => facts.deadline = Some(Millis(input.millis()?)),
                DEADLINE => facts.deadline = Some(Millis(i64::from(i32::from_le_bytes(input.bytes()?)) * 1000)),
                IDLE => facts.idle = Some(input.length()?),
                FREQUENCY => facts.frequency = Some(input.byte()?),
                SELECT => self.database = input.length()?,
                SLOT => {
                    for _ in 0..3 {
                        input.length()?;
                    }
                }
                RESIZE => {
                    return Ok(Part::Item(Item::Size {
                        database: self.database,
                        keys: input.length()?,
                        volatile: input.length()?,
                    }));
                }
                AUX => {
                    return Ok(Part::Item(Item::Aux {
                        name: input.owned_string()?,
                        value: input.owned_string()?,
                    }));
                }
                FUNCTION => return Ok(Part::Item(Item::Function(input.owned_string()?))),
                FUNCTION_DRAFT => return Err(Error::Unsupported("a function of a release candidate")),
                MODULE_AUX => skip_module_aux(input)?,
                END => self.finish()?,
                MODULE => return Err(Error::Unsupported("a module's value")),
                code => return self.key(code, facts),
            }
        }
        Ok(Part::End)
    }

    /// Reads a key and the front of its value, mostly all of it.
    fn key(&mut self, code: u8, facts: Facts) -> Result<Part, Error> {
        let (input, limits) = (&mut self.input, &self.limits);
        let value_type = ValueType::from_code(code, self.dialect).ok_or(Error::UnknownCode(code))?;
        let key = input.owned_string()?;
        match Elements::begin(input, value_type, limits) {
            Ok(None) => {
                let value = decode::packed(input, value_type, limits);
                self.item(facts, key, code, value)
            }
            Ok(Some(mut elements)) => match elements.read(input, limits, ELEMENTS) {
                Ok(false) => {
                    self.unfinished = Some(Box::new(Unfinished {
                        facts,
                        key,
                        code,
                        elements,
                    }));
                    Ok(Part::Unfinished)
                }
                read => {
                    let value = read.and_then(|_| elements.finish(limits));
                    self.item(facts, key, code, value)
                }
            },
            Err(error) => self.item(facts, key, code, Err(error)),
        }
    }

    /// Reads the next elements of a value that is being read.
    fn go_on(&mut self, mut unfinished: Box<Unfinished>) -> Result<Part, Error> {
        match unfinished.elements.read(&mut self.input, &self.limits, ELEMENTS) {
            Ok(false) => {
                self.unfinished = Some(unfinished);
                Ok(Part::Unfinished)
            }
            read => {
                let Unfinished {
                    facts,
                    key,
                    code,
                    elements,
                } = *unfinished;
                let value = read.and_then(|_| elements.finish(&self.limits));
                self.item(facts, key, code, value)
            }
        }
    }

    /// What a value comes to that was read to its end, or cannot be.
    fn item(&mut self, facts: Facts, key: Vec<u8>, code: u8, value: Result<Value, Error>) -> Result<Part, Error> {
        let database = self.database;
        match value {
            Ok(value) => Ok(Part::Item(Item::Key(Box::new(Record {
                database,
                key,
                value,
                deadline: facts.deadline,
                idle: facts.idle,
                frequency: facts.frequency,
            })))),
            Err(Error::Empty) => Ok(Part::Item(Item::Empty { key })),
            Err(error) => {
                self.broken = Some(Broken { database, key, code });
                Err(error)
            }
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.ended = true;
        if self.version < FIRST_WITH_CHECKSUM {
            return Ok(());
        }
        let computed = self.input.checksum();
        let stored = u64::from_le_bytes(self.input.bytes()?);
        if stored != 0 && computed.is_some_and(|computed| computed != stored) {
            return Err(Error::Checksum);
        }
        Ok(())
    }
}

/// Passes over what a module has written beside its keys: numbers and strings, each after a code that says which.
fn skip_module_aux<S: Source>(input: &mut S) -> Result<(), Error> {
    let _module = input.length()?;
    loop {
        match input.length()? {
            0 => return Ok(()),
            1 | 2 => drop(input.length()?),
            3 => drop(input.bytes::<4>()?),
            4 => drop(input.bytes::<8>()?),
            5 => drop(input.owned_string()?),
            _ => return Err(Error::Corrupt("what a module has written")),
        }
    }
}
