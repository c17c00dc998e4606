//! `cargo +nightly fuzz run reassembly`
#![no_main]

libfuzzer_sys::fuzz_target!(|course: &[u8]| hopline::mesh::fuzz::reassembly(course));
