//! Settings that are one word out of a few.

use super::table::FileLine;
use super::value::{Domain, Value, only};

/// Makes an enum whose variants have spellings. The order is that of Redis's error text; where a variant has two
/// spellings the first is the one printed.
macro_rules! choices {
    ($(
        $(#[$about:meta])*
        $type:ident { $($(#[$note:meta])* $variant:ident = $word:literal $(or $synonym:literal)?,)+ }
    )+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$note])* $variant,)+
        }

        impl $type {
            /// Every spelling with what it means, in the order of Redis's error text.
            const WORDS: &[(&str, $type)] = &[$(($word, $type::$variant), $(($synonym, $type::$variant),)?)+];

            /// The word for it, as `CONFIG GET` prints it.
            pub fn word(self) -> &'static str {
                match self {
                    $($type::$variant => $word,)+
                }
            }
        }

        impl Value for $type {
            fn assign(&mut self, words: &[&[u8]], _: &Domain) -> Result<(), String> {
                *self = choose(only(words), Self::WORDS)?;
                Ok(())
            }

            fn show(&self, _: &Domain) -> Vec<u8> {
                self.word().into()
            }

            fn describe(_: &Domain) -> String {
                list(Self::WORDS)
            }

            fn file_lines(&self, default: &Self, _: &Domain) -> Vec<FileLine> {
                vec![FileLine { value: self.word().into(), needed: self != default }]
            }
        }
    )+};
}

/// The meaning of `word`, or Redis's error text listing what would do.
pub(super) fn choose<T: Copy>(word: &[u8], words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(word));
    found
        .map(|&(_, value)| value)
        .ok_or_else(|| format!("argument(s) must be one of the following: {}", list(words)))
}

fn list<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

choices! {
    /// Which key goes when memory is full.
    MaxmemoryPolicy {
        /// The least recently used among keys with a deadline.
        VolatileLru = "volatile-lru",
        /// The least frequently used among keys with a deadline.
        VolatileLfu = "volatile-lfu",
        /// Any key with a deadline.
        VolatileRandom = "volatile-random",
        /// The key nearest to its deadline.
        VolatileTtl = "volatile-ttl",
        /// The least recently used key.
        AllkeysLru = "allkeys-lru",
        /// The least frequently used key.
        AllkeysLfu = "allkeys-lfu",
        /// Any key.
        AllkeysRandom = "allkeys-random",
        /// None: commands that need memory fail.
        Noeviction = "noeviction",
    }

    /// The least severe messages that are logged.
    LogLevel {
        /// Everything, for development.
        Debug = "debug",
        /// Much that is rarely useful.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice",
        /// Only what is important or critical.
        Warning = "warning",
        /// Nothing at all.
        Nothing = "nothing",
    }

    /// Who supervises the process and is told that it is ready.
    Supervised {
        /// Upstart, by stopping with SIGSTOP.
        Upstart = "upstart",
        /// systemd, through `NOTIFY_SOCKET`.
        Systemd = "systemd",
        /// Whichever of them the environment shows.
        Auto = "auto",
        /// Nobody.
        No = "no",
    }

    /// Who may use a group of dangerous commands or settings.
    Permission {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Clients on the loopback interface or a Unix socket.
        Local = "local",
    }

    /// When the append-only file is forced to disk.
    AppendFsync {
        /// Once a second.
        Everysec = "everysec",
        /// After every write, before the reply.
        Always = "always",
        /// When the operating system sees fit.
        No = "no",
    }

    /// How a replica loads a snapshot it receives without storing it first.
    DisklessLoad {
        /// It stores it first.
        Disabled = "disabled",
        /// From memory, if there are no keys that will take it too.
        OnEmptyDb = "on-empty-db",
        /// From memory, into a second keyspace that replaces the old one when complete.
        Swapdb = "swapdb",
    }

    /// Which Pub/Sub channels a new ACL user may use.
    AclPubsubDefault {
        /// All.
        Allchannels = "allchannels",
        /// None.
        Resetchannels = "resetchannels",
    }

    /// How cluster redirections name a node.
    ClusterEndpointType {
        /// By address.
        Ip = "ip",
        /// By host name.
        Hostname = "hostname",
        /// Not at all: the client keeps to the address it used.
        UnknownEndpoint = "unknown-endpoint",
    }

    /// What to do when a replicated or replayed command fails.
    PropagationErrorBehavior {
        /// Go on.
        Ignore = "ignore",
        /// Stop the server.
        Panic = "panic",
        /// Stop the server if it is a replica.
        PanicOnReplicas = "panic-on-replicas",
    }

    /// Whether streams from `RESTORE`, snapshots and logs are checked to the last byte.
    SanitizeDumpPayload {
        /// Never.
        No = "no",
        /// Always.
        Yes = "yes",
        /// When they come from ordinary clients.
        Clients = "clients",
    }

    /// What to do with a snapshot of an unknown version.
    RdbVersionCheck {
        /// Refuse it.
        Strict = "strict",
        /// Read what can be read.
        Relaxed = "relaxed",
    }

    /// Whether the kernel's out-of-memory scores are set.
    OomScoreAdj {
        /// Left alone.
        No = "no",
        /// Set relative to the score at start.
        Relative = "yes" or "relative",
        /// Set as given.
        Absolute = "absolute",
    }

    /// Whether clients under TLS must present a certificate.
    TlsAuthClients {
        /// They need none.
        No = "no",
        /// They must.
        Yes = "yes",
        /// It is checked if presented.
        Optional = "optional",
    }

    /// The syslog facility messages are sent to.
    SyslogFacility {
        /// User-level messages.
        User = "user",
        /// Local use 0.
        Local0 = "local0",
        /// Local use 1.
        Local1 = "local1",
        /// Local use 2.
        Local2 = "local2",
        /// Local use 3.
        Local3 = "local3",
        /// Local use 4.
        Local4 = "local4",
        /// Local use 5.
        Local5 = "local5",
        /// Local use 6.
        Local6 = "local6",
        /// Local use 7.
        Local7 = "local7",
    }
}

impl Permission {
    /// Whether a client may, given whether it connects from this machine.
    pub fn allows(self, client_is_local: bool) -> bool {
        match self {
            Permission::No => false,
            Permission::Yes => true,
            Permission::Local => client_is_local,
        }
    }
}
