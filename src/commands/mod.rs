//! Commands: what clients may ask for, and the translation between requests and values.

pub mod introspect;
pub mod table;
