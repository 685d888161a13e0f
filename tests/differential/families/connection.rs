//! Connection, server and introspection commands.

use super::{Family, exact, form};
use crate::compare::Compare;

pub const FAMILY: Family = Family {
    keys: &[],
    content: None,
    forms: &[
        exact(2, "PING [text]"),
        exact(1, "PING text text"),
        exact(2, "ECHO value"),
        exact(3, "SELECT db"),
        exact(6, "SELECT 0").steady(),
        form(4, "HELLO 2", Compare::Shape).steady(),
        form(4, "HELLO 3", Compare::Shape).steady(),
        form(1, "HELLO", Compare::Shape).steady(),
        form(1, "HELLO <1|4|ABC|3 SETNAME X Y|3 AUTH X|2 NOSUCH>", Compare::Shape).steady(),
        form(2, "CONFIG GET setting [setting]", Compare::Pairs).steady(),
        exact(1, "CONFIG <NOSUCH|GET>").steady(),
        exact(1, "COMMAND GETKEYS <SET anykey value|MSET anykey value anykey value|GET anykey|PING|XADD anykey * A B|NOSUCH anykey|GET|LCS anykey anykey|COPY anykey anykey>")
            .steady(),
        exact(1, "COMMAND INFO command").steady(),
        exact(1, "COMMAND <NOSUCH|GETKEYS>").steady(),
        exact(1, "NOSUCHCOMMAND [value] [value]"),
        exact(1, "GETT anykey"),
    ],
};
