//! Waits until a freshly started API server is of use: says so itself, and has made its own
//! namespaces. Polls conditions, no sleeps that hope; a server that dies meanwhile ends the wait at
//! once.

use std::future::Future;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use crate::Error;
use crate::process::Supervised;

/// Between two looks.
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(25);

/// A time by which, and how long that was from the start, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    /// `allowed` from now.
    pub(crate) fn after(allowed: Duration) -> Self {
        Self { at: Instant::now() + allowed, allowed }
    }

    /// An error once the time is over, else a short rest.
    pub(crate) async fn rest_or(&self, what: &str, last: String, tail: impl FnOnce() -> String) -> Result<(), Error> {
        if Instant::now() > self.at {
            let seconds = self.allowed.as_secs();
            return Err(Error::Timeout { what: what.to_owned(), seconds, last, tail: tail() });
        }
        tokio::time::sleep(POLL_EVERY).await;
        Ok(())
    }
}

/// Returns once the API server can be used; fails at once if a server ends, else when `deadline` is
/// over.
pub(crate) async fn wait(
    client: &Client,
    etcd: &mut Supervised,
    apiserver: &mut Supervised,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut servers = (etcd, apiserver);
    until("the API server's /readyz", &mut servers, deadline, || readyz(client)).await?;
    until("the namespace default", &mut servers, deadline, || default_namespace(client)).await
}

async fn until<F>(
    what: &str,
    servers: &mut Servers<'_>,
    deadline: Deadline,
    mut look: impl FnMut() -> F,
) -> Result<(), Error>
where
    F: Future<Output = kube::Result<()>>,
{
    loop {
        // The API server ends when etcd does, so that etcd is asked first.
        servers.0.check()?;
        servers.1.check()?;
        match look().await {
            Ok(()) => return Ok(()),
            Err(answer) => {
                deadline.rest_or(what, answer.to_string(), || servers.1.tail()).await?;
            }
        }
    }
}

type Servers<'a> = (&'a mut Supervised, &'a mut Supervised);

async fn readyz(client: &Client) -> kube::Result<()> {
    let request = http_get("/readyz")?;
    client.request_text(request).await.map(drop)
}

async fn default_namespace(client: &Client) -> kube::Result<()> {
    Api::<Namespace>::all(client.clone()).get_metadata("default").await.map(drop)
}

fn http_get(path: &str) -> kube::Result<http::Request<Vec<u8>>> {
    http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)
}
