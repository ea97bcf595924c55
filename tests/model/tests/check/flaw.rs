//! Guards of the protocol, taken away one at a time. A flaw is a lie told at the edge between the core and its driver, which makes
//! the guard see what a core without it would do on; the core itself has no switch for it (docs/decisions/0021).

/// A guard that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A status is written whatever version it was based on: whoever comes last wins.
    NoPrecondition,
    /// For the rest of a pass it is as late as it was when Konnect's job was read: a reading never ages.
    TrustsTheReading,
    /// A request without an answer counts as refused.
    SendsAgainBlindly,
    /// The record does not say which job was at Konnect before.
    ForgetsPrevious,
    /// Every job is told that it is its turn.
    SkipsReservation,
    /// The settle time counts from the time in the record, which another clock may have written.
    ComparesClocks,
    /// What was read after a refused write is forgotten at the end of the pass.
    ForgetsRefusals,
    /// A new leader does not rest although the one before did not end in order.
    DoesNotRest,
    /// No two Secrets are told apart: not as organisations, and not as tokens.
    ForgetsTheSecret,
    /// What one job found at its target holds up all jobs of that target, whatever their token, version and policy.
    SharesWhatOneFound,
    /// A job whose PUT failed keeps its lane.
    KeepsTheLane,
    /// What a Complete object has on record counts as delivered to where the webhook points today.
    TrustsTheReceiver,
    /// A window that begins or ends up to 59 s elsewhere counts as the same.
    CountsAboutTheSame,
    /// A run of which nothing was heard for an hour goes on reserving its target.
    KeepsAQuietTarget,
    /// A job behind somebody else's run keeps its lane for a while, and again for as long after every other job that went.
    BeginsPatienceAnew,
    /// A failure that shows no window counts for the run that is followed, whenever it is read.
    BelievesNamelessFailures,
    /// The reservation of an object that is gone ends at once.
    ForgetsTheDeleted,
}
