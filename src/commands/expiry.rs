//! Reading deadlines from arguments, for every command that takes one.

use crate::server::context::integer;
use crate::server::failure::{Failure, SYNTAX};
use crate::timer::Millis;

/// How a deadline was given: the option's unit, and whether it counts from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineForm {
    pub seconds: bool,
    pub absolute: bool,
}

impl DeadlineForm {
    pub const EX: Self = DeadlineForm {
        seconds: true,
        absolute: false,
    };
    pub const PX: Self = DeadlineForm {
        seconds: false,
        absolute: false,
    };
    pub const EXAT: Self = DeadlineForm {
        seconds: true,
        absolute: true,
    };
    pub const PXAT: Self = DeadlineForm {
        seconds: false,
        absolute: true,
    };

    /// EX, PX, EXAT or PXAT in any case.
    pub fn parse(option: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 4] = [
            (b"ex", Self::EX),
            (b"px", Self::PX),
            (b"exat", Self::EXAT),
            (b"pxat", Self::PXAT),
        ];
        known
            .into_iter()
            .find(|(name, _)| option.eq_ignore_ascii_case(name))
            .map(|(_, form)| form)
    }

    /// The deadline that `text` means, for options whose value must be positive. `command` is named in the error.
    pub fn positive_deadline(self, text: &[u8], now: Millis, command: &str) -> Result<Millis, Failure> {
        let value = integer(text)?;
        let invalid = || Failure::from(format!("ERR invalid expire time in '{command}' command"));
        if value <= 0 {
            return Err(invalid());
        }
        self.deadline(value, now).ok_or_else(invalid)
    }

    /// What is told of a deadline, in milliseconds still: itself, or the time left until it, which is never below zero.
    pub fn told(self, deadline: Millis, now: Millis) -> i64 {
        if self.absolute {
            deadline.0
        } else {
            deadline.since(now).max(0)
        }
    }

    /// The deadline in Unix milliseconds, or `None` if it overflows.
    pub fn deadline(self, value: i64, now: Millis) -> Option<Millis> {
        let millis = if self.seconds { value.checked_mul(1000)? } else { value };
        let at = if self.absolute {
            millis
        } else {
            millis.checked_add(now.0)?
        };
        Some(Millis(at))
    }
}

/// What is left when none of a command's options fits.
pub fn syntax_error<T>() -> Result<T, Failure> {
    Err(SYNTAX.into())
}
