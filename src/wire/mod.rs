//! BitChat bytes to values and back; no state, no keys, no time.
