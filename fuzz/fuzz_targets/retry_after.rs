//! The target `retry_after` of docs/reliability.md.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| konnect_replay_fuzz::retry_after::check(data));
