//! `cargo +nightly fuzz run records fuzz/corpus/records fuzz/seeds/records`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hopline::wire::fuzz::cbor(bytes);
    hopline::wire::fuzz::record(bytes);
    hopline::wire::fuzz::record_file(bytes);
    hopline::wire::fuzz::mailbox(bytes);
});
