//! `cargo +nightly fuzz run htx_ticket fuzz/corpus/htx_ticket fuzz/seeds/htx_ticket`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hopline::htx::gate::fuzz::presented(bytes);
    hopline::htx::gate::fuzz::policy(bytes);
});
