//! The servers, the wires between them, the clients, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use aeolus::commands::digest;
use aeolus::host::memory::MemoryHost;
use aeolus::keyspace::Keyspace;
use aeolus::server::SessionIndex;

use crate::node::{LAG, Node, Outcome};
use crate::random::Random;
use crate::wire::{End, Wire};

/// The clock's beginning, in Unix milliseconds.
const START: i64 = 1_700_000_000_000;
/// Where the first server listens.
const PORT: u16 = 7000;
/// Ticks with faults, and after those at most so many until everything must be at rest.
const STORMY: usize = 1500;
const CALM: usize = 60_000;
/// Bytes of memory that a stream may have beyond its backlog, while all read it.
const SLACK: usize = 4 << 20;

/// A client that waits for acknowledgements of its last write.
struct Waiter {
    node: usize,
    session: usize,
    offset: u64,
}

pub struct World {
    random: Random,
    now: i64,
    /// `None` while it is down.
    nodes: Vec<Option<Node>>,
    disks: Vec<MemoryHost>,
    /// Until when each server gets no time from its machine.
    stopped_until: Vec<i64>,
    /// The session of the client at each server.
    clients: Vec<usize>,
    wires: Vec<Wire>,
    /// Dialling server, port, and when it is answered.
    dials: Vec<(usize, u16, i64)>,
    /// Whose replica each server was told to be last.
    primaries: Vec<Option<usize>>,
    waiters: Vec<Waiter>,
    writes: u64,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let count = 3 + random.below(5);
        let disks: Vec<MemoryHost> = (0..count).map(|_| MemoryHost::default()).collect();
        let mut world = World {
            random,
            now: START,
            nodes: Vec::new(),
            stopped_until: vec![0; count],
            clients: vec![0; count],
            wires: Vec::new(),
            dials: Vec::new(),
            primaries: vec![None; count],
            waiters: Vec::new(),
            writes: 0,
            disks,
        };
        for node in 0..count {
            world.nodes.push(None);
            world.start(node);
        }
        world
    }

    pub fn run(&mut self) {
        for node in 1..self.nodes.len() {
            let primary = self.random.below(node);
            self.follow(node, Some(primary));
        }
        for _ in 0..STORMY {
            if self.random.percent(3) {
                self.go_wrong();
            }
            for _ in 0..self.random.below(4) {
                self.write();
            }
            self.tick();
            self.check_bounds();
        }
        self.calm_down();
    }

    fn start(&mut self, node: usize) {
        let mut server = Node::start(self.disks[node].clone(), PORT + node as u16, self.now, &mut self.random);
        server
            .core
            .begin_tick(aeolus::timer::Millis(self.now), aeolus::timer::Millis(0));
        while server.core.load_slice().expect("what was saved can be loaded") {}
        self.clients[node] = server.open();
        self.nodes[node] = Some(server);
    }

    fn ask(&mut self, node: usize, line: &str) -> String {
        let client = self.clients[node];
        self.nodes[node]
            .as_mut()
            .map_or(String::new(), |server| server.ask(client, line))
    }

    /// Gives an order over a connection of its own, where nothing stands before it that may have to wait.
    fn order(&mut self, node: usize, line: &str) -> String {
        let Some(server) = &mut self.nodes[node] else {
            return String::new();
        };
        let session = server.open();
        let reply = server.ask(session, line);
        server.core.ask_close(SessionIndex(session), true);
        reply
    }

    /// Makes a server a replica, or a primary.
    fn follow(&mut self, node: usize, primary: Option<usize>) {
        let line = match primary {
            Some(primary) => format!("REPLICAOF 127.0.0.1 {}", PORT + primary as u16),
            None => "REPLICAOF NO ONE".to_owned(),
        };
        let reply = self.order(node, &line);
        // Neither amid a failover nor while new data are loaded.
        let is_refused = reply.starts_with("-ERR REPLICAOF not allowed") || reply.starts_with("-LOADING");
        assert!(reply.is_empty() || reply.starts_with("+OK") || is_refused, "{reply}");
    }

    /// Whose replica each server is now: a failover changes that by itself.
    fn look_at_roles(&mut self) {
        for (primary, node) in self.primaries.iter_mut().zip(&self.nodes) {
            let link = node.as_ref().and_then(|server| server.core.replication.link.as_ref());
            *primary = link.map(|link| usize::from(link.address.port.saturating_sub(PORT)));
        }
    }

    /// A tick of every server that has something to do.
    fn tick(&mut self) {
        self.now += 1 + self.random.below(20) as i64;
        self.answer_dials();
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_none() || self.now < self.stopped_until[node] {
                continue;
            }
            let (arrived, gone) = self.deliveries(node);
            let Some(server) = &mut self.nodes[node] else { continue };
            let wires = &self.wires;
            let room = |session| {
                let end = End { node, session };
                let wire = wires.iter().find_map(|wire| Some((wire, wire.side_of(end)?)));
                wire.map_or(0, |(wire, side)| wire.room(1 - side))
            };
            let outcome = server.tick(self.now, arrived, &gone, room);
            self.take(node, outcome);
        }
        self.look_at_roles();
        self.wires.retain(|wire| wire.closed != [true, true]);
        self.check_waits();
    }

    /// What arrives at a server now.
    fn deliveries(&mut self, node: usize) -> (Vec<(usize, Vec<u8>)>, Vec<usize>) {
        let (mut arrived, mut gone) = (Vec::new(), Vec::new());
        let Some(server) = &mut self.nodes[node] else {
            return (arrived, gone);
        };
        for wire in &mut self.wires {
            for side in 0..2 {
                let end = wire.ends[side];
                if end.node != node || wire.closed[side] || server.must_wait(end.session) {
                    continue;
                }
                let bytes = wire.deliver(side, self.now, &mut self.random);
                if !bytes.is_empty() {
                    arrived.push((end.session, bytes));
                } else if wire.closed[1 - side] && wire.under_way[side].is_empty() {
                    wire.closed[side] = true;
                    gone.push(end.session);
                }
            }
        }
        (arrived, gone)
    }

    fn take(&mut self, node: usize, outcome: Outcome) {
        for (session, bytes) in outcome.sent {
            let end = End { node, session };
            for wire in &mut self.wires {
                if let Some(side) = wire.side_of(end).filter(|side| !wire.closed[*side]) {
                    wire.under_way[1 - side].extend_from_slice(&bytes);
                }
            }
        }
        for session in outcome.closed {
            let end = End { node, session };
            for wire in &mut self.wires {
                if let Some(side) = wire.side_of(end) {
                    wire.closed[side] = true;
                }
            }
            if self.clients[node] == session
                && let Some(server) = &mut self.nodes[node]
            {
                self.clients[node] = server.open();
            }
            self.waiters
                .retain(|waiter| (waiter.node, waiter.session) != (node, session));
        }
        if let Some(port) = outcome.dialled {
            let when = self.now + self.random.below(30) as i64;
            self.dials.retain(|(other, _, _)| *other != node);
            self.dials.push((node, port, when));
        }
    }

    fn answer_dials(&mut self) {
        let (due, later) = std::mem::take(&mut self.dials)
            .into_iter()
            .partition(|(_, _, when)| *when <= self.now);
        self.dials = later;
        let due: Vec<(usize, u16, i64)> = due;
        for (node, port, _) in due {
            let target = usize::from(port - PORT);
            let there = self.nodes[target].as_mut().map(Node::open);
            let Some(server) = &mut self.nodes[node] else { continue };
            let Some(there) = there else {
                server.core.primary_unreachable("Connection refused");
                continue;
            };
            let here = server.open();
            let one = End { node, session: here };
            let other = End {
                node: target,
                session: there,
            };
            self.wires.push(Wire::new(one, other));
            if let Some(session) = self.nodes[target]
                .as_mut()
                .and_then(|it| it.core.find_session(SessionIndex(there)))
            {
                session.addresses = "127.0.0.1:1 127.0.0.1:2".into();
            }
            if let Some(server) = &mut self.nodes[node] {
                server.core.primary_answered(SessionIndex(here));
            }
        }
    }

    // Clients.

    fn write(&mut self) {
        let node = self.random.below(self.nodes.len());
        let is_primary = self.primaries[node].is_none();
        // Most writes go where they are taken.
        if !is_primary && self.random.percent(90) {
            return;
        }
        self.writes += 1;
        let (key, count) = (self.random.below(30), self.writes);
        let line = match self.random.below(14) {
            0 => format!("SET s:{key} {count}"),
            1 => format!("SET e:{key} {count} PX {}", 1 + self.random.below(2000)),
            2 => format!("RPUSH l:{key} {count} {}", "x".repeat(self.random.below(300))),
            3 => format!("LPOP l:{key}"),
            4 => format!("INCR n:{key}"),
            5 => format!("APPEND a:{key} {count}"),
            6 => format!("SADD m:{key} {count}"),
            7 => format!("SPOP m:{key}"),
            8 => format!("ZINCRBY z:{key} 1.5 member:{}", count % 7),
            9 => format!("SELECT {}", self.random.below(3)),
            10 => format!("PEXPIRE n:{key} {}", 1 + self.random.below(2000)),
            11 => format!("XADD x:{key} MAXLEN 20 * f {count}"),
            12 => return self.write_transaction(node, key),
            _ => return self.write_and_wait(node, key),
        };
        self.ask(node, &line);
    }

    fn write_transaction(&mut self, node: usize, key: usize) {
        for line in ["MULTI", &format!("INCR n:{key}"), &format!("APPEND a:{key} x"), "EXEC"] {
            self.ask(node, line);
        }
    }

    /// Writes from a session of its own that then waits for acknowledgements.
    fn write_and_wait(&mut self, node: usize, key: usize) {
        let Some(server) = &mut self.nodes[node] else { return };
        let session = server.open();
        server.ask(session, &format!("INCR n:{key}"));
        let offset = server.core.session(SessionIndex(session)).write_offset;
        let replicas = 1 + self.random.below(3);
        let reply = server.ask(session, &format!("WAIT {replicas} {}", 1 + self.random.below(3000)));
        let waiter = Waiter { node, session, offset };
        match reply.is_empty() {
            true => self.waiters.push(waiter),
            false => self.check_promise(&waiter, &reply),
        }
    }

    fn check_waits(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            let Some(server) = &mut self.nodes[waiter.node] else {
                continue;
            };
            let reply = server.take_reply(waiter.session);
            match reply.is_empty() {
                true => self.waiters.push(waiter),
                false => self.check_promise(&waiter, &reply),
            }
        }
    }

    /// So many replicas as WAIT has said must have the write.
    fn check_promise(&mut self, waiter: &Waiter, reply: &str) {
        if let Some(server) = &mut self.nodes[waiter.node] {
            server.core.ask_close(SessionIndex(waiter.session), true);
        }
        let Some(promised) = reply
            .strip_prefix(':')
            .and_then(|text| text.trim_end().parse::<usize>().ok())
        else {
            return;
        };
        let id = match &self.nodes[waiter.node] {
            Some(server) => server.core.replication.id.clone(),
            None => return,
        };
        let has_it = |node: &Option<Node>| {
            node.as_ref().is_some_and(|server| {
                let replication = &server.core.replication;
                let is_same = replication.id == id || replication.former.as_ref().is_some_and(|former| former.id == id);
                is_same && server.offset() >= waiter.offset
            })
        };
        // One that has crashed since, or has become another's, may have had it.
        let lost = self.nodes.iter().filter(|node| node.is_none()).count();
        let others = self.nodes.iter().enumerate().filter(|(node, _)| *node != waiter.node);
        let having = others.filter(|(_, node)| has_it(node)).count();
        let moved = self
            .primaries
            .iter()
            .filter(|primary| **primary != Some(waiter.node))
            .count();
        assert!(
            having + lost + moved >= promised,
            "WAIT promised {promised} replicas, and {having} have the write"
        );
    }

    // Faults.

    fn go_wrong(&mut self) {
        let node = self.random.below(self.nodes.len());
        match self.random.below(13) {
            0..=2 => self.cut_wire(),
            3 | 4 => self.stick_wire(),
            5 => self.crash(node),
            6 | 7 => {
                if self.nodes[node].is_none() {
                    self.start(node);
                }
            }
            8 => self.stopped_until[node] = self.now + self.random.below(9000) as i64,
            9 => {
                let timeout = 1 + self.random.below(3000);
                let reply = self.order(node, &format!("FAILOVER TIMEOUT {timeout}"));
                assert!(
                    reply.is_empty() || reply == "+OK\r\n" || reply.starts_with('-'),
                    "{reply}"
                );
            }
            10 => {
                let reply = self.ask(node, "SAVE");
                assert!(
                    reply.is_empty() || reply == "+OK\r\n" || reply.starts_with('-'),
                    "{reply}"
                );
            }
            _ => self.change_roles(node),
        }
    }

    fn cut_wire(&mut self) {
        if self.wires.is_empty() {
            return;
        }
        let at = self.random.below(self.wires.len());
        let wire = &mut self.wires[at];
        // What was under way is lost at any byte.
        for side in 0..2 {
            let kept = self.random.below(wire.under_way[side].len() + 1);
            wire.under_way[side].truncate(kept);
        }
        for side in 0..2 {
            let end = wire.ends[side];
            if let Some(server) = &mut self.nodes[end.node]
                && !wire.closed[side]
            {
                server.core.ask_close(SessionIndex(end.session), true);
            }
        }
    }

    fn stick_wire(&mut self) {
        if self.wires.is_empty() {
            return;
        }
        let (at, how_long) = (self.random.below(self.wires.len()), self.random.below(9000) as i64);
        self.wires[at].stuck_until = self.now + how_long;
    }

    fn crash(&mut self, node: usize) {
        let down = self.nodes.iter().filter(|node| node.is_none()).count();
        if down >= 2 {
            return;
        }
        self.nodes[node] = None;
        if self.random.percent(50) {
            // It was the machine: what was not synced is lost, or a part of it.
            let random = &mut self.random;
            self.disks[node].crash(|unsynced| random.below(unsynced + 1));
        }
        self.dials.retain(|(other, _, _)| *other != node);
        self.waiters.retain(|waiter| waiter.node != node);
        for wire in &mut self.wires {
            for side in 0..2 {
                if wire.ends[side].node == node {
                    wire.closed[side] = true;
                    wire.under_way[side].clear();
                }
            }
        }
    }

    fn change_roles(&mut self, node: usize) {
        if self.nodes[node].is_none() {
            return;
        }
        let other = self.random.below(self.nodes.len());
        match self.random.percent(40) || other == node || self.leads_to(other, node) {
            true => self.follow(node, None),
            false => self.follow(node, Some(other)),
        }
    }

    /// Whether following primaries from `from` leads to `to`: nobody may be a replica of its own replica.
    fn leads_to(&self, from: usize, to: usize) -> bool {
        let mut at = Some(from);
        for _ in 0..self.nodes.len() {
            match at {
                Some(node) if node == to => return true,
                Some(node) => at = self.primaries[node],
                None => return false,
            }
        }
        true
    }

    // What must hold.

    fn check_bounds(&self) {
        for server in self.nodes.iter().flatten() {
            let stream = &server.core.replication.stream;
            let limit = server.core.settings.repl_backlog_size as usize + LAG as usize + SLACK;
            assert!(stream.memory() <= limit, "a stream takes {} bytes", stream.memory());
            if let Some(link) = &server.core.replication.link {
                assert!(link.unapplied() <= SLACK, "{} bytes wait to be run", link.unapplied());
            }
        }
    }

    /// The faults stop, one server is everybody's primary, and all become equal.
    fn calm_down(&mut self) {
        for wire in &mut self.wires {
            wire.stuck_until = 0;
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_none() {
                self.start(node);
            }
            self.stopped_until[node] = 0;
            self.order(node, "FAILOVER ABORT");
        }
        let primary = self.random.below(self.nodes.len());
        self.settle_roles(primary);
        for _ in 0..200 {
            self.write_at(primary);
            self.tick();
        }
        for _ in 0..CALM {
            self.tick();
            if self.is_at_rest(primary) {
                return;
            }
        }
        panic!("no rest: {}", self.describe(primary));
    }

    /// Makes one server everybody's primary. Some may have to load first.
    fn settle_roles(&mut self, primary: usize) {
        let wanted = |node| (node != primary).then_some(primary);
        for _ in 0..CALM {
            for node in 0..self.nodes.len() {
                if self.primaries[node] != wanted(node) {
                    self.follow(node, wanted(node));
                }
            }
            self.tick();
            if (0..self.nodes.len()).all(|node| self.primaries[node] == wanted(node)) {
                return;
            }
        }
        panic!("the roles do not settle: {}", self.describe(primary));
    }

    fn write_at(&mut self, node: usize) {
        let key = self.random.below(30);
        self.ask(node, &format!("INCR n:{key}"));
    }

    fn is_at_rest(&mut self, primary: usize) -> bool {
        let busy = self.nodes.iter().flatten().any(Node::is_busy);
        let first = self.nodes[primary].as_ref().expect("it runs");
        let offset = first.offset();
        let others = || self.nodes.iter().enumerate().filter(|(node, _)| *node != primary);
        let agree = others().all(|(_, node)| {
            node.as_ref()
                .is_some_and(|server| server.core.replication.is_link_up() && server.offset() == offset)
        });
        if busy || !agree {
            return false;
        }
        let want = digest::of_keyspace(&first.core.keyspace).to_hex();
        for (node, server) in others() {
            let server = server.as_ref().expect("it runs");
            let have = digest::of_keyspace(&server.core.keyspace).to_hex();
            assert!(
                have == want,
                "server {node} differs from its primary {primary} at offset {offset}: {}",
                differences(&first.core.keyspace, &server.core.keyspace)
            );
            assert_eq!(server.core.replication.id, first.core.replication.id);
        }
        true
    }

    fn describe(&self, primary: usize) -> String {
        let mut out = format!("primary {primary}; ");
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(server) = node else { continue };
            let word = server
                .core
                .replication
                .link
                .as_ref()
                .map_or("primary", |link| link.word());
            out += &format!("{number}: {word} at {}, busy {}; ", server.offset(), server.is_busy());
        }
        out
    }
}

/// The keys in which two servers differ.
fn differences(one: &Keyspace, other: &Keyspace) -> String {
    let mut out = String::new();
    let said = |keyspace: &Keyspace| {
        let mut all = BTreeMap::new();
        for (index, database) in keyspace.databases() {
            for entry in database.iter() {
                let key = String::from_utf8_lossy(entry.key()).into_owned();
                let value = digest::of_value(entry).to_hex();
                all.insert((index, key), (value, entry.deadline()));
            }
        }
        all
    };
    let (here, there) = (said(one), said(other));
    let keys: BTreeSet<_> = here.keys().chain(there.keys()).collect();
    for key in keys.into_iter().filter(|key| here.get(key) != there.get(key)) {
        out += &format!("{key:?}: {:?} and {:?}; ", here.get(key), there.get(key));
    }
    out
}
