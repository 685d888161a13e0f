//! What DUMP answers and RESTORE takes: a type code and a body, then the version and a checksum over all before it.
//!
//! ```text
//! type: u8 | body | version: u16 | CRC-64: u64
//! ```

use super::encode::{Encoder, Options};
use super::reader::FUNCTION;
use super::source::Source as _;
use super::{Dialect, Version};
use crate::keyspace::ValueRef;
use crate::persistence::crc64;

const VERSION: usize = 2;
const CHECKSUM: usize = 8;

/// The payload is not one that can be read: too short, too new, or not the bytes that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongFooter;

/// The payload of a value. It is of a later version than asked for if the value has no older form. O(bytes).
pub fn dump(value: ValueRef<'_>, options: Options) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), options);
    let value_type = encoder.type_of(value);
    let written = encoder.byte(value_type.code()).and_then(|()| encoder.value(value));
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
    let mut bytes = encoder.into_inner();
    seal(&mut bytes, options.version.max(value_type.since()));
    bytes
}

/// The payload of FUNCTION DUMP: the sources of libraries, each as in a snapshot. O(bytes).
pub fn dump_functions<'a>(sources: impl Iterator<Item = &'a [u8]>, options: Options) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), options);
    for source in sources {
        let written = encoder.byte(FUNCTION).and_then(|()| encoder.string(source));
        debug_assert!(written.is_ok(), "writing to memory cannot fail");
    }
    let mut bytes = encoder.into_inner();
    seal(&mut bytes, options.version);
    bytes
}

/// The sources in what stands before the footer of such a payload.
///
/// # Errors
/// What is wrong with it.
pub fn functions(mut body: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut sources = Vec::new();
    while let Some((&kind, rest)) = body.split_first() {
        if kind != FUNCTION {
            return Err("given type is not a function");
        }
        body = rest;
        sources.push(body.owned_string().map_err(|_| "Failed loading library payload")?);
    }
    Ok(sources)
}

/// Bytes that a value takes in a snapshot, without its type and key. O(bytes).
pub fn value_len(value: ValueRef<'_>, options: Options) -> usize {
    let mut encoder = Encoder::new(Vec::new(), options);
    let written = encoder.value(value);
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
    encoder.into_inner().len()
}

/// Adds the footer.
pub fn seal(bytes: &mut Vec<u8>, version: Version) {
    bytes.extend_from_slice(&version.0.to_le_bytes());
    let checksum = crc64::checksum(bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
}

/// Checks the footer, its checksum only if `checksum_counts`; gives who wrote the payload, and what stands before the
/// footer.
pub fn open(bytes: &[u8], checksum_counts: bool) -> Result<(Dialect, &[u8]), WrongFooter> {
    let (summed, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(WrongFooter)?;
    let (body, version) = summed.split_last_chunk::<VERSION>().ok_or(WrongFooter)?;
    let dialect = Dialect::of_version(u16::from_le_bytes(*version)).ok_or(WrongFooter)?;
    if checksum_counts && crc64::checksum(summed) != u64::from_le_bytes(*checksum) {
        return Err(WrongFooter);
    }
    Ok((dialect, body))
}
