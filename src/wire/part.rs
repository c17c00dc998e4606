//! Private text over 255 bytes: cut into parts, each a private message of its own.
//!
//! Between Hopline nodes a part's message id is `UUID/k.n`, part `k` (from 1) of `n` parts of message `UUID`.
//! To a phone it is an id like any other.

use std::fmt;
use std::str::FromStr;

use crate::ids::MessageId;

/// The most parts of one message: 64 × 255 bytes are 16 KiB of text, and what a receiver has to hold for it.
pub const MAX_PARTS: u16 = 64;

/// The message id of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId {
    id: MessageId,
    index: u16,
    count: u16,
}

/// Why a text is not the id of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePartIdError {
    /// Not of the form `UUID/k.n`, with numbers as they are printed.
    #[error("not of the form UUID/k.n")]
    Form,
    /// `k` is not one of `1..=n`, or `n` is not one of `2..=64`.
    #[error("part {index} of {count} cannot be: parts are 1 to n of n, and n is 2 to {MAX_PARTS}")]
    Range {
        /// `k`.
        index: u16,
        /// `n`.
        count: u16,
    },
}

impl PartId {
    /// Part `index` (from 1) of `count`; a message of one part has no parts, but its plain id.
    pub fn new(id: MessageId, index: u16, count: u16) -> Result<Self, ParsePartIdError> {
        if (2..=MAX_PARTS).contains(&count) && (1..=count).contains(&index) {
            Ok(Self { id, index, count })
        } else {
            Err(ParsePartIdError::Range { index, count })
        }
    }

    /// The message it is a part of.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Which part, from 1.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// How many parts there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// All parts of the message, this one among them, in order.
    pub fn siblings(self) -> impl Iterator<Item = Self> {
        (1..=self.count).map(move |index| Self { index, ..self })
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.id, self.index, self.count)
    }
}

impl FromStr for PartId {
    type Err = ParsePartIdError;

    fn from_str(text: &str) -> Result<Self, ParsePartIdError> {
        let (id, numbers) = text.split_once('/').ok_or(ParsePartIdError::Form)?;
        let (index, count) = numbers.split_once('.').ok_or(ParsePartIdError::Form)?;
        let id = id.parse().map_err(|_| ParsePartIdError::Form)?;
        Self::new(id, number(index)?, number(count)?)
    }
}

/// A number as it is printed: digits only, no zero in front. One text, one id.
fn number(text: &str) -> Result<u16, ParsePartIdError> {
    let number: u16 = text.parse().map_err(|_| ParsePartIdError::Form)?;
    if number.to_string() == text { Ok(number) } else { Err(ParsePartIdError::Form) }
}

/// Cuts a text on character boundaries into parts of at most `max_bytes`; an empty text is one empty part.
///
/// A character longer than `max_bytes` is a part of its own.
pub fn split_text(text: &str, max_bytes: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let (part, left) = rest.split_at(rest.floor_char_boundary(max_bytes).max(first));
        parts.push(part);
        if left.is_empty() {
            return parts;
        }
        rest = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "00112233-4455-6677-8899-AABBCCDDEEFF";

    #[test]
    fn a_part_id_prints_as_it_parses() {
        let part: PartId = format!("{UUID}/2.12").parse().unwrap();
        assert_eq!((part.id().to_string().as_str(), part.index(), part.count()), (UUID, 2, 12));
        assert_eq!(part.to_string(), format!("{UUID}/2.12"));
    }

    #[test]
    fn a_part_is_one_of_at_most_64() {
        for (index, count) in [(0, 2), (3, 2), (1, 1), (1, 65), (65, 65)] {
            let text = format!("{UUID}/{index}.{count}");
            assert_eq!(text.parse::<PartId>(), Err(ParsePartIdError::Range { index, count }));
        }
        assert!(format!("{UUID}/64.64").parse::<PartId>().is_ok());
    }

    #[test]
    fn other_texts_are_not_parts() {
        for text in [
            "",
            UUID,
            "x/1.2",
            "/1.2",
            &format!("{UUID}/1"),
            &format!("{UUID}/01.2"),
            &format!("{UUID}/+1.2"),
        ] {
            assert_eq!(text.parse::<PartId>(), Err(ParsePartIdError::Form), "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(split_text("", 3), [""]);
        assert_eq!(split_text("abc", 3), ["abc"]);
        assert_eq!(split_text("abcd", 3), ["abc", "d"]);
        assert_eq!(split_text("aößb", 3), ["aö", "ßb"]);
        assert_eq!(split_text("a😀b", 3), ["a", "😀", "b"]);
    }
}
