//! Asks a running replica whether it lives or is ready. For `helm test` and health checks: the image has no shell and no curl.

use std::time::Duration;

use reqwest::{StatusCode, Url, redirect};

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a replica does not count as well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// There was no answer.
    #[error("no answer")]
    NoAnswer(#[from] reqwest::Error),
    /// It answered something else than 200.
    #[error("{url} answered {status}: {text}")]
    NotWell {
        /// What was asked.
        url: Url,
        /// The status of the answer.
        status: StatusCode,
        /// What it said.
        text: String,
    },
}

/// Asks once. No proxy is used and no redirect is followed: a replica is near.
pub(crate) async fn probe(url: Url) -> Result<(), ProbeError> {
    let client = reqwest::Client::builder().no_proxy().timeout(LIMIT).redirect(redirect::Policy::none()).build()?;
    let answer = client.get(url.clone()).send().await?;
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    Err(ProbeError::NotWell { url, status, text: answer.text().await?.trim().to_owned() })
}
