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
}
