//! Room: radio.
