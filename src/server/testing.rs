//! A core without sockets, driven by tests with a clock of their own.

use super::core::Core;
use super::dispatch::{Executor, Request, Verdict, look_up};
use super::pubsub::Topic;
use super::session::SessionIndex;
use crate::config::Settings;
use crate::config::choice::AppendFsync;
use crate::config::compound::KeyspaceEvents;
use crate::host::memory::MemoryHost;
use crate::resp::pool::ReplyPool;
use crate::resp::reply::Protocol;
use crate::resp::request::{BIG_BULK, Span};
use crate::timer::Millis;

/// When the clock starts: some moment well behind the epoch, so that deadlines may lie before it.
pub const START: i64 = 1_700_000_000_000;

/// A core with default settings and one client, who is logged in.
pub struct Server {
    pub core: Core,
    /// The machine it believes to be on.
    pub host: MemoryHost,
    pool: ReplyPool,
}

const CLIENT: SessionIndex = SessionIndex(0);

impl Server {
    pub fn start() -> Self {
        Server::on(MemoryHost::default())
    }

    /// The same on a machine that may have files already.
    pub fn on(host: MemoryHost) -> Self {
        let mut core = Core::new(Settings::default(), Millis(START), Box::new(host.clone()));
        core.open(CLIENT);
        Server {
            core,
            host,
            pool: ReplyPool::default(),
        }
    }

    /// A server with an append-only file on a machine that may have one already, with its data loaded.
    pub fn logging(host: &MemoryHost, at: i64, policy: AppendFsync) -> Self {
        let mut server = Server::on(host.clone());
        server.core.settings.appendonly = true;
        server.core.settings.appendfsync = policy;
        server
            .at(at)
            .core
            .begin_loading()
            .expect("the log can be begun or read");
        while server.core.load_slice().expect("the log is whole") {}
        server
    }

    /// Sets the clock to so many milliseconds after [`START`].
    pub fn at(&mut self, ms: i64) -> &mut Self {
        self.core.begin_tick(Millis(START + ms), Millis(ms));
        self
    }

    /// Another client, to be named to [`Server::ask_as`].
    pub fn connect(&mut self) -> SessionIndex {
        let index = SessionIndex(self.core.sessions().count());
        self.core.open(index);
        index
    }

    /// Runs one command and gives its reply as it goes over the wire, with `|` for each end of line.
    pub fn run(&mut self, words: &[&[u8]]) -> String {
        self.run_as(CLIENT, words);
        self.take_reply()
    }

    /// Runs one command of any client, whose reply stays with its session. Big words come in buffers of their own, as they
    /// do from a socket.
    pub fn run_as(&mut self, session: SessionIndex, words: &[&[u8]]) -> Verdict {
        let mut executor = Executor::new(&mut self.core, &mut self.pool);
        let verdict = run_words(&mut executor, session, words);
        executor.finish();
        verdict
    }

    /// Runs commands, whose words are divided by spaces, as those of one batch, and gives their replies.
    pub fn ask_all(&mut self, lines: &[String]) -> String {
        let mut executor = Executor::new(&mut self.core, &mut self.pool);
        for line in lines {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            run_words(&mut executor, CLIENT, &words);
        }
        executor.finish();
        self.take_reply()
    }

    /// The same for a command whose words are divided by spaces.
    pub fn ask(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.run(&words)
    }

    /// The same for any client; `None` when the command is held back.
    pub fn ask_as(&mut self, session: SessionIndex, line: &str) -> Option<String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        match self.run_as(session, &words) {
            Verdict::Done => Some(self.take_reply_of(session)),
            Verdict::Held => None,
        }
    }

    /// Lets the client listen for keyspace events of all classes; they stand in the replies from now on, behind the
    /// reply to the command that caused them.
    pub fn listen(&mut self) {
        self.core.settings.notify_keyspace_events = KeyspaceEvents::parse(b"KEAmn").expect("letters of classes");
        self.core.session(CLIENT).protocol = Protocol::Resp3;
        self.core.subscribe(CLIENT, Topic::Pattern, b"__keyevent@*");
    }

    /// Deletes what is due, as a tick of the reactor would, and gives what the client was told.
    pub fn expire_due(&mut self) -> String {
        while self.core.expire_due() {}
        self.take_reply()
    }

    fn take_reply(&mut self) -> String {
        self.take_reply_of(CLIENT)
    }

    /// What was written to a client since it was last asked for.
    pub fn take_reply_of(&mut self, index: SessionIndex) -> String {
        let session = self.core.session(index);
        session.has_output = false;
        let reply = std::mem::take(&mut session.reply.bytes);
        self.core.outgoing.clear();
        String::from_utf8_lossy(&reply).replace("\r\n", "|")
    }
}

fn run_words(executor: &mut Executor<'_>, session: SessionIndex, words: &[&[u8]]) -> Verdict {
    let (mut input, mut spans, mut bigs) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        if word.len() >= BIG_BULK {
            spans.push(Span::big(bigs.len(), word.len()));
            bigs.push(word.to_vec());
            continue;
        }
        spans.push(Span::new(input.len(), word.len()));
        input.extend_from_slice(word);
    }
    executor.run(Request {
        session,
        input: &input,
        spans: &spans,
        spec: look_up(words[0]),
        hashes: &[],
        bigs: &mut bigs,
    })
}
