//! What can go wrong for those who start or control an emulator. Faults on the wire are not errors.

use std::net::SocketAddr;
use std::time::Duration;

use crate::hold::HoldId;
use crate::model::TargetKey;

/// Why something could not be started or done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate authority or its certificate could not be made; most often a name that is none.
    #[error("cannot make the server's certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate or the key that was given is no PEM.
    #[error("cannot read the given certificate or key")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The certificate could not be used.
    #[error("cannot serve TLS")]
    Tls(#[from] rustls::Error),
    /// The system gave no randomness for the signing key.
    #[error("no random numbers for the signing key")]
    Random,
    /// No organization has that name.
    #[error("no organization `{0}`: add it first")]
    UnknownOrganization(String),
    /// The portal was not added.
    #[error("no portal `{0}`: add it first")]
    UnknownTarget(TargetKey),
    /// No token has that value.
    #[error("no such token")]
    UnknownToken,
    /// No hold has that id.
    #[error("no hold {0}")]
    UnknownHold(HoldId),
    /// A run that was to be made by somebody else broke a rule of PUT.
    #[error("the run was refused: {0}")]
    Refused(String),
    /// What was waited for did not happen in time.
    #[error("not within {0:?}")]
    Timeout(Duration),
}
