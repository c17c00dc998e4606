//! `cargo +nightly fuzz run engine`
#![no_main]

libfuzzer_sys::fuzz_target!(|course: &[u8]| {
    hopline::mesh::fuzz::engine(course);
});
