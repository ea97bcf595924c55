//! The target `konnect_answer` of docs/reliability.md.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| konnect_replay_fuzz::konnect_answer::check(data));
