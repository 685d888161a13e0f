use super::*;
use crate::types::testing::Rng;

/// Checks everything readable of the list against the model.
fn check(list: &List, model: &VecDeque<Vec<u8>>) {
    assert_eq!(list.len(), model.len());
    assert!(
        list.walk(0, Direction::Forward)
            .map(Element::to_vec)
            .eq(model.iter().cloned())
    );
    let last = model.len().saturating_sub(1);
    assert!(
        list.walk(last, Direction::Backward)
            .map(Element::to_vec)
            .eq(model.iter().rev().cloned())
    );
    assert_eq!(list.nodes.iter().map(Node::count).sum::<usize>(), model.len());
    for node in &list.nodes {
        assert!(node.count() > 0);
        assert_eq!(node.entries().count(), node.count());
    }
}

fn remove_from_model(model: &mut VecDeque<Vec<u8>>, text: &[u8], most: usize, direction: Direction) -> usize {
    let mut hits: Vec<usize> = (0..model.len()).filter(|&index| model[index] == text).collect();
    match direction {
        Direction::Forward => hits.truncate(most),
        Direction::Backward => drop(hits.drain(..hits.len().saturating_sub(most))),
    }
    for &index in hits.iter().rev() {
        model.remove(index);
    }
    hits.len()
}

fn step(rng: &mut Rng, list: &mut List, model: &mut VecDeque<Vec<u8>>) {
    let text = if rng.chance(200) {
        vec![b'L'; 5000 + rng.below(9000)]
    } else {
        rng.text()
    };
    let index = rng.below(model.len() + 1);
    let end = if rng.chance(2) { End::Head } else { End::Tail };
    let direction = if rng.chance(2) {
        Direction::Forward
    } else {
        Direction::Backward
    };
    match rng.below(24) {
        0..=9 => {
            list.push(end, &text);
            match end {
                End::Head => model.push_front(text),
                End::Tail => model.push_back(text),
            }
        }
        10..=14 => {
            let expected = match end {
                End::Head => model.pop_front(),
                End::Tail => model.pop_back(),
            };
            assert_eq!(list.pop(end), expected);
        }
        15 | 16 => {
            assert_eq!(list.set(index, &text), index < model.len());
            if let Some(slot) = model.get_mut(index) {
                *slot = text;
            }
        }
        19 => {
            let most = 1 + rng.below(3);
            assert_eq!(
                list.remove(&text, most, direction),
                remove_from_model(model, &text, most, direction)
            );
        }
        17 | 18 | 20 => {
            let pivot = model.get(index).cloned().unwrap_or_default();
            let position = model.iter().position(|other| *other == pivot);
            let side = if rng.chance(2) { Beside::Before } else { Beside::After };
            assert_eq!(list.insert_beside(&pivot, side, &text), position.is_some());
            if let Some(position) = position {
                model.insert(position + usize::from(side == Beside::After), text);
            }
        }
        21 if rng.chance(10) => {
            let count = rng.below(model.len() + 1);
            let before = list.len();
            let cut = list.remove_range(index, count);
            let until = (index + count).min(model.len());
            assert!(cut.len() <= until - index);
            assert_eq!(before - list.len(), until - index);
            model.drain(index..until);
        }
        _ => {
            assert_eq!(list.get(index).map(Element::to_vec).as_ref(), model.get(index));
            assert!(
                list.walk(index, Direction::Forward)
                    .map(Element::to_vec)
                    .eq(model.iter().skip(index).cloned())
            );
        }
    }
}

#[test]
fn edits_follow_a_deque() {
    for (seed, setting) in [(1, -1), (2, -2), (3, -5), (4, 1), (5, 3), (6, 128), (7, 0)] {
        let mut rng = Rng::new(seed);
        let (mut list, mut model) = (List::new(Fill::from_setting(setting)), VecDeque::new());
        for round in 0..6_000 {
            step(&mut rng, &mut list, &mut model);
            if round % 50 == 0 {
                check(&list, &model);
            }
        }
        check(&list, &model);
        while !list.free_step(3) {}
        check(&list, &VecDeque::new());
    }
}

#[test]
fn small_form_edits_follow_a_deque() {
    let mut rng = Rng::new(9);
    let (mut bytes, mut model) = (listpack::EMPTY.to_vec(), VecDeque::<Vec<u8>>::new());
    for _ in 0..5_000 {
        let (text, pivot) = (rng.text(), rng.text());
        let index = rng.below(model.len() + 1);
        let direction = if rng.chance(2) {
            Direction::Forward
        } else {
            Direction::Backward
        };
        match rng.below(5) {
            0 => {
                listpack::push_back(&mut bytes, Element::of(&text));
                model.push_back(text);
            }
            1 => {
                assert_eq!(packed::set(&mut bytes, index as i64, &text), index < model.len());
                if let Some(slot) = model.get_mut(index) {
                    *slot = text;
                }
            }
            2 => {
                let position = model.iter().position(|other| *other == pivot);
                let side = if rng.chance(2) { Beside::Before } else { Beside::After };
                assert_eq!(
                    packed::insert_beside(&mut bytes, &pivot, side, &text),
                    position.is_some()
                );
                if let Some(position) = position {
                    model.insert(position + usize::from(side == Beside::After), text);
                }
            }
            3 => {
                let most = 1 + rng.below(3);
                let removed = packed::remove(&mut bytes, &text, most, direction);
                assert_eq!(removed, remove_from_model(&mut model, &text, most, direction));
            }
            _ if model.len() > 60 => {
                let (start, count) = (rng.below(20), rng.below(40));
                packed::trim(&mut bytes, start, count);
                model.truncate(start + count);
                model.drain(..start);
            }
            _ => {}
        }
        let list = ListRef::Packed(listpack::validate(&bytes).expect("well formed"));
        assert_eq!(list.len(), model.len());
        assert!(
            list.walk(index, Direction::Forward)
                .map(Element::to_vec)
                .eq(model.iter().skip(index).cloned())
        );
        let back = model.iter().take(index + 1).rev().cloned();
        if index < model.len() {
            assert!(list.walk(index, Direction::Backward).map(Element::to_vec).eq(back));
        }
    }
}

#[test]
fn forms_convert_both_ways() {
    let fill = Fill::from_setting(4);
    let pack = listpack::from_elements((0..4).map(Element::Int));
    assert!(!fill.outgrown_by(Listpack::new(&pack), 0, 0));
    assert!(fill.outgrown_by(Listpack::new(&pack), 1, 1));
    let mut list = List::from_listpack(Listpack::new(&pack), fill);
    list.push(End::Tail, b"4");
    assert_eq!(list.nodes().len(), 2);
    assert!(!list.packs());
    list.pop(End::Tail);
    assert!(!list.packs());
    list.pop(End::Tail);
    list.pop(End::Tail);
    assert!(list.packs());
    assert_eq!(list.to_listpack(), listpack::from_elements((0..2).map(Element::Int)));
}

#[test]
fn a_queue_stays_small_and_full_nodes_waste_little() {
    let mut list = List::new(Fill::from_setting(-2));
    for n in 0..400_000 {
        list.push(End::Tail, format!("element:{n}").as_bytes());
        if n >= 300 {
            list.pop_with(End::Head, |_| ());
        }
    }
    assert!(list.memory() < 40_000, "{}", list.memory());

    for end in [End::Head, End::Tail] {
        let mut list = List::new(Fill::from_setting(-2));
        (0..200_000).for_each(|n| list.push(end, format!("element:{n}").as_bytes()));
        let buffers: usize = list.nodes.iter().map(Node::capacity).sum();
        let elements: usize = list.nodes.iter().map(Node::size).sum();
        assert!(buffers < elements + elements / 200 + 8192, "{buffers} for {elements}");
    }
}

#[test]
fn edits_follow_a_deque_while_what_is_large_changes() {
    for (seed, setting) in [(1, -1), (2, 3), (3, 128)] {
        let mut rng = Rng::new(seed);
        let (mut list, mut model) = (List::new(Fill::from_setting(setting)), VecDeque::new());
        for round in 0..4_000 {
            if round % 100 == 0 {
                set_large_from([0, 1, 5, 100][round / 100 % 4]);
            }
            step(&mut rng, &mut list, &mut model);
            if round % 50 == 0 {
                check(&list, &model);
            }
        }
        set_large_from(0);
        check(&list, &model);
    }
}

#[test]
fn large_elements_stand_alone() {
    let mut list = List::new(Fill::from_setting(-1));
    let large = vec![b'x'; 5_000];
    list.push(End::Tail, b"a");
    list.push(End::Tail, b"b");
    list.push(End::Tail, b"c");
    list.set(1, &large);
    assert_eq!(list.nodes.iter().map(Node::count).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(list.get(1).is_some_and(|element| element.is(&large)));
    list.set(1, b"b");
    assert!(
        list.walk(0, Direction::Forward)
            .map(Element::to_vec)
            .eq([b"a", b"b", b"c"].map(|text| text.to_vec()))
    );
}
