//! Lists: a listpack in the entry, or a quicklist.

use super::{NewCollection, ViewMut, empty_listpack};
use crate::config::Settings;
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::{Kind, NewValue};
use crate::types::list::{Beside, Direction, End, Fill, List, ListRef, packed};
use crate::types::listpack::{self, Element, Listpack};
use crate::types::packed::PackedBuf;

/// Bytes an element of a listpack takes beside a short text.
const ELEMENT_FRAME: usize = 2;

/// Texts to be pushed, one after the other.
pub trait Texts<'t>: ExactSizeIterator<Item = &'t [u8]> + DoubleEndedIterator + Clone {}

impl<'t, T: ExactSizeIterator<Item = &'t [u8]> + DoubleEndedIterator + Clone> Texts<'t> for T {}

/// A list for changing.
pub struct ListMut<'a> {
    entry: EntryMut<'a>,
    fill: Fill,
}

/// An element on its way from one list to another.
pub struct Moved {
    pub text: Vec<u8>,
    /// What it counts for where the other list asks whether it may stay a listpack. Redis forgets the length of an integer
    /// that comes out of a quicklist, which shows in `OBJECT ENCODING`.
    counted: usize,
}

/// Its present form.
enum Form<'f, 'a> {
    Packed(&'f mut EntryMut<'a>),
    Quick(&'f mut List),
}

impl<'a> ViewMut<'a> for ListMut<'a> {
    type Limits = Fill;

    fn limits(settings: &Settings) -> Fill {
        Fill::from_setting(settings.list_max_listpack_size.into())
    }

    fn of(entry: EntryMut<'a>, fill: Fill, _: Times) -> Option<Self> {
        matches!(entry.kind(), Kind::ListPacked | Kind::List).then_some(ListMut { entry, fill })
    }
}

impl<'a> ListMut<'a> {
    #[inline]
    fn form(&mut self) -> Form<'_, 'a> {
        match self.entry.kind() {
            Kind::List => Form::Quick(self.entry.boxed().expect("the kind has just been matched")),
            _ => Form::Packed(&mut self.entry),
        }
    }

    /// The list for reading.
    pub fn view(&mut self) -> ListRef<'_> {
        match self.form() {
            Form::Packed(buf) => ListRef::Packed(Listpack::new(buf.bytes())),
            Form::Quick(list) => ListRef::Quick(list),
        }
    }

    /// Pushes texts one after the other and gives the new length. O(1) each; in front of a listpack O(bytes) for all.
    pub fn push<'t>(&mut self, end: End, texts: impl Texts<'t>) -> usize {
        self.unpack_for(texts.clone());
        match self.form() {
            Form::Packed(buf) => {
                push_packed(buf, end, texts);
                Listpack::new(buf.bytes()).len()
            }
            Form::Quick(list) => {
                texts.for_each(|text| list.push(end, text));
                list.len()
            }
        }
    }

    /// Turns a listpack that these texts would make too large into a quicklist.
    fn unpack_for<'t>(&mut self, texts: impl Texts<'t>) {
        if self.entry.kind() == Kind::ListPacked {
            self.unpack_for_totals(total_len(texts.clone()), texts.len());
        }
    }

    /// The same for so many texts of together so many bytes.
    fn unpack_for_totals(&mut self, bytes: usize, texts: usize) {
        if self.entry.kind() != Kind::ListPacked {
            return;
        }
        let pack = Listpack::new(self.entry.bytes());
        if self.fill.outgrown_by(pack, bytes, texts) {
            let list = Box::new(List::from_listpack(pack, self.fill));
            self.entry.convert(NewValue::boxed(list));
        }
    }

    /// Removes the element at an end once `f` has looked at it. O(1); at the head of a listpack O(bytes).
    #[inline]
    pub fn pop_with<R>(&mut self, end: End, f: impl FnOnce(Element) -> R) -> Option<R> {
        match self.form() {
            Form::Quick(list) => list.pop_with(end, f),
            Form::Packed(buf) => {
                let pack = Listpack::new(buf.bytes());
                let entry = match end {
                    End::Head => pack.first()?,
                    End::Tail => pack.last()?,
                };
                let (result, at) = (f(entry.element), entry.at);
                listpack::remove(buf, at);
                Some(result)
            }
        }
    }

    /// As [`ListMut::pop_with`], for an element that is to join a list.
    pub fn pop_moved(&mut self, end: End) -> Option<Moved> {
        let quick = self.entry.kind() == Kind::List;
        self.pop_with(end, |element| {
            let text = element.to_vec();
            let forgotten = quick && matches!(element, Element::Int(_));
            Moved {
                counted: if forgotten { 0 } else { text.len() },
                text,
            }
        })
    }

    /// Pushes an element that left a list. O(1); in front of a listpack O(bytes).
    pub fn push_moved(&mut self, end: End, moved: &Moved) {
        self.unpack_for_totals(moved.counted, 1);
        match self.form() {
            Form::Packed(buf) => push_packed(buf, end, std::iter::once(&moved.text[..])),
            Form::Quick(list) => list.push(end, &moved.text),
        }
    }

    /// Removes `count` elements at an end, of which there must be as many. What is cut out of a quicklist is returned,
    /// to be freed in slices.
    pub fn remove_at(&mut self, end: End, count: usize) -> Option<Box<List>> {
        let start = match end {
            End::Head => 0,
            End::Tail => self.view().len() - count,
        };
        match self.form() {
            Form::Quick(list) => Some(Box::new(list.remove_range(start, count))),
            Form::Packed(buf) => {
                listpack::delete_range(buf, start as i64, count);
                None
            }
        }
    }

    /// Puts `text` in the place of the element at `index`; false when there is none. O(nodes + node size).
    pub fn set(&mut self, index: usize, text: &[u8]) -> bool {
        self.unpack_for(std::iter::once(text));
        match self.form() {
            Form::Quick(list) => list.set(index, text),
            Form::Packed(buf) => i64::try_from(index).is_ok_and(|index| packed::set(buf, index, text)),
        }
    }

    /// Inserts `text` before or after the first element that is `pivot`; false when there is none. O(n).
    ///
    /// A listpack makes room for the text before the pivot is looked for, and so may become a quicklist in vain, which
    /// shows in `OBJECT ENCODING`.
    pub fn insert_beside(&mut self, pivot: &[u8], side: Beside, text: &[u8]) -> bool {
        self.unpack_for(std::iter::once(text));
        match self.form() {
            Form::Quick(list) => list.insert_beside(pivot, side, text),
            Form::Packed(buf) => packed::insert_beside(buf, pivot, side, text),
        }
    }

    /// Removes up to `most` elements that are `text`, the first ones going forward, the last ones going backward.
    /// Returns how many there were. O(n).
    pub fn remove(&mut self, text: &[u8], most: usize, direction: Direction) -> usize {
        match self.form() {
            Form::Quick(list) => list.remove(text, most, direction),
            Form::Packed(buf) => packed::remove(buf, text, most, direction),
        }
    }

    /// Turns a quicklist that has become small enough back into a listpack. To be called after removals.
    #[inline]
    pub fn shrink(&mut self) {
        if let Form::Quick(list) = self.form()
            && list.packs()
        {
            let pack = list.to_listpack();
            self.entry.convert(NewValue::Inline(Kind::ListPacked, &pack));
        }
    }
}

/// The list of a key that had none, with its first elements.
pub fn new_list<'t>(end: End, texts: impl Texts<'t>, settings: &Settings) -> NewCollection {
    let fill = ListMut::limits(settings);
    let bytes = total_len(texts.clone());
    if fill.outgrown_by(Listpack::new(&listpack::EMPTY), bytes, texts.len()) {
        let mut list = Box::new(List::new(fill));
        texts.for_each(|text| list.push(end, text));
        return NewCollection::Large(NewValue::boxed(list));
    }
    let mut pack = empty_listpack(bytes + texts.len() * ELEMENT_FRAME);
    push_packed(&mut pack, end, texts);
    NewCollection::Packed(Kind::ListPacked, pack)
}

fn total_len<'t>(texts: impl Iterator<Item = &'t [u8]>) -> usize {
    texts.map(<[u8]>::len).sum()
}

/// Pushes texts with one edit. The last one pushed in front comes first.
fn push_packed<'t>(buf: &mut impl PackedBuf, end: End, texts: impl Texts<'t>) {
    match end {
        End::Head => listpack::insert_all(buf, listpack::HEADER, texts.rev().map(Element::of)),
        End::Tail => listpack::append(buf, texts.map(Element::of)),
    }
}
