//! The one-line notation in which the families state their commands.
//!
//! | notation | stands for |
//! | --- | --- |
//! | `SET`, `*`, `0` | itself (a word without lower-case letters) |
//! | `key`, `seconds` | a slot: a value from the pool of that name |
//! | `[A\|B x]` | one of these, or nothing |
//! | `<A\|B x>` | one of these |
//! | `{A\|B x\|C}` | any of these in any order, so also some that exclude each other |
//! | `x...` | once or more often |
//!
//! A line says what is *valid or nearly so*; the generator spoils some of what comes out of it.

use super::values::Slot;
use crate::support::random::Random;

/// One element of a syntax line.
#[derive(Clone, Debug)]
pub enum Node {
    Word(&'static str),
    Slot(Slot),
    Optional(Vec<Vec<Node>>),
    Choice(Vec<Vec<Node>>),
    AnyOf(Vec<Vec<Node>>),
    Repeat(Box<Node>),
}

/// Reads a line; panics on a mistake in it, since lines are part of the program.
pub fn parse(line: &'static str) -> Vec<Node> {
    let mut tokens = tokens(line);
    tokens.reverse();
    let nodes = parse_sequence(line, &mut tokens);
    assert!(tokens.is_empty(), "unbalanced: {line}");
    nodes
}

fn tokens(line: &'static str) -> Vec<&'static str> {
    let mut tokens = Vec::new();
    for word in line.split_ascii_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let len = match rest.as_bytes()[0] {
                b'[' | b']' | b'<' | b'>' | b'{' | b'}' | b'|' => 1,
                b'.' if rest.starts_with("...") => 3,
                _ => rest
                    .find(['[', ']', '<', '>', '{', '}', '|'])
                    .into_iter()
                    .chain(rest.find("..."))
                    .min()
                    .unwrap_or(rest.len()),
            };
            let (token, tail) = rest.split_at(len);
            tokens.push(token);
            rest = tail;
        }
    }
    tokens
}

/// Takes tokens from the end of `tokens` up to one that ends a sequence.
fn parse_sequence(line: &str, tokens: &mut Vec<&'static str>) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(&token) = tokens.last() {
        if matches!(token, "]" | ">" | "}" | "|") {
            break;
        }
        tokens.pop();
        let node = match token {
            "[" => Node::Optional(parse_alternatives(line, tokens, "]")),
            "<" => Node::Choice(parse_alternatives(line, tokens, ">")),
            "{" => Node::AnyOf(parse_alternatives(line, tokens, "}")),
            "..." => match nodes.pop() {
                Some(node) => Node::Repeat(Box::new(node)),
                None => panic!("nothing to repeat: {line}"),
            },
            word if word.bytes().any(|byte| byte.is_ascii_lowercase()) => match Slot::named(word) {
                Some(slot) => Node::Slot(slot),
                None => panic!("no slot named {word}: {line}"),
            },
            word => Node::Word(word),
        };
        nodes.push(node);
    }
    nodes
}

fn parse_alternatives(line: &str, tokens: &mut Vec<&'static str>, close: &str) -> Vec<Vec<Node>> {
    let mut alternatives = Vec::new();
    loop {
        alternatives.push(parse_sequence(line, tokens));
        match tokens.pop() {
            Some("|") => {}
            Some(token) if token == close => return alternatives,
            _ => panic!("{close} is missing: {line}"),
        }
    }
}

/// Appends one random expansion of `nodes` to `args`; `fill` gives the value of a slot.
pub fn expand(
    nodes: &[Node],
    random: &mut Random,
    fill: &mut impl FnMut(Slot, &mut Random) -> Vec<u8>,
    args: &mut Vec<Vec<u8>>,
) {
    for node in nodes {
        match node {
            Node::Word(word) => args.push(word.as_bytes().to_vec()),
            Node::Slot(slot) => args.push(fill(*slot, random)),
            Node::Optional(alternatives) => {
                if random.percent(50) {
                    expand_one(alternatives, random, fill, args);
                }
            }
            Node::Choice(alternatives) => expand_one(alternatives, random, fill, args),
            Node::AnyOf(alternatives) => {
                for _ in 0..options(random) {
                    expand_one(alternatives, random, fill, args);
                }
            }
            Node::Repeat(node) => {
                for _ in 0..repetitions(random) {
                    expand(std::slice::from_ref(node), random, fill, args);
                }
            }
        }
    }
}

fn expand_one(
    alternatives: &[Vec<Node>],
    random: &mut Random,
    fill: &mut impl FnMut(Slot, &mut Random) -> Vec<u8>,
    args: &mut Vec<Vec<u8>>,
) {
    let nodes = random.pick(alternatives);
    expand(nodes, random, fill, args);
}

/// How many of a set of options to give: mostly none or one, at times one too many.
fn options(random: &mut Random) -> usize {
    match random.below(100) {
        0..35 => 0,
        35..70 => 1,
        70..90 => 2,
        90..98 => 3,
        _ => 5,
    }
}

/// How often to repeat: mostly a few times, at times often enough to change an encoding.
fn repetitions(random: &mut Random) -> usize {
    match random.below(200) {
        0..110 => 1,
        110..160 => 2,
        160..185 => 3,
        185..197 => 5 + random.below(10),
        197..199 => 30 + random.below(40),
        _ => 120 + random.below(60),
    }
}

#[test]
fn every_kind_of_node_is_read() {
    let nodes = parse("SET key value [NX|XX] {EX seconds|KEEPTTL} <A|key value>...");
    assert_eq!(nodes.len(), 6);
    assert!(matches!(&nodes[3], Node::Optional(alternatives) if alternatives.len() == 2));
    assert!(matches!(&nodes[4], Node::AnyOf(alternatives) if alternatives[0].len() == 2));
    assert!(matches!(&nodes[5], Node::Repeat(node) if matches!(**node, Node::Choice(_))));
}
