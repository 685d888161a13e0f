use super::*;

const SPARSE_MAX: usize = 3000;

/// Registers one by one, as the textbook has them.
fn model(elements: u32) -> [u8; REGISTERS] {
    let mut registers = [0; REGISTERS];
    for element in 0..elements {
        let (index, number) = place(&element.to_le_bytes());
        registers[index] = number.max(registers[index]);
    }
    registers
}

fn registers_of(bytes: &[u8]) -> Vec<u8> {
    let mut registers = Registers::default();
    registers.merge(bytes).expect("made by this module");
    registers.iter().collect()
}

fn counted(elements: std::ops::Range<u32>, sparse_max: usize) -> Vec<u8> {
    let mut bytes = empty();
    for element in elements {
        add(&mut bytes, &element.to_le_bytes(), sparse_max).expect("made by this module");
    }
    bytes
}

#[test]
fn strings_are_those_of_redis() {
    // What GET shows after PFADD h a b c and PFCOUNT h.
    let mut bytes = empty();
    for element in [b"a", b"b", b"c"] {
        assert_eq!(add(&mut bytes, element, SPARSE_MAX), Ok(true));
        assert_eq!(add(&mut bytes, element, SPARSE_MAX), Ok(false));
    }
    assert_eq!(cached(&bytes), None);
    let cardinality = count(&bytes).expect("made by this module");
    cache(&mut bytes, cardinality);
    assert_eq!(bytes, b"HYLL\x01\0\0\0\x03\0\0\0\0\0\0\0`\xf3\x80P\xb1\x84K\xfb\x80BZ");
    assert_eq!(cached(&bytes), Some(3));
}

/// A run whose second byte is missing is split as if it were there; the string is as long as that makes it in Redis.
#[test]
fn a_run_that_is_cut_off_is_split_as_by_redis() {
    let mut bytes = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80b\x99\t\xddd".to_vec();
    assert_eq!(add(&mut bytes, b"-0", SPARSE_MAX), Ok(true));
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80b\x99\t\xddY\x14\x8cJ");
}

#[test]
fn both_encodings_hold_the_same_registers() {
    for elements in [0, 1, 10, 300, 1000, 3000, 20_000] {
        let want = model(elements);
        let (sparse, dense) = (counted(0..elements, usize::MAX), counted(0..elements, 0));
        assert_eq!(registers_of(&sparse), want, "{elements}");
        assert_eq!(registers_of(&dense), want, "{elements}");
        assert_eq!(count(&sparse), count(&dense));
        if elements > 0 {
            assert_eq!(Encoding::of(&dense), Some(Encoding::Dense));
            assert_eq!((dense.len(), Encoding::of(&sparse)), (12_304, Some(Encoding::Sparse)));
        }
    }
}

#[test]
fn estimates_are_close() {
    let mut bytes = empty();
    let mut checkpoint = 1;
    for element in 1..=200_000u32 {
        let added = add(&mut bytes, &element.to_le_bytes(), SPARSE_MAX);
        assert!(added.is_ok());
        if element == checkpoint {
            let estimate = count(&bytes).expect("made by this module") as f64;
            let error = (estimate - f64::from(element)).abs();
            assert!(error <= (f64::from(element) * 0.04).ceil(), "{element}: {estimate}");
            checkpoint = checkpoint * 3 / 2 + 1;
        }
    }
}

#[test]
fn merging_is_counting_the_union() {
    for (a, b) in [
        (0..50, 25..100),
        (0..900, 800..2000),
        (0..100, 50..30_000),
        (0..0, 0..0),
    ] {
        let mut target = counted(a.clone(), SPARSE_MAX);
        let mut registers = Registers::default();
        let source = counted(b.clone(), SPARSE_MAX);
        for bytes in [&target, &source] {
            assert_eq!(registers.merge(bytes), Ok(()));
        }
        let union = counted(a.start..b.end, usize::MAX);
        assert_eq!(Ok(registers.count()), count(&union));
        assert_eq!(registers.store(&mut target, SPARSE_MAX), Ok(()));
        assert_eq!(registers_of(&target), registers_of(&union));
        assert_eq!(cached(&target), None);
    }
}

/// A cursor is only a short cut: the string is the same as if every register had been looked for from the start.
#[test]
fn merging_with_a_cursor_changes_nothing() {
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..300 {
        let mut slow = empty();
        let most = random.u8(2..6);
        let mut registers = Registers::default();
        for _ in 0..2 {
            let (from, width) = (random.usize(0..REGISTERS - 400), random.usize(1..400));
            for _ in 0..random.usize(0..800) {
                let (index, number) = (from + random.usize(0..width), random.u8(1..most));
                let raised = sparse::raise(&mut slow, &mut sparse::Cursor::start(), index, number, usize::MAX);
                assert!(raised.is_ok());
                registers.0[index] = number.max(registers.0[index]);
            }
            let mut fast = slow.clone();
            for number in registers.0.iter_mut().skip(from).take(width) {
                *number = (*number).max(random.u8(0..most));
            }
            for (index, number) in registers.iter().enumerate().filter(|&(_, number)| number > 0) {
                let raised = sparse::raise(&mut slow, &mut sparse::Cursor::start(), index, number, usize::MAX);
                assert!(raised.is_ok());
            }
            assert_eq!(registers.store(&mut fast, usize::MAX), Ok(()));
            invalidate(&mut slow);
            assert_eq!(fast, slow);
            assert_eq!(registers_of(&fast), registers.iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn strings_that_are_none_are_told_apart() {
    let valid = empty();
    assert_eq!(Encoding::of(&valid), Some(Encoding::Sparse));
    for end in 0..HEADER {
        assert_eq!(Encoding::of(&valid[..end]), None);
    }
    assert_eq!(Encoding::of(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None);
    assert_eq!(Encoding::of(b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None);
    assert_eq!(Encoding::of(b"hyll\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None);
}

#[test]
fn corrupt_runs_are_errors_and_never_more() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..20_000 {
        let mut bytes = counted(0..random.u32(0..40), SPARSE_MAX);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(HEADER..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(HEADER..=bytes.len() + 20));
        let valid = count(&bytes).is_ok();
        assert_eq!(Registers::default().merge(&bytes).is_ok(), valid);
        assert_eq!(make_dense(&mut bytes.clone()).is_ok(), valid);
        let sparse_max = random.choice([0, SPARSE_MAX]).unwrap_or(0);
        for element in 0..20u32 {
            let added = add(&mut bytes, &element.to_le_bytes(), sparse_max);
            assert!(added.is_ok() || !valid);
        }
    }
}

#[test]
fn numbers_that_no_element_offers_do_no_harm() {
    let mut bytes = empty();
    assert_eq!(make_dense(&mut bytes), Ok(true));
    bytes[HEADER..].fill(0xFF);
    // Redis answers this with the lowest integer.
    assert_eq!(count(&bytes), Ok(1 << 63));
}
