//! The bytes of a fuzzer, read as what happens: numbers, lengths, and payloads that mean something.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::Value;

/// Payloads that mean something, to be changed here and there: the vectors.
static TEMPLATES: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let file: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/bitchat.json")).unwrap_or_default();
    let vectors = file.get("vectors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let hex = |vector: &Value, field: &str| vector.get(field).and_then(Value::as_str).map(from_hex);
    let both = vectors.iter().flat_map(|vector| [hex(vector, "hex"), hex(vector, "payload_hex")]);
    both.flatten().filter(|bytes| !bytes.is_empty()).collect()
});

/// The bytes of a course; past their end everything is zero.
pub(super) struct Tape<'a>(pub(super) &'a [u8]);

impl Tape<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub(super) fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound.max(1)
    }

    pub(super) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// So many of the bytes that follow as a length says, or as there are.
    pub(super) fn bytes(&mut self) -> Bytes {
        let short = self.byte();
        let len = if short < 240 { u16::from(short % 40) } else { self.number() % 700 };
        let len = usize::from(len).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Bytes::copy_from_slice(bytes)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = usize::from(self.byte()).checked_rem(from.len())?;
        from.get(index).copied()
    }

    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// A payload that means something, changed in at most three places; or bytes of the course.
pub(super) fn template(tape: &mut Tape) -> Bytes {
    let kind = tape.byte();
    let index = usize::from(tape.byte()).checked_rem(TEMPLATES.len());
    let Some(template) = index.and_then(|index| TEMPLATES.get(index)).filter(|_| kind < 192) else {
        return tape.bytes();
    };
    let mut payload = template.to_vec();
    for _ in 0..kind % 4 {
        change(&mut payload, tape);
    }
    payload.into()
}

pub(super) fn change(bytes: &mut [u8], tape: &mut Tape) {
    let at = usize::from(tape.number()).checked_rem(bytes.len());
    if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
        *byte = tape.byte();
    }
}

fn from_hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.chars().filter_map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}
