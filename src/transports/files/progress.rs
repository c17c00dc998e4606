//! How far a file is.

/// How far a file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its length.
    pub total: u64,
    /// Where this try began: so many bytes were there already.
    pub resumed: u64,
    /// Bytes sent, or received and handed to the disk.
    pub done: u64,
    /// Bytes the receiver's disk has for sure; a try after a cut begins here. A sender leaves it 0.
    pub synced: u64,
}
