//! What must hold of any input from outside, as functions that panic where it does not. Each is a fuzz target of the same name
//! under `fuzz_targets/`; they use the public interface of the library only.

pub mod konnect_answer;
pub mod next;
pub mod retry_after;
pub mod times;
pub mod url_template;
