//! A request that outlives the buffers it came in: queued by MULTI, or kept while its client waits.

use crate::commands::table::CommandSpec;
use crate::resp::request::{Args, Span};

/// A request with a copy of its arguments.
#[derive(Debug)]
pub struct OwnedRequest {
    pub spec: &'static CommandSpec,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Arguments that arrived in buffers of their own, and are kept in them.
    bigs: Vec<Vec<u8>>,
}

impl OwnedRequest {
    /// Copies the arguments; those in `bigs` are taken instead, so that a large value is not in memory twice.
    /// O(bytes).
    pub fn take(spec: &'static CommandSpec, input: &[u8], spans: &[Span], bigs: &mut Vec<Vec<u8>>) -> Self {
        let small = spans.iter().filter(|span| !span.is_big());
        let mut bytes = Vec::with_capacity(small.map(|span| span.len()).sum());
        let args = Args::new(input, spans, &[]);
        let spans = spans.iter().enumerate().map(|(index, span)| {
            if span.is_big() {
                return *span;
            }
            let start = bytes.len();
            bytes.extend_from_slice(args.at(index));
            Span::new(start, span.len())
        });
        let spans = spans.collect();
        OwnedRequest {
            spec,
            bytes,
            spans,
            bigs: std::mem::take(bigs),
        }
    }

    /// A copy of arguments wherever they are. O(bytes).
    pub fn copy<'a>(spec: &'static CommandSpec, args: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for arg in args {
            spans.push(Span::new(bytes.len(), arg.len()));
            bytes.extend_from_slice(arg);
        }
        OwnedRequest {
            spec,
            bytes,
            spans,
            bigs: Vec::new(),
        }
    }

    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &self.bigs)
    }

    /// Bytes held, for `argv-mem` and `multi-mem`.
    pub fn memory(&self) -> usize {
        let bigs: usize = self.bigs.iter().map(Vec::capacity).sum();
        size_of::<Self>() + self.bytes.capacity() + self.spans.capacity() * size_of::<Span>() + bigs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::lookup_full;

    #[test]
    fn arguments_survive_their_buffer() {
        let spec = lookup_full(b"set").expect("a command");
        let input = b"..set.key..value".to_vec();
        let spans = [Span::new(2, 3), Span::new(6, 3), Span::new(11, 5)];
        let request = OwnedRequest::take(spec, &input, &spans, &mut Vec::new());
        drop(input);
        assert_eq!(request.args().to_vec(), [&b"set"[..], b"key", b"value"]);
    }
}
