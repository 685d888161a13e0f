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
        exact(2, "CLIENT SETNAME <text|ABC|\"\">").steady(),
        exact(2, "CLIENT GETNAME"),
        // Nothing that fits: the rig's own connections must live.
        exact(1, "CLIENT KILL <NOSUCH|ID <0|-1|99999999|NOSUCH>|TYPE <REPLICA|NOSUCH>|USER NOSUCH|SKIPME MAYBE|NOSUCH X|ID>")
            .steady(),
        exact(1, "CLIENT LIST <NOSUCH|TYPE <REPLICA|MASTER|NOSUCH>|ID <NOSUCH|0>|TYPE|ID>").steady(),
        exact(1, "CLIENT <PAUSE <NOSUCH|-1|0 NOSUCH|0 WRITE X>|UNPAUSE|UNPAUSE X>").steady(),
        exact(1, "CLIENT UNBLOCK <NOSUCH|99999999|1 NOSUCH|1 TIMEOUT X> [TIMEOUT|ERROR]").steady(),
        exact(1, "CLIENT NO-EVICT <ON|OFF|NOSUCH>").steady(),
        exact(1, "CLIENT REPLY <ON|NOSUCH>").steady(),
        exact(1, "CLIENT <NOSUCH|ID X|INFO X>").steady(),
        exact(1, "PUBLISH text value"),
        exact(1, "PUBSUB <CHANNELS [text]|CHANNELS A B|NUMSUB [text] [text]|NUMPAT|NUMPAT X|NOSUCH>").steady(),
        exact(1, "CONFIG SET <NOSUCH 1|MAXMEMORY|MAXMEMORY 0 X|HZ 10 HZ 10|DATABASES 8|DIR X|MAXCLIENTS 0>").steady(),
        form(2, "CONFIG GET setting [setting]", Compare::Pairs).steady(),
        exact(1, "CONFIG <NOSUCH|GET>").steady(),
        exact(1, "COMMAND GETKEYS <SET anykey value|MSET anykey value anykey value|GET anykey|PING|XADD anykey * A B|NOSUCH anykey|GET|LCS anykey anykey|COPY anykey anykey>")
            .steady(),
        // The notes among the key specs are each project's own words; tests/command_table.rs checks the facts.
        form(1, "COMMAND INFO command", Compare::Shape).steady(),
        exact(1, "COMMAND <NOSUCH|GETKEYS>").steady(),
        exact(1, "NOSUCHCOMMAND [value] [value]"),
        exact(1, "GETT anykey"),
    ],
};
