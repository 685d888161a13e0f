//! INFO's fields.
