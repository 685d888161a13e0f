//! Changes on their way to the append-only file: which requests make the same data again.
//!
//! After a command that changed something its own request is recorded, unless the command has said itself what stands for
//! it: SPOP is random and becomes SREM of what it popped, a time to live becomes a deadline, an ID that XADD made is
//! written out. Keys that go by themselves (expired, evicted) are recorded as DEL. So whoever plays the records
//! needs no clock and no luck.
//!
//! What one command or one EXEC has caused is a *unit*; if it is more than one request, MULTI and EXEC stand around it,
//! so that a reader gets it whole or not at all.
//!
//! Replicas and the log are told the same, except for what changes no data: messages that are published reach the clients
//! of replicas, but a log has nobody to hear them.

use std::io::Write;
use std::ops::Range;

use super::core::Core;
use super::session::SessionIndex;
use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::resp::encode;
use crate::resp::request::Args;

/// For whom a request is recorded. Scripts may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    #[default]
    All,
    Log,
    Replicas,
    Nobody,
}

/// A unit that is not over, set aside for others.
#[derive(Debug, Default)]
pub struct Unit {
    bytes: Vec<u8>,
    requests: usize,
    for_replicas: Vec<Range<usize>>,
    for_log: Vec<Range<usize>>,
    first_database: usize,
    database: usize,
}

/// Records of changes.
#[derive(Debug, Default)]
pub struct Propagation {
    /// Whether anybody wants them. Nothing is gathered otherwise.
    pub is_on: bool,
    /// The present unit's requests, with SELECT where the database changes.
    unit: Vec<u8>,
    requests: usize,
    /// Where in the unit, and in the stream, stand requests that are for replicas alone.
    unit_for_replicas: Vec<Range<usize>>,
    for_replicas: Vec<Range<usize>>,
    /// The same for the log alone.
    unit_for_log: Vec<Range<usize>>,
    for_log: Vec<Range<usize>>,
    /// Whom the present command's requests are for.
    pub audience: Audience,
    /// The databases of the unit's first and last request.
    first_database: usize,
    database: usize,
    /// Units that are whole and go out at the end of the tick; how many of their bytes replicas have been given.
    pub stream: Vec<u8>,
    pub fed: usize,
    /// The database in which whoever has read all of the stream is; `None` before anything was said.
    selected: Option<usize>,
    /// The replication offset: bytes of all units so far, or of the primary's stream while there is a primary.
    pub offset: u64,
    /// Whether the history is a primary's, to which own changes do not belong.
    pub is_foreign: bool,
    /// Whether the present command has said itself what is recorded.
    is_replaced: bool,
}

impl Propagation {
    /// Makes the next unit say which database it is for: it will be the first that somebody reads.
    pub fn forget_database(&mut self) {
        self.selected = None;
    }

    /// The database in which whoever has read all of the stream is; `None` if the next unit says so first.
    pub fn selected(&self) -> Option<usize> {
        self.selected
    }

    /// Adds a request to the unit for whom it is for.
    fn add<'a>(&mut self, database: usize, words: usize, args: impl Iterator<Item = &'a [u8]>) {
        if self.audience == Audience::Nobody {
            return;
        }
        let begin = self.add_for_all(database, words, args);
        match self.audience {
            Audience::Log => self.unit_for_log.push(begin..self.unit.len()),
            Audience::Replicas => self.unit_for_replicas.push(begin..self.unit.len()),
            Audience::All | Audience::Nobody => {}
        }
    }

    /// Adds a request to the unit; tells where in the unit it begins, behind its SELECT.
    fn add_for_all<'a>(&mut self, database: usize, words: usize, args: impl Iterator<Item = &'a [u8]>) -> usize {
        if self.requests == 0 {
            self.first_database = database;
        } else if self.database != database {
            select(&mut self.unit, database);
        }
        self.database = database;
        self.requests += 1;
        let begin = self.unit.len();
        encode::request(&mut self.unit, words, args);
        begin
    }

    /// Adds a request that the log has no use for. A SELECT before it is for both, or the log would miss it later.
    fn add_for_replicas(&mut self, database: usize, words: &[&[u8]]) {
        if matches!(self.audience, Audience::Log | Audience::Nobody) {
            return;
        }
        let begin = self.add_for_all(database, words.len(), words.iter().copied());
        self.unit_for_replicas.push(begin..self.unit.len());
    }

    /// Ends the unit; from here on its requests go out as they are.
    pub fn end_unit(&mut self) {
        self.end_requests(true);
    }

    /// Ends what is gathered; its requests are a transaction if they belong together and are several.
    fn end_requests(&mut self, belong_together: bool) {
        if self.requests == 0 {
            return;
        }
        let before = self.stream.len();
        if self.selected != Some(self.first_database) {
            select(&mut self.stream, self.first_database);
        }
        let several = belong_together && self.requests > 1;
        if several {
            self.stream.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        }
        let begin = self.stream.len();
        let moved = |range: Range<usize>| range.start + begin..range.end + begin;
        self.for_replicas.extend(self.unit_for_replicas.drain(..).map(moved));
        let first = self.for_log.len();
        self.for_log.extend(self.unit_for_log.drain(..).map(moved));
        let unheard: usize = self.for_log[first..].iter().map(Range::len).sum();
        self.stream.append(&mut self.unit);
        if several {
            self.stream.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        }
        self.selected = Some(self.database);
        self.requests = 0;
        if !self.is_foreign {
            self.offset += (self.stream.len() - before - unheard) as u64;
        }
    }

    /// Takes the units that are whole for the log, without what is for replicas alone.
    pub fn take_stream(&mut self, into: &mut Vec<u8>) {
        if self.for_replicas.is_empty() {
            into.append(&mut self.stream);
        } else {
            let mut from = 0;
            for range in &self.for_replicas {
                into.extend_from_slice(&self.stream[from..range.start]);
                from = range.end;
            }
            into.extend_from_slice(&self.stream[from..]);
        }
        self.clear_stream();
    }

    /// What replicas have not been given yet, in pieces between what is for the log alone.
    pub fn unfed(&self) -> impl Iterator<Item = &[u8]> {
        let gaps = self.for_log.iter().filter(|gap| gap.start >= self.fed);
        let starts = std::iter::once(self.fed).chain(gaps.clone().map(|gap| gap.end));
        let ends = gaps.map(|gap| gap.start).chain(std::iter::once(self.stream.len()));
        starts.zip(ends).map(|(start, end)| &self.stream[start..end])
    }

    /// Takes the unit that is not over, for others to record theirs.
    pub fn set_aside(&mut self) -> Unit {
        Unit {
            bytes: std::mem::take(&mut self.unit),
            requests: std::mem::take(&mut self.requests),
            for_replicas: std::mem::take(&mut self.unit_for_replicas),
            for_log: std::mem::take(&mut self.unit_for_log),
            first_database: self.first_database,
            database: self.database,
        }
    }

    /// Goes on with a unit that was set aside.
    pub fn restore(&mut self, unit: Unit) {
        debug_assert_eq!(self.requests, 0);
        self.unit = unit.bytes;
        self.requests = unit.requests;
        self.unit_for_replicas = unit.for_replicas;
        self.unit_for_log = unit.for_log;
        self.first_database = unit.first_database;
        self.database = unit.database;
    }

    /// Forgets the units that are whole.
    pub fn clear_stream(&mut self) {
        self.stream.clear();
        self.for_log.clear();
        self.for_replicas.clear();
        self.fed = 0;
    }
}

fn select(out: &mut Vec<u8>, database: usize) {
    let digits = database.to_string();
    // Writing to memory cannot fail.
    let _ = write!(out, "*2\r\n$6\r\nSELECT\r\n${}\r\n{digits}\r\n", digits.len());
}

impl Core {
    /// Begins to record a command, and gives what [`Core::record_call`] has to know.
    #[inline]
    pub(super) fn begin_recording(&mut self) -> u64 {
        self.propagation.is_replaced = false;
        self.dirty
    }

    /// Records a command that has run, if it has changed anything and has not said itself what stands for it.
    #[cold]
    pub(super) fn record_call(&mut self, spec: &CommandSpec, database: usize, args: Args<'_>, dirty: u64) {
        // PFCOUNT may write the count it has found into the value.
        let writes = spec.flags.contains(Flag::Write) || spec.name == "pfcount";
        // Emptying what is empty counts no change, but whoever reads the records may have to be emptied.
        let is_forced = matches!(spec.name, "flushall" | "flushdb");
        let has_changed = self.dirty != dirty || is_forced;
        if writes && has_changed && !self.propagation.is_replaced {
            self.propagation.add(database, args.len(), args.iter());
        }
        self.propagation.is_replaced = true;
    }

    /// Ends the unit of what a client has caused, and remembers for WAITAOF where it ends.
    #[cold]
    pub(super) fn end_recording(&mut self, spec: &CommandSpec, index: SessionIndex) {
        let before = self.propagation.offset;
        // These come upon expired keys that have nothing to do with each other.
        let is_random = matches!(spec.name, "scan" | "randomkey");
        self.propagation.end_requests(!is_random);
        let offset = self.propagation.offset;
        if offset != before {
            self.session(index).write_offset = offset;
        }
    }

    /// Records a request in the place of the present command's own; several add up.
    #[inline]
    pub fn record(&mut self, database: usize, words: &[&[u8]]) {
        if self.propagation.is_on {
            self.propagation.is_replaced = true;
            self.propagation.add(database, words.len(), words.iter().copied());
        }
    }

    /// Records a request for replicas alone.
    pub fn record_for_replicas(&mut self, database: usize, words: &[&[u8]]) {
        if self.replication.stream.is_kept() && !self.propagation.is_foreign {
            self.propagation.add_for_replicas(database, words);
        }
    }

    /// Records nothing for the present command.
    pub fn record_nothing(&mut self) {
        self.propagation.is_replaced = true;
    }

    /// Records that a key went by itself. While a command runs it stands before the command's own record, or it would
    /// undo that.
    #[inline]
    pub(super) fn record_gone(&mut self, database: usize, key: &[u8], unlink: bool) {
        if !self.propagation.is_on {
            return;
        }
        let name: &[u8] = if unlink { b"UNLINK" } else { b"DEL" };
        self.add_gone(database, 2, [name, key].into_iter());
    }

    /// The same for fields of a hash, which are not all.
    pub(super) fn record_fields_gone(&mut self, database: usize, key: &[u8], fields: &[Box<[u8]>]) {
        if self.propagation.is_on && !fields.is_empty() {
            let names = fields.iter().map(|field| &field[..]);
            let words = [b"HDEL", key].into_iter().chain(names);
            self.add_gone(database, 2 + fields.len(), words);
        }
    }

    fn add_gone<'a>(&mut self, database: usize, words: usize, args: impl Iterator<Item = &'a [u8]>) {
        // It is gone for everybody, whoever came upon it.
        self.propagation.add_for_all(database, words, args);
        if self.caller.is_none() {
            self.propagation.end_unit();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::testing::{START, Server};

    fn recording() -> Server {
        let mut server = Server::start();
        server.core.propagation.is_on = true;
        server
    }

    /// What was recorded since it was last asked for, a word of each request behind the other.
    fn recorded(server: &mut Server) -> String {
        let bytes = server.core.propagation.stream.clone();
        server.core.propagation.clear_stream();
        told(&bytes)
    }

    fn told(bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut requests = Vec::new();
        for line in text.split("\r\n") {
            match line.as_bytes().first() {
                Some(b'*') => requests.push(Vec::new()),
                Some(b'$') | None => {}
                Some(_) => requests.last_mut().expect("a request").push(line.to_owned()),
            }
        }
        let requests = requests.iter().map(|words| words.join(" "));
        requests.collect::<Vec<_>>().join("; ")
    }

    /// Runs lines and compares what is recorded for each.
    fn check(server: &mut Server, cases: &[(&str, &str)]) {
        recorded(server);
        for (line, want) in cases {
            let reply = server.ask(line);
            assert_eq!(recorded(server), *want, "{line}: {reply}");
        }
    }

    #[test]
    fn changes_are_recorded_and_nothing_else() {
        let mut server = recording();
        assert_eq!(server.ask("SET a 1"), "+OK|");
        assert_eq!(recorded(&mut server), "SELECT 0; SET a 1");
        check(
            &mut server,
            &[
                ("GET a", ""),
                ("SET a 2 NX", ""),
                ("SET a 2 XX GET", "SET a 2 XX GET"),
                ("DEL nosuch", ""),
                ("INCR a", "INCR a"),
                ("INCR a b", ""),
                ("LPUSH a x", ""),
                ("SELECT 3", ""),
                ("SET b x", "SELECT 3; SET b x"),
                ("RPUSH l 1 2 3", "RPUSH l 1 2 3"),
                ("LTRIM l 0 -1", ""),
                ("FLUSHDB", "FLUSHDB"),
                ("FLUSHDB", "FLUSHDB"),
                ("MULTI", ""),
                ("SET c 1", ""),
                ("EXEC", "SET c 1"),
                ("MULTI", ""),
                ("SET c 1", ""),
                ("GET c", ""),
                ("SELECT 5", ""),
                ("SET d 1", ""),
                ("EXEC", "MULTI; SET c 1; SELECT 5; SET d 1; EXEC"),
                ("SET e 1", "SET e 1"),
            ],
        );
    }

    #[test]
    fn times_become_deadlines() {
        let mut server = recording();
        server.ask("SET a 1");
        let in_ten = START + 10_000;
        check(
            &mut server,
            &[
                ("SET a 1 EX 10", &format!("SET a 1 PXAT {in_ten}")),
                ("SET a 1 PX 10000 XX", &format!("SET a 1 PXAT {in_ten}")),
                ("SETEX a 10 v", &format!("SET a v PXAT {in_ten}")),
                ("PSETEX a 10000 v", &format!("SET a v PXAT {in_ten}")),
                ("SET a v KEEPTTL", "SET a v KEEPTTL"),
                ("EXPIRE a 10", &format!("PEXPIREAT a {in_ten}")),
                ("PEXPIRE a 10000 NX", ""),
                ("PEXPIRE a 10000", &format!("PEXPIREAT a {in_ten}")),
                ("GETEX a", ""),
                ("GETEX a EX 10", &format!("PEXPIREAT a {in_ten}")),
                ("GETEX a PERSIST", "PERSIST a"),
                ("EXPIRE a -1", "DEL a"),
                ("SET a v", "SET a v"),
                ("GETEX a PXAT 5", "DEL a"),
                ("SET a v", "SET a v"),
                ("GETSET a w", "SET a w"),
                ("GETDEL a", "DEL a"),
                ("INCRBYFLOAT a 0.5", "SET a 0.5 KEEPTTL"),
                ("HINCRBYFLOAT h f 0.5", "HSET h f 0.5"),
            ],
        );
    }

    #[test]
    fn what_few_servers_know_is_recorded_in_words_that_all_do() {
        let mut server = recording();
        server.ask("SET a 1");
        let in_ten = START + 10_000;
        check(
            &mut server,
            &[
                ("SET a 2 IFEQ 1", "SET a 2"),
                ("SET a 2 IFEQ 1", ""),
                ("SET a 3 IFEQ 2 GET EX 10", &format!("SET a 3 PXAT {in_ten}")),
                ("SET a 4 IFEQ 3 KEEPTTL", "SET a 4 KEEPTTL"),
                ("DELIFEQ a 3", ""),
                ("DELIFEQ a 4", "DEL a"),
                ("MSETEX 2 a 1 b 2 NX", "MSET a 1 b 2"),
                ("MSETEX 2 a 1 c 2 NX", ""),
                (
                    "MSETEX 2 a 1 b 2 XX EX 10",
                    &format!("MULTI; SET a 1 PXAT {in_ten}; SET b 2 PXAT {in_ten}; EXEC"),
                ),
                ("MSETEX 1 a 1 KEEPTTL", "SET a 1 KEEPTTL"),
            ],
        );
    }

    #[test]
    fn what_goes_by_itself_is_recorded() {
        let mut server = recording();
        server.ask("SET a 1 PX 10");
        server.ask("SET b 1 PX 10");
        recorded(&mut server);
        server.at(20);
        // Found by a command: gone before the command does its own.
        assert_eq!(server.ask("APPEND a x"), ":1|");
        assert_eq!(recorded(&mut server), "MULTI; DEL a; APPEND a x; EXEC");
        server.expire_due();
        assert_eq!(recorded(&mut server), "DEL b");
        server.ask("SET c 1 PX 10");
        recorded(&mut server);
        server.at(40);
        assert_eq!(server.ask("GET c"), "$-1|");
        assert_eq!(recorded(&mut server), "DEL c");
    }

    #[test]
    fn keys_that_happen_to_be_found_expired_are_no_transaction() {
        let mut server = recording();
        server.ask("SET a 1 PX 10");
        server.ask("SET b 1 PX 10");
        recorded(&mut server);
        server.at(20);
        server.ask("SCAN 0");
        let mut gone: Vec<String> = recorded(&mut server).split("; ").map(str::to_owned).collect();
        gone.sort();
        assert_eq!(gone, ["DEL a", "DEL b"]);
    }

    #[test]
    fn messages_are_for_replicas_alone() {
        let mut server = recording();
        server.ask("PUBLISH c m");
        assert_eq!(recorded(&mut server), "", "nobody asks for them");
        server.core.replication.stream.begin(0);
        check(
            &mut server,
            &[
                ("PUBLISH c m", "SELECT 0; PUBLISH c m"),
                ("SPUBLISH c m", "SPUBLISH c m"),
            ],
        );
        for line in [
            "SELECT 2",
            "PUBLISH c m",
            "MULTI",
            "SET a 1",
            "SELECT 3",
            "PUBLISH c n",
            "SET b 1",
            "EXEC",
        ] {
            server.ask(line);
        }
        let mut log = Vec::new();
        let stream = server.core.propagation.stream.clone();
        server.core.propagation.take_stream(&mut log);
        assert_eq!(
            told(&stream),
            "SELECT 2; PUBLISH c m; MULTI; SET a 1; SELECT 3; PUBLISH c n; SET b 1; EXEC"
        );
        assert_eq!(told(&log), "SELECT 2; MULTI; SET a 1; SELECT 3; SET b 1; EXEC");
        server.ask("SET c 1");
        assert_eq!(recorded(&mut server), "SET c 1");
    }

    #[test]
    fn deadlines_of_fields_are_recorded() {
        let mut server = recording();
        server.ask("HSET h a 1 b 2 c 3");
        let in_ten = START + 10_000;
        check(
            &mut server,
            &[
                (
                    "HEXPIRE h 10 FIELDS 2 a nosuch",
                    &format!("HPEXPIREAT h {in_ten} FIELDS 1 a"),
                ),
                (
                    "HPEXPIRE h 10000 NX FIELDS 2 a b",
                    &format!("HPEXPIREAT h {in_ten} FIELDS 1 b"),
                ),
                ("HPERSIST h FIELDS 2 b c", "HPERSIST h FIELDS 1 b"),
                ("HINCRBYFLOAT h a 0.5", "HSETEX h KEEPTTL FIELDS 1 a 1.5"),
                ("HINCRBYFLOAT h c 0.5", "HSET h c 3.5"),
                ("HGETEX h FIELDS 1 a", ""),
                (
                    "HGETEX h EX 10 FIELDS 1 c",
                    &format!("HPEXPIREAT h {in_ten} FIELDS 1 c"),
                ),
                ("HGETEX h PERSIST FIELDS 3 a b c", "HPERSIST h FIELDS 2 a c"),
                ("HEXPIRE h 0 FIELDS 2 a nosuch", "HDEL h a"),
                ("HGETDEL h FIELDS 2 b nosuch", "HDEL h b"),
                (
                    "HSETEX h FXX EX 10 FIELDS 1 c 4",
                    &format!("HSETEX h PXAT {in_ten} FIELDS 1 c 4"),
                ),
                ("HSETEX h FNX FIELDS 1 c 4", ""),
                ("HSETEX h KEEPTTL FIELDS 1 c 5", "HSETEX h KEEPTTL FIELDS 1 c 5"),
                ("HSETEX h FIELDS 2 c 5 d 6", "HSET h c 5 d 6"),
                ("HSETEX h PXAT 1 FIELDS 1 d 6", "HDEL h d"),
            ],
        );
    }

    #[test]
    fn fields_that_go_by_themselves_are_recorded() {
        let mut server = recording();
        server.ask("HSET h a 1");
        server.ask("HSETEX h PX 10 FIELDS 2 x 1 y 2");
        recorded(&mut server);
        server.at(20);
        assert_eq!(server.ask("HINCRBY h x 5"), ":5|");
        assert_eq!(recorded(&mut server), "MULTI; HDEL h y x; HINCRBY h x 5; EXEC");
        server.ask("HSETEX h PX 10 FIELDS 1 z 1");
        server.ask("HSETEX g PX 10 FIELDS 1 z 1");
        recorded(&mut server);
        server.at(40).expire_due();
        let mut gone: Vec<String> = recorded(&mut server).split("; ").map(str::to_owned).collect();
        gone.sort();
        assert_eq!(gone, ["DEL g", "HDEL h z"]);
    }

    #[test]
    fn luck_is_written_down() {
        let mut server = recording();
        server.ask("SADD s 1 2 3 4 5");
        recorded(&mut server);
        let popped = server.ask("SPOP s").replace("$1|", "").replace('|', "");
        assert_eq!(recorded(&mut server), format!("SREM s {popped}"));
        let popped = server.ask("SPOP s 2");
        let popped: Vec<&str> = popped
            .split('|')
            .filter(|word| !word.is_empty() && !word.starts_with(['*', '$']))
            .collect();
        assert_eq!(recorded(&mut server), format!("SREM s {}", popped.join(" ")));
        check(&mut server, &[("SPOP s 9", "DEL s"), ("SPOP s", "")]);
    }

    #[test]
    fn those_who_waited_are_recorded_behind_what_woke_them() {
        let mut server = recording();
        let waiter = server.connect();
        server.ask_as(waiter, "BLPOP l 0");
        assert_eq!(recorded(&mut server), "");
        server.ask("RPUSH l x");
        assert_eq!(recorded(&mut server), "SELECT 0; RPUSH l x; LPOP l");
        server.ask_as(waiter, "BLMOVE l m RIGHT LEFT 0");
        server.ask("RPUSH l x");
        assert_eq!(recorded(&mut server), "RPUSH l x; LMOVE l m RIGHT LEFT");
        server.ask_as(waiter, "BZMPOP 0 2 y z MIN COUNT 2");
        server.ask("ZADD z 1 a");
        assert_eq!(recorded(&mut server), "ZADD z 1 a; ZPOPMIN z 1");
    }

    #[test]
    fn streams_get_the_ids_they_had() {
        let mut server = recording();
        server.ask("XADD s 5-1 f v");
        recorded(&mut server);
        server.at(7);
        let now = START + 7;
        check(
            &mut server,
            &[
                ("XADD s * f v", &format!("XADD s {now}-0 f v")),
                ("XADD s MAXLEN 2 * f v", &format!("XADD s MAXLEN = 2 {now}-1 f v")),
                ("XADD s NOMKSTREAM MAXLEN ~ 100 * f v", &format!("XADD s {now}-2 f v")),
                ("XTRIM s MAXLEN 1", "XTRIM s MAXLEN = 1"),
                ("XTRIM s MAXLEN ~ 1", ""),
                ("XGROUP CREATE s g 0", "XGROUP CREATE s g 0"),
                (
                    "XREADGROUP GROUP g c STREAMS s >",
                    &format!(
                        "MULTI; XGROUP CREATECONSUMER s g c; XCLAIM s g c 0 {now}-2 TIME {now} RETRYCOUNT 1 FORCE JUSTID \
                         LASTID {now}-2; XGROUP SETID s g {now}-2 ENTRIESREAD 4; EXEC"
                    ),
                ),
                ("XREADGROUP GROUP g c STREAMS s >", ""),
                (
                    &format!("XCLAIM s g d 0 {now}-2"),
                    &format!(
                        "MULTI; XGROUP CREATECONSUMER s g d; XCLAIM s g d 0 {now}-2 TIME {now} RETRYCOUNT 2 FORCE JUSTID \
                         LASTID {now}-2; EXEC"
                    ),
                ),
                (&format!("XACK s g {now}-2"), &format!("XACK s g {now}-2")),
            ],
        );
    }
}
