//! SORT: the elements of a list, set or sorted set in another order, or what other keys say about them.
//!
//! Elements are copied into rows first, since weights and results are looked up in the same keyspace. Which rows are
//! wanted is known before sorting, so that only those are put in order: O(N + M log M) for M of N elements.

mod order;
mod pattern;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::ops::Range;

use super::expiry::syntax_error;
use super::handlers::Family;
use super::values::{View, ViewMut, ZsetMut, new_list};
use crate::format::number::{parse_i64, parse_weight};
use crate::keyspace::{Key, Kind};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::core::Core;
use crate::server::failure::{Failure, WRONG_TYPE};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::list::{Direction, End, ListRef};
use crate::types::listpack::Element;
use crate::types::set::SetRef;
use crate::types::zset::ZsetRef;
use order::Numbered;
use pattern::{Lookup, Pattern};

pub const COMMANDS: Family = &[("sort", sort), ("sort_ro", sort_ro)];

/// What SORT was asked for beyond the key.
struct Options<'a> {
    /// Whose values are compared; the elements themselves if there is none.
    by: Option<Pattern<'a>>,
    /// Some BY named no key that depends on the element: elements keep the order they have.
    unsorted: bool,
    start: i64,
    /// How many, all if negative.
    count: i64,
    gets: Vec<Pattern<'a>>,
    descending: bool,
    alpha: bool,
    /// The argument with the key for the result.
    store: Option<usize>,
    is_for_script: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, may_store: bool, may_read_any: bool) -> Result<Self, Failure> {
        let mut options = Options {
            by: None,
            unsorted: false,
            start: 0,
            count: -1,
            gets: Vec::new(),
            descending: false,
            alpha: false,
            store: None,
            is_for_script: false,
        };
        let mut at = 2;
        while let Some(name) = args.get(at) {
            let left = args.len() - at - 1;
            let is = |option: &[u8], values: usize| left >= values && name.eq_ignore_ascii_case(option);
            at += 1;
            if is(b"asc", 0) {
                options.descending = false;
            } else if is(b"desc", 0) {
                options.descending = true;
            } else if is(b"alpha", 0) {
                options.alpha = true;
            } else if is(b"limit", 2) {
                (options.start, options.count) = (integer(args.at(at))?, integer(args.at(at + 1))?);
                at += 2;
            } else if is(b"store", 1) && may_store {
                options.store = Some(at);
                at += 1;
            } else if is(b"by", 1) {
                let pattern = Pattern::parse(args.at(at));
                if matches!(pattern, Pattern::Key { .. }) && !may_read_any {
                    return Err("ERR BY option of SORT denied due to insufficient ACL permissions.".into());
                }
                options.unsorted |= !matches!(pattern, Pattern::Key { .. });
                options.by = Some(pattern);
                at += 1;
            } else if is(b"get", 1) {
                if !may_read_any {
                    return Err("ERR GET option of SORT denied due to insufficient ACL permissions.".into());
                }
                options.gets.push(Pattern::parse(args.at(at)));
                at += 1;
            } else {
                return syntax_error();
            }
        }
        Ok(options)
    }

    /// Which of `len` elements, in the order asked for, are wanted.
    fn window(&self, len: usize) -> Range<usize> {
        let start = self.start.clamp(0, len as i64) as usize;
        let left = len - start;
        let count = usize::try_from(self.count).map_or(left, |count| count.min(left));
        start..start + count
    }
}

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination]
fn sort(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let may_read_any = ctx.core.may_read_any(ctx.session, ctx.spec, args);
    run(ctx, args, Options::parse(args, true, may_read_any)?)
}

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA]
fn sort_ro(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let may_read_any = ctx.core.may_read_any(ctx.session, ctx.spec, args);
    run(ctx, args, Options::parse(args, false, may_read_any)?)
}

fn run(ctx: &mut Context<'_>, args: Args<'_>, mut options: Options<'_>) -> Outcome {
    options.is_for_script = ctx.core.scripts.is_script(ctx.session);
    let key = ctx.key(&args, 1);
    let mut rows = Rows::default();
    if ctx.core.read(ctx.database, key).is_some() {
        unpack_sorted_set(ctx.core, ctx.database, key);
        rows.load(ctx.core, ctx.database, key, &mut options)?;
    }
    if !options.unsorted {
        rows.weigh(ctx.core, ctx.database, &options)?;
        rows.sort(&options);
    }
    match options.store {
        None => rows.reply(ctx, &options.gets),
        Some(at) => {
            let target = ctx.key(&args, at);
            rows.store(ctx, &options.gets, target);
        }
    }
    Ok(())
}

/// Sorting a sorted set leaves it in its large form, in Redis as well, where OBJECT ENCODING shows it.
fn unpack_sorted_set(core: &mut Core, database: usize, key: Key<'_>) {
    let (limits, times) = (ZsetMut::limits(&core.settings), core.moment.times());
    let entry = core.keyspace.db_mut(database).find_mut(key);
    let packed = entry.filter(|entry| entry.kind() == Kind::ZsetPacked);
    if let Some(mut zset) = packed.and_then(|entry| ZsetMut::of(entry, limits, times)) {
        zset.unpack();
    }
}

/// One element.
struct Row {
    /// Where it stands among the texts.
    text: Range<usize>,
    weight: Weight,
}

/// What an element is compared by.
enum Weight {
    /// Itself, or nothing.
    None,
    Number(f64),
    /// Where it stands among the weights.
    Text(Range<usize>),
}

impl Numbered for Row {
    /// Texts stand in the order in which rows were made. Only empty ones share a place, and they are all the same.
    fn number(&self) -> (usize, usize) {
        (self.text.start, self.text.end)
    }
}

/// Elements, and which of them are wanted when they are in order.
#[derive(Default)]
struct Rows {
    texts: Vec<u8>,
    weights: Vec<u8>,
    rows: Vec<Row>,
    window: Range<usize>,
}

impl Rows {
    fn push(&mut self, element: Element<'_>) {
        let text = append(&mut self.texts, element);
        let weight = Weight::None;
        self.rows.push(Row { text, weight });
    }

    /// Copies the elements of a key; if they are in order already, only those that are wanted.
    fn load(&mut self, core: &Core, database: usize, key: Key<'_>, options: &mut Options<'_>) -> Outcome {
        let Some(entry) = core.keyspace.db(database).find(key) else {
            return Ok(());
        };
        let value = entry.value();
        if let Some(list) = ListRef::of(value) {
            self.load_list(list, options);
        } else if let Some(set) = SetRef::of(value) {
            self.load_set(set, options);
        } else if let Some(zset) = ZsetRef::of(value) {
            self.load_sorted_set(zset, options);
        } else {
            return Err(WRONG_TYPE.into());
        }
        if options.unsorted {
            self.window = 0..self.rows.len();
        }
        Ok(())
    }

    fn load_list(&mut self, list: ListRef<'_>, options: &Options<'_>) {
        let len = list.len();
        self.window = options.window(len);
        let (start, wanted) = (self.window.start, self.window.len());
        let (first, direction, count) = match (options.unsorted, options.descending) {
            (false, _) => (0, Direction::Forward, len),
            (true, false) => (start, Direction::Forward, wanted),
            (true, true) => (len.saturating_sub(start + 1), Direction::Backward, wanted),
        };
        if count > 0 {
            list.walk(first, direction).show(count, |element| self.push(element));
        }
    }

    fn load_set(&mut self, set: SetRef<'_>, options: &mut Options<'_>) {
        if options.unsorted && (options.store.is_some() || options.is_for_script) {
            // A set has no order of its own. What is stored, or what a script makes of it, must be the same wherever
            // this command runs.
            (options.unsorted, options.alpha, options.by) = (false, true, None);
        }
        self.window = options.window(set.len());
        let part = if options.unsorted {
            self.window.clone()
        } else {
            0..set.len()
        };
        let members = set.iter().skip(part.start).take(part.len());
        members.for_each(|member| self.push(member));
    }

    fn load_sorted_set(&mut self, zset: ZsetRef<'_>, options: &Options<'_>) {
        let len = zset.len();
        self.window = options.window(len);
        let (ranks, reverse) = match (options.unsorted, options.descending) {
            (false, _) => (0..len, false),
            (true, false) => (self.window.clone(), false),
            (true, true) => (len - self.window.end..len - self.window.start, true),
        };
        zset.iter(ranks, reverse).for_each(|(member, _)| self.push(member));
    }

    /// Finds out what each row is compared by. O(rows).
    fn weigh(&mut self, core: &mut Core, database: usize, options: &Options<'_>) -> Outcome {
        if options.by.is_none() && options.alpha {
            return Ok(());
        }
        let mut lookup = Lookup::default();
        let mut all_numbers = true;
        for row in &mut self.rows {
            let text = &self.texts[row.text.clone()];
            let value = match options.by {
                None => Some(Element::Str(text)),
                Some(pattern) => lookup.find(core, database, pattern, text),
            };
            row.weight = match value {
                None if options.alpha => Weight::None,
                Some(value) if options.alpha => Weight::Text(append(&mut self.weights, value)),
                None => Weight::Number(0.0),
                Some(Element::Int(number)) => Weight::Number(number as f64),
                Some(Element::Str(text)) => {
                    // Most are integers, which are read much quicker as such.
                    let integer = parse_i64(text).map(|integer| integer as f64);
                    let number = integer.or_else(|| parse_weight(text));
                    all_numbers &= number.is_some();
                    Weight::Number(number.unwrap_or_default())
                }
            };
        }
        // Told last, so that all keys have been looked up, which are counted.
        if !all_numbers {
            return Err("ERR One or more scores can't be converted into double".into());
        }
        Ok(())
    }

    fn sort(&mut self, options: &Options<'_>) {
        let (texts, weights, window) = (&self.texts, &self.weights, self.window.clone());
        let mut compare = |a: &Row, b: &Row| {
            let order = order_of(texts, weights, a, b, options);
            if options.descending { order.reverse() } else { order }
        };
        let part_by_weight = options.by.is_some() && window.len() < self.rows.len();
        match part_by_weight {
            true if window.is_empty() => {}
            true => order::quicksort_window(&mut self.rows, window, &mut compare),
            false => order::stable_window(&mut self.rows, window, compare),
        }
    }

    fn wanted(&self) -> &[Row] {
        &self.rows[self.window.clone()]
    }

    fn reply(&self, ctx: &mut Context<'_>, gets: &[Pattern<'_>]) {
        let (mut lookup, rows) = (Lookup::default(), self.wanted());
        ctx.reply.array(rows.len() * gets.len().max(1));
        for row in rows {
            let text = &self.texts[row.text.clone()];
            if gets.is_empty() {
                ctx.reply.bulk(text);
            }
            for &pattern in gets {
                match lookup.find(ctx.core, ctx.database, pattern, text) {
                    Some(value) => ctx.reply.element(value),
                    None => ctx.reply.null(),
                }
            }
        }
    }

    /// Stores the result as a list; what is missing is an empty element.
    fn store(&self, ctx: &mut Context<'_>, gets: &[Pattern<'_>], target: Key<'_>) {
        let (mut results, mut ends) = (Vec::new(), Vec::new());
        let mut lookup = Lookup::default();
        let gets = if gets.is_empty() { &[Pattern::Element] } else { gets };
        for row in self.wanted() {
            let text = &self.texts[row.text.clone()];
            for &pattern in gets {
                let value = lookup.find(ctx.core, ctx.database, pattern, text);
                ends.push(append(&mut results, value.unwrap_or(Element::Str(b""))).end);
            }
        }
        if !ends.is_empty() {
            let texts = (0..ends.len()).map(|index| {
                let start = if index == 0 { 0 } else { ends[index - 1] };
                &results[start..ends[index]]
            });
            let list = new_list(End::Tail, texts, &ctx.core.settings);
            ctx.core.replace(ctx.database, target, list);
            ctx.changed_times(ends.len(), Class::LIST, "sortstore", target.bytes);
        } else if ctx.core.delete_live(ctx.database, target) {
            ctx.changed(Class::GENERIC, "del", target.bytes);
        }
        ctx.reply.len(ends.len());
    }
}

/// Appends an element's text and tells where it stands.
fn append(texts: &mut Vec<u8>, element: Element<'_>) -> Range<usize> {
    let start = texts.len();
    texts.extend_from_slice(element.text(&mut itoa::Buffer::new()));
    start..texts.len()
}

/// Which of two rows comes first when ascending. Numbers that are equal leave it to the elements; weights that are equal
/// texts do not.
fn order_of(texts: &[u8], weights: &[u8], a: &Row, b: &Row, options: &Options<'_>) -> Ordering {
    let text = |range: &Range<usize>| &texts[range.clone()];
    let weight = |range: &Range<usize>| &weights[range.clone()];
    match (&a.weight, &b.weight) {
        (Weight::Number(x), Weight::Number(y)) => {
            let numbers = x.partial_cmp(y).unwrap_or(Ordering::Equal);
            numbers.then_with(|| text(&a.text).cmp(text(&b.text)))
        }
        (Weight::Text(x), Weight::Text(y)) => compare_texts(weight(x), weight(y), options),
        (Weight::Text(_), _) => Ordering::Greater,
        (_, Weight::Text(_)) => Ordering::Less,
        _ if options.by.is_some() => Ordering::Equal,
        _ => compare_texts(text(&a.text), text(&b.text), options),
    }
}

/// Results that are stored are compared whole; those that are shown as C compares texts, up to a NUL byte.
fn compare_texts(a: &[u8], b: &[u8], options: &Options<'_>) -> Ordering {
    if options.store.is_some() {
        return a.cmp(b);
    }
    let up_to_nul = |text: &[u8]| memchr::memchr(0, text).unwrap_or(text.len());
    a[..up_to_nul(a)].cmp(&b[..up_to_nul(b)])
}
