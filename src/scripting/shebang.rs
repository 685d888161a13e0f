//! The first line of a script, `#!lua flags=no-writes,allow-oom`: in which language it is and what it may do.

/// What a script may do and must be able to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// There was no such line: each command of the script is checked by itself, as before there were any.
    pub is_undeclared: bool,
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot_keys: bool,
}

impl Flags {
    /// Those of a script that declares nothing.
    pub const UNDECLARED: Flags = Flags {
        is_undeclared: true,
        no_writes: false,
        allow_oom: false,
        allow_stale: false,
        no_cluster: false,
        allow_cross_slot_keys: false,
    };

    /// Adds the flag of that name; false if there is none.
    pub fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"no-writes" => &mut self.no_writes,
            b"allow-oom" => &mut self.allow_oom,
            b"allow-stale" => &mut self.allow_stale,
            b"no-cluster" => &mut self.no_cluster,
            b"allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// The names of those that are set, as replies tell them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot_keys, "allow-cross-slot-keys"),
        ];
        all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name)
    }
}

/// Reads the flags of a script and gives how many bytes the line has. Its line feed stays, so that the lines keep their
/// numbers.
///
/// # Errors
/// What is wrong with the line.
pub fn read(script: &[u8]) -> Result<(Flags, usize), String> {
    if !script.starts_with(b"#!") {
        return Ok((Flags::UNDECLARED, 0));
    }
    let len = memchr::memchr(b'\n', script).ok_or("Invalid script shebang")?;
    let mut line = script[..len].to_vec();
    let mut places = Vec::new();
    let whole = crate::resp::request::split_words(&mut line, |start, len| places.push(start..start + len));
    let words: Vec<&[u8]> = places.into_iter().map(|place| &line[place]).collect();
    let Some((engine, options)) = words.split_first().filter(|_| whole.is_some()) else {
        return Err("Invalid engine in script shebang".to_owned());
    };
    let text = String::from_utf8_lossy;
    if *engine != b"#!lua" {
        return Err(format!("Unexpected engine in script shebang: {}", text(engine)));
    }
    let mut flags = Flags::default();
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(format!("Unknown lua shebang option: {}", text(option)));
        };
        for name in names.split(|&byte| byte == b',').filter(|_| !names.is_empty()) {
            if !flags.set(name) {
                return Err(format!("Unexpected flag in script shebang: {}", text(name)));
            }
        }
    }
    Ok((flags, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        assert_eq!(read(b"return 1"), Ok((Flags::UNDECLARED, 0)));
        assert_eq!(read(b"#!lua\nreturn 1"), Ok((Flags::default(), 5)));
        let (flags, len) = read(b"#!lua flags=no-writes,allow-stale\n").expect("a good line");
        assert!(flags.no_writes && flags.allow_stale && !flags.allow_oom && !flags.is_undeclared);
        assert_eq!(len, 33);
        let bad = [
            ("#!lua", "Invalid script shebang"),
            ("#!py\n", "Unexpected engine in script shebang: #!py"),
            ("#!lua x=1\n", "Unknown lua shebang option: x=1"),
            ("#!lua flags=bad\n", "Unexpected flag in script shebang: bad"),
        ];
        for (script, error) in bad {
            assert_eq!(read(script.as_bytes()), Err(error.to_owned()));
        }
    }
}
