//! `cargo +nightly fuzz run htx_streams fuzz/corpus/htx_streams fuzz/seeds/htx_streams`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hopline::htx::fuzz::streams(bytes));
