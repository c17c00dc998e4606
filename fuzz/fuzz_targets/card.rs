//! `cargo +nightly fuzz run card fuzz/corpus/card fuzz/seeds/card`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hopline::wire::fuzz::card(bytes);
    hopline::wire::fuzz::verify_code(bytes);
});
