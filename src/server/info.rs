//! INFO's fields and the line CLIENT LIST shows of a client.

use super::session::Session;
use crate::timer::Millis;

/// One client as CLIENT LIST and the log show it.
pub fn client_line(session: &Session, _now: Millis) -> String {
    format!("id={} addr={}", session.id.0, session.peer())
}
