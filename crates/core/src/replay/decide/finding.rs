//! What a reading of Konnect's job says of a submission.

use crate::api::{Submission, SubmissionState};
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::facts::record;
use crate::replay::facts::window::{self, is_window_of};

/// What a reading of Konnect's job says of a submission (docs/konnect-api.md 1, "GET finds, after our PUT").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is our run.
    Ours,
    /// It is the very job that was there before, or there is none as before: nothing was taken, or the GET lags.
    Nothing,
    /// It is somebody else's, or Konnect has lost the one that was there.
    AnotherWindow,
}

/// Compares what was read with the record. Konnect's own answer to the request says how Konnect writes the window of this run, which
/// need not be how it was sent.
pub(crate) fn find(submission: &Submission, job: &RemoteJob) -> Finding {
    let accepted = submission.accepted.as_ref().map(record::remote_job);
    let is_accepted = accepted.as_ref().and_then(window::of_remote).is_some_and(|shown| is_window_of(shown, job));
    let previous = submission.previous.as_ref().map(record::remote_job);
    if is_our_failure(submission, job) {
        Finding::Ours
    } else if submission.state != SubmissionState::Adopted && previous.as_ref() == Some(job) {
        Finding::Nothing
    } else if is_window_of(submission.window, job) || is_accepted || is_shown_rounded(submission, job) {
        Finding::Ours
    } else if job.status == RemoteStatus::Unconfigured
        && previous.is_some_and(|p| p.status == RemoteStatus::Unconfigured)
    {
        Finding::Nothing
    } else {
        Finding::AnotherWindow
    }
}

/// Whether it is the run of a request whose answer showed none, with the window rounded. Where the answer showed one, that is how Konnect
/// writes it.
fn is_shown_rounded(submission: &Submission, job: &RemoteJob) -> bool {
    let is_unanswered = submission.accepted.is_none() && submission.state != SubmissionState::Adopted;
    is_unanswered && window::may_be_shown_as(submission.window, job)
}

/// Whether it is the failure of our run although it shows no window (docs/konnect-api.md, Q6): ours was read before, so it was there to
/// fail, or the job is at least another than before our request.
fn is_our_failure(submission: &Submission, job: &RemoteJob) -> bool {
    let nameless = job.status == RemoteStatus::Failed && job.start_at.is_none() && job.end_at.is_none();
    let before = submission.previous.as_ref().map(record::remote_job);
    nameless && (submission.last_read.is_some() || before.as_ref() != Some(job))
}
