//! The allocator, and an exact count of what it has handed out.
//!
//! `maxmemory` and `INFO memory` rest on this count, so it is of whole size classes (what the memory really costs), not
//! of what was asked for. jemalloc is built with 8-byte steps (see `.cargo/config.toml`): a keyspace is made of small
//! entries, and rounding each up to 16 bytes would add up to 15 to every key.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use tikv_jemalloc_sys as jemalloc;

use crate::host::scheduling::{leave_descriptors, stand_back_for_all};

/// The alignment jemalloc gives to any request that is a multiple of it; more must be asked for.
const QUANTUM: usize = 8;

/// Up to this many bytes jemalloc's classes are the same everywhere. Above it rounds to whole pages sooner or later, and
/// what it takes for a page is said when it is built: on AArch64 perhaps 64 KiB.
const PAGED: usize = 32 * 1024;

/// jemalloc behind Rust's allocator interface, counting.
pub struct Counting;

/// Bytes held by threads other than the one that serves. They allocate rarely, so an atomic is cheap enough.
static ELSEWHERE: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Bytes held by the serving thread; no atomic, since this is touched by every allocation it makes.
    static HERE: Cell<isize> = const { Cell::new(0) };
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Declares the calling thread the one that serves. Only it may ask [`used`] for an exact answer.
pub fn claim_serving_thread() {
    SERVING.set(true);
}

/// Bytes in use, in whole size classes.
pub fn used() -> usize {
    // Tests share a process, and what others hold on their threads is no business of one that counts its own.
    if cfg!(test) && SERVING.get() {
        return HERE.get().max(0) as usize;
    }
    // Unit tests run side by side in one process: each counts what its own thread holds.
    let elsewhere = if cfg!(test) {
        0
    } else {
        ELSEWHERE.load(Ordering::Relaxed)
    };
    let total = HERE.get() + elsewhere;
    total.max(0) as usize
}

#[inline]
fn count(bytes: isize) {
    if SERVING.get() || cfg!(test) {
        HERE.set(HERE.get() + bytes);
    } else {
        ELSEWHERE.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What an allocation of `size` bytes really costs: jemalloc's size classes, four to each doubling above 64 bytes.
#[inline]
pub fn size_class(size: usize) -> usize {
    if size <= 64 {
        return if size == 0 { 8 } else { (size + 7) & !7 };
    }
    if size > PAGED {
        // SAFETY: it only computes; the size is above 0.
        return unsafe { jemalloc::nallocx(size, 0) };
    }
    let step = 1usize << (usize::BITS - (size - 1).leading_zeros() - 3);
    (size + step - 1) & !(step - 1)
}

#[inline]
fn flags(layout: Layout) -> i32 {
    // Classes up to the quantum's multiples are aligned to the largest power of two that divides them, so a layout
    // whose size is a multiple of its alignment needs no flag up to the quantum.
    if layout.align() <= QUANTUM && layout.align() <= layout.size() {
        0
    } else {
        jemalloc::MALLOCX_ALIGN(layout.align())
    }
}

// SAFETY: every method hands its arguments to jemalloc under the contract GlobalAlloc's caller already keeps; sizes
// given back at release are the ones asked for, with the same alignment flags. The count has no effect on memory.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let flags = flags(layout);
        // SAFETY: jemalloc's mallocx needs a size above 0, which GlobalAlloc's contract promises.
        let pointer = unsafe {
            if flags == 0 {
                jemalloc::malloc(layout.size())
            } else {
                jemalloc::mallocx(layout.size(), flags)
            }
        };
        if !pointer.is_null() {
            count(size_class(layout.size()) as isize);
        }
        pointer.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let flags = flags(layout);
        // SAFETY: as in `alloc`.
        let pointer = unsafe {
            if flags == 0 {
                jemalloc::calloc(1, layout.size())
            } else {
                jemalloc::mallocx(layout.size(), flags | jemalloc::MALLOCX_ZERO)
            }
        };
        if !pointer.is_null() {
            count(size_class(layout.size()) as isize);
        }
        pointer.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(size_class(layout.size()) as isize));
        // SAFETY: the caller got `pointer` from us with this very layout.
        unsafe { jemalloc::sdallocx(pointer.cast(), layout.size(), flags(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let flags = flags(layout);
        // SAFETY: the caller got `pointer` from us with this layout, and `new_size` is above 0.
        let moved = unsafe {
            if flags == 0 {
                jemalloc::realloc(pointer.cast(), new_size)
            } else {
                jemalloc::rallocx(pointer.cast(), new_size, flags)
            }
        };
        if !moved.is_null() {
            count(size_class(new_size) as isize - size_class(layout.size()) as isize);
        }
        moved.cast()
    }
}

/// What jemalloc says of itself, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorStats {
    pub allocated: usize,
    pub active: usize,
    pub resident: usize,
}

/// Asks jemalloc for its own figures. Takes microseconds: for INFO, not for a request.
pub fn allocator_stats() -> AllocatorStats {
    let mut epoch: u64 = 1;
    let mut size = std::mem::size_of::<u64>();
    // SAFETY: "epoch" is a u64 that is read and written; both pointers are to a live u64 of the size given.
    unsafe {
        jemalloc::mallctl(
            c"epoch".as_ptr(),
            (&raw mut epoch).cast(),
            &raw mut size,
            (&raw mut epoch).cast(),
            std::mem::size_of::<u64>(),
        );
    }
    let read = |name: &std::ffi::CStr| {
        let mut value: usize = 0;
        let mut size = std::mem::size_of::<usize>();
        // SAFETY: the statistics named here are size_t, and the pointers are to a live usize of the size given.
        unsafe {
            jemalloc::mallctl(
                name.as_ptr(),
                (&raw mut value).cast(),
                &raw mut size,
                std::ptr::null_mut(),
                0,
            );
        }
        value
    };
    AllocatorStats {
        allocated: read(c"stats.allocated"),
        active: read(c"stats.active"),
        resident: read(c"stats.resident"),
    }
}

/// The release of jemalloc that is built in, as `5.3.1`.
pub fn allocator_version() -> String {
    let mut version: *const libc::c_char = std::ptr::null();
    let mut size = std::mem::size_of_val(&version);
    // SAFETY: "version" is a pointer to a constant C string, and the pointers are to a live pointer of the size given.
    let text = unsafe {
        jemalloc::mallctl(
            c"version".as_ptr(),
            (&raw mut version).cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        );
        if version.is_null() {
            return String::new();
        }
        std::ffi::CStr::from_ptr(version)
    };
    // Behind a dash comes the commit it was built from.
    text.to_string_lossy().split('-').next().unwrap_or_default().to_owned()
}

/// Room for what jemalloc tells of itself: more than it needs with any number of size classes in use.
const REPORT_BYTES: usize = 256 * 1024;

/// Everything jemalloc tells of itself, as it prints it (`MEMORY MALLOC-STATS`).
pub fn allocator_report() -> Vec<u8> {
    /// SAFETY: `out` must point to a live `Vec<u8>` nobody else uses, and `text` to a C string.
    unsafe extern "C" fn append(out: *mut libc::c_void, text: *const libc::c_char) {
        // SAFETY: the caller's promise.
        let (out, text) = unsafe { (&mut *out.cast::<Vec<u8>>(), std::ffi::CStr::from_ptr(text).to_bytes()) };
        // jemalloc may hold its locks here, so the vector must not grow.
        let room = out.capacity() - out.len();
        out.extend_from_slice(&text[..text.len().min(room)]);
    }
    let mut out: Vec<u8> = Vec::with_capacity(REPORT_BYTES);
    // SAFETY: jemalloc calls `append` with this vector, on this thread and before it returns; no options are given.
    unsafe { jemalloc::malloc_stats_print(Some(append), (&raw mut out).cast(), std::ptr::null()) };
    out
}

/// How jemalloc is set up.
///
/// - one arena: one thread serves, and a second arena would only hold pages back;
/// - dirty pages go back to the system 0.4 s after they were last used, see [`give_back_aside`] and [`decay`];
/// - the slabs of small entries span four pages or eight: each slab costs 128 bytes of bookkeeping, which for one-page
///   slabs is a byte a key;
/// - whole pages begin where a page begins (`cache_oblivious:false`). By default jemalloc adds a page to each large
///   allocation and starts it somewhere in the first, so that the starts of many do not fall into the same cache
///   lines. Our many large allocations, segments of streams and of lists, are not read from their starts, and the page
///   is six hundredths of a segment.
// SAFETY: jemalloc looks for a `const char *` of this name, which a reference to a byte is.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: &u8 = {
    const CONFIGURATION: &std::ffi::CStr =
        c"narenas:1,cache_oblivious:false,dirty_decay_ms:400,muzzy_decay_ms:0,slab_sizes:32-32:4|48-48:6|64-64:8";
    &CONFIGURATION.to_bytes_with_nul()[0]
};

/// Lets jemalloc give back what has been free for a while, where it has no thread for that. It does so by itself only while
/// memory is being allocated, so an idle server has to ask.
pub fn decay() {
    // SAFETY: "arena.4096.decay" (4096 stands for all arenas) takes and returns nothing.
    unsafe {
        jemalloc::mallctl(
            c"arena.4096.decay".as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        );
    }
}

/// Whether jemalloc has a thread that gives pages back.
static GIVES_BACK_ASIDE: AtomicBool = AtomicBool::new(false);

/// Has jemalloc give pages back on a thread of its own, where the system allows that; it runs when nobody else wants the
/// processor. Call once, when the process is the one that will serve.
///
/// Giving back takes a call of the system for every few pages, and jemalloc does a 200th part of what is free at a time: of a
/// million small keys that have expired a millisecond's worth, and of more keys more. On the thread that serves, everybody
/// would wait for it.
pub fn give_back_aside() {
    let thread = std::thread::Builder::new().name("memory".into()).spawn(|| {
        // The thread that jemalloc starts takes after this one.
        stand_back_for_all();
        leave_descriptors();
        give_back_in_pieces();
        GIVES_BACK_ASIDE.store(start_background_thread(), Ordering::Relaxed);
    });
    if let Ok(thread) = thread {
        // It ends whatever comes of it, and a server without it serves as well.
        let _ = thread.join();
    }
}

/// The most bytes that one call of the system gives back.
const PIECE: usize = 1 << 20;

/// How jemalloc itself gives pages back.
static GIVE_BACK: OnceLock<GiveBack> = OnceLock::new();

type GiveBack = unsafe extern "C" fn(*mut jemalloc::extent_hooks_t, *mut c_void, usize, usize, usize, c_uint) -> bool;

/// Has jemalloc's thread offer the processor to others between two calls of the system.
///
/// That a thread runs only while no other wants to is not the whole truth: it is interrupted for one that *wakes*. If the
/// thread that serves was on its way and had to stand aside for something of the kernel's, it may be this one that is
/// chosen next, and then it stays until the next tick of the clock, up to 4 ms with everybody waiting.
fn give_back_in_pieces() {
    const NAME: &std::ffi::CStr = c"arena.0.extent_hooks";
    let (mut hooks, mut size) = (
        std::ptr::null_mut::<jemalloc::extent_hooks_t>(),
        size_of::<*mut c_void>(),
    );
    // SAFETY: "arena.<i>.extent_hooks" gives and takes a pointer to a table of functions, of which there is one arena's. The
    // new table is never freed, and its functions are jemalloc's own but for one, which only calls jemalloc's.
    unsafe {
        let code = jemalloc::mallctl(
            NAME.as_ptr(),
            (&raw mut hooks).cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        );
        if code != 0 || hooks.is_null() {
            return;
        }
        let mut table = *hooks;
        let Some(own) = table.purge_forced else { return };
        if GIVE_BACK.set(own).is_err() {
            return;
        }
        table.purge_forced = Some(give_back);
        let mut table = Box::into_raw(Box::new(table));
        jemalloc::mallctl(
            NAME.as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw mut table).cast(),
            size,
        );
    }
}

/// Gives back `length` bytes from `offset` of a block, piece by piece. True if jemalloc may not count on it.
unsafe extern "C" fn give_back(
    hooks: *mut jemalloc::extent_hooks_t,
    block: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    arena: c_uint,
) -> bool {
    let Some(&own) = GIVE_BACK.get() else { return true };
    let is_aside = !SERVING.get();
    for (start, piece) in pieces(offset, length) {
        // SAFETY: the piece is a part of what jemalloc has asked to be given back.
        if unsafe { own(hooks, block, size, start, piece, arena) } {
            return true;
        }
        if is_aside {
            std::thread::yield_now();
        }
    }
    false
}

/// Cuts `length` bytes from `offset` on into pieces: where each starts, and its length.
fn pieces(offset: usize, length: usize) -> impl Iterator<Item = (usize, usize)> {
    let end = offset + length;
    (offset..end)
        .step_by(PIECE)
        .map(move |start| (start, (end - start).min(PIECE)))
}

fn start_background_thread() -> bool {
    let mut is_on = true;
    // SAFETY: "background_thread" takes a bool.
    let code = unsafe {
        jemalloc::mallctl(
            c"background_thread".as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw mut is_on).cast(),
            size_of::<bool>(),
        )
    };
    code == 0
}

/// Whether pages go back without anybody's asking.
pub fn gives_back_aside() -> bool {
    GIVES_BACK_ASIDE.load(Ordering::Relaxed)
}

/// Has the system keep this process's memory in ordinary pages (`disable-thp`). A huge page stands for 512 of them: it is
/// there as a whole as soon as one byte of it is used, and as long as one is. Never fails: huge pages cost memory, but work.
#[cfg(target_os = "linux")]
pub fn avoid_huge_pages() {
    // SAFETY: PR_SET_THP_DISABLE sets a flag of the process; the other arguments must be 0.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Elsewhere a process has no say in it.
#[cfg(not(target_os = "linux"))]
pub fn avoid_huge_pages() {}

/// Gives dirty pages back to the system (`MEMORY PURGE`).
pub fn purge() {
    // SAFETY: "arena.4096.purge" (4096 stands for all arenas) takes and returns nothing.
    unsafe {
        jemalloc::mallctl(
            c"arena.4096.purge".as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_given_back_is_all_that_was_asked_for_and_no_more() {
        const PAGE: usize = 64 * 1024; // the largest there is
        give_back_in_pieces();
        let layout = Layout::from_size_align(3 * PIECE, PAGE).expect("a layout");
        let (from, length) = (PAGE, 2 * PIECE + PAGE);
        // SAFETY: the block is as large as is filled, given back and read, and freed with the layout it came with.
        unsafe {
            let block = std::alloc::alloc(layout);
            assert!(!block.is_null());
            block.write_bytes(1, layout.size());
            assert!(!give_back(
                std::ptr::null_mut(),
                block.cast(),
                layout.size(),
                from,
                length,
                0
            ));
            let bytes = std::slice::from_raw_parts(block, layout.size());
            let is_kept = |at: usize| !(from..from + length).contains(&at);
            let wrong = (0..bytes.len()).find(|&at| bytes[at] != u8::from(is_kept(at)));
            assert_eq!(wrong, None, "pages given back are zero, and the others as they were");
            std::alloc::dealloc(block, layout);
        }
    }

    #[test]
    fn classes_are_jemallocs() {
        for size in (1..100_000).chain((100_000..20_000_000).step_by(9973)) {
            // SAFETY: nallocx only computes; the size is above 0.
            let real = unsafe { jemalloc::nallocx(size, 0) };
            assert_eq!(size_class(size), real, "{size}");
        }
    }
}
