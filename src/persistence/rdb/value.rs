//! A value on its way into the keyspace.

use crate::format::number::parse_i64;
use crate::keyspace::{Kind, NewValue, STRING_INLINE_MAX, ValueRef};
use crate::types::hash::{Hash, TimedHash};
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::stream::Stream;
use crate::types::vector_set::VectorSet;
use crate::types::zset::Zset;

/// A value as it was read, in the form the keyspace keeps.
pub enum Value {
    Str(Vec<u8>),
    /// The bytes of a small collection.
    Packed(Kind, Vec<u8>),
    List(Box<List>),
    Set(Box<Set>),
    Hash(Box<Hash>),
    Zset(Box<Zset>),
    TimedHash(Box<TimedHash>),
    Stream(Box<Stream>),
    VectorSet(Box<VectorSet>),
}

impl Value {
    /// Hands the value to what puts it into a database.
    pub fn store<R>(self, put: impl FnOnce(NewValue<'_>) -> R) -> R {
        match self {
            Value::Str(mut text) => match parse_i64(&text) {
                Some(value) => put(NewValue::Int(value)),
                None if text.len() <= STRING_INLINE_MAX => put(NewValue::Str(&text)),
                None => {
                    // It grew as its bytes came, or were unpacked.
                    text.shrink_to_fit();
                    put(NewValue::boxed(Box::new(text)))
                }
            },
            Value::Packed(kind, bytes) => put(NewValue::Inline(kind, &bytes)),
            Value::List(list) => put(NewValue::boxed(list)),
            Value::Set(set) => put(NewValue::boxed(set)),
            Value::Hash(hash) => put(NewValue::boxed(hash)),
            Value::Zset(zset) => put(NewValue::boxed(zset)),
            Value::TimedHash(hash) => put(NewValue::boxed(hash)),
            Value::Stream(stream) => put(NewValue::boxed(stream)),
            Value::VectorSet(set) => put(NewValue::boxed(set)),
        }
    }

    /// The value for reading; `None` for bytes of a kind that is not packed.
    pub fn as_ref(&self) -> Option<ValueRef<'_>> {
        Some(match self {
            Value::Str(text) => ValueRef::Str(text),
            Value::Packed(kind, bytes) => match kind {
                Kind::ListPacked => ValueRef::ListPacked(bytes),
                Kind::SetInts => ValueRef::SetInts(bytes),
                Kind::SetPacked => ValueRef::SetPacked(bytes),
                Kind::HashPacked => ValueRef::HashPacked(bytes),
                Kind::HashTimedPacked => ValueRef::HashTimedPacked(bytes),
                Kind::ZsetPacked => ValueRef::ZsetPacked(bytes),
                _ => return None,
            },
            Value::List(list) => ValueRef::List(list),
            Value::Set(set) => ValueRef::Set(set),
            Value::Hash(hash) => ValueRef::Hash(hash),
            Value::Zset(zset) => ValueRef::Zset(zset),
            Value::TimedHash(hash) => ValueRef::HashTimed(hash),
            Value::Stream(stream) => ValueRef::Stream(stream),
            Value::VectorSet(set) => ValueRef::VectorSet(set),
        })
    }
}
