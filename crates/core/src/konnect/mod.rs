//! Konnect's audit-log API: requests as data, answers read leniently, errors typed. What is known of that API, and what is
//! not, is in docs/konnect-api.md; "docs/konnect-api.md N" in comments refers to its section N.
//!
//! Nothing here does I/O; the operator's `konnect_http` sends the requests. Nothing here decides when to call, or whether to call
//! again.

pub mod answer;
pub mod error;
pub mod limits;
pub mod model;
pub mod request;
pub mod time;
pub mod token;
pub mod url;

pub use answer::{RawAnswer, Reading, read_replay_job, read_webhook, read_webhook_status};
pub use error::{ApiError, CallError, Certainty};
pub use model::{RemoteJob, RemoteStatus, Webhook, WebhookStatus};
pub use request::{Endpoint, RemoteTarget, Request};
pub use token::{Token, TokenError};
pub use url::UrlTemplate;
