//! Looks for the CRDs. A replica that stands by is ready when it could take over, which needs them.

use std::time::Duration;

use kube::Client;
use tracing::warn;

use super::controller::{KindController, Kinds};
use super::objects::{ListError, brief, is_refusal};
use super::scopes::Scopes;
use super::server::Readiness;

/// Spacing of looks for a CRD, doubling from the first to the second.
const CRD_RETRY: Duration = Duration::from_secs(2);
const LONGEST_CRD_RETRY: Duration = Duration::from_secs(30);

/// A scope whose objects cannot be listed.
#[derive(Debug)]
struct Unserved {
    /// The namespace; `None` if all are watched.
    namespace: Option<String>,
    /// What the API server said.
    error: String,
}

impl Unserved {
    fn new(scope: Option<&str>, error: &ListError) -> Self {
        Self { namespace: scope.map(str::to_owned), error: brief(error.as_ref()) }
    }
}

/// Looks until the API server serves every kind, and tells `readiness`.
pub(super) async fn look(client: Client, kinds: Kinds, scopes: Scopes, readiness: Readiness) {
    for kind in kinds {
        look_for(*kind, &client, &scopes).await;
    }
    readiness.crd_is_served();
}

async fn look_for(kind: &dyn KindController, client: &Client, scopes: &Scopes) {
    let (plural, mut wait) = (kind.plural(), CRD_RETRY);
    let refused = loop {
        match ask(kind, client, scopes).await {
            Ok(refused) => break refused,
            Err(Unserved { namespace, error }) => {
                warn!(namespace, error, "cannot list {plural}; is the CRD installed, and may this account list them?");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_CRD_RETRY);
    };
    for Unserved { namespace, error } in refused {
        warn!(namespace, error, "may not list {plural} here; the other namespaces are served");
    }
}

/// Whether the API server lets us list the objects: where only some namespaces are refused, which ones those are.
async fn ask(kind: &dyn KindController, client: &Client, scopes: &Scopes) -> Result<Vec<Unserved>, Unserved> {
    let (mut refused, mut served) = (Vec::new(), false);
    for scope in scopes.iter() {
        match kind.is_served(client, scope).await {
            Ok(()) => served = true,
            Err(error) if is_refusal(error.as_ref()) => refused.push(Unserved::new(scope, &error)),
            Err(error) => return Err(Unserved::new(scope, &error)),
        }
    }
    match refused.pop() {
        Some(unserved) if !served => Err(unserved),
        last => {
            refused.extend(last);
            Ok(refused)
        }
    }
}
