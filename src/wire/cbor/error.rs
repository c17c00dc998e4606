//! Why bytes are not DET-CBOR, and why a value is not what was expected there.

use super::decode::{MAX_DEPTH, MAX_ITEMS};

/// Why bytes are not one value in DET-CBOR. Offsets count from the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("offset {offset}: {needed} bytes wanted, {left} are left")]
    Truncated {
        /// Where the missing bytes would begin.
        offset: usize,
        /// How many.
        needed: u64,
        /// The bytes there are.
        left: usize,
    },
    /// Something follows the value.
    #[error("offset {offset}: {left} bytes behind the value")]
    Trailing {
        /// Where the value ends.
        offset: usize,
        /// The bytes behind it.
        left: usize,
    },
    /// A length that is not said at the beginning, or a reserved form of one.
    #[error("offset {offset}: the initial byte {initial:#04x} says no definite length")]
    Indefinite {
        /// Where the item begins.
        offset: usize,
        /// Its first byte.
        initial: u8,
    },
    /// A number or a length in more bytes than it needs.
    #[error("offset {offset}: {value} in a longer form than it needs")]
    NotShortest {
        /// Where the item begins.
        offset: usize,
        /// The number.
        value: u64,
    },
    /// A tag, a float, or a simple value other than false, true and null.
    #[error("offset {offset}: the initial byte {initial:#04x} begins a tag, a float or a simple value")]
    Forbidden {
        /// Where the item begins.
        offset: usize,
        /// Its first byte.
        initial: u8,
    },
    /// A text is not UTF-8.
    #[error("offset {offset}: the text is not UTF-8")]
    NotUtf8 {
        /// The first byte that does not fit.
        offset: usize,
    },
    /// A key of a map stands behind a higher one.
    #[error("offset {offset}: the key stands behind a higher one")]
    KeyOrder {
        /// Where the key begins.
        offset: usize,
    },
    /// A key of a map stands there twice.
    #[error("offset {offset}: the key stands there twice")]
    DuplicateKey {
        /// Where the second one begins.
        offset: usize,
    },
    /// Arrays and maps in one another, deeper than anything we speak.
    #[error("offset {offset}: nested deeper than {MAX_DEPTH}")]
    Depth {
        /// Where the innermost begins.
        offset: usize,
    },
    /// More items than anything we speak has.
    #[error("offset {offset}: more than {MAX_ITEMS} items")]
    Items {
        /// Where the first item too many begins, or the array or map that announces it.
        offset: usize,
    },
}

/// Why a value of a map is not what a field of a record or a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The field is not there.
    #[error("the {field} is missing")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// The value is of another kind.
    #[error("the {field} is not {expected}")]
    Kind {
        /// Which field.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A string has a length that it cannot have.
    #[error("the {field} has {len} bytes; it takes {least} to {most}")]
    Length {
        /// Which field.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The fewest bytes.
        least: usize,
        /// The most bytes.
        most: usize,
    },
    /// A list has more items than it may.
    #[error("there are {count} of {field}; it takes at most {most}")]
    Count {
        /// Which field.
        field: &'static str,
        /// How many.
        count: usize,
        /// The most there can be.
        most: usize,
    },
    /// A number beyond what it counts.
    #[error("the {field} is {value}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it says.
        value: u64,
    },
    /// A field that this map does not have.
    #[error("there are {count} fields that do not belong there")]
    Unknown {
        /// How many.
        count: usize,
    },
}
