//! The small closed vocabularies of the command table, each a bit set with the names clients see.
//!
//! Rows list variants (`&[Write, DenyOom]`); [`Flags::of`] folds them into bits while compiling. Variants are declared
//! in the order in which Redis lists them, so printing a set is a walk over `ALL` and needs no sorting.

/// Declares an enum whose variants have wire names, and the bit set over it.
macro_rules! bit_set {
    ($(#[$set_doc:meta])* $set:ident of $(#[$doc:meta])* $item:ident { $($variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $item { $($variant,)+ }

        impl $item {
            /// Every variant, in the order in which replies list them.
            pub const ALL: &[$item] = &[$($item::$variant,)+];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $($item::$variant => $name,)+ }
            }

            /// The variant of this name, whatever the case of its letters.
            pub fn parse(name: &[u8]) -> Option<$item> {
                Self::ALL.iter().copied().find(|item| item.name().as_bytes().eq_ignore_ascii_case(name))
            }
        }

        $(#[$set_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $set(u32);

        impl $set {
            /// The set of these items.
            pub const fn of(items: &[$item]) -> $set {
                let mut set = $set(0);
                let mut i = 0;
                while i < items.len() {
                    set = set.with(items[i]);
                    i += 1;
                }
                set
            }

            /// This set and one item more.
            pub const fn with(self, item: $item) -> $set {
                $set(self.0 | 1 << item as u32)
            }

            /// This set without an item, or with it.
            pub const fn having(self, item: $item, is_in: bool) -> $set {
                match is_in {
                    true => self.with(item),
                    false => $set(self.0 & !(1 << item as u32)),
                }
            }

            /// Whether the item is in the set: one AND.
            pub const fn contains(self, item: $item) -> bool {
                self.0 & (1 << item as u32) != 0
            }

            /// One bit an item, for whoever keeps sets of its own (ACL rules, statistics).
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// How many items the set has.
            pub const fn count(self) -> usize {
                self.0.count_ones() as usize
            }

            /// The items of the set, in the order of replies.
            pub fn iter(self) -> impl Iterator<Item = $item> {
                $item::ALL.iter().copied().filter(move |&item| self.contains(item))
            }
        }
    };
}

bit_set! {
    /// What holds for a command as a whole.
    Flags of
    /// One property of a command. It decides when the command may run and who may send it.
    Flag {
        Write = "write",
        ReadOnly = "readonly",
        DenyOom = "denyoom",
        Admin = "admin",
        PubSub = "pubsub",
        NoScript = "noscript",
        Blocking = "blocking",
        Loading = "loading",
        Stale = "stale",
        SkipMonitor = "skip_monitor",
        SkipSlowlog = "skip_slowlog",
        Asking = "asking",
        Fast = "fast",
        NoAuth = "no_auth",
        NoMandatoryKeys = "no_mandatory_keys",
        NoAsyncLoading = "no_async_loading",
        NoMulti = "no_multi",
        MovableKeys = "movablekeys",
        AllowBusy = "allow_busy",
    }
}

bit_set! {
    /// The ACL categories a command belongs to.
    AclCategories of
    /// An ACL category, without the `@` that rules and replies put in front.
    AclCategory {
        Keyspace = "keyspace",
        Read = "read",
        Write = "write",
        Set = "set",
        SortedSet = "sortedset",
        List = "list",
        Hash = "hash",
        String = "string",
        Bitmap = "bitmap",
        HyperLogLog = "hyperloglog",
        Geo = "geo",
        Stream = "stream",
        PubSub = "pubsub",
        Admin = "admin",
        Fast = "fast",
        Slow = "slow",
        Blocking = "blocking",
        Dangerous = "dangerous",
        Connection = "connection",
        Transaction = "transaction",
        Scripting = "scripting",
    }
}

impl AclCategories {
    /// Adds the categories that follow from the flags, so that rows name only the others.
    ///
    /// Scripts are not `@read` even when they only read: what they run is checked on its own.
    pub const fn implied_by(self, flags: Flags) -> AclCategories {
        let mut all = self;
        if flags.contains(Flag::Write) {
            all = all.with(AclCategory::Write);
        }
        if flags.contains(Flag::ReadOnly) && !self.contains(AclCategory::Scripting) {
            all = all.with(AclCategory::Read);
        }
        if flags.contains(Flag::Admin) {
            all = all.with(AclCategory::Admin).with(AclCategory::Dangerous);
        }
        if flags.contains(Flag::PubSub) {
            all = all.with(AclCategory::PubSub);
        }
        if flags.contains(Flag::Blocking) {
            all = all.with(AclCategory::Blocking);
        }
        all.with(if flags.contains(Flag::Fast) {
            AclCategory::Fast
        } else {
            AclCategory::Slow
        })
    }
}

bit_set! {
    /// How a command treats the keys of one key spec.
    KeyFlags of
    /// One property of a key argument. The first four say what happens to the entry as a whole: read only, read and
    /// written, overwritten unread, removed unread. The next four say what happens to the user's data in it.
    KeyFlag {
        Ro = "RO",
        Rw = "RW",
        Ow = "OW",
        Rm = "RM",
        Access = "access",
        Update = "update",
        Insert = "insert",
        Delete = "delete",
        NotKey = "not_key",
        Incomplete = "incomplete",
        VariableFlags = "variable_flags",
    }
}

/// The chapter of the manual a command belongs to; one file of rows each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    String,
    Bitmap,
    List,
    Set,
    Hash,
    SortedSet,
    Geo,
    HyperLogLog,
    Stream,
    VectorSet,
    Generic,
    PubSub,
    Transactions,
    Scripting,
    Connection,
    Server,
    Cluster,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Group::String => "string",
            Group::Bitmap => "bitmap",
            Group::List => "list",
            Group::Set => "set",
            Group::Hash => "hash",
            Group::SortedSet => "sorted-set",
            Group::Geo => "geo",
            Group::HyperLogLog => "hyperloglog",
            Group::Stream => "stream",
            Group::VectorSet => "vector_set",
            Group::Generic => "generic",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Scripting => "scripting",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Cluster => "cluster",
        }
    }
}
