//! Starts an emulator in this process, says where it is, and waits for what happens there.
//!
//! The operations on it are in `operations`, `behaviours` and `holds`; those that the control API shares are in `handle`.

mod behaviours;
mod handle;
mod holds;
mod operations;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use self::handle::Addresses;
pub(crate) use self::handle::{Handle, reachable};
use crate::hold::Verdict;
use crate::job::JobView;
use crate::model::{Status, TargetKey};
use crate::settings::Options;
use crate::shared::Shared;
use crate::{Error, api, control, runner, serve, tls, wait};

/// A running emulator. It ends with [`Emulator::stop`], or when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    handle: Handle,
    tasks: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts listening. When this returns, the API answers.
    ///
    /// # Errors
    /// When an address is taken, or the certificate cannot be made.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let identity = options.tls.as_ref().map(tls::identity).transpose()?;
        let listener = bind(options.listen).await?;
        let control = match options.control {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let (shared, work) = Shared::new(&options)?;
        let shared = Arc::new(shared);
        let (acceptor, ca_pem) = identity.map(|identity| (identity.acceptor, identity.ca_pem)).unzip();
        let addresses = Addresses {
            listen: local(&listener, options.listen),
            control: options.control.zip(control.as_ref()).map(|(asked, listener)| local(listener, asked)),
            tls: acceptor.is_some(),
            ca_pem: ca_pem.flatten(),
        };
        let handle = Handle { shared: shared.clone(), addresses };
        let mut tasks = vec![
            tokio::spawn(runner::run(shared.clone(), work)),
            tokio::spawn(serve::serve(listener, acceptor, api::router(shared))),
        ];
        tasks.extend(
            control.map(|listener| tokio::spawn(serve::serve(listener, None, control::router(handle.clone())))),
        );
        Ok(Self { handle, tasks })
    }

    /// Closes the ports and every connection, and waits until that is done. Deliveries under way are given up.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            let _ = task.await;
        }
        self.cut_everything_held();
    }

    /// What is held goes on in tasks of its own, which would outlive the emulator.
    fn cut_everything_held(&self) {
        self.handle.update(|world| world.holds.end_all(Verdict::Cut));
    }

    /// Base URL with the region left open: `http://127.0.0.1:PORT/{region}`, literally `{region}`.
    pub fn url_template(&self) -> String {
        self.handle.addresses.url_template()
    }

    /// Base URL of one region.
    pub fn base_url(&self, region: &str) -> String {
        format!("{}/{region}", self.handle.addresses.root())
    }

    /// URL of the control API, if one was asked for.
    pub fn control_url(&self) -> Option<String> {
        self.handle.addresses.control.map(|address| format!("http://{}", reachable(address)))
    }

    /// PEM of the authority that was made for the server's certificate, with [`Tls::SelfSigned`](crate::Tls).
    pub fn ca_pem(&self) -> Option<&str> {
        self.handle.addresses.ca_pem.as_deref()
    }

    /// The public keys of event signatures, as served at `/v2/audit-log-webhook/jwks.json`.
    pub fn jwks(&self) -> Value {
        self.handle.shared.signing.jwks()
    }

    /// A receiver that sees a change at every event, call, delivery and change of status.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.handle.shared.changes()
    }

    /// Looks now and after each change until `look` finds something.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it did not within `limit`.
    pub async fn wait_for<T>(&self, limit: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Result<T, Error> {
        wait::wait_for(self.changes(), limit, || look(self)).await
    }

    /// Waits until a replay job has this status.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it did not within `limit`.
    pub async fn wait_for_status(&self, key: &TargetKey, status: &Status, limit: Duration) -> Result<JobView, Error> {
        self.wait_for(limit, |emulator| emulator.job(key).ok().filter(|job| job.status == *status)).await
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.tasks.iter().map(JoinHandle::abort_handle).for_each(|task: AbortHandle| task.abort());
        self.cut_everything_held();
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = match (TcpListener::bind(address).await, without_ipv6(address)) {
        (Err(error), Some(instead)) if error.kind() != ErrorKind::AddrInUse => TcpListener::bind(instead).await,
        (bound, _) => bound,
    };
    bound.map_err(|source| Error::Listen { address, source })
}

/// What stands for `[::]`, all addresses of the machine, where the kernel has no IPv6.
fn without_ipv6(address: SocketAddr) -> Option<SocketAddr> {
    (address.ip() == Ipv6Addr::UNSPECIFIED).then_some((Ipv4Addr::UNSPECIFIED, address.port()).into())
}

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::net::TcpStream;

    use super::{bind, without_ipv6};

    #[tokio::test]
    async fn all_addresses_are_those_of_ipv4_and_of_ipv6() {
        let listener = bind("[::]:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "[::1]"] {
            let address: SocketAddr = format!("{host}:{port}").parse().unwrap();
            TcpStream::connect(address).await.unwrap();
        }
    }

    #[test]
    fn without_ipv6_all_addresses_are_those_of_ipv4_and_one_address_stays_as_it_is() {
        assert_eq!(without_ipv6("[::]:8787".parse().unwrap()), Some("0.0.0.0:8787".parse().unwrap()));
        for other in ["[::1]:8787", "0.0.0.0:8787", "127.0.0.1:8787"] {
            assert_eq!(without_ipv6(other.parse().unwrap()), None, "{other}");
        }
    }
}
