//! SORT.
//!
//! Lists that are sorted by number hold integers in their one spelling, or what is no number at all, and nobody else writes
//! to them: for a number in any other spelling Redis asks C, and takes an error that C has left behind from some earlier
//! command for one of its own. Sets and sorted sets are sorted as texts for the same reason, and never by weights that may
//! be equal, since their members come in an order of each server's own.

use super::{Family, exact};

pub const FAMILY: Family = Family {
    keys: &[b"sorted:1", b"sorted:2"],
    content: None,
    forms: &[
        exact(4, "RPUSH sortnumbers sortnumber...").steady(),
        exact(1, "LPOP sortnumbers [count]").steady(),
        exact(3, "RPUSH sorttexts member...").steady(),
        exact(1, "LPOP sorttexts [count]").steady(),
        exact(2, "SADD sortset sortnumber...").steady(),
        exact(2, "ZADD sortzset <score sortnumber>...").steady(),
        exact(1, "DEL <sortset|sortzset|sortnumbers|sorttexts>").steady(),
        exact(3, "SET weightkey sortnumber").steady(),
        exact(2, "SET textkey value").steady(),
        exact(2, "HSET objectkey F value").steady(),
        exact(
            5,
            "SORT sortnumbers {ASC|DESC|LIMIT index count|GET sortget|BY sortweight|STORE key}",
        ),
        exact(
            3,
            "SORT_RO sortnumbers {DESC|LIMIT index count|GET sortget|BY sortweight}",
        ),
        exact(
            7,
            "SORT <sortnumbers|sorttexts> ALPHA {DESC|LIMIT index count|GET sortget|BY sorttext|STORE key}",
        )
        .steady(),
        exact(
            5,
            "SORT sorttexts BY sorttext LIMIT <index|0> <index|2> ALPHA {DESC|STORE key|GET sortget}",
        )
        .steady(),
        exact(
            3,
            "SORT <sortset|sortzset> ALPHA {DESC|LIMIT index count|GET sortget|STORE key}",
        )
        .steady(),
        exact(3, "SORT_RO sortzset BY NOSORT {DESC|LIMIT index count|GET sortget}").steady(),
        exact(2, "SORT sortset BY NOSORT STORE key {DESC|LIMIT index count}").steady(),
        exact(1, "OBJECT ENCODING <sortzset|key>").steady(),
        exact(3, "LRANGE key 0 -1"),
        exact(
            2,
            "SORT sortnumbers <LIMIT|LIMIT 1|LIMIT X 1|LIMIT 1 X|BY|GET|STORE|NOSUCH|ALPHA ALPHA|DESC ASC|BY NOSORT BY sortweight>",
        )
        .steady(),
        exact(1, "SORT_RO sortnumbers STORE key").steady(),
    ],
};
