//! A node of a stream: up to some hundred entries as one listpack, in the form Redis keeps in memory and on disk.
//!
//! A node is stored under the ID of its first entry (the *master* ID) and begins with a *master entry* that
//! describes it; the entries follow. Each line is a run of listpack elements:
//!
//! ```text
//! master   count  deleted  num-fields  field ... field  0
//! entry    flags  ms-delta  seq-delta  [num-fields  field]  value ... value|field value ...  lp-count
//! ```
//!
//! IDs are differences to the master ID, and an entry whose fields are the master's (flag `SAMEFIELDS`) holds its
//! values alone: a sensor's reading takes a dozen bytes. `lp-count` says how many elements an entry has before it, which is
//! how iteration finds the start of an entry from its end. A deleted entry is only flagged, so that deleting does not
//! move a node's bytes; the master counts the living and the deleted.
//!
//! Bytes from outside pass [`validate`], which walks them to their end, or, if whoever brought them is trusted,
//! [`validate_frame`], which looks at the master entry alone. Reading therefore believes no entry: it asserts what costs no
//! more than comparing integers, so that a broken node ends the server and never answers, hangs or grows without bound.

use crate::types::listpack::{self, Element, Entries, Entry as Item};
use crate::types::packed::PackedBuf;

use super::id::StreamId;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// The byte behind a listpack's last element.
const END: u8 = 0xFF;
/// An entry without a value has flags, two differences and a count, of two bytes each.
const ENTRY_BYTES_MIN: usize = 8;

/// The bytes are no stream node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptNode;

/// A node for reading.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    bytes: &'a [u8],
    master_id: StreamId,
    master: Master,
}

/// Where the parts of a master entry are.
#[derive(Clone, Copy)]
struct Master {
    count: usize,
    deleted: usize,
    deleted_at: usize,
    num_fields: usize,
    fields_at: usize,
    entries_at: usize,
}

impl Master {
    fn parse(bytes: &[u8]) -> Master {
        let mut items = Entries::between(bytes, listpack::HEADER, bytes.len() - 1);
        let mut next = || items.next().expect("a node begins with a master entry");
        let (count, deleted, num_fields) = (next(), next(), next());
        let fields = integer(num_fields) as usize;
        let terminator = (0..fields).fold(num_fields, |_, _| next());
        Master {
            count: integer(count) as usize,
            deleted: integer(deleted) as usize,
            deleted_at: deleted.at,
            num_fields: fields,
            fields_at: num_fields.end,
            // The element behind the fields is a zero of two bytes.
            entries_at: terminator.end + 2,
        }
    }

    /// Checks a master entry from outside, element by element; the frame around has been checked.
    fn checked(bytes: &[u8]) -> Result<Master, CorruptNode> {
        let mut at = listpack::HEADER;
        let mut next = || {
            let item = listpack::checked_entry(bytes, at).ok_or(CorruptNode)?;
            at = item.end;
            Ok::<Item, CorruptNode>(item)
        };
        let (count, deleted, num_fields) = (next()?, next()?, next()?);
        let fields = size(num_fields)?;
        for _ in 0..fields {
            next()?;
        }
        let terminator = next()?;
        // Reading relies on the two bytes that this zero takes when nobody has forged it.
        if terminator.element != Element::Int(0) || terminator.end - terminator.at != 2 {
            return Err(CorruptNode);
        }
        let master = Master {
            count: size(count)?,
            deleted: size(deleted)?,
            deleted_at: deleted.at,
            num_fields: fields,
            fields_at: num_fields.end,
            entries_at: terminator.end,
        };
        let room = (bytes.len() - 1 - master.entries_at) / ENTRY_BYTES_MIN;
        let entries = master.count.checked_add(master.deleted).ok_or(CorruptNode)?;
        if (1..=room).contains(&entries) {
            Ok(master)
        } else {
            Err(CorruptNode)
        }
    }
}

/// An entry of a stream.
#[derive(Clone)]
pub struct StreamEntry<'a> {
    pub id: StreamId,
    /// Pairs of field and value, in the order they were added.
    pub fields: Fields<'a>,
}

/// The fields and values of an entry.
#[derive(Clone)]
pub struct Fields<'a> {
    left: usize,
    /// The master's fields, if the entry shares them.
    shared: Option<Entries<'a>>,
    own: Entries<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let field = self.shared.as_mut().unwrap_or(&mut self.own).next()?;
        Some((field.element, self.own.next()?.element))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// An entry, dead or alive, and where its parts are.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub id: StreamId,
    pub at: usize,
    pub end: usize,
    pub deleted: bool,
    same_fields: bool,
    num_fields: usize,
    fields_at: usize,
}

#[inline]
fn integer(item: Item) -> i64 {
    match item.element {
        Element::Int(value) => value,
        Element::Str(_) => panic!("a stream's node has a text in the place of an integer"),
    }
}

impl<'a> Node<'a> {
    /// The bytes must be a node; those from outside are checked by [`validate`] or [`validate_frame`] first.
    pub fn new(bytes: &'a [u8], master_id: StreamId) -> Self {
        Node {
            bytes,
            master_id,
            master: Master::parse(bytes),
        }
    }

    /// Entries that are not deleted.
    pub fn count(&self) -> usize {
        self.master.count
    }

    /// Entries deleted but still there as bytes.
    pub fn deleted(&self) -> usize {
        self.master.deleted
    }

    /// Where the first entry begins.
    pub fn start(&self) -> usize {
        self.master.entries_at
    }

    /// Where the last entry ends.
    pub fn end(&self) -> usize {
        self.bytes.len() - 1
    }

    /// The entry that begins at `at`, `None` at the end.
    #[inline]
    pub fn span_at(&self, at: usize) -> Option<Span> {
        if at >= self.end() {
            return None;
        }
        let flags = Item::starting(self.bytes, at);
        let ms = Item::starting(self.bytes, flags.end);
        let seq = Item::starting(self.bytes, ms.end);
        let same_fields = integer(flags) & SAME_FIELDS != 0;
        let (num_fields, fields_at, fixed, elements) = if same_fields {
            (self.master.num_fields, seq.end, 3, self.master.num_fields)
        } else {
            let num_fields = Item::starting(self.bytes, seq.end);
            let n = self.number_of_elements(num_fields);
            (n, num_fields.end, 4, n * 2)
        };
        let lp_count = (0..elements).fold(fields_at, |at, _| Item::starting(self.bytes, at).end);
        let lp_count = Item::starting(self.bytes, lp_count);
        assert!(
            integer(lp_count) == (fixed + elements) as i64,
            "a stream entry's count of elements does not match its fields"
        );
        assert!(lp_count.end <= self.end(), "a stream entry ends outside of its node");
        Some(Span {
            id: StreamId {
                ms: self.master_id.ms.wrapping_add(integer(ms) as u64),
                seq: self.master_id.seq.wrapping_add(integer(seq) as u64),
            },
            at,
            end: lp_count.end,
            deleted: integer(flags) & DELETED != 0,
            same_fields,
            num_fields,
            fields_at,
        })
    }

    /// The entry that ends at `end`, `None` at the start.
    pub fn span_before(&self, end: usize) -> Option<Span> {
        if end <= self.start() {
            return None;
        }
        let lp_count = Item::ending(self.bytes, end);
        let elements = self.number_of_elements(lp_count);
        let mut at = lp_count.at;
        for _ in 0..elements {
            at = Item::ending(self.bytes, at).at;
            assert!(at >= self.start(), "a stream entry begins outside of its node");
        }
        let span = self.span_at(at);
        assert!(
            span.is_some_and(|span| span.end == end),
            "a stream entry ends elsewhere than where the next begins"
        );
        span
    }

    /// A number that an entry tells of its elements, of which there cannot be more than bytes.
    #[inline]
    fn number_of_elements(&self, item: Item) -> usize {
        let number = integer(item) as usize;
        assert!(
            number < self.bytes.len(),
            "a stream entry counts more elements than its node has"
        );
        number
    }

    pub fn entry(&self, span: &Span) -> StreamEntry<'a> {
        let between = |from| Entries::between(self.bytes, from, self.end());
        StreamEntry {
            id: span.id,
            fields: Fields {
                left: span.num_fields,
                shared: span.same_fields.then(|| between(self.master.fields_at)),
                own: between(span.fields_at),
            },
        }
    }

    /// The ID of the last entry, deleted or not.
    pub fn last_id(&self) -> StreamId {
        self.span_before(self.end()).map_or(self.master_id, |span| span.id)
    }

    /// Whether an entry with these fields may leave them to the master entry.
    fn has_fields<'f>(&self, mut fields: impl Iterator<Item = &'f [u8]>) -> bool {
        let mut master = Entries::between(self.bytes, self.master.fields_at, self.end()).take(self.master.num_fields);
        master.all(|item| fields.next().is_some_and(|field| item.element == Element::of(field)))
            && fields.next().is_none()
    }
}

/// Starts a node at the end of `out`: a master entry with these fields, counting nothing yet.
pub(super) fn begin<'f>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'f [u8]> + Clone) {
    let start = out.len();
    out.extend_from_slice(&listpack::EMPTY[..listpack::HEADER]);
    let num_fields = fields.clone().count();
    push(out, Element::Int(0));
    push(out, Element::Int(0));
    push(out, Element::Int(num_fields as i64));
    fields.for_each(|field| push(out, Element::of(field)));
    push(out, Element::Int(0));
    finish(out, start, num_fields + 4);
}

/// Adds an entry to the node that begins at `start` and reaches to the end of `out`. O(bytes of the entry and of the
/// master's fields): nothing that is there is moved, but for the master's count when it outgrows its bytes.
pub(super) fn append<'f, F>(out: &mut Vec<u8>, start: usize, master_id: StreamId, id: StreamId, fields: F)
where
    F: Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
{
    let node = Node::new(&out[start..], master_id);
    let count = node.count();
    let same_fields = node.has_fields(fields.clone().map(|(field, _)| field));
    out.pop();
    push(out, Element::Int(if same_fields { SAME_FIELDS } else { 0 }));
    push(out, Element::Int(id.ms.wrapping_sub(master_id.ms) as i64));
    push(out, Element::Int(id.seq.wrapping_sub(master_id.seq) as i64));
    let mut lp_count = 3;
    if !same_fields {
        push(out, Element::Int(fields.clone().count() as i64));
        lp_count += 1;
    }
    for (field, value) in fields {
        if !same_fields {
            push(out, Element::of(field));
            lp_count += 1;
        }
        push(out, Element::of(value));
        lp_count += 1;
    }
    push(out, Element::Int(lp_count));
    finish(out, start, lp_count as usize + 1);
    set_count(out, start, count + 1);
}

/// Writes the master's count in place where it fits, which is nearly always.
fn set_count(out: &mut Vec<u8>, start: usize, count: usize) {
    let at = start + listpack::HEADER;
    let (old, new) = (Item::starting(out, at), Element::Int(count as i64));
    if new.encoded_len() == old.end - old.at {
        let range = old.at..old.end;
        new.encode(&mut out[range]);
        return;
    }
    let mut node = out.split_off(start);
    listpack::replace(&mut node, listpack::HEADER, new);
    out.append(&mut node);
}

#[inline]
fn push(out: &mut Vec<u8>, element: Element) {
    if let Element::Int(value @ 0..=0x7F) = element {
        return out.extend_from_slice(&[value as u8, 1]);
    }
    let at = out.len();
    out.resize(at + element.encoded_len(), 0);
    element.encode(&mut out[at..]);
}

/// Closes the listpack that begins at `start`, to which `added` elements were added.
fn finish(out: &mut Vec<u8>, start: usize, added: usize) {
    out.push(END);
    let node = &mut out[start..];
    let total = node.len() as u32;
    node[..4].copy_from_slice(&total.to_le_bytes());
    let stored = u16::from_le_bytes([node[4], node[5]]);
    // The highest count means "unknown" and stays.
    let count = usize::from(stored).saturating_add(added).min(usize::from(u16::MAX)) as u16;
    node[4..6].copy_from_slice(&count.to_le_bytes());
}

/// Flags the entries that begin at `ats` as deleted and moves them from the master's count to its deleted.
pub(super) fn mark_deleted(buf: &mut impl PackedBuf, ats: &[usize]) {
    for &at in ats {
        let flags = integer(Item::starting(buf.bytes(), at));
        listpack::replace(buf, at, Element::Int(flags | DELETED));
    }
    // The counts last, and from the back: when one outgrows its bytes, what is behind it moves.
    let master = Master::parse(buf.bytes());
    let count = master.count.checked_sub(ats.len());
    let count = count.expect("a stream's node counts as many entries as it has");
    let deleted = master.deleted + ats.len();
    listpack::replace(buf, master.deleted_at, Element::Int(deleted as i64));
    listpack::replace(buf, listpack::HEADER, Element::Int(count as i64));
}

/// Checks bytes from outside: a sound listpack whose elements are a master entry and entries, as many as it counts, and with
/// rising IDs but for those that are deleted. Gives the ID of the last that is not. O(bytes).
///
/// Deleted ones may be out of order: after XDEL, XSETID may take the last ID back to before them.
pub(super) fn validate(bytes: &[u8], master_id: StreamId) -> Result<Option<StreamId>, CorruptNode> {
    listpack::validate(bytes).map_err(|_| CorruptNode)?;
    let master = Master::checked(bytes)?;
    let num_fields = master.num_fields;
    let mut items = Entries::between(bytes, master.entries_at, bytes.len() - 1);
    let (mut alive, mut dead, mut last_id) = (0, 0, None);
    while let Some(flags) = items.next() {
        let Element::Int(flags) = flags.element else {
            return Err(CorruptNode);
        };
        let id = StreamId {
            ms: master_id.ms.wrapping_add(expect_integer(&mut items)? as u64),
            seq: master_id.seq.wrapping_add(expect_integer(&mut items)? as u64),
        };
        // Nothing comes before the first entry, whose ID is the master's.
        if id < master_id {
            return Err(CorruptNode);
        }
        let elements = if flags & SAME_FIELDS != 0 {
            skip(&mut items, num_fields)?;
            3 + num_fields
        } else {
            let own = expect_size(&mut items)?;
            skip(&mut items, own * 2)?;
            4 + own * 2
        };
        if expect_size(&mut items)? != elements {
            return Err(CorruptNode);
        }
        if flags & DELETED != 0 {
            dead += 1;
            continue;
        }
        alive += 1;
        if last_id >= Some(id) {
            return Err(CorruptNode);
        }
        last_id = Some(id);
    }
    if (alive, dead) == (master.count, master.deleted) {
        Ok(last_id)
    } else {
        Err(CorruptNode)
    }
}

/// Checks bytes from outside that are trusted: the frame and the master entry, and not the entries. O(bytes of the master
/// entry).
pub(super) fn validate_frame(bytes: &[u8]) -> Result<(), CorruptNode> {
    listpack::validate_frame(bytes).map_err(|_| CorruptNode)?;
    Master::checked(bytes).map(drop)
}

fn expect_integer(items: &mut Entries) -> Result<i64, CorruptNode> {
    match items.next().map(|item| item.element) {
        Some(Element::Int(value)) => Ok(value),
        Some(Element::Str(_)) | None => Err(CorruptNode),
    }
}

fn expect_size(items: &mut Entries) -> Result<usize, CorruptNode> {
    items.next().ok_or(CorruptNode).and_then(size)
}

/// A number of things that are in the node, so below the largest node's bytes.
fn size(item: Item) -> Result<usize, CorruptNode> {
    match item.element {
        Element::Int(value) => u32::try_from(value).map(|size| size as usize).map_err(|_| CorruptNode),
        Element::Str(_) => Err(CorruptNode),
    }
}

fn skip(items: &mut Entries, n: usize) -> Result<(), CorruptNode> {
    if n > 0 && items.nth(n - 1).is_none() {
        Err(CorruptNode)
    } else {
        Ok(())
    }
}
