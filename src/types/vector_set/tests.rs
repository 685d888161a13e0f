use std::collections::{HashMap, HashSet};

use super::*;
use crate::memory;
use crate::types::testing::Rng;

fn shape(form: Quantization, dim: usize) -> Shape {
    Shape {
        dim,
        form,
        m: 16,
        projection: None,
    }
}

fn random(rng: &mut Rng, dim: usize) -> Vec<f32> {
    // Sums of several numbers, so that directions are spread over the sphere.
    let component = |rng: &mut Rng| (0..6).map(|_| rng.below(2001) as f32 - 1000.0).sum::<f32>();
    (0..dim).map(|_| component(rng)).collect()
}

fn add(set: &mut VectorSet, name: &[u8], vector: &[f32]) -> bool {
    let point = set.prepare(vector.to_vec());
    set.add(name, point, 200)
}

/// The names of the nearest, as the graph finds them or as they are.
fn nearest(set: &VectorSet, vector: &[f32], count: usize, ef: usize, all: bool) -> Vec<Vec<u8>> {
    let (point, _) = set.prepare(vector.to_vec());
    let wanted = Wanted { ef, filter: None };
    let found = match all {
        true => set.search_all(point.point(), wanted),
        false => set.search(point.point(), wanted),
    };
    found
        .iter()
        .take(count)
        .map(|near| set.name(near.node()).to_vec())
        .collect()
}

fn check_links(set: &VectorSet) {
    for node in 0..set.len() as u32 {
        assert_eq!(set.graph.links.check(node), Ok(()), "node {node}");
        if set.len() > 1 {
            assert!(!set.links(node, 0).is_empty(), "a node alone");
        }
    }
}

/// How much of the ten nearest the graph finds, for vectors of no element.
fn recall(set: &VectorSet, rng: &mut Rng, dim: usize, ef: usize) -> f64 {
    let (mut found, tries) = (0, 100);
    for _ in 0..tries {
        let vector = random(rng, dim);
        let truth: HashSet<_> = nearest(set, &vector, 10, 10, true).into_iter().collect();
        let ours = nearest(set, &vector, 10, ef, false);
        found += ours.iter().filter(|name| truth.contains(*name)).count();
    }
    found as f64 / (10 * tries) as f64
}

#[test]
fn most_of_what_is_near_is_found() {
    for (form, least) in [
        (Quantization::Float, 0.95),
        (Quantization::Int8, 0.95),
        (Quantization::Binary, 0.5),
    ] {
        let mut rng = Rng::new(1);
        let mut set = VectorSet::new(shape(form, 32));
        for n in 0..2_000 {
            let vector = random(&mut rng, 32);
            assert!(add(&mut set, format!("e{n}").as_bytes(), &vector));
        }
        check_links(&set);
        let recall = recall(&set, &mut rng, 32, 100);
        assert!(recall >= least, "{form:?}: {recall}");
    }
}

#[test]
fn edits_follow_a_map() {
    for (seed, form) in [Quantization::Float, Quantization::Int8, Quantization::Binary]
        .into_iter()
        .enumerate()
    {
        let mut rng = Rng::new(seed as u64);
        let mut set = VectorSet::new(shape(form, 8));
        let mut model = HashMap::<Vec<u8>, (Vec<f32>, Vec<u8>)>::new();
        for step in 0..4_000 {
            let name = format!("element:{}", rng.below(400)).into_bytes();
            // Grows at first, and is taken apart in the end.
            let removes = if step < 2_500 { 4 } else { 2 };
            match rng.below(6) {
                n if n < removes - 1 && step >= 500 => {
                    assert_eq!(set.remove(&name), model.remove(&name).is_some());
                }
                5 => {
                    let attribute = vec![b'x'; rng.below(3) * 40];
                    let known = model.get_mut(&name).map(|(_, known)| *known = attribute.clone());
                    assert_eq!(set.set_attribute(&name, &attribute), known.is_some());
                }
                _ => {
                    let vector = random(&mut rng, 8);
                    assert_eq!(add(&mut set, &name, &vector), !model.contains_key(&name));
                    model.entry(name.clone()).or_default().0 = vector;
                }
            }
            assert_eq!(set.len(), model.len());
            if step % 50 == 0 {
                check_links(&set);
            }
        }
        assert_eq!(
            set.attributes(),
            model.values().filter(|(_, attribute)| !attribute.is_empty()).count()
        );
        for copy in [&set.clone(), &set] {
            check_links(copy);
            for (name, (vector, attribute)) in &model {
                let node = copy.find(name).expect("an element");
                assert_eq!((copy.name(node), copy.attribute(node)), (&name[..], &attribute[..]));
                let (point, length) = copy.prepare(vector.clone());
                assert_eq!(copy.length(node), length);
                assert_eq!(copy.point(node).raw(), point.point().raw());
                if form == Quantization::Float {
                    assert!(nearest(copy, vector, 1, 100, false).contains(name));
                }
            }
        }
        for name in model.keys() {
            assert!(set.remove(name));
        }
        assert!(set.is_empty());
        assert_eq!(set.memory(), 0, "{form:?}");
    }
}

#[test]
fn many_links_cost_no_more_than_they_must() {
    let mut rng = Rng::new(11);
    let mut set = VectorSet::new(Shape {
        m: 300,
        ..shape(Quantization::Float, 8)
    });
    for n in 0..1_500 {
        let vector = random(&mut rng, 8);
        add(&mut set, format!("e{n}").as_bytes(), &vector);
    }
    for n in 0..700 {
        assert!(set.remove(format!("e{}", 2 * n).as_bytes()));
    }
    check_links(&set);
    assert!(recall(&set, &mut rng, 8, 100) >= 0.95);
}

#[test]
fn what_was_removed_leaves_a_graph_as_good() {
    let mut rng = Rng::new(7);
    let mut set = VectorSet::new(shape(Quantization::Float, 32));
    for n in 0..4_000 {
        let vector = random(&mut rng, 32);
        add(&mut set, format!("e{n}").as_bytes(), &vector);
    }
    for n in 0..2_000 {
        assert!(set.remove(format!("e{}", 2 * n).as_bytes()));
    }
    check_links(&set);
    let recall = recall(&set, &mut rng, 32, 100);
    assert!(recall >= 0.95, "{recall}");
}

#[test]
fn clusters_are_reached_from_each_other() {
    let mut rng = Rng::new(3);
    let mut set = VectorSet::new(shape(Quantization::Float, 16));
    for cluster in 0..20 {
        let center = random(&mut rng, 16);
        for n in 0..100 {
            let vector: Vec<f32> = center
                .iter()
                .map(|component| component + rng.below(100) as f32)
                .collect();
            add(&mut set, format!("{cluster}:{n}").as_bytes(), &vector);
        }
    }
    check_links(&set);
    // Every element is found by its own vector.
    let found = (0..set.len() as u32).filter(|&node| {
        let (point, _) = set.prepare(set.vector(node));
        let wanted = Wanted { ef: 100, filter: None };
        let nearest = set.search(point.point(), wanted);
        nearest.iter().any(|near| near.node() == node)
    });
    assert!(found.count() >= 1_980);
}

#[test]
fn memory_is_what_the_allocator_counts() {
    memory::claim_serving_thread();
    for form in [Quantization::Float, Quantization::Int8, Quantization::Binary] {
        let mut rng = Rng::new(9);
        let before = memory::used();
        let mut set = VectorSet::new(shape(form, 20));
        for n in 0..3_000 {
            let vector = random(&mut rng, 20);
            let name = format!("element:{n}");
            add(&mut set, name.as_bytes(), &vector);
            if n % 3 == 0 {
                set.set_attribute(name.as_bytes(), &vec![b'a'; n % 100]);
            }
            if n % 5 == 0 {
                set.remove(format!("element:{}", rng.below(n + 1)).as_bytes());
            }
        }
        let (told, used) = (set.memory(), memory::used() - before);
        assert!(told.abs_diff(used) * 50 <= used, "{told} of {used}");
        let with_copy = memory::used();
        let copy = set.clone();
        assert!(copy.memory().abs_diff(memory::used() - with_copy) * 50 <= used);
        drop(copy);
        let mut steps = 0;
        while !set.free_step(100) {
            steps += 1;
        }
        assert!(steps > 40, "{steps}");
        drop(set);
        assert_eq!(memory::used(), before);
    }
}

#[test]
fn equal_requests_make_equal_sets() {
    let make = || {
        let mut rng = Rng::new(4);
        let mut set = VectorSet::new(shape(Quantization::Int8, 12));
        for n in 0..500 {
            let vector = random(&mut rng, 12);
            add(&mut set, format!("e{n}").as_bytes(), &vector);
            if n % 4 == 0 {
                set.remove(format!("e{}", n / 2).as_bytes());
            }
        }
        set
    };
    let (one, other) = (make(), make());
    for node in 0..one.len() as u32 {
        assert_eq!(one.name(node), other.name(node));
        assert_eq!(one.level(node), other.level(node));
        for level in 0..=one.level(node) {
            assert_eq!(one.links(node, level), other.links(node, level));
        }
    }
}

#[test]
fn a_filter_bounds_what_is_found_and_looked_at() {
    let mut rng = Rng::new(5);
    let mut set = VectorSet::new(shape(Quantization::Float, 16));
    for n in 0..2_000 {
        let vector = random(&mut rng, 16);
        add(&mut set, format!("{n}").as_bytes(), &vector);
    }
    let (point, _) = set.prepare(random(&mut rng, 16));
    let mut asked = 0;
    let mut search = |most: usize| {
        asked = 0;
        let mut passes = |node: u32| {
            asked += 1;
            set.name(node).ends_with(b"00")
        };
        let wanted = Wanted {
            ef: 100,
            filter: Some((&mut passes, most)),
        };
        (set.search(point.point(), wanted), asked)
    };
    let (found, _) = search(usize::MAX);
    assert_eq!(found.len(), 19);
    assert!(found.iter().all(|near| set.name(near.node()).ends_with(b"00")));
    let (_, asked) = search(300);
    assert!((300..=340).contains(&asked), "{asked}");
}

#[test]
fn projections_keep_about_what_is_near() {
    let mut rng = Rng::new(6);
    let projection = Projection::new(300, 100);
    for _ in 0..50 {
        let (a, b) = (random(&mut rng, 300), random(&mut rng, 300));
        let mix: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b / 2.0).collect();
        let cosine = |a: Vec<f32>, b: Vec<f32>| {
            let (a, b) = (
                OwnedPoint::new(a, Quantization::Float).0,
                OwnedPoint::new(b, Quantization::Float).0,
            );
            a.point().distance(b.point())
        };
        let before = cosine(a.clone(), mix.clone());
        let after = cosine(projection.apply(&a), projection.apply(&mix));
        assert!((before - after).abs() < 0.3, "{before} {after}");
    }
}

#[test]
fn nodes_sort_by_distance() {
    let distances = [-1.0f32, -0.5, -0.0, 0.0, 1e-30, 0.5, 1.0, 2.0, f32::INFINITY];
    for pair in distances.windows(2) {
        assert!(Near::new(pair[0], 9) < Near::new(pair[1], 3));
    }
    for distance in distances {
        assert_eq!(
            (Near::new(distance, 7).distance(), Near::new(distance, 7).node()),
            (distance, 7)
        );
    }
}
