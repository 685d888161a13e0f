//! The program's own pages, brought in before anybody waits for them.
//!
//! The system maps a program without reading it: each page of code or constants costs a fault when it is first touched,
//! and a read of the disk if nobody else has touched it lately. In a server that first touch is some client's request, or
//! a BGSAVE a day after the start, and all others wait. So the whole program, a few megabytes, is touched at the start.
//! What the process then holds besides is its data, and grows with nothing else.
#![allow(unsafe_code)]

use std::ops::Range;

/// Brings in what is mapped of the program's file for reading. Where the system cannot do that (Linux before 5.14, other
/// systems) pages come when they are touched, as ever.
pub fn populate() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for range in ranges_of(&maps, populate as fn() as usize) {
        populate_range(range);
    }
}

#[cfg(target_os = "linux")]
fn populate_range(range: Range<usize>) {
    // SAFETY: the advice to read pages in changes none of them, whatever is mapped in the range; where nothing is, or where it
    // cannot be read, the call fails.
    unsafe {
        libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_POPULATE_READ);
    }
}

#[cfg(not(target_os = "linux"))]
fn populate_range(_: Range<usize>) {}

/// The ranges that only read the file which `address` is mapped from, out of the text of `/proc/self/maps` (its format is that
/// of proc_pid_maps(5)).
fn ranges_of(maps: &str, address: usize) -> Vec<Range<usize>> {
    let lines: Vec<Mapping> = maps.lines().filter_map(Mapping::parse).collect();
    let Some(own) = lines.iter().find(|mapping| mapping.range.contains(&address)) else {
        return Vec::new();
    };
    let of_own = lines
        .iter()
        .filter(|mapping| mapping.file == own.file && mapping.is_only_read);
    of_own.map(|mapping| mapping.range.clone()).collect()
}

struct Mapping<'a> {
    range: Range<usize>,
    is_only_read: bool,
    /// Device and number of the file.
    file: (&'a str, &'a str),
}

impl<'a> Mapping<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let permissions = words.next()?;
        let (device, inode) = (words.nth(1)?, words.next()?);
        Some(Mapping {
            range: usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?,
            is_only_read: permissions.starts_with("r-"),
            file: (device, inode),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
        1000-3000 r--p 00000000 fe:00 77 /bin/server\n\
        3000-9000 r-xp 00002000 fe:00 77 /bin/server\n\
        9000-a000 rw-p 00008000 fe:00 77 /bin/server\n\
        a000-b000 rw-p 00000000 00:00 0 [heap]\n\
        c000-d000 r-xp 00000000 fe:00 78 /lib/other\n\
        nonsense\n";

    #[test]
    fn only_what_is_read_of_the_own_file_counts() {
        assert_eq!(ranges_of(MAPS, 0x4000), [0x1000..0x3000, 0x3000..0x9000]);
        assert_eq!(ranges_of(MAPS, 0xc000).len(), 1);
        assert!(ranges_of(MAPS, 0xf000).is_empty());
        assert!(ranges_of("", 0x4000).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_running_program_is_found() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("proc is mounted");
        let ranges = ranges_of(&maps, populate as fn() as usize);
        assert!(ranges.iter().any(|range| range.contains(&(populate as fn() as usize))));
        populate();
    }
}
