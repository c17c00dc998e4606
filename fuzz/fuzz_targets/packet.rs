//! `cargo +nightly fuzz run packet fuzz/corpus/packet fuzz/seeds/packet`
#![no_main]

libfuzzer_sys::fuzz_target!(|frame: &[u8]| hopline::wire::fuzz::packet(frame));
