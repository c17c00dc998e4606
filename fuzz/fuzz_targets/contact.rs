//! `cargo +nightly fuzz run contact fuzz/corpus/contact fuzz/seeds/contact`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hopline::wire::fuzz::contact(bytes));
