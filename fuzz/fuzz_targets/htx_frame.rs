//! `cargo +nightly fuzz run htx_frame fuzz/corpus/htx_frame fuzz/seeds/htx_frame`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hopline::htx::fuzz::frame(bytes));
