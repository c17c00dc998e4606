//! `cargo +nightly fuzz run payloads fuzz/corpus/payloads fuzz/seeds/payloads`
#![no_main]

libfuzzer_sys::fuzz_target!(|payload: &[u8]| hopline::wire::fuzz::payloads(payload));
