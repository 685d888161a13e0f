use super::*;
use crate::types::testing::Rng;

fn texts(bytes: &[u8]) -> Vec<Vec<u8>> {
    Listpack::new(bytes)
        .iter()
        .map(|entry| entry.element.to_vec())
        .collect()
}

fn check(bytes: &[u8], model: &[Vec<u8>]) {
    let pack = validate(bytes).expect("well formed");
    assert_eq!(pack.len(), model.len());
    assert_eq!(texts(bytes), model);
    let mut backward: Vec<_> = pack.iter().rev().map(|entry| entry.element.to_vec()).collect();
    backward.reverse();
    assert_eq!(backward, model);
}

#[test]
fn integers_of_every_width_read_back() {
    let borders = [
        0,
        127,
        128,
        4095,
        4096,
        32767,
        32768,
        8388607,
        8388608,
        2147483647,
        2147483648,
        i64::MAX,
    ];
    let mut bytes = EMPTY.to_vec();
    let mut model = Vec::new();
    for value in borders.iter().flat_map(|&border| [border, -border, !border]) {
        push_back(&mut bytes, Element::Int(value));
        model.push(value.to_string().into_bytes());
        assert_eq!(Element::Int(value).text_len(), value.to_string().len());
    }
    check(&bytes, &model);
}

#[test]
fn bytes_are_those_of_the_format() {
    let bytes = from_elements([b"1".as_slice(), b"-1", b"300", b"ab", b"007"].map(Element::of));
    let expected = [
        24, 0, 0, 0, 5, 0, // size and count
        1, 1, // 1
        0xDF, 0xFF, 2, // -1 in 13 bits
        0xC1, 0x2C, 2, // 300
        0x82, b'a', b'b', 3, // text
        0x83, b'0', b'0', b'7', 4, // not the canonical form of 7
        0xFF,
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn long_texts_at_the_borders_of_header_and_backlen() {
    for len in [
        62, 63, 64, 125, 126, 127, 4095, 4096, 16377, 16378, 16379, 2097145, 2097146, 2097147,
    ] {
        let text = vec![b'z'; len];
        let bytes = from_elements([Element::Str(b"a"), Element::Str(&text), Element::Int(5)]);
        check(&bytes, &[b"a".to_vec(), text, b"5".to_vec()]);
    }
}

#[test]
fn edits_follow_a_vector() {
    let mut rng = Rng::new(7);
    let mut bytes = EMPTY.to_vec();
    let mut model: Vec<Vec<u8>> = Vec::new();
    for _ in 0..6000 {
        let text = rng.text();
        let element = Element::of(&text);
        let index = rng.below(model.len() + 1);
        match rng.below(9) {
            0 | 1 => {
                push_back(&mut bytes, element);
                model.push(text);
            }
            2 => {
                push_front(&mut bytes, element);
                model.insert(0, text);
            }
            3 => {
                let pack = Listpack::new(&bytes);
                let at = pack.get(index as i64).map_or(pack.end(), |entry| entry.at);
                insert(&mut bytes, at, element);
                model.insert(index, text);
            }
            4 if index < model.len() => {
                let at = Listpack::new(&bytes)
                    .get(index as i64 - model.len() as i64)
                    .map(|entry| entry.at);
                replace(&mut bytes, at.expect("index in range"), element);
                model[index] = text;
            }
            5 | 6 => {
                let count = rng.below(3);
                let removed = delete_range(&mut bytes, index as i64, count);
                let end = (index + count).min(model.len());
                assert_eq!(removed, end - index);
                model.drain(index..end);
            }
            7 => {
                let found = Listpack::new(&bytes).find(&Needle::new(&text)).map(|entry| entry.at);
                let expected = model.iter().position(|other| *other == text);
                assert_eq!(found.is_some(), expected.is_some());
                if let (Some(at), Some(index)) = (found, expected) {
                    assert_eq!(Listpack::new(&bytes).get(index as i64).map(|entry| entry.at), Some(at));
                    remove(&mut bytes, at);
                    model.remove(index);
                }
            }
            _ => {
                let several: Vec<Vec<u8>> = (0..rng.below(4)).map(|_| rng.text()).collect();
                append(&mut bytes, several.iter().map(|text| Element::of(text)));
                model.extend(several);
            }
        }
        if rng.chance(8) {
            check(&bytes, &model);
        }
    }
    check(&bytes, &model);
}

#[test]
fn indexes_count_from_both_ends() {
    let bytes = from_elements((0..10).map(Element::Int));
    let pack = Listpack::new(&bytes);
    let value = |index| pack.get(index).map(|entry| entry.element);
    assert_eq!(value(0), Some(Element::Int(0)));
    assert_eq!(value(9), Some(Element::Int(9)));
    assert_eq!(value(10), None);
    assert_eq!(value(-1), Some(Element::Int(9)));
    assert_eq!(value(-10), Some(Element::Int(0)));
    assert_eq!(value(-11), None);
    assert_eq!(value(i64::MIN), None);
    assert_eq!(value(i64::MAX), None);
}

#[test]
fn a_count_beyond_the_header_is_walked() {
    let mut bytes = from_elements((0..70_000).map(Element::Int));
    assert_eq!(stored_count(&bytes), COUNT_UNKNOWN);
    assert_eq!(validate(&bytes).map(Listpack::len), Ok(70_000));
    assert_eq!(
        Listpack::new(&bytes).get(69_999).map(|entry| entry.element),
        Some(Element::Int(69_999))
    );
    assert_eq!(delete_range(&mut bytes, 10, 65_000), 65_000);
    assert_eq!(validate(&bytes).map(Listpack::len), Ok(5_000));
}

#[test]
fn an_integer_kept_as_text_by_another_writer_is_found() {
    let bytes = from_elements([Element::Str(b"12"), Element::Int(12)]);
    assert_eq!(
        Listpack::new(&bytes).find(&Needle::new(b"12")).map(|entry| entry.at),
        Some(HEADER)
    );
    assert_eq!(Element::Str(b"12").integer(), Some(12));
}

#[test]
fn validation_survives_any_bytes() {
    let mut rng = Rng::new(11);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..rng.below(60)).map(|_| rng.next() as u8).collect();
        if bytes.len() > HEADER && !rng.chance(10) {
            let total = bytes.len();
            write_header(&mut bytes, round % 8);
            bytes[total - 1] = END;
        }
        if let Ok(pack) = validate(&bytes) {
            assert_eq!(pack.iter().count(), pack.iter().rev().count());
        }
    }
}

#[test]
fn validation_notices_every_broken_byte_it_must() {
    let mut rng = Rng::new(13);
    let good = from_elements([
        Element::Int(5),
        Element::Str(b"hello"),
        Element::Int(70_000),
        Element::Str(&[b'x'; 200]),
    ]);
    assert!(validate(&good).is_ok());
    for _ in 0..5_000 {
        let mut bytes = good.clone();
        let at = rng.below(bytes.len());
        bytes[at] = rng.next() as u8;
        if let Ok(pack) = validate(&bytes) {
            assert_eq!(pack.iter().count(), pack.iter().rev().count());
        }
    }
    assert_eq!(validate(&good[..good.len() - 1]).err(), Some(Corrupt::Frame));
    assert_eq!(validate(&[]).err(), Some(Corrupt::Frame));
}
