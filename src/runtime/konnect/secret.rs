//! Reading a Secret. kube's own reading of objects logs an answer that it cannot parse, at `warn`; of a Secret that would be the
//! token. So this answer is parsed here, and its text goes nowhere.

use k8s_openapi::api::core::v1::Secret;
use kube::api::GetParams;
use kube::core::{Request, Status};
use kube::{Client, Error, Resource};

use konnect_replay_core::replay::SecretRef;

/// Reads the Secret that `at` names. A name that no Secret can have is not asked for: where the CRD does not refuse it, it would lead to
/// another place in the API.
pub(super) async fn read(client: &Client, at: &SecretRef) -> kube::Result<Secret> {
    if !is_a_name(&at.name) {
        let status = Status::failure("no Secret can have this name", "NotFound").with_code(404);
        return Err(Error::Api(Box::new(status)));
    }
    let secrets = Request::new(Secret::url_path(&(), Some(&at.namespace)));
    let request = secrets.get(&at.name, &GetParams::default()).map_err(Error::BuildRequest)?;
    let text = client.request_text(request).await?;
    serde_json::from_str(&text).map_err(Error::SerdeError)
}

/// Whether it is a DNS subdomain, which is what the API server takes as the name of a Secret.
fn is_a_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::runtime::testing::Lines;

    /// `kpat_canary`, as a Secret holds it.
    const ENCODED: &str = "a3BhdF9jYW5hcnk=";

    /// Reads a Secret from an apiserver that answers with `body`.
    async fn answered(body: &str) -> (kube::Result<Secret>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
        let _guard = tracing::subscriber::set_default(log);
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let at = SecretRef { namespace: "audit".into(), name: "konnect-token".into(), key: "token".into() };
        let result = read(&client, &at).await;
        (result, lines.text())
    }

    #[tokio::test]
    async fn a_secret_is_read() {
        let (secret, _) = answered(&format!(r#"{{"kind":"Secret","data":{{"token":"{ENCODED}"}}}}"#)).await;
        assert_eq!(secret.unwrap().data.unwrap()["token"].0, b"kpat_canary");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_secret_is_logged_nowhere() {
        for odd in [r#""metadata":7"#, r#""metadata":{"#] {
            let (secret, logged) = answered(&format!(r#"{{"data":{{"token":"{ENCODED}"}},{odd}}}"#)).await;
            assert!(matches!(secret, Err(Error::SerdeError(_))), "{secret:?}");
            assert!(!logged.contains(ENCODED), "{logged}");
        }
    }

    #[tokio::test]
    async fn a_name_that_would_lead_elsewhere_is_not_asked_for() {
        // No server listens there: a call ends with another error.
        let client = Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        for (name, is_name) in [
            ("konnect-token", true),
            ("a.b-c.d0", true),
            ("a/../../namespaces/b/secrets/c", false),
            ("..", false),
            ("a?watch=1", false),
            ("Token", false),
            ("", false),
        ] {
            let at = SecretRef { namespace: "audit".into(), name: name.into(), key: "token".into() };
            let refused = matches!(read(&client, &at).await, Err(Error::Api(status)) if status.code == 404);
            assert_eq!(refused, !is_name, "{name:?}");
        }
    }
}
