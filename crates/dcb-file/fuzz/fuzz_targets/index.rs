#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dcb_file::fuzz::index(bytes));
