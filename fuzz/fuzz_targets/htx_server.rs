//! `cargo +nightly fuzz run htx_server fuzz/corpus/htx_server fuzz/seeds/htx_server`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hopline::htx::fuzz::server(bytes));
