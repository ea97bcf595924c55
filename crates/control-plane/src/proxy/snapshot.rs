//! What the API server said some time ago, for answering reads from the past.

use std::sync::Arc;

use http::Request;
use kube::Client;
use serde_json::Value;

use super::{Call, Verb};

/// A list as it once was, with its objects.
#[derive(Clone, Debug)]
pub struct Snapshot {
    path: Arc<str>,
    list: Arc<Value>,
}

impl Snapshot {
    pub(super) async fn take(client: &Client, path: &str) -> kube::Result<Self> {
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        let list = client.request(request).await?;
        Ok(Self { path: path.into(), list: Arc::new(list) })
    }

    /// What a read would have been answered then; `None` for other calls, and for objects that were not there.
    pub(super) fn answer(&self, call: &Call) -> Option<&Value> {
        let path = call.uri.split('?').next().unwrap_or_default();
        match call.verb {
            Verb::List if path == &*self.path => Some(&self.list),
            Verb::Get => {
                let name = path.strip_prefix(&*self.path)?.strip_prefix('/')?;
                let items = self.list.get("items").and_then(Value::as_array)?;
                items.iter().find(|item| item.pointer("/metadata/name").and_then(Value::as_str) == Some(name))
            }
            _ => None,
        }
    }
}
