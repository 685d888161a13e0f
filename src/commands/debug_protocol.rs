//! DEBUG PROTOCOL: one reply of every type, for those who write clients.
//!
//! Clients' own tests compare these replies to the byte, so values and texts are Redis's.

use crate::resp::reply::{Protocol, Reply};
use crate::server::Outcome;

const UNKNOWN_TYPE: &str = "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|\
                            null|array|set|map|attrib|push|verbatim|true|false";

/// Not meant to be precise.
#[allow(clippy::approx_constant)]
const DOUBLE: f64 = 3.141;

/// DEBUG PROTOCOL type
pub(super) fn protocol(kind: &[u8], reply: &mut Reply) -> Outcome {
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk("Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(DOUBLE),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => numbers(reply, Reply::array),
        b"set" => numbers(reply, Reply::set),
        b"map" => map(reply),
        b"attrib" => attribute(reply),
        b"push" => return push(reply),
        b"verbatim" => reply.verbatim("txt", "This is a verbatim\nstring"),
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        _ => return Err(UNKNOWN_TYPE.into()),
    }
    Ok(())
}

fn numbers(reply: &mut Reply, announce: impl Fn(&mut Reply, usize)) {
    announce(reply, 3);
    (0..3).for_each(|number| reply.int(number));
}

fn map(reply: &mut Reply) {
    reply.map(3);
    for number in 0..3 {
        reply.int(number);
        reply.bool(number == 1);
    }
}

/// RESP2 has no attributes; there only the reply is sent that one would stand before.
fn attribute(reply: &mut Reply) {
    if reply.protocol == Protocol::Resp3 {
        reply.attribute(1);
        reply.bulk("key-popularity");
        reply.array(2);
        reply.bulk("key:123");
        reply.int(90);
    }
    reply.bulk("Some real reply following the attribute");
}

fn push(reply: &mut Reply) -> Outcome {
    if reply.protocol == Protocol::Resp2 {
        return Err("ERR RESP2 is not supported by this command".into());
    }
    reply.push(2);
    reply.bulk("server-cpu-usage");
    reply.int(42);
    reply.bulk("Some real reply following the push reply");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, protocol: Protocol) -> String {
        let mut reply = Reply::new(protocol);
        match super::protocol(kind.as_bytes(), &mut reply) {
            Ok(()) => String::from_utf8_lossy(&reply.bytes).replace("\r\n", "|"),
            Err(failure) => String::from_utf8_lossy(&failure.0).into_owned(),
        }
    }

    #[test]
    fn every_type_in_both_protocols() {
        let attribute = "$39|Some real reply following the attribute|";
        let cases = [
            ("STRING", "$11|Hello World|", "$11|Hello World|"),
            ("integer", ":12345|", ":12345|"),
            ("double", "$5|3.141|", ",3.141|"),
            (
                "bignum",
                "$37|1234567999999999999999999999999999999|",
                "(1234567999999999999999999999999999999|",
            ),
            ("null", "$-1|", "_|"),
            ("array", "*3|:0|:1|:2|", "*3|:0|:1|:2|"),
            ("set", "*3|:0|:1|:2|", "~3|:0|:1|:2|"),
            ("map", "*6|:0|:0|:1|:1|:2|:0|", "%3|:0|#f|:1|#t|:2|#f|"),
            (
                "attrib",
                attribute,
                &format!("|1|$14|key-popularity|*2|$7|key:123|:90|{attribute}"),
            ),
            (
                "push",
                "ERR RESP2 is not supported by this command",
                ">2|$16|server-cpu-usage|:42|$40|Some real reply following the push reply|",
            ),
            (
                "verbatim",
                "$25|This is a verbatim\nstring|",
                "=29|txt:This is a verbatim\nstring|",
            ),
            ("true", ":1|", "#t|"),
            ("false", ":0|", "#f|"),
            ("x", UNKNOWN_TYPE, UNKNOWN_TYPE),
        ];
        for (kind, second, third) in cases {
            assert_eq!(answer(kind, Protocol::Resp2), second, "{kind}");
            assert_eq!(answer(kind, Protocol::Resp3), third, "{kind}");
        }
    }
}
