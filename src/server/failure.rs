//! Why a command failed, in Redis's words.

use std::borrow::Cow;

/// The text of an error reply, code first. Bytes, since some errors quote what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub Cow<'static, [u8]>);

/// What a command comes to: its reply has been written, or this is the error.
pub type Outcome = Result<(), Failure>;

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Failure(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Failure(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Failure {
    fn from(text: Vec<u8>) -> Self {
        Failure(Cow::Owned(text))
    }
}

impl Failure {
    /// The code in front of the text: `ERR`, `WRONGTYPE`.
    pub fn code(&self) -> &[u8] {
        self.0.split(|&b| b == b' ').next().unwrap_or(&[])
    }
}

pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
pub const SYNTAX: &str = "ERR syntax error";
pub const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
pub const NOT_FLOAT: &str = "ERR value is not a valid float";
pub const NO_SUCH_KEY: &str = "ERR no such key";
pub const OUT_OF_RANGE: &str = "ERR index out of range";
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";
pub const NEGATIVE: &str = "ERR value is out of range, must be positive";
